"""`patsearch plate`: designs next to each other, view by view."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from patsearch.cli.options import AsJson, IndexFolder, Style, style_option
from patsearch.cli.output import print_json, tell
from patsearch.errors import UsageError
from patsearch.files import write_output

_KINDS = (".pdf", ".html", ".png")


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("plate")(command)


def command(
    query: Annotated[
        str, typer.Argument(help="Claimed or accused design: a file, a folder of views, or an indexed patent's number.")
    ],
    patent: Annotated[str, typer.Argument(help="Number of an indexed patent.")],
    index: IndexFolder,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="File to write: .pdf or .png (need the pdf extra), or .html.")
    ],
    earlier: Annotated[str | None, typer.Argument(help="Number of the closest earlier design.")] = None,
    style: Style = None,
    as_json: AsJson = False,
) -> None:
    """Write a plate: two or three designs next to each other, a row a view, with what differs in colour.

    Views are paired by their captions (front, left, perspective), else by looks; a file's name is its caption. The
    drawings of a row have one scale. Docs: docs/search/plate.md.
    """
    from patsearch.encoder.shape import DEFAULT_STYLE
    from patsearch.engine import open_index
    from patsearch.plate import make_plate, render_page, render_pdf, render_png

    kind = out.suffix.lower()
    if kind not in _KINDS:
        raise UsageError(f"Invalid --out {str(out)!r}: expected a name that ends in {', '.join(_KINDS)}.")
    with open_index(index) as engine:
        weight = style_option(style, False).get("style", DEFAULT_STYLE)
        plate = make_plate(engine, query, patent, earlier, style=weight)
    if kind == ".html":
        write_output(out, render_page(plate))
    else:
        write_output(out, render_pdf(plate) if kind == ".pdf" else render_png(plate))
    if not as_json:
        tell(False, None, f"wrote {out}")
        return
    print_json(
        {
            "out": str(out),
            "columns": [{"role": one.role, "name": one.name, "facts": dict(one.facts)} for one in plate.columns],
            "rows": [
                {"views": [cell.caption if cell else None for cell in row.cells], "scores": list(row.scores)}
                for row in plate.rows
            ],
        }
    )
