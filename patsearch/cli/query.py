"""`patsearch query`: search with drawings for the patents that look like them."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from patsearch.cli.options import AsJson, ExpandText, Filters, Mirror, RerankText, Rotations, Shape, Style, style_option
from patsearch.cli.output import notice, print_json, print_long, print_utf8, stderr, stdout
from patsearch.errors import UsageError
from patsearch.files import printable, write_output
from patsearch.text import spreadsheet_text, visible

if TYPE_CHECKING:
    from patsearch.engine import Picture, Question
    from patsearch.record import Cover
    from patsearch.types import JsonDict, PatentHit

STANDARD_INPUT = "-"
_CSV_COLUMNS = ("rank", "patent", "score", "title", "kind", "granted", "filed", "locarno", "uspc", "cpc", "ipc",
                "drawing", "sheet", "figure", "view", "owners", "inventors", "expires", "status")  # fmt: skip

Images = Annotated[
    list[str] | None, typer.Argument(help="Images, PDFs and 3D models, one query together; - reads standard input.")
]
Index = Annotated[Path | None, typer.Option("--index", "-i", envvar="PATSEARCH_INDEX", help="Folder of the index.")]
Url = Annotated[str | None, typer.Option("--url", help="Search on the `patsearch serve` at this address instead.")]
Token = Annotated[
    str | None,
    typer.Option("--token", envvar="PATSEARCH_TOKEN", help="Token of that server; better in the environment."),
]
Top = Annotated[int, typer.Option("--top", "-n", min=1, max=10_000, help="Number of results.")]
Like = Annotated[str | None, typer.Option("--like", help="Query with the drawings of an indexed patent.")]
Crop = Annotated[str | None, typer.Option("--crop", help="Use this part of each picture: x,y,width,height.")]
Page = Annotated[
    int | None, typer.Option("--page", min=1, max=10_000, help="Page of a PDF or TIFF, view of a model. [default: all]")
]
Up = Annotated[
    str | None,
    typer.Option("--up", metavar="AXIS", help="Axis of a 3D model that points up. [default: z; y of OBJ, GLB, glTF]"),
]
Drawings = Annotated[bool, typer.Option("--drawings", help="Single drawings, not grouped by patent.")]
MinScore = Annotated[
    float | None, typer.Option("--min-score", min=-1, max=1, help="Leave out results that score less.")
]
Exact = Annotated[bool, typer.Option("--exact", help="Never approximate.")]
MaxPerClass = Annotated[
    int | None, typer.Option("--max-per-class", min=1, help="Up to N patents of one main class, Locarno or else US.")
]
MaxPerRegistration = Annotated[
    int | None, typer.Option("--max-per-registration", min=1, help="Up to N designs of one registration.")
]
AsPhoto = Annotated[
    bool, typer.Option("--as-photo", help="Search with the photo of a sheet of paper as it is, not flattened.")
]
Relevant = Annotated[
    list[str] | None,
    typer.Option("--relevant", metavar="DRAWING", help="Find more like this drawing of an earlier search; repeatable."),
]
Irrelevant = Annotated[
    list[str] | None,
    typer.Option("--irrelevant", metavar="DRAWING", help="Find less like this drawing; repeatable."),
]
AsCsv = Annotated[
    bool, typer.Option("--csv", help="Print CSV. An apostrophe comes before a cell that a spreadsheet would calculate.")
]
RawCsv = Annotated[bool, typer.Option("--csv-raw", help="Print CSV without these apostrophes, for programs.")]
Html = Annotated[Path | None, typer.Option("--html", help="Write the search record as an HTML page.")]
Pdf = Annotated[Path | None, typer.Option("--pdf", help="Write the search record as PDF; needs the pdf extra.")]
Docket = Annotated[str | None, typer.Option("--docket", metavar="TEXT", help="Docket number on the record.")]
Title = Annotated[str | None, typer.Option("--title", metavar="TEXT", help="Title of the record.")]
Searcher = Annotated[str | None, typer.Option("--searcher", metavar="TEXT", help="Who searched, on the record.")]
Notes = Annotated[str | None, typer.Option("--notes", metavar="TEXT", help="Notes on the record.")]
Save = Annotated[Path | None, typer.Option("--save", help="Save the search to this file, for `patsearch watch`.")]


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("query")(query)


def query(
    images: Images = None,
    index: Index = None,
    url: Url = None,
    token: Token = None,
    filters: Filters = None,
    top: Top = 20,
    like: Like = None,
    crop: Crop = None,
    page: Page = None,
    up: Up = None,
    as_photo: AsPhoto = False,
    rotations: Rotations = False,
    mirror: Mirror = False,
    style: Style = None,
    shape: Shape = False,
    drawings: Drawings = False,
    min_score: MinScore = None,
    exact: Exact = False,
    max_per_class: MaxPerClass = None,
    max_per_registration: MaxPerRegistration = None,
    rerank: RerankText = None,
    expand: ExpandText = None,
    relevant: Relevant = None,
    irrelevant: Irrelevant = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    raw_csv: RawCsv = False,
    html: Html = None,
    pdf: Pdf = None,
    docket: Docket = None,
    title: Title = None,
    searcher: Searcher = None,
    notes: Notes = None,
    save: Save = None,
) -> None:
    """Find the patents whose drawings look most like the given ones."""
    from patsearch.engine import Question
    from patsearch.record import Cover

    if as_json and (as_csv or raw_csv):
        raise UsageError("--json and --csv exclude each other.", hint="Choose one; --html goes with either.")
    files = _Files(html, pdf, save, Cover.of(docket=docket, title=title, searcher=searcher, notes=notes))
    question = Question.of(
        [_picture(name) for name in images or ()],
        like=like,
        where=filters,
        top=top,
        rotations=rotations,
        crop=crop,
        page=page,
        up=up,
        flatten=not as_photo,
        drawings=drawings,
        min_score=min_score,
        exact=exact,
        mirror=mirror,
        max_per_class=max_per_class,
        max_per_registration=max_per_registration,
        rerank=rerank,
        expansion=expand,
        relevant=relevant or (),
        irrelevant=irrelevant or (),
        **style_option(style, shape),
    )
    _say(question)
    record, hits = _searched(question, index, url, token, files)
    for text in record.get("warnings", ()):
        notice(text)
    for path in (html, pdf, save):
        if path is not None:
            notice(f"wrote {path}")
    if as_json:
        print_json(record)
    elif as_csv or raw_csv:
        _print_csv(hits, raw=raw_csv)
    else:
        _print_table(hits)


def _say(question: Question) -> None:
    """What the reader has to know of the query before its results."""
    for text in question.where.notices:
        notice(text)


def _picture(name: str) -> Picture:
    from patsearch.engine import Picture

    if name != STANDARD_INPUT:
        return Picture(printable(name), Path(name))
    if sys.stdin is None:
        raise UsageError("Standard input is closed.", hint="Send a picture: patsearch query - < drawing.png.")
    return Picture(name, sys.stdin.buffer.read())


@dataclass(frozen=True, slots=True)
class _Files:
    """What is written: the record as a page and as PDF, with its cover, and the saved search."""

    html: Path | None
    pdf: Path | None
    save: Path | None
    cover: Cover

    def __post_init__(self) -> None:
        if self.cover and self.html is None and self.pdf is None:
            raise UsageError(
                "--docket, --title, --searcher and --notes are for a record.", hint="Add --html FILE or --pdf FILE."
            )


def _searched(
    question: Question, index: Path | None, url: str | None, token: str | None, files: _Files
) -> tuple[JsonDict, Sequence[PatentHit]]:
    """The search record and its hits; writes the files that are named."""
    if url is not None:
        return _on_server(question, url, token, files)
    if index is None:
        raise UsageError("No index given.", hint="Name its folder: --index DIR; or a server: --url ADDRESS.")
    return _in_folder(question, index, files)


def _in_folder(question: Question, index: Path, files: _Files) -> tuple[JsonDict, Sequence[PatentHit]]:
    """As `_searched`, in an index of this computer."""
    from patsearch.engine import open_index, search
    from patsearch.record import SavedSearch, SearchRecord, render_page, render_pdf

    with open_index(index) as engine:
        answer = search(engine, question)
        record = SearchRecord.of(engine, answer)
        filed = record.filed(engine, files.cover) if files.html or files.pdf else record
        if files.html is not None:
            write_output(files.html, render_page(filed, engine.thumbnails))
        if files.pdf is not None:
            write_output(files.pdf, render_pdf(filed, engine.thumbnails))
        if files.save is not None:
            SavedSearch.of(record, answer.vectors, name=printable(files.save.stem)).save(files.save)
    return record.to_json(), record.hits


def _on_server(question: Question, url: str, token: str | None, files: _Files) -> tuple[JsonDict, Sequence[PatentHit]]:
    """As `_in_folder`, on a server."""
    from patsearch.client import connect

    with connect(url, token=token) as server:
        record = server.record(question)
        if files.html is not None:
            write_output(files.html, server.report(question, kind="html", cover=files.cover))
        if files.pdf is not None:
            write_output(files.pdf, server.report(question, kind="pdf", cover=files.cover))
        if files.save is not None:
            write_output(files.save, server.save(question, name=printable(files.save.stem)))
        hits = server.hits(record)
    return record, hits


_COLUMNS = ("#", "Patent", "Score", "Title", "Granted", "Classes", "Drawing")


def _print_table(hits: Sequence[PatentHit]) -> None:
    from rich.markup import escape
    from rich.table import Table

    if not hits:
        stderr().print("Nothing found.")
        return
    rows = []
    for hit in hits:
        best = hit.drawing
        codes = [code for scheme in best.classes_json().values() for code in scheme[:2]]
        # A picture that is a patent by itself is called as the patent is.
        drawing = f"FIG. {best.figure}" if best.figure else best.sheet if best.sheet != hit.patent else ""
        cells = (
            str(hit.rank), hit.patent, f"{hit.score:.3f}", hit.title, str(hit.granted or ""), " ".join(codes), drawing
        )  # fmt: skip
        rows.append([visible(cell) for cell in cells])
    table = Table(box=None, pad_edge=False, header_style="bold")
    shown = [place for place, column in enumerate(zip(*rows, strict=True)) if any(column)]
    for place in shown:
        name = _COLUMNS[place]
        # Only titles are broken within a word.
        words = (word for row in rows for word in row[place].split())
        least = max(map(len, words), default=1) if name in ("Classes", "Drawing") else None
        table.add_column(
            name, justify="right" if name in ("#", "Score") else "left", no_wrap=name in ("Patent", "Granted"),
            overflow="fold", min_width=least,
        )  # fmt: skip
    for row in rows:
        table.add_row(*(escape(row[place]) for place in shown))
    console = stdout()
    with console.capture() as captured:
        console.print(table)
    print_long(captured.get())


def _print_csv(hits: Sequence[PatentHit], *, raw: bool) -> None:
    cell = visible if raw else spreadsheet_text
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(_CSV_COLUMNS)
    for hit in hits:
        best = hit.drawing
        codes = best.classes_json()
        writer.writerow(
            [hit.rank, cell(hit.patent), f"{hit.score:.6f}", cell(best.title), cell(best.kind), best.granted or "",
             best.filed or "", *(cell("; ".join(codes[scheme])) for scheme in ("locarno", "uspc", "cpc", "ipc")),
             cell(best.id), cell(best.sheet), cell(best.figure or ""), cell(best.view or ""),
             *(cell("; ".join(best.values(field))) for field in ("owner", "inventor")), best.expires or "",
             cell("".join(best.values("status")))]
        )  # fmt: skip
    print_utf8(table.getvalue())
