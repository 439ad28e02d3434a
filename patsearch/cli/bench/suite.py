"""`patsearch bench suite`: a table of encoders, each trained and measured the same way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from patsearch.cli.options import AsJson, Quiet
from patsearch.cli.output import notice, print_json, progress, stderr
from patsearch.errors import UsageError
from patsearch.files import at_home

if TYPE_CHECKING:
    from patsearch.suite.run import Progress
    from patsearch.suite.worker import ScoreSet

Name = Annotated[str, typer.Argument(metavar="NAME", help="The suite: seed.")]
Data = Annotated[
    list[str] | None, typer.Option("--dataset", "-d", help="Caches, or sources that ingest reads; repeatable.")
]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the runs and the table.")]
Budget = Annotated[float, typer.Option("--budget", min=1.0, help="CPU seconds of training per row.")]
Rows = Annotated[str | None, typer.Option("--rows", metavar="NAME,...", help="Only these rows.")]
Size = Annotated[int, typer.Option("--size", min=32, max=1024, help="Side of the drawings in pixels.")]
Scores = Annotated[
    list[str] | None,
    typer.Option("--score", metavar="NAME=SOURCE", help="An additional test set, never trained on; repeatable."),
]
Distractors = Annotated[
    list[str] | None,
    typer.Option("--distractors", help="Source or index:DIR whose drawings join the galleries of --score; repeatable."),
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change every row's recipe, as in batch.designs=24; repeatable."),
]
Threads = Annotated[int, typer.Option("--threads", min=1, help="CPU threads of torch.")]


def command(
    name: Name,
    data: Data = None,
    out: Out = None,
    budget: Budget = 600.0,
    rows: Rows = None,
    size: Size = 128,
    scores: Scores = None,
    distractors: Distractors = None,
    changes: Changes = None,
    threads: Threads = 1,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train or load every row's encoder on one dataset, measure it, and print one table.

    Finished rows are kept; the same command resumes an interrupted suite. Docs: docs/research/suite.md.
    """
    if not data or out is None:
        raise UsageError("A suite needs --dataset and --out.", hint="patsearch bench suite seed -d CORPUS -o DIR")
    from patsearch.cli.bench.tables import print_suite
    from patsearch.suite.run import SuiteOptions, run_suite
    from patsearch.suite.table import save

    options = SuiteOptions(
        name,
        tuple(at_home(text) for text in data),
        out,
        cpu_seconds=budget,
        rows=tuple(row.strip() for row in rows.split(",") if row.strip()) if rows else (),
        size=size,
        scores=_score_sets(scores or [], distractors or []),
        changes=tuple(changes or []),
        threads=threads,
    )
    with _progress(quiet) as progress:
        result = run_suite(options, progress=progress)
    for path in save(result, out):
        notice(f"wrote {path}")
    if as_json:
        print_json(result.to_json())
    else:
        print_suite(result)
    if failed := [row.name for row, figures in result.rows if "failed" in figures]:
        raise UsageError(
            f"{len(failed)} of {len(result.rows)} rows failed: {', '.join(failed)}.",
            hint=f"The reasons are above the table. Run the same command to try them again; {out} keeps the rest.",
        )


def _score_sets(texts: Sequence[str], distractors: Sequence[str]) -> tuple[ScoreSet, ...]:
    """NAME=SOURCE, those of the same name joined; the distractors join every gallery."""
    from patsearch.evaluation.specs import parse_dataset
    from patsearch.suite.worker import ScoreSet

    named: dict[str, list[str]] = {}
    for text in texts:
        name, equals, source = text.partition("=")
        if not (name and equals and source):
            raise UsageError(f"Invalid --score {text!r}: expected NAME=SOURCE, such as real=I20210105.tar.")
        named.setdefault(name, []).append(source)
    others = tuple(parse_dataset([text]) for text in distractors)
    return tuple(ScoreSet(name, parse_dataset(sources), others) for name, sources in named.items())


@contextmanager
def _progress(quiet: bool) -> Iterator[Progress]:
    """A bar per row on a terminal, a line per step in a pipe."""
    console = stderr()
    with progress(quiet=quiet) as bar:
        tasks = {}
        last = ""

        def show(row: str, what: str, share: float) -> None:
            nonlocal last
            if row not in tasks:
                tasks[row] = bar.add_task(row, total=1000, rate="")
            bar.update(tasks[row], completed=min(1000, round(1000 * share)), rate=what)
            about = f"{row}: {what.partition(',')[0]}"
            if not quiet and not console.is_terminal and about != last:
                console.print(about, markup=False, soft_wrap=True)
                last = about

        yield show
