"""`patsearch ingest`: patents into an index."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from patsearch.cli.output import print_json, progress, stderr
from patsearch.errors import UsageError
from patsearch.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress as Bar

    from patsearch.ingest import IngestReport, Progress

# More failures than this are in the report file; a screenful is enough to see what is wrong.
_FAILURES_SHOWN = 10
_REMARKS_SHOWN = 5


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("ingest")(command)


def command(
    sources: list[Path] = typer.Argument(..., help="USPTO archives or grants, DeepPatent folders, PDFs, images."),
    index: Path = typer.Option(
        ..., "--index", "-i", envvar="PATSEARCH_INDEX", help="Folder of the index; made if it is missing."
    ),
    encoder: str | None = typer.Option(
        None, "--encoder", help="Encoder of a new index: a name, timm:MODEL, a checkpoint folder."
    ),
    backend: str | None = typer.Option(None, "--backend", help="Backend of a new index. [default: faiss]"),
    url: str | None = typer.Option(
        None, "--url", help="For a new index: the server that keeps it, http://HOST:6333[#COLLECTION]."
    ),
    shard: str | None = typer.Option(
        None, "--shard", metavar="I/N", help="Only part I of N of the sources: for several machines."
    ),
    whole_sheets: bool | None = typer.Option(
        None, "--whole-sheets/--figures", help="Index whole sheets instead of the figures on them."
    ),
    front_pages: bool = typer.Option(False, "--front-pages", help="Index the front-page copies (D00000) too."),
    again: bool = typer.Option(
        False, "--again", help="Also ingest patents that are in the index or were deleted from it."
    ),
    bibliography_only: bool = typer.Option(
        False, "--bibliography-only", help="Add owners, citations and terms to an index that has the drawings."
    ),
    source: str | None = typer.Option(None, "--source", help="Kind of source, if it is not recognised by itself."),
    metadata: Path | None = typer.Option(None, "--metadata", help="CSV, TSV or JSONL with a row a patent."),
    pattern: str | None = typer.Option(
        None, "--pattern", help="How file names give patent and figure: '{patent}_{figure}.png'."
    ),
    lists: list[Path] | None = typer.Option(None, "--list", help="DeepPatent list file; may be repeated."),
    workers: int | None = typer.Option(None, "--workers", min=1, help="Worker processes. [default: one a core]"),
    commit_every: int = typer.Option(
        512, "--commit-every", min=1, help="Drawings between two commits: what a killed run repeats at most."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print the report as JSON."),
    quiet: bool = typer.Option(False, "--quiet", "-q", help="No progress."),
) -> None:
    """Ingest patents into an index: sheets become figures, figures become vectors.

    The same source again adds nothing; a run that was stopped resumes. Exit code 9
    means that some files could not be read: they are listed, and written to INDEX/reports.
    With --bibliography-only, nothing is encoded: an index of an earlier version gets what sources say about its
    patents, from grants with or without drawings.
    """
    from patsearch.ingest import IngestOptions, add_bibliographies, ingest
    from patsearch.ingest.sources import SourceOptions

    options = IngestOptions(
        encoder=encoder,
        backend=backend,
        url=url,
        shard=parse_shard(shard),
        whole_sheets=whole_sheets,
        front_pages=front_pages,
        again=again,
        workers=workers,
        commit_every=commit_every,
        kind=source,
        source=SourceOptions(metadata=metadata, pattern=pattern, lists=tuple(lists or ())),
    )
    with progress(quiet=quiet) as bar:
        show = shown_on(bar, "Describing" if bibliography_only else "Ingesting")
        run = add_bibliographies if bibliography_only else ingest
        report = run(sources, index, options, on_progress=show)
    if as_json:
        print_json(report.to_json())
    else:
        if bibliography_only:
            stderr().print(f"Described {counted(report.patents, 'patent')} of the index in {report.seconds:.1f} s.")
        if not bibliography_only:
            show_added("Added", report)
        show_details(report, index / "reports")
    raise typer.Exit(report.exit_code)


def shown_on(bar: Bar, what: str) -> Callable[[Progress], None]:
    """A new line of a display, for the progress of an ingest."""
    task = bar.add_task(what, total=None, rate="")

    def show(state: Progress) -> None:
        elapsed = bar.tasks[task].elapsed or 0.0
        rate = f"{state.drawings / elapsed:.0f} drawings/s" if elapsed > 0.5 else ""
        failed = f", {counted(state.failed, 'problem')}" if state.failed else ""
        bar.update(task, completed=state.done, total=state.total, rate=f"{rate}{failed}")

    return show


def parse_shard(text: str | None) -> tuple[int, int] | None:
    """Reads I/N; raises UsageError where it is something else."""
    if text is None:
        return None
    index, slash, total = text.partition("/")
    if not (slash and index.isdecimal() and total.isdecimal() and 1 <= int(index) <= int(total)):
        raise UsageError(
            f"Invalid --shard {text!r}: expected I/N with 1 <= I <= N.",
            hint="--shard 3/16 is the third of sixteen parts.",
        )
    return int(index), int(total)


def show_added(what: str, report: IngestReport) -> None:
    """One line: the patents and drawings that were added, encoded or loaded."""
    rate = f", {report.drawings / report.seconds:.1f} drawings a second" if report.seconds and report.drawings else ""
    made = f"{counted(report.patents, 'patent')} with {counted(report.drawings, 'drawing')}"
    stderr().print(f"{what} {made} in {report.seconds:.1f} s{rate}.")


def show_details(report: IngestReport, folder: Path) -> None:
    """What was read, skipped and failed; the folder has the whole report."""
    from rich.markup import escape

    show = stderr().print
    for source, kinds in report.kinds.items():
        show(f"Read {escape(source)} as {', '.join(kinds)}.", soft_wrap=True)
    if report.removed:
        show(f"Removed {counted(report.removed, 'drawing')} that newer versions of their patents no longer have.")
    for reason, count in sorted(report.skipped.items()):
        show(f"Skipped {counted(count, 'patent')}: {escape(reason)}.")
    for problem in report.left_out:
        if problem.expected:
            show(f"In {escape(problem.where)}: {escape(problem.reason)}.", soft_wrap=True)
    for remark in report.remarks[:_REMARKS_SHOWN]:
        show(f"{escape(remark.where)}: {escape(remark.reason)}.", soft_wrap=True)
    if len(report.remarks) > _REMARKS_SHOWN:
        show(f"and {len(report.remarks) - _REMARKS_SHOWN:,} more remarks, in {escape(str(folder))}.")
    if report.failed:
        # A file may have several, and one may stand for many files.
        listed = f"All are listed in {escape(str(folder))}."
        show(f"[bold]Problems:[/bold] {len(report.failed):,}. {listed}")
        for problem in report.failed[:_FAILURES_SHOWN]:
            show(f"  {escape(problem.where)}: {escape(problem.reason)}", soft_wrap=True)
        if len(report.failed) > _FAILURES_SHOWN:
            show(f"  and {len(report.failed) - _FAILURES_SHOWN:,} more")
    if report.interrupted:
        show("Stopped. What was finished is kept; the same command resumes from there.")
