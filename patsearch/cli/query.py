"""`patsearch query`: ask with drawings, get the patents that look alike."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from patsearch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

    from patsearch.engine import Engine, QueryVectors
    from patsearch.record import Picture, SearchOptions
    from patsearch.types import JsonDict, PatentHit

STANDARD_INPUT = "-"
_CSV_COLUMNS = ("rank", "patent", "score", "title", "kind", "granted", "filed", "locarno", "uspc", "cpc", "ipc",
                "drawing", "sheet", "figure", "view")  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command to the app."""

    @app.command("query")
    def command(
        images: list[str] = typer.Argument(None, help="Image files, one query together; - reads standard input."),
        index: Path | None = typer.Option(None, "--index", "-i", envvar="PATSEARCH_INDEX", help="Folder of the index."),
        url: str | None = typer.Option(None, "--url", help="Ask a `patsearch serve` at this address instead."),
        token: str | None = typer.Option(
            None, "--token", envvar="PATSEARCH_TOKEN", help="What that server asks for; better in the environment."
        ),
        filters: list[str] = typer.Option(
            [], "--filter", "-f", help="cpc=D14, granted=2015..2018, title~chair ...; all must hold."
        ),
        top: int = typer.Option(20, "--top", "-n", min=1, max=10_000, help="How many results."),
        like: str | None = typer.Option(None, "--like", help="Ask with the drawings of an indexed patent."),
        crop: str | None = typer.Option(None, "--crop", help="Use this part of the picture: x,y,width,height."),
        rotations: bool = typer.Option(False, "--rotations", help="Also try copies turned by 90, 180, 270 degrees."),
        mirror: bool = typer.Option(False, "--mirror", help="Also try mirrored copies."),
        shape: bool = typer.Option(
            False, "--shape", help="By shape alone, not by the pen too: for sketches, copies, other draughtsmen."
        ),
        drawings: bool = typer.Option(False, "--drawings", help="Single drawings, not grouped by patent."),
        min_score: float | None = typer.Option(None, "--min-score", min=-1, max=1, help="Leave out what scores less."),
        exact: bool = typer.Option(False, "--exact", help="Never approximate."),
        rerank: str | None = typer.Option(
            None, "--rerank", metavar="K1,K2,LAMBDA", help="Re-rank the best by mutual neighbours, as in 20,6,0.3."
        ),
        expand: str | None = typer.Option(
            None, "--expand", metavar="N,ALPHA", help="Ask again with the first N found, as in 3,3."
        ),
        relevant: list[str] = typer.Option(
            [], "--relevant", metavar="DRAWING", help="A drawing found before that is right: ask for more like it."
        ),
        irrelevant: list[str] = typer.Option(
            [], "--irrelevant", metavar="DRAWING", help="A drawing found before that is wrong: ask for less like it."
        ),
        as_json: bool = typer.Option(False, "--json", help="Print JSON."),
        as_csv: bool = typer.Option(False, "--csv", help="Print CSV."),
        html: Path | None = typer.Option(None, "--html", help="Write a page: a search record that can be filed."),
        pdf: Path | None = typer.Option(None, "--pdf", help="Write the search record as PDF (patsearch[pdf])."),
        save: Path | None = typer.Option(None, "--save", help="Save the search here, for `patsearch watch`."),
    ) -> None:
        """Find the patents whose drawings look most like the given ones."""
        from patsearch.cli.output import notice
        from patsearch.drawings.photo import parse_crop
        from patsearch.engine import Expansion, Rerank, open_index
        from patsearch.filters import parse_filter
        from patsearch.record import SavedSearch, SearchOptions, render_page, render_pdf, search

        if as_json and as_csv:
            raise UsageError("--json and --csv exclude each other.", hint="Choose one; --html goes with either.")
        if not images and like is None and not relevant and not irrelevant:
            raise UsageError("There is nothing to search with.", hint="Name an image file, or use --like NUMBER.")
        where = parse_filter(filters)
        options = SearchOptions(
            top,
            rotations,
            parse_crop(crop) if crop is not None else None,
            drawings,
            min_score,
            exact,
            mirror=mirror,
            rerank=Rerank.parse(rerank) if rerank else None,
            expansion=Expansion.parse(expand) if expand else None,
            relevant=tuple(relevant),
            irrelevant=tuple(irrelevant),
            shape=shape,
        )
        for text in where.notices:
            notice(text)
        if url is not None:
            from patsearch.cli.remote import ask

            answered = ask(url, token, images or [], like, filters, options, html=html, pdf=pdf, save=save)
            _print(answered.hits, answered.json, as_json=as_json, as_csv=as_csv)
            return
        if index is None:
            raise UsageError("There is no index to search.", hint="Name its folder: --index DIR; or --url of a server.")
        with open_index(index) as engine:
            query, pictures = _query(engine, images or [], like, options)
            record = search(engine, query, pictures=pictures, where=where, options=options, like=like)
            if html is not None:
                html.write_text(render_page(record, engine.thumbnails), encoding="utf-8")
                notice(f"wrote {html}")
            if pdf is not None:
                pdf.write_bytes(render_pdf(record, engine.thumbnails))
                notice(f"wrote {pdf}")
            if save is not None:
                SavedSearch.of(record, query, name=save.stem).save(save)
                notice(f"saved {save}")
        _print(record.hits, record.to_json(), as_json=as_json, as_csv=as_csv)


def _print(hits: Sequence[PatentHit], record: JsonDict, *, as_json: bool, as_csv: bool) -> None:
    from patsearch.cli.output import print_json

    if as_json:
        print_json(record)
    elif as_csv:
        _print_csv(hits)
    else:
        _print_table(hits)


def _query(
    engine: Engine, images: Sequence[str], like: str | None, options: SearchOptions
) -> tuple[QueryVectors, list[Picture]]:
    """Vectors of the pictures and of the patent asked with, and pictures for the record."""
    from patsearch.record import Picture, combine

    loaded = [(name, _load(name, options.crop)) for name in images]
    pictures = [Picture.of(name, image) for name, image in loaded]
    encoded = None
    if loaded:
        encoded = engine.encode([image for _, image in loaded], rotations=options.rotations, mirror=options.mirror)
    return combine(engine, encoded, pictures, like, options)


def _load(name: str, crop: tuple[int, int, int, int] | None) -> Image.Image:
    from patsearch.drawings.photo import query_image

    if name == STANDARD_INPUT:
        return query_image(sys.stdin.buffer.read(), name="standard input", crop=crop)
    return query_image(Path(name), name=name, crop=crop)


def _print_table(hits: Sequence[PatentHit]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from patsearch.cli.output import stderr, stdout

    if not hits:
        stderr().print("Nothing found.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("#", justify="right")
    table.add_column("Patent", no_wrap=True)
    table.add_column("Score", justify="right")
    table.add_column("Title", overflow="fold")
    table.add_column("Granted", no_wrap=True)
    table.add_column("Classes", overflow="fold")
    table.add_column("Drawing", overflow="fold")
    for hit in hits:
        best = hit.drawing
        codes = [code for scheme in best.classes_json().values() for code in scheme[:2]]
        figure = f"FIG. {best.figure} ({best.sheet})" if best.figure else best.sheet
        table.add_row(
            str(hit.rank), escape(hit.patent), f"{hit.score:.3f}", escape(hit.title),
            str(hit.granted or ""), escape(" ".join(codes)), escape(figure),
        )  # fmt: skip
    stdout().print(table)


def _print_csv(hits: Sequence[PatentHit]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(_CSV_COLUMNS)
    for hit in hits:
        best = hit.drawing
        codes = best.classes_json()
        writer.writerow(
            [hit.rank, hit.patent, f"{hit.score:.6f}", best.title, best.kind, best.granted or "", best.filed or "",
             *("; ".join(codes[scheme]) for scheme in ("locarno", "uspc", "cpc", "ipc")),
             best.id, best.sheet, best.figure or "", best.view or ""]
        )  # fmt: skip
