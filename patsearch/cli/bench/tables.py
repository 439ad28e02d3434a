"""What `patsearch bench` prints on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from patsearch.cli.output import stderr, stdout
from patsearch.evaluation.page import metric_columns
from patsearch.evaluation.runfile import timings

if TYPE_CHECKING:
    from patsearch.evaluation.backends import BackendFigures
    from patsearch.evaluation.compare import Comparison
    from patsearch.evaluation.results import BenchResult, Evaluation
    from patsearch.suite.run import SuiteResult

# The rest of a suite is in its files; a terminal has no room for it.
_NOT_PRINTED = ("sketches", "parameters", "dim", "drawings / CPU s", "peak memory", "CPU s")


def print_result(result: BenchResult) -> None:
    """Counts on stderr; quality and backends on stdout."""
    console, data = stdout(), result.evaluations[0].dataset
    stderr().print(
        f"{escape(data['name'])}: {data['queries']:,} queries of {data['patents']:,} patents, "
        f"{data['judged_queries']:,} with something to find; "
        f"gallery of {data['gallery']:,}, of which {data['distractors']:,} distractors."
    )
    console.print(_quality(result.evaluations, result.options.top_k))
    if rate := timings(result).get("ingest_drawings_per_second"):
        console.print(f"\ningest: {rate:,} drawings per second, from the source to the index")
    for backend in result.backends:
        console.print(f"\n{backend.summary()}", markup=False, soft_wrap=True)
        console.print(_searches(backend))


def print_comparison(comparison: Comparison, names: Sequence[str]) -> None:
    """Two runs, by the names of their encoders."""
    console = stdout()
    if comparison.comparable:
        console.print("Comparable: the same queries, gallery and judgements.")
    else:
        console.print("[bold]Not comparable:[/bold] " + escape("; ".join(comparison.reasons)) + ".", soft_wrap=True)
    if not comparison.differences:
        return
    console.print(
        f"{comparison.queries:,} queries of {comparison.patents:,} patents. 1st: {escape(names[0])}, "
        f"2nd: {escape(names[1])}.",
        soft_wrap=True,
    )
    table = _table(
        ["metric", "1st", "2nd", "change", "95 % interval", "p", "better", "worse"],
        caption="Interval and p by patent: bootstrap and paired randomisation.",
    )
    for d in comparison.differences:
        low, high = d.interval
        values = f"{d.first:.3f}", f"{d.second:.3f}", f"{d.difference:+.3f}", f"{low:+.3f}..{high:+.3f}"
        table.add_row(d.metric, *values, f"{d.p_value:.4f}", str(d.better), str(d.worse))
    console.print(table)


def print_suite(result: SuiteResult) -> None:
    """Facts on stderr, the table on stdout."""
    from patsearch.suite.table import cells, columns, facts

    notes = stderr()
    for name, text in facts(result):
        notes.print(f"{escape(name)}: {escape(text)}", soft_wrap=True)
    headings = columns(result)
    places = [place for place, heading in enumerate(headings) if heading not in _NOT_PRINTED]
    table = Table(title="Mean average precision", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for place in places:
        table.add_column(escape(headings[place]), justify="right" if place else "left", no_wrap=not place)
    for row in cells(result):
        # Published figures without the network that they were measured with.
        table.add_row(*(escape(row[place].partition(" (")[0]) for place in places))
    stdout().print(table)


def _quality(evaluations: Sequence[Evaluation], top_k: Sequence[int]) -> Table:
    """Evaluations side by side: a handful of columns fits a terminal, a dozen metrics does not."""
    encoders = sorted({str(e.encoder["name"]) for e in evaluations})
    of = "" if len(encoders) > 1 else f" of {escape(encoders[0])}"
    table = Table(title=f"Quality{of}, ranked exactly", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("")
    for evaluation in evaluations:
        lines = [*str(evaluation.protocol).split(", "), *evaluation.asking.parts()]
        if len(encoders) > 1:
            lines.insert(0, str(evaluation.encoder["name"]))
        name = "\n".join(lines)
        table.add_column(escape(name) + ("\n(baseline)" if evaluation.baseline else ""), justify="right")
    for key, name in (("judged_queries", "queries"), ("gallery", "gallery")):
        table.add_row(name, *(f"{e.dataset[key]:,}" for e in evaluations))
    for name in metric_columns(top_k):
        table.add_row(name, *(f"{e.quality.metrics[name]:.3f}" for e in evaluations))
    return table


def _searches(backend: BackendFigures) -> Table:
    # The page and the JSON have every k; a line of a terminal has room for one.
    k = min(backend.series[0].ann_recall)
    table = _table(
        ["filter", "matches", f"ann_recall@{k}", "p50", "p95", "p99", "per s"],
        caption="One search at a time, in milliseconds.",
    )
    for series in backend.series:
        times = [f"{value:.2f}" for value in (series.p50_ms, series.p95_ms, series.p99_ms)]
        recall = f"{series.ann_recall[k]:.3f}"
        table.add_row(
            escape(series.filter or "none"), f"{series.matches:,}", recall, *times, f"{series.queries_per_second:,.0f}"
        )
    return table


def _table(columns: Sequence[str], *, caption: str) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, caption=caption)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=bool(number))
    return table
