"""`patsearch encoder`: which encoders there are, and what their cards say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from patsearch.encoder import EncoderCard


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    group = typer.Typer(help="What encoders there are, and what is known of them.", no_args_is_help=True)
    group.command("list")(list_encoders)
    group.command("info")(info)
    app.add_typer(group, name="encoder")


def list_encoders(as_json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """The shipped encoders, and the kinds that `--encoder KIND:ARGUMENT` takes."""
    from patsearch import plugins
    from patsearch.cli.output import print_json, stdout
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
    name: str | None = typer.Argument(None, help="An encoder's name or path; the default one if left out."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Everything that an encoder's card says. The encoder is loaded, which checks its fingerprint."""
    from patsearch.cli.output import print_json, stdout
    from patsearch.encoder import load_encoder

    card = load_encoder(name).card
    if as_json:
        print_json(card.to_json())
        return
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in _rows(card):
        table.add_row(label, value)
    stdout().print(table)


def _rows(card: EncoderCard) -> list[tuple[str, str]]:
    steps = card.preprocessing
    rows = [
        ("name", card.name),
        ("title", card.title),
        ("dimension", str(card.dim)),
        ("input", f"{steps.size} x {steps.size} grey, padding {steps.padding}, thicken {steps.thicken} px"),
        ("sha256", card.sha256),
        ("trained on", card.trained_on or "not stated"),
        ("drawings", "never trained on drawings: a baseline" if card.baseline else "trained on drawings"),
        ("licence", card.licence or "not stated"),
    ]
    rows += [("score", f"{s.dataset}: {s.metric} {s.value:.4f}  {s.command}".rstrip()) for s in card.scores]
    return [*rows, ("notes", card.notes)] if card.notes else rows
