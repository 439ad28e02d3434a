"""`patsearch batch`: search with every picture of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from patsearch.cli.options import (
    AsJson,
    ExpandText,
    Filters,
    IndexFolder,
    Mirror,
    Quiet,
    RerankText,
    Rotations,
    Style,
    style_option,
)
from patsearch.cli.output import print_json, progress, stderr
from patsearch.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress as Bar

    from patsearch.batch import BatchProgress, BatchReport

_FAILURES_SHOWN = 10


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("batch")(command)


def command(
    folder: Annotated[Path, typer.Argument(help="Folder of queries: files, and sub-folders with views of one thing.")],
    index: IndexFolder,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the reports; made if it is missing.")],
    table: Annotated[
        Path | None,
        typer.Option("--table", help="CSV with filters of single queries: column name, and a column a filter key."),
    ] = None,
    filters: Filters = None,
    top: Annotated[int, typer.Option("--top", "-n", min=1, max=1000, help="Number of results of a query.")] = 20,
    rotations: Rotations = False,
    mirror: Mirror = False,
    style: Style = None,
    min_score: Annotated[
        float | None, typer.Option("--min-score", min=-1, max=1, help="Leave out results that score less.")
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Never approximate.")] = False,
    max_per_class: Annotated[
        int | None,
        typer.Option("--max-per-class", min=1, help="Up to N patents of one main class, Locarno or else US."),
    ] = None,
    rerank: RerankText = None,
    expand: ExpandText = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Search with every picture of a folder: a record of each query, and one overview.

    OUT/overview.html shows each query with what was found first, OUT/overview.csv is the same as a table, and
    OUT/records has the search records. A run that was stopped or killed resumes; a query that has not changed is not
    searched again. Exit code 9 means that some files could not be searched: the overview names them.
    """
    from patsearch.batch import run_batch
    from patsearch.engine import Question

    options = Question.of(
        (),
        where=filters,
        top=top,
        rotations=rotations,
        mirror=mirror,
        min_score=min_score,
        exact=exact,
        max_per_class=max_per_class,
        rerank=rerank,
        expansion=expand,
        **style_option(style, False),
    )
    with progress(quiet=quiet) as bar:
        report = run_batch(folder, index, out, options=options, table=table, on_progress=_shown_on(bar))
    if as_json:
        print_json(report.to_json())
    else:
        _summary(report)
    raise typer.Exit(report.exit_code)


def _shown_on(bar: Bar) -> Callable[[BatchProgress], None]:
    task = bar.add_task("Searching", total=None, rate="")

    def show(state: BatchProgress) -> None:
        elapsed = bar.tasks[task].elapsed or 0.0
        rate = f"{(state.done - state.kept) / elapsed:.1f} queries/s" if elapsed > 0.5 else ""
        failed = f", {counted(state.failed, 'problem')}" if state.failed else ""
        bar.update(task, completed=state.done, total=state.total, rate=f"{rate}{failed}")

    return show


def _summary(report: BatchReport) -> None:
    from rich.markup import escape

    show = stderr().print
    kept = f", {report.kept:,} already done" if report.kept else ""
    show(f"Searched {'1 query' if report.searched == 1 else f'{report.searched:,} queries'}{kept}, "
         f"in {report.seconds:.1f} s.")  # fmt: skip
    show(f"Overview: {escape(str(report.overview[1]))}", soft_wrap=True)
    if report.failed:
        show(f"[bold]Problems:[/bold] {len(report.failed):,}. All are in the overview.")
        for failure in report.failed[:_FAILURES_SHOWN]:
            show(f"  {escape(failure.query)}: {escape(failure.reason)}", soft_wrap=True)
        if len(report.failed) > _FAILURES_SHOWN:
            show(f"  and {len(report.failed) - _FAILURES_SHOWN:,} more")
