"""Damaged and hostile input of every kind, made by a coverage-guided fuzzer: `make fuzz MINUTES=10`.

    python tools/fuzz.py --minutes 10 --corpus fuzz-corpus
    python tools/fuzz.py one filters fuzz-corpus/filters/crash-...    # a single finding again

Targets are grants' XML, pictures, archives, offices' registers, filters, saved searches, and requests to the server.
Each begins with inputs that the tests' makers write; what reaches new code is added to the corpus, and the next run
continues there. A finding is an exception that is not one of patsearch's own, an answer of 500, an input that takes
ten seconds, or one that makes the process grow by a gigabyte. It is kept as a file next to the corpus, and the exit
code is 1.

Needs the `fuzz` extra: atheris, on Linux and macOS (https://github.com/google/atheris).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 10  # that one input may take
MESSAGE = 4_000  # characters, at most
GROWTH = 1 << 10  # MiB that a process may grow by
AT_ONCE = 2
WORDS = ("patent=", "granted>=", "title~", "kind=S1", "uspc=D14", " and ", "!=", "..", "\u0130", "\uff12")


@dataclass(frozen=True)
class Target:
    """One kind of input.

    Attributes:
        seeds: the first inputs.
        prepare: makes the function that takes an input; called once, in the process that fuzzes.
        longest: input, in bytes.
        words: that the fuzzer puts in.
    """

    seeds: Callable[[], Iterator[bytes]]
    prepare: Callable[[contextlib.ExitStack], Callable[[bytes], None]]
    longest: int
    words: tuple[str, ...] = ("\x89PNG",)


# ------------------------------------------------------------------ what is read


def read_grants(_: contextlib.ExitStack) -> Callable[[bytes], None]:
    from patsearch.ingest.grant import parse_grant

    return lambda data: _refused_or_done(lambda: parse_grant(data))


def read_pictures(_: contextlib.ExitStack) -> Callable[[bytes], None]:
    from patsearch.drawings.opening import count_pages, open_grey, open_image
    from patsearch.encoder.preprocess import Preprocessing, preprocess

    def read(data: bytes) -> None:
        pages = count_pages(data)
        image = open_image(data, name="picture", page=min(2, pages), max_pixels=4_000_000)
        preprocess(image, Preprocessing(size=64))
        open_grey(data, name="picture")

    return lambda data: _refused_or_done(lambda: read(data))


def read_archives(stack: contextlib.ExitStack) -> Callable[[bytes], None]:
    from patsearch.ingest.sources import Problem, open_source

    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="patsearch-fuzz-")))

    def read(data: bytes) -> None:
        # Archives are recognised by their names.
        path = folder / ("I20240102.tar" if data[257:262] == b"ustar" else "USD0900000-20240102.ZIP")
        path.write_bytes(data)
        try:
            for unit in open_source(path).units():
                if not isinstance(unit, Problem):
                    _refused_or_done(unit.load)
        finally:
            path.unlink()

    return lambda data: _refused_or_done(lambda: read(data))


def read_registers(stack: contextlib.ExitStack) -> Callable[[bytes], None]:
    """The first byte says what kind of file the rest is."""
    from patsearch.ingest.sources import Problem, Source, SourceOptions
    from patsearch.ingest.sources.euipo import EuipoSource
    from patsearch.ingest.sources.hague import HagueSource
    from patsearch.ingest.sources.impact import ImpactSource
    from patsearch.ingest.sources.st86 import St86Source

    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="patsearch-fuzz-")))
    kinds: list[tuple[type[Source], str]] = [
        (St86Source, "a.xml"), (HagueSource, "b.xml"), (EuipoSource, "c.json"), (ImpactSource, "d.csv"),
        (St86Source, "FR_FRNEWST86_2021-14.zip"),
    ]  # fmt: skip

    def read(data: bytes) -> None:
        kind, name = kinds[data[0] % len(kinds)] if data else kinds[0]
        path = folder / name
        path.write_bytes(data[1:])
        try:
            if not kind.recognises(path):
                return
            for unit in kind(path, SourceOptions()).units():
                if not isinstance(unit, Problem):
                    _refused_or_done(unit.load)
                elif "\n" in unit.reason or len(unit.reason) > MESSAGE:
                    raise RuntimeError(f"not one line of a readable length: {unit.reason}")
        finally:
            path.unlink()

    return lambda data: _refused_or_done(lambda: read(data))


def read_filters(_: contextlib.ExitStack) -> Callable[[bytes], None]:
    from patsearch.filters import parse_filter
    from patsearch_contract.samples import random_drawings

    drawings = random_drawings(20, seed=1)

    def read(data: bytes) -> None:
        where = parse_filter(data.decode("utf-8", "replace").split("\0"))
        chosen = [where.matches(drawing) for drawing in drawings]
        # What a filter says of itself is the same filter.
        again = parse_filter(str(where)) if where.conditions else where
        assert [again.matches(drawing) for drawing in drawings] == chosen, f"{where} read again is {again}"

    return lambda data: _refused_or_done(lambda: read(data))


def read_saved(_: contextlib.ExitStack) -> Callable[[bytes], None]:
    from patsearch.record import SavedSearch

    return lambda data: _refused_or_done(lambda: SavedSearch.read(data, name="saved.json"))


def send_requests(stack: contextlib.ExitStack) -> Callable[[bytes], None]:
    import atheris
    from fastapi.testclient import TestClient

    from patsearch.web.app import create_app
    from patsearch.web.settings import ServerSettings

    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="patsearch-fuzz-")))
    index, picture = _small_index(folder), _pictures()[0]
    app = create_app(ServerSettings(index, workers=1, max_bytes=2 << 20, request_seconds=SECONDS, work_seconds=SECONDS))
    client = stack.enter_context(TestClient(app, base_url="http://127.0.0.1:8765", raise_server_exceptions=False))
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    routes = sorted((path, method) for path, methods in paths.items() for method in methods)
    fields = ("filter", "top", "like", "rerank", "expand", "min_score", "mode", "crop", "turn", "page", "relevant",
              "irrelevant", "shape", "rotations", "mirror", "offset", "max_per_class", "title", "drawing")  # fmt: skip

    def send(data: bytes) -> None:
        given = atheris.FuzzedDataProvider(data)
        path, method = routes[given.ConsumeIntInRange(0, len(routes) - 1)]
        path = path.replace("{number}", "USD900001").replace("{drawing_id}", "USD900001-D00001-1")
        chosen: dict[str, str] = {}
        for _ in range(given.ConsumeIntInRange(0, 4)):
            name = fields[given.ConsumeIntInRange(0, len(fields) - 1)]
            chosen[name] = given.ConsumeUnicodeNoSurrogates(given.ConsumeIntInRange(0, 60))
        kind = given.ConsumeIntInRange(0, 3)
        rest = given.ConsumeBytes(given.remaining_bytes())
        if method == "get" or kind == 0:
            answer = client.request(method, path, params=chosen)
        elif kind == 1:
            answer = client.request(method, path, content=rest, headers={"content-type": "application/json"})
        else:
            files = {"picture": ("a.png", picture if kind == 2 else rest)}
            answer = client.request(method, path, data=chosen, files=files)
        # 503 is an answer to work that takes too long, in words.
        assert answer.status_code < 500 or answer.status_code == 503, f"{method} {path}: {answer.status_code}"

    return send


def _refused_or_done(work: Callable[[], object]) -> None:
    """An input is read, or refused by one of patsearch's own errors, in one line."""
    from patsearch.errors import PatsearchError

    try:
        work()
    except PatsearchError as error:
        text = str(error)
        if "\n" in text or len(text) > MESSAGE:
            raise RuntimeError(f"not one line of a readable length: {text}") from error


# ------------------------------------------------------------------ first inputs


def _pictures() -> list[bytes]:
    from makers import draw_design, tiff_bytes

    drawn = draw_design(1, 0).resize((225, 300))
    pictures = [tiff_bytes(drawn)]
    for kind, mode in (("PNG", "L"), ("JPEG", "L"), ("GIF", "L"), ("BMP", "L"), ("WEBP", "RGB"), ("JPEG2000", "L")):
        buffer = io.BytesIO()
        drawn.convert(mode).save(buffer, kind)
        pictures.append(buffer.getvalue())
    pages = io.BytesIO()
    drawn.save(
        pages, "TIFF", save_all=True, append_images=[draw_design(2, 0).resize((90, 120))], compression="tiff_lzw"
    )
    return [*pictures[1:], pictures[0], pages.getvalue()]


def _grants() -> Iterator[bytes]:
    from makers import grant_xml

    for number in range(3):
        made = grant_xml(
            f"D090000{number}", title="Lamp", date="20210105", locarno="2605", uspc="D26 37", sheets=1 + number
        )
        yield made
    yield made.replace(b" [ ]", b' [ <!ENTITY a SYSTEM "D1.TIF" NDATA TIF> ]').replace(b"Lamp", b"Lamp &ldquo;A&nbsp;1")


def _archives() -> Iterator[bytes]:
    from makers import grant_zip

    name, whole = grant_zip(1, sheets=1)
    yield whole
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        member = tarfile.TarInfo(f"I20240102/DESIGN/{name}")
        member.size = len(whole)
        archive.addfile(member, io.BytesIO(whole))
    yield buffer.getvalue()
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w") as archive:
        archive.writestr("USD0900000-20240102/USD0900000-20240102.XML", next(_grants()))
    yield stored.getvalue()


FILTERS = (
    "patent=D800,001 and granted>=2017-01-10", "title~café lamp", "uspc=D14/345", "locarno=14-02 and kind=S1",
    "cpc=G06F", "granted=2017", "figure=FIG. 1", "patent!=RE49,123", "granted=2016..2018",
)  # fmt: skip


def _registers() -> Iterator[bytes]:
    from register_makers import DPMA, bulletins, design, euipo, impact, st86, three_weeks

    yield b"\0" + st86(design(), design(reference="002", views=None)).encode()
    yield b"\0" + DPMA.encode()
    with tempfile.TemporaryDirectory() as folder:
        for bulletin in bulletins(Path(folder)):
            yield from (b"\1" + file.read_bytes() for file in bulletin.glob("*.xml"))
        yield b"\4" + three_weeks(Path(folder))[2].read_bytes()
    yield b"\2" + euipo().encode()
    yield b"\3" + impact().encode()


def _filters() -> Iterator[bytes]:
    return (text.encode() for text in FILTERS)


def _saved() -> Iterator[bytes]:
    with tempfile.TemporaryDirectory(prefix="patsearch-fuzz-") as name:
        folder = Path(name)
        picture, saved = folder / "lamp.png", folder / "lamp.json"
        picture.write_bytes(_pictures()[0])
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "patsearch",
            "query",
            picture,
            "--index",
            _small_index(folder),
            "--save",
            saved,
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        yield saved.read_bytes()


def _requests() -> Iterator[bytes]:
    for route in range(14):
        yield bytes([route]) + b"granted>=2017\x00\x01\x02\x03" * 3


def _small_index(folder: Path) -> Path:
    from makers import week

    from patsearch.ingest import IngestOptions, ingest

    ingest([week(folder / "week", range(3), sheets=1)], folder / "index", IngestOptions(workers=1))
    return folder / "index"


TARGETS = {
    "xml": Target(_grants, read_grants, 64 << 10, ("<!ENTITY", "<!DOCTYPE", "&nbsp;", "<![CDATA[", "]]>")),
    "pictures": Target(lambda: iter(_pictures()), read_pictures, 256 << 10),
    "archives": Target(_archives, read_archives, 256 << 10, ("PK\x01\x02", "PK\x03\x04", "PK\x05\x06", "../", "ustar")),
    "registers": Target(
        _registers, read_registers, 64 << 10,
        ("<!ENTITY", "</Design>", "<View>", "DesignIdentifierBag", '"views":[', "[[[[", '","', "-0001", "2021-02-31"),
    ),
    "filters": Target(_filters, read_filters, 4 << 10, WORDS),
    "saved": Target(_saved, read_saved, 256 << 10, ('"min_score":', "NaN", "1e999", '"picture":[', "null")),
    "requests": Target(_requests, send_requests, 16 << 10, WORDS),
}  # fmt: skip


# ------------------------------------------------------------------ running


def one(name: str, arguments: list[str]) -> None:
    """Fuzz one target in this process, by libFuzzer's arguments; does not return."""
    import atheris

    sys.path.insert(0, str(ROOT / "tests"))
    stack = contextlib.ExitStack()
    with atheris.instrument_imports(include=["patsearch", "PIL", "zipfile", "tarfile", "pydantic"]):
        import patsearch  # noqa: F401

        take = TARGETS[name].prepare(stack)
    atheris.Setup([f"fuzz {name}", *arguments], take)
    atheris.Fuzz()


def start(name: str, corpus: Path, seconds: float) -> subprocess.Popen[str]:
    """A process that fuzzes a target for some time; its stderr goes to LOG next to the corpus."""
    target, folder = TARGETS[name], corpus / name
    (folder / "inputs").mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (folder / "inputs" / f"seed-{number}").write_bytes(seed)
    words = folder / "words.txt"  # libFuzzer refuses an empty one
    escaped = ["".join(f"\\x{byte:02x}" for byte in word.encode()) for word in target.words]
    words.write_text("".join(f'"{word}"\n' for word in escaped))
    command = [
        sys.executable, str(Path(__file__).resolve()), "one", name, str(folder / "inputs"),
        f"-max_total_time={int(seconds)}", f"-timeout={SECONDS}", f"-max_len={target.longest}", f"-dict={words}",
        f"-artifact_prefix={folder}/", f"-rss_limit_mb={_resident() + GROWTH}", "-print_final_stats=1",
    ]  # fmt: skip
    with (folder / "log.txt").open("w") as log:
        return subprocess.Popen(command, stderr=log, stdout=log, text=True, cwd=ROOT)


def _resident() -> int:
    """MiB that a process has before it reads anything: libraries and the encoder."""
    return 700


def run(minutes: float, corpus: Path, names: list[str]) -> int:
    """Fuzz targets, two at once, the minutes shared among them; the exit code."""
    sys.path.insert(0, str(ROOT / "tests"))
    rounds = [names[i : i + AT_ONCE] for i in range(0, len(names), AT_ONCE)]
    seconds = 60 * minutes / len(rounds)
    failed = False
    for together in rounds:
        before = {name: _artifacts(corpus / name) for name in together}
        running = {name: start(name, corpus, seconds) for name in together}
        for name, process in running.items():
            started = time.monotonic()
            code = process.wait()
            found = sorted(_artifacts(corpus / name) - before[name])
            runs = _stat(corpus / name / "log.txt", "stat::number_of_executed_units")
            inputs = len(list((corpus / name / "inputs").iterdir()))
            print(f"{name}: {runs} inputs tried, {inputs} kept, {len(found)} findings", flush=True)
            for path in found:
                print(f"  python tools/fuzz.py one {name} {path}", flush=True)
            if code and not found:
                print(f"  ended with {code} after {time.monotonic() - started:.0f} s: {corpus / name / 'log.txt'}")
            failed |= bool(found or code)
    return int(failed)


def _artifacts(folder: Path) -> set[str]:
    return {str(path) for kind in ("crash", "timeout", "oom", "leak", "slow-unit") for path in folder.glob(f"{kind}-*")}


def _stat(log: Path, name: str) -> str:
    found: list[Any] = [line.split()[-1] for line in log.read_text(errors="replace").splitlines() if name in line]
    return str(found[-1]) if found else "unknown"


def main() -> None:
    """Fuzz everything, or one target."""
    if sys.argv[1:2] == ["one"]:
        one(sys.argv[2], sys.argv[3:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--corpus", type=Path, default=Path("fuzz-corpus"))
    parser.add_argument("--target", action="append", choices=sorted(TARGETS), help="repeatable; all by default")
    arguments = parser.parse_args()
    sys.exit(run(arguments.minutes, arguments.corpus.resolve(), arguments.target or list(TARGETS)))


if __name__ == "__main__":
    main()
