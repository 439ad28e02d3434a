"""`patsearch watch`: repeat saved searches, and say what is new."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from patsearch.cli.options import AsJson, IndexFolder
from patsearch.cli.output import notice, print_json, stdout
from patsearch.files import write_output
from patsearch.text import visible

# Neither success nor an error: cron and scripts distinguish the three.
EXIT_NEWS = 10


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("watch")(command)


def command(
    saved: Annotated[list[Path], typer.Argument(help="Files that `patsearch query --save` wrote.")],
    index: IndexFolder,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write a page with the new results of each search here.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Do not remember the new results as shown.")] = False,
    as_json: AsJson = False,
) -> None:
    """Repeat saved searches in an index that has grown. Exit code 10: there are new results; 0: there are none.

    New results are patents that no run has shown before. Run it after `patsearch ingest`, for example from cron.
    """
    from dataclasses import replace

    from patsearch.engine import open_index
    from patsearch.engine.wire import hits_json
    from patsearch.record import Cover, SavedSearch, render_page

    searches = [(path, SavedSearch.load(path)) for path in saved]  # all are read before any is changed
    found = []
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    with open_index(index) as engine:
        for path, search in searches:
            news = search.rerun(engine)
            for text in news.record.warnings:
                notice(f"{search.name}: {text}")
            page = None
            if out is not None and news.new:
                page = out / f"{path.stem}.html"
                only_new = replace(news.record, hits=news.new).filed(engine, Cover(title=search.name))
                write_output(page, render_page(only_new, engine.thumbnails))
                notice(f"wrote {page}")
            # Last: results that could not be reported count as not shown.
            if not keep:
                news.after.save(path)
            found.append((path, search, news, page))
    if as_json:
        print_json(
            {
                "searches": [
                    {
                        "file": str(path),
                        "name": search.name,
                        "checked": news.record.asked,
                        "page": str(page) if page else None,
                        "new": hits_json(news.new),
                    }
                    for path, search, news, page in found
                ]
            }
        )
    else:
        for _, search, news, _ in found:
            stdout().print(f"{visible(search.name)}: {len(news.new)} new", markup=False, soft_wrap=True)
            for hit in news.new:
                line = visible(f"  {hit.rank:>4}  {hit.patent}  {hit.score:.3f}  {hit.title}")
                stdout().print(line, markup=False, soft_wrap=True)
    if any(news.new for _, _, news, _ in found):
        raise typer.Exit(EXIT_NEWS)
