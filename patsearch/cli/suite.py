"""`patsearch bench --suite`: a whole table of encoders, trained and measured alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from patsearch.errors import UsageError

if TYPE_CHECKING:
    from patsearch.suite.run import SuiteResult
    from patsearch.suite.worker import ScoreSet


def run(
    suite: str,
    *,
    data: Sequence[str],
    out: Path | None,
    budget: float,
    rows: str | None,
    size: int,
    scores: Sequence[str],
    distractors: Sequence[str],
    changes: Sequence[str],
    threads: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run a suite and print its table.

    Raises:
        UsageError: options that are missing or make no sense.
        PatsearchError: whatever the suite raises.
    """
    if not data or out is None:
        raise UsageError("A suite needs --dataset and --out.", hint="patsearch bench --suite seed -d CORPUS -o DIR")
    from patsearch.cli.output import notice, print_json, progress, stderr
    from patsearch.suite.run import SuiteOptions, run_suite
    from patsearch.suite.table import save

    options = SuiteOptions(
        suite,
        tuple(Path(text).expanduser() for text in data),
        out,
        cpu_seconds=budget,
        rows=tuple(name.strip() for name in rows.split(",") if name.strip()) if rows else (),
        size=size,
        scores=_score_sets(scores, distractors),
        changes=tuple(changes),
        threads=threads,
    )
    console = stderr()
    last = ""
    with progress(quiet=quiet) as bar:
        tasks: dict[str, object] = {}

        def report(row: str, what: str, share: float) -> None:
            nonlocal last
            if row not in tasks:
                tasks[row] = bar.add_task(row, total=1000, rate="")
            bar.update(tasks[row], completed=min(1000, round(1000 * share)), rate=what)  # type: ignore[arg-type]  # rich's own id
            about = f"{row}: {what.partition(',')[0]}"
            if not quiet and not console.is_terminal and about != last:
                console.print(about, markup=False, soft_wrap=True)
                last = about

        result = run_suite(options, progress=report)
    for path in save(result, out):
        notice(f"wrote {path}")
    if as_json:
        print_json(result.to_json())
    else:
        _print(result)
    if failed := [row.name for row, figures in result.rows if "failed" in figures]:
        raise UsageError(
            f"{len(failed)} of {len(result.rows)} rows failed: {', '.join(failed)}.",
            hint=f"The reasons stand above the table. The same command tries them again; the rest is kept in {out}.",
        )


_NOT_PRINTED = ("sketches", "parameters", "dim", "drawings / CPU s", "peak memory", "CPU s")


def _score_sets(texts: Sequence[str], distractors: Sequence[str]) -> tuple[ScoreSet, ...]:
    """NAME=SOURCE, several of one name joined; the distractors join every gallery."""
    from patsearch.evaluation.specs import parse_dataset
    from patsearch.suite.worker import ScoreSet

    named: dict[str, list[str]] = {}
    for text in texts:
        name, equals, source = text.partition("=")
        if not (name and equals and source):
            raise UsageError(f"{text!r} is no test set.", hint="For example: --score real=I20210105.tar")
        named.setdefault(name, []).append(source)
    others = tuple(parse_dataset([text]) for text in distractors)
    return tuple(ScoreSet(name, parse_dataset(sources), others) for name, sources in named.items())


def _print(result: SuiteResult) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    from patsearch.cli.output import stderr, stdout
    from patsearch.suite.table import cells, columns, facts

    notes = stderr()
    for name, text in facts(result):
        notes.print(f"{escape(name)}: {escape(text)}", soft_wrap=True)
    table = Table(title="Mean average precision", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    # The rest is in the files; a terminal has no room for it.
    places = [place for place, heading in enumerate(columns(result)) if heading not in _NOT_PRINTED]
    for place in places:
        table.add_column(escape(columns(result)[place]), justify="right" if place else "left", no_wrap=not place)
    for row in cells(result):
        # Published figures without the network that they are of.
        table.add_row(*(escape(row[place].partition(" (")[0]) for place in places))
    stdout().print(table)
