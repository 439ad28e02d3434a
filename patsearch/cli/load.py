"""`patsearch load`: encoded drawings into an index."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from patsearch.cli.ingest import show_added, show_details, shown_on
from patsearch.cli.options import Quiet
from patsearch.cli.output import print_json, progress


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("load")(command)


def command(
    vectors: Annotated[Path, typer.Argument(metavar="VECTORS", help="A folder that patsearch encode wrote.")],
    index: Annotated[
        Path,
        typer.Option("--index", "-i", envvar="PATSEARCH_INDEX", help="Folder of the index; made if it is missing."),
    ],
    backend: Annotated[str | None, typer.Option("--backend", help="Backend of a new index. [default: faiss]")] = None,
    url: Annotated[
        str | None,
        typer.Option("--url", help="For a new index: the server that keeps it, http://HOST:6333[#COLLECTION]."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also load patents that are in the index or were deleted from it.")
    ] = False,
    commit_every: Annotated[
        int, typer.Option("--commit-every", min=1, help="Drawings between two commits: what a killed run repeats.")
    ] = 512,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    quiet: Quiet = False,
) -> None:
    """Load encoded patents into an index, which is then as an ingest of their sources would have made it.

    The same folder again adds nothing; a run that was stopped resumes. Exit code 9
    means that a file is damaged or missing, or that files of the sources could not
    be read when they were encoded.
    """
    from patsearch.ingest.vectors import load_vectors

    with progress(quiet=quiet) as bar:
        report = load_vectors(
            vectors,
            index,
            backend=backend,
            url=url,
            again=again,
            commit_every=commit_every,
            on_progress=shown_on(bar, "Loading"),
        )
    if as_json:
        print_json(report.to_json())
    else:
        show_added("Loaded", report)
        show_details(report, index / "reports")
    raise typer.Exit(report.exit_code)
