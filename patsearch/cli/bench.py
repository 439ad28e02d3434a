"""`patsearch bench`: measure retrieval quality and the engines, compare runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from patsearch.errors import UsageError

if TYPE_CHECKING:
    from patsearch.evaluation.compare import Comparison
    from patsearch.evaluation.materials import Progress
    from patsearch.evaluation.results import BenchOptions, BenchResult


def register(app: typer.Typer) -> None:
    """Add the command to the app."""

    @app.command("bench")
    def command(
        dataset: list[str] = typer.Option(
            [],
            "--dataset",
            "-d",
            help="index:DIR, deeppatent:DIR?split=test, trec:DIR, or what ingest reads; repeatable.",
        ),
        distractors: list[str] = typer.Option(
            [], "--distractors", help="Source or index:DIR whose drawings join the gallery alone; repeatable."
        ),
        backend: list[str] = typer.Option(
            ["faiss"], "--backend", help="Engine to measure: faiss, qdrant, qdrant=http://HOST:6333; repeatable."
        ),
        engines: bool = typer.Option(True, "--engines/--no-engines", help="Measure the engines, not quality alone."),
        encoder: str | None = typer.Option(None, "--encoder", help="A name, timm:MODEL, a checkpoint folder."),
        baseline: bool = typer.Option(
            True, "--baseline/--no-baseline", help="Measure the untrained encoder beside another one."
        ),
        whole_sheets: bool | None = typer.Option(
            None, "--whole-sheets/--figures", help="Take sheets as they are, or the figures on them."
        ),
        front_pages: bool | None = typer.Option(
            None, "--front-pages/--no-front-pages", help="With the front-page copies (D00000), or without."
        ),
        protocols: str = typer.Option(
            "one", "--protocols", help="all: sheets and figures, with and without front pages."
        ),
        filters: list[str] = typer.Option(
            [], "--filter", "-f", help="Choose queries and gallery, as in kind=S1; distractors stay."
        ),
        rotations: bool = typer.Option(
            False, "--rotations", help="Ask with each query turned by 90, 180, 270 degrees too."
        ),
        mirror: bool = typer.Option(False, "--mirror", help="Ask with each query mirrored too."),
        shape: bool = typer.Option(False, "--shape", help="Ask by shape alone, not by the pen too."),
        rerank: str | None = typer.Option(
            None, "--rerank", metavar="K1,K2,LAMBDA", help="Re-rank the best by mutual neighbours, as in 20,6,0.3."
        ),
        expand: str | None = typer.Option(
            None, "--expand", metavar="N,ALPHA", help="Ask again with the first N found, as in 3,3."
        ),
        turn: int = typer.Option(0, "--turn", help="Turn every query first by 90, 180 or 270 degrees: a test."),
        top_k: str = typer.Option("1,5,10,20,50,100", "--top-k", help="The k of the metrics at k."),
        index: Path | None = typer.Option(
            None,
            "--index",
            "-i",
            help="Folder that keeps what is ingested for later runs; alone, the index to measure.",
        ),
        queries: int | None = typer.Option(None, "--queries", min=1, help="At most so many queries, drawn at random."),
        searches: int = typer.Option(200, "--searches", min=1, help="Timed searches a filter."),
        workers: int | None = typer.Option(None, "--workers", min=1, help="Worker processes. [default: one a core]"),
        out: Path | None = typer.Option(None, "--out", "-o", help="Folder for raw runs: JSON, TREC run and qrels."),
        html: Path | None = typer.Option(None, "--html", help="Write a page with plots and the worst queries."),
        comparing: tuple[Path, Path] | None = typer.Option(
            None, "--compare", metavar="RUN1 RUN2", help="Compare two run files of --out; measures nothing."
        ),
        suite: str | None = typer.Option(
            None, "--suite", help="seed: train or take every row's encoder on the dataset, and print one table."
        ),
        budget: float = typer.Option(600.0, "--budget", min=1.0, help="Of a suite: CPU seconds of training a row."),
        rows: str | None = typer.Option(None, "--rows", metavar="NAME,...", help="Of a suite: these rows alone."),
        size: int = typer.Option(128, "--size", min=32, max=1024, help="Of a suite: side of the drawings in pixels."),
        scores: list[str] = typer.Option(
            [], "--score", metavar="NAME=SOURCE", help="Of a suite: a test set more, never trained on; repeatable."
        ),
        changes: list[str] = typer.Option(
            [], "--set", help="Of a suite: change every row's recipe, as in batch.designs=24; repeatable."
        ),
        threads: int = typer.Option(1, "--threads", min=1, help="Of a suite: CPU threads of torch."),
        as_json: bool = typer.Option(False, "--json", help="Print JSON."),
        quiet: bool = typer.Option(False, "--quiet", "-q", help="No progress."),
    ) -> None:
        """Measure how well drawings find the others of their patent, and how fast.

        Quality is ranked exactly over the whole gallery; ann_recall@k says what an engine misses of
        that. Docs: docs/research/metrics.md.
        """
        if comparing is not None:
            _compare(comparing, as_json)
            return
        if suite is not None:
            from patsearch.cli import suite as suites

            suites.run(
                suite,
                data=dataset,
                out=out,
                budget=budget,
                rows=rows,
                size=size,
                scores=scores,
                distractors=distractors,
                changes=changes,
                threads=threads,
                as_json=as_json,
                quiet=quiet,
            )
            return
        from patsearch.cli.output import notice, print_json
        from patsearch.engine import Expansion, Rerank
        from patsearch.evaluation.asking import Asking
        from patsearch.evaluation.compare import compare_with_baseline
        from patsearch.evaluation.page import render_page
        from patsearch.evaluation.results import BenchOptions
        from patsearch.evaluation.runfile import finite, result_json, save_runs
        from patsearch.evaluation.runner import run_bench
        from patsearch.evaluation.specs import parse_dataset
        from patsearch.filters import parse_filter

        if protocols not in ("one", "all"):
            raise UsageError(f"--protocols {protocols} is unknown.", hint="Use one or all.")
        if not dataset and index is not None:
            dataset, index = [f"index:{index}"], None
        options = BenchOptions(
            dataset=parse_dataset(dataset),
            distractors=tuple(parse_dataset([text]) for text in distractors),
            encoder=encoder,
            baseline=baseline,
            whole_sheets=whole_sheets,
            front_pages=front_pages,
            all_protocols=protocols == "all",
            where=parse_filter(filters),
            top_k=_top_k(top_k),
            backends=tuple(dict.fromkeys(backend)) if engines else (),
            folder=index,
            workers=workers,
            searches=searches,
            queries=queries,
            asking=Asking(
                turn,
                rotations,
                mirror,
                Expansion.parse(expand) if expand else None,
                Rerank.parse(rerank) if rerank else None,
                shape,
            ),
        )
        for text in options.where.notices:
            notice(text)
        _check_targets(out, html)
        with _progress(quiet) as progress:
            result = run_bench(options, progress=progress)
        if out is not None:
            for path in save_runs(result, out):
                notice(f"wrote {path}")
        if html is not None:
            html.write_text(render_page(result), encoding="utf-8")
            notice(f"wrote {html}")
        against = compare_with_baseline(result)
        if as_json:
            print_json(result_json(result) | ({"against_baseline": finite(against.to_json())} if against else {}))
            return
        _print_tables(result, options)
        if against:
            _print_comparison(against, ["the baseline", str(result.evaluations[0].encoder["name"])])


def _check_targets(out: Path | None, html: Path | None) -> None:
    """Fail before an hour of measuring rather than after it."""
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    if html is not None and (html.is_dir() or not html.parent.is_dir()):
        raise UsageError(f"Cannot write {html}.", hint="Name a file in a folder that exists.")


def _top_k(text: str) -> tuple[int, ...]:
    try:
        values = sorted({int(part) for part in text.split(",")})
    except ValueError as error:
        raise UsageError(f"{text!r} is no list of numbers.", hint="Write --top-k 1,10,100.") from error
    if values[0] < 1:
        raise UsageError(f"k must be at least 1, not {values[0]}.", hint="Write --top-k 1,10,100.")
    return tuple(values)


@contextmanager
def _progress(quiet: bool) -> Iterator[Progress]:
    from patsearch.cli.output import progress

    with progress(quiet=quiet) as bar:
        tasks = {}

        def report(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total, rate="")
            bar.update(tasks[what], completed=done, total=total)

        yield report


def _print_tables(result: BenchResult, options: BenchOptions) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    from patsearch.cli.output import stderr, stdout
    from patsearch.evaluation.page import metric_columns
    from patsearch.evaluation.runfile import timings

    console, first = stdout(), result.evaluations[0]
    data = first.dataset
    notes = stderr()
    able = f"{data['judged_queries']:,} with something to find"
    notes.print(
        f"{escape(data['name'])}: {data['queries']:,} queries of {data['patents']:,} patents, {able}; "
        f"gallery of {data['gallery']:,}, of which {data['distractors']:,} distractors."
    )
    for note in data["notes"]:
        notes.print(f"  {escape(note)}")
    # Evaluations side by side: a handful of columns fits a terminal, a dozen metrics does not.
    encoders = sorted({str(e.encoder["name"]) for e in result.evaluations})
    of = "" if len(encoders) > 1 else f" of {escape(encoders[0])}"
    table = Table(title=f"Quality{of}, ranked exactly", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("")
    for evaluation in result.evaluations:
        lines = [*str(evaluation.protocol).split(", "), *evaluation.asking.parts()]
        if len(encoders) > 1:
            lines.insert(0, str(evaluation.encoder["name"]))
        name = "\n".join(lines)
        table.add_column(escape(name) + ("\n(baseline)" if evaluation.baseline else ""), justify="right")
    for key, name in (("judged_queries", "queries"), ("gallery", "gallery")):
        table.add_row(name, *(f"{e.dataset[key]:,}" for e in result.evaluations))
    for name in metric_columns(options.top_k):
        table.add_row(name, *(f"{e.quality.metrics[name]:.3f}" for e in result.evaluations))
    console.print(table)
    if rate := timings(result).get("ingest_drawings_per_second"):
        console.print(f"\ningest: {rate:,} drawings a second, from the source to the index")
    for engine in result.backends:
        _print_backend(engine, console)


def _print_backend(engine: object, console: object) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from patsearch.evaluation.backends import BackendFigures

    assert isinstance(engine, BackendFigures)
    assert isinstance(console, Console)
    rate = "" if engine.upserts_per_second is None else f", {engine.upserts_per_second:,.0f} stored a second"
    size = f"{engine.vectors:,} drawings, {engine.bytes_per_vector:,.0f} bytes on disk each{rate}"
    heading = f"\n{engine.backend} ({engine.engine}): {size}. One search at a time, in milliseconds:"
    console.print(heading, markup=False, soft_wrap=True)
    # The page and the JSON have every k; a line of a terminal has room for one.
    k = min(engine.series[0].ann_recall)
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("filter")
    for name in ("matches", f"ann_recall@{k}", "p50", "p95", "p99", "per s"):
        table.add_column(name, justify="right", no_wrap=True)
    for series in engine.series:
        times = [f"{value:.2f}" for value in (series.p50_ms, series.p95_ms, series.p99_ms)]
        recall = f"{series.ann_recall[k]:.3f}"
        table.add_row(
            escape(series.filter or "none"), f"{series.matches:,}", recall, *times, f"{series.per_second:,.0f}"
        )
    console.print(table)
    rates = ", ".join(f"{rate:,.0f} from {n}" for n, rate in engine.per_second_by_clients.items())
    console.print(f"mAP@{engine.depth} of its answers {engine.map:.3f}, of the exact ones {engine.exact_map:.3f}")
    if rates:
        console.print(f"searches a second, by clients at once: {rates}")


def _compare(paths: tuple[Path, Path], as_json: bool) -> None:
    from patsearch.cli.output import print_json
    from patsearch.evaluation.compare import compare
    from patsearch.evaluation.runfile import finite, read_run

    first, second = (read_run(path) for path in paths)
    comparison = compare(first, second)
    if as_json:
        files = [{"file": str(r.path), "dataset": r.dataset, "encoder": r.encoder} for r in (first, second)]
        print_json(finite({"runs": files, **comparison.to_json()}))
    else:
        _print_comparison(comparison, [str(r.encoder.get("name")) for r in (first, second)])


def _print_comparison(comparison: Comparison, names: list[str]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    from patsearch.cli.output import stdout

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
    table = Table(
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        caption="Interval and p by patent: bootstrap and paired randomisation.",
    )
    table.add_column("metric", no_wrap=True)
    for title in ("1st", "2nd", "change", "95 % interval", "p", "better", "worse"):
        table.add_column(title, justify="right", no_wrap=True)
    for d in comparison.differences:
        table.add_row(
            d.metric, f"{d.first:.3f}", f"{d.second:.3f}", f"{d.difference:+.3f}", f"{d.low:+.3f}..{d.high:+.3f}",
            f"{d.p_value:.4f}", str(d.better), str(d.worse),
        )  # fmt: skip
    console.print(table)
