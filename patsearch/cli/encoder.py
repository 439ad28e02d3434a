"""`patsearch encoder`: list the encoders, show their cards, export and compare them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from patsearch.cli.output import print_json, print_pairs, stdout
from patsearch.errors import EncoderError, UsageError
from patsearch.files import at_home

if TYPE_CHECKING:
    from patsearch.encoder import ArrayEncoder, EncoderCard
    from patsearch.encoder.card import Likeness
    from patsearch.training.export.onnx_export import Exported


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    group = typer.Typer(help="List encoders, show their cards, export and compare them.", no_args_is_help=True)
    group.command("list")(list_encoders)
    group.command("info")(info)
    group.command("export")(export)
    group.command("compare")(compare)
    app.add_typer(group, name="encoder")


def list_encoders(as_json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """The shipped encoders, and the kinds that `--encoder KIND:ARGUMENT` takes."""
    from patsearch import plugins
    from patsearch.encoder import DEFAULT_ENCODER, shipped_cards

    cards, kinds = shipped_cards(), plugins.names("encoder")
    if as_json:
        shipped = [card.to_json() | {"default": card.name == DEFAULT_ENCODER} for card in cards]
        print_json({"encoders": shipped, "kinds": kinds})
        return
    from rich.table import Table

    table = Table("name", "dim", "size", "trained on drawings", "title")
    for card in cards:
        name = f"{card.name} (default)" if card.name == DEFAULT_ENCODER else card.name
        side = str(card.preprocessing.size)
        table.add_row(name, str(card.dim), side, "no" if card.baseline else "yes", card.title)
    console = stdout()
    console.print(table)
    console.print("Also: " + ", ".join(f"{kind}:..." for kind in kinds))


def info(
    name: str | None = typer.Argument(None, help="An encoder's name or path. [default: the default encoder]"),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Print an encoder's card. The encoder is loaded, which checks its fingerprint."""
    from patsearch.encoder import load_encoder

    card = load_encoder(name).card
    if as_json:
        print_json(card.to_json())
        return
    print_pairs(_rows(card))


def export(
    name: str = typer.Argument(..., help="A checkpoint folder, or any other encoder that torch or ONNX Runtime runs."),
    out: Path = typer.Option(..., "--out", "-o", help="Folder to write into."),
    int8: bool = typer.Option(False, "--int8", help="Also write it in 8 bits."),
    drawings: list[Path] = typer.Option(
        [], "--drawings", "-d", help="Sources or caches to calibrate and check on. [default: synthetic drawings]"
    ),
    count: int = typer.Option(128, "--count", min=8, help="Drawings to calibrate on, and drawings to check on."),
    called: str | None = typer.Option(None, "--name", help="Name of the files. [default: the folder's name]"),
    threads: int | None = typer.Option(None, "--threads", min=1, help="CPU threads. [default: all cores]"),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Write an encoder as an ONNX file with its card, for machines without torch.

    The export is compared with the original on drawings. Nothing is written if a cosine is below 0.9999 in
    float32, or if their mean is below 0.99 in 8 bits.
    """

    with _train_extra():
        from patsearch.encoder.onnx import OnnxEncoder
        from patsearch.encoder.torch import TorchEncoder
        from patsearch.training.data.drawings import some_drawings
        from patsearch.training.export.onnx_export import export_onnx
        from patsearch.training.export.quantise import quantise

    encoder = _load(name, threads)
    if not isinstance(encoder, TorchEncoder | OnnxEncoder):
        raise UsageError(
            f"{encoder.card.name} is not a network.",
            hint="Name a checkpoint folder or an .onnx file.",
        )
    if isinstance(encoder, OnnxEncoder) and not int8:
        raise UsageError(f"{encoder.card.name} is already an ONNX file.", hint="Add --int8 to write it in 8 bits.")
    base = called or _file_name(name)
    some = some_drawings(drawings, encoder.preprocessing, 2 * count)
    # The first half gives the ranges of 8 bits; the check uses other drawings than the calibration.
    calibration, check = some[: len(some) // 2], some[len(some) // 2 :]
    written = []
    if isinstance(encoder, TorchEncoder):
        written.append(export_onnx(encoder, out, base, check))
        exact = OnnxEncoder(written[0].path, written[0].card, threads=threads)
    else:
        exact = encoder
    if int8:
        written.append(quantise(exact, out, f"{base}-int8", calibration=calibration, check=check))
    if as_json:
        print_json({"exported": [_exported(one) for one in written]})
        return
    for one in written:
        stdout().print(
            f"{one.path}: {one.bytes / 1e6:.1f} MB, cosine {one.mean:.5f} on average, {one.least:.5f} at worst, on "
            f"{one.drawings} drawings; sha256 {one.card.sha256}",
            soft_wrap=True,
            markup=False,
        )


def compare(
    first: str = typer.Argument(..., help="An encoder's name or path."),
    second: str = typer.Argument(..., help="Another encoder's name or path."),
    on: list[Path] = typer.Option(..., "--on", help="Sources or caches with the drawings; repeatable."),
    threads: int | None = typer.Option(1, "--threads", min=1, help="CPU threads."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Compare two encoders on the same drawings: vectors, rankings, mean average precision, rate."""
    import tempfile

    with _train_extra():
        from patsearch.training.data.drawings import whole_cache
        from patsearch.training.export.compare import TOP, compare_encoders

    encoders = [_load(name, threads) for name in (first, second)]
    with tempfile.TemporaryDirectory() as folder:
        size = max(encoder.preprocessing.size for encoder in encoders)
        result = compare_encoders(encoders[0], encoders[1], whole_cache(on, size, Path(folder)))
    if as_json:
        print_json(result.to_json())
        return
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table("", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for side in (result.first, result.second):
        table.add_column(side.name, justify="right", overflow="fold")
    rows = (
        ("mAP", [f"{side.map:.4f}" for side in (result.first, result.second)]),
        ("drawings a CPU second", [f"{side.per_cpu_second:,.1f}" for side in (result.first, result.second)]),
        ("dimension", [f"{side.dim:,}" for side in (result.first, result.second)]),
        ("size", [f"{side.size} px" for side in (result.first, result.second)]),
    )
    for label, cells in rows:
        table.add_row(label, *cells)
    console = stdout()
    console.print(table)
    if result.cosine_mean is not None:
        console.print(f"cosine of the vectors: {result.cosine_mean:.5f} on average, {result.cosine_least:.5f} at worst")
    console.print(f"the {TOP} nearest: {result.top:.1%} in common, over {result.drawings:,} drawings")


def _load(name: str, threads: int | None) -> ArrayEncoder:
    from patsearch.encoder import ArrayEncoder, load_encoder

    encoder = load_encoder(name, threads=threads)
    if not isinstance(encoder, ArrayEncoder):
        raise UsageError(f"{encoder.card.name} cannot encode preprocessed drawings.", hint="Use patsearch bench.")
    return encoder


def _file_name(name: str) -> str:
    """A name for the files: for a run's best checkpoint, the run's name."""
    path = at_home(name.removeprefix("checkpoint:").removeprefix("onnx:")).absolute()
    stem = path.parent.name if path.name in ("best", "last") else path.name.removesuffix(".onnx")
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in stem) or "encoder"


def _exported(one: Exported) -> dict[str, object]:
    return {
        "file": str(one.path),
        "bytes": one.bytes,
        "cosine_mean": one.mean,
        "cosine_least": one.least,
        "drawings": one.drawings,
        "card": one.card.to_json(),
    }


@contextmanager
def _train_extra() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise EncoderError(
            f"This needs a package that is not installed: {error.name}.", hint="pip install 'patsearch[train]'"
        ) from error


def _words(likeness: Likeness) -> str:
    words = (("same drawing", likeness.same_drawing), ("same shape", likeness.same_shape), ("alike", likeness.alike))
    return ", ".join(f"{word} from {least:g}" for word, least in words)


def _rows(card: EncoderCard) -> list[tuple[str, str]]:
    steps = card.preprocessing
    windows = f", {steps.windows} of its four parts for windows" if steps.windows else ""
    rows = [
        ("name", card.name),
        ("title", card.title),
        ("dimension", str(card.dim)),
        *([("by shape", f"the first {card.shape_dim} numbers; the rest is style")] if card.shape_dim else []),
        ("input", f"{steps.size} x {steps.size} grey, padding {steps.padding}, thicken {steps.thicken} px{windows}"),
        ("sha256", card.sha256),
        *([("in words", _words(card.likeness))] if card.likeness else []),
        ("trained on", card.trained_on or "not stated"),
        ("drawings", "never trained on drawings: a baseline" if card.baseline else "trained on drawings"),
        ("licence", card.licence or "not stated"),
    ]
    rows += [("score", f"{s.dataset}: {s.metric} {s.value:.4f}  {s.command}".rstrip()) for s in card.scores]
    return [*rows, ("notes", card.notes)] if card.notes else rows
