"""`patsearch bench run`: measure retrieval quality and backends on a dataset."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from patsearch.cli.options import AsJson, ExpandText, Mirror, Quiet, RerankText, Rotations, Shape, Style, style_option
from patsearch.cli.output import notice, print_json, progress
from patsearch.errors import UsageError
from patsearch.files import write_output

if TYPE_CHECKING:
    from patsearch.evaluation.materials import Progress
    from patsearch.evaluation.results import BenchOptions, BenchResult

Dataset = Annotated[
    list[str] | None,
    typer.Option(
        "--dataset",
        "-d",
        help="index:DIR, deeppatent:DIR?split=test, trec:DIR, sketches:DIR, or a source that ingest reads; repeatable.",
    ),
]
Distractors = Annotated[
    list[str] | None,
    typer.Option("--distractors", help="Source or index:DIR whose drawings join the gallery only; repeatable."),
]
Backends = Annotated[
    list[str] | None,
    typer.Option("--backend", help="Backend to measure: faiss, qdrant, qdrant=http://HOST:6333; repeatable."),
]
MeasureBackends = Annotated[
    bool, typer.Option("--engines/--no-engines", help="Measure the backends, or only retrieval quality.")
]
EncoderName = Annotated[str | None, typer.Option("--encoder", help="A name, timm:MODEL, or a checkpoint folder.")]
Baseline = Annotated[
    bool | None,
    typer.Option(
        "--baseline/--no-baseline",
        help="Also measure the untrained baseline (patsearch-baseline). By default, if it is installed.",
    ),
]
WholeSheets = Annotated[
    bool | None, typer.Option("--whole-sheets/--figures", help="Use whole sheets, or the figures on them.")
]
FrontPages = Annotated[
    bool | None,
    typer.Option("--front-pages/--no-front-pages", help="With or without the front-page copies (D00000)."),
]
Protocols = Annotated[
    str, typer.Option("--protocols", help="one, or all: sheets and figures, with and without front pages.")
]
Filters = Annotated[
    list[str] | None,
    typer.Option("--filter", "-f", help="Select queries and gallery, as in kind=S1; distractors are not filtered."),
]
RelevantTo = Annotated[
    str,
    typer.Option(
        "--relevance",
        help="patent: the query's own; class: others of its subclass; title: others of its class, of the same noun; "
        "cited: earlier ones that the examiner cited, or examined against the same.",
    ),
]
Shared = Annotated[
    int, typer.Option("--shared", min=1, help="With --relevance cited: examiner's references that two patents share.")
]
Metadata = Annotated[
    Path | None,
    typer.Option("--metadata", help="Table of an image dataset's patents: titles, classes, citations (as for ingest)."),
]
Turn = Annotated[
    int, typer.Option("--turn", help="Turn every query by 90, 180 or 270 degrees: tests how robust a search is.")
]
TopK = Annotated[str, typer.Option("--top-k", help="The k of the metrics at k.")]
IndexFolder = Annotated[
    Path | None,
    typer.Option(
        "--index",
        "-i",
        help="Folder that keeps ingested datasets for later runs; without --dataset, the index to measure.",
    ),
]
Queries = Annotated[int | None, typer.Option("--queries", min=1, help="Use up to N queries, drawn at random.")]
Searches = Annotated[int, typer.Option("--searches", min=1, help="Timed searches per filter.")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Worker processes. [default: one per core]")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder for raw runs: JSON, TREC run and qrels.")]
Html = Annotated[Path | None, typer.Option("--html", help="Write a page with plots and the worst queries.")]


def command(
    dataset: Dataset = None,
    distractors: Distractors = None,
    backend: Backends = None,
    engines: MeasureBackends = True,
    encoder: EncoderName = None,
    baseline: Baseline = None,
    whole_sheets: WholeSheets = None,
    front_pages: FrontPages = None,
    protocols: Protocols = "one",
    filters: Filters = None,
    relevance: RelevantTo = "patent",
    shared: Shared = 3,
    metadata: Metadata = None,
    rotations: Rotations = False,
    mirror: Mirror = False,
    style: Style = None,
    shape: Shape = False,
    rerank: RerankText = None,
    expand: ExpandText = None,
    turn: Turn = 0,
    top_k: TopK = "1,5,10,20,50,100",
    index: IndexFolder = None,
    queries: Queries = None,
    searches: Searches = 200,
    workers: Workers = None,
    out: Out = None,
    html: Html = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure how well a drawing finds the other drawings of its patent, and how fast.

    Quality is ranked exactly over the whole gallery; ann_recall@k is the share of that which a backend finds.
    Docs: docs/research/metrics.md.
    """
    from patsearch.evaluation.asking import Asking
    from patsearch.evaluation.datasets import Relevant
    from patsearch.evaluation.results import BenchOptions
    from patsearch.evaluation.specs import parse_dataset
    from patsearch.filters import parse_filter

    if protocols not in ("one", "all"):
        raise UsageError(f"Invalid --protocols {protocols!r}: expected one or all.")
    if relevance not in get_args(Relevant):
        raise UsageError(f"Invalid --relevance {relevance!r}: expected {', '.join(get_args(Relevant))}.")
    if not dataset and index is not None:
        dataset, index = [f"index:{index}"], None
    options = BenchOptions(
        dataset=parse_dataset(dataset or []),
        distractors=tuple(parse_dataset([text]) for text in distractors or []),
        encoder=encoder,
        baseline=baseline,
        whole_sheets=whole_sheets,
        front_pages=front_pages,
        all_protocols=protocols == "all",
        where=parse_filter(filters or []),
        relevant=cast("Relevant", relevance),
        shared=shared,
        metadata=metadata,
        top_k=_top_k(top_k),
        backends=tuple(dict.fromkeys(backend or ["faiss"])) if engines else (),
        folder=index,
        workers=workers,
        searches=searches,
        queries=queries,
        asking=Asking().replaced(
            turn=turn,
            rotations=rotations,
            mirror=mirror,
            expansion=expand,
            rerank=rerank,
            **style_option(style, shape),
        ),
    )
    _measure(options, out=out, html=html, as_json=as_json, quiet=quiet)


def _measure(options: BenchOptions, *, out: Path | None, html: Path | None, as_json: bool, quiet: bool) -> None:
    from patsearch.cli.bench.tables import print_comparison, print_result
    from patsearch.evaluation.compare import compare_with_baseline
    from patsearch.evaluation.page import render_page
    from patsearch.evaluation.runfile import result_json, save_runs
    from patsearch.evaluation.runner import run_bench
    from patsearch.types import finite

    for text in options.where.notices:
        notice(text)
    _check_targets(out, html)
    with _progress(quiet) as progress:
        result = run_bench(options, progress=progress)
    if out is not None:
        for path in save_runs(result, out):
            notice(f"wrote {path}")
    if html is not None:
        write_output(html, render_page(result))
        notice(f"wrote {html}")
    for text in result.evaluations[0].dataset["notes"]:
        notice(text)
    against = compare_with_baseline(result)
    if as_json:
        print_json(result_json(result) | ({"against_baseline": finite(against.to_json())} if against else {}))
        return
    print_result(result)
    if against:
        print_comparison(against, [_baseline_name(result), str(result.evaluations[0].encoder["name"])])


def _baseline_name(result: BenchResult) -> str:
    from patsearch.evaluation.compare import baseline_of
    from patsearch.evaluation.without_pictures import WITHOUT_PICTURES

    baseline = baseline_of(result)
    without = baseline is not None and baseline.encoder["name"] == WITHOUT_PICTURES
    return "class and date, without pictures" if without else "the baseline"


def _check_targets(out: Path | None, html: Path | None) -> None:
    """Fail before an hour of measuring rather than after it."""
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    if html is not None and (html.is_dir() or not html.parent.is_dir()):
        raise UsageError(f"Cannot write {html}.", hint="Name a file in a folder that exists.")


def _top_k(text: str) -> tuple[int, ...]:
    try:
        values = sorted({int(part) for part in text.split(",")})
    except ValueError:
        values = [0]
    if values[0] < 1:
        raise UsageError(f"Invalid --top-k {text!r}: expected numbers of at least 1, such as 1,10,100.")
    return tuple(values)


@contextmanager
def _progress(quiet: bool) -> Iterator[Progress]:
    with progress(quiet=quiet) as bar:
        tasks = {}

        def show(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total, rate="")
            bar.update(tasks[what], completed=done, total=total)

        yield show
