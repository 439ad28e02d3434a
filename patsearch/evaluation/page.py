"""A benchmark as one HTML file that needs nothing else: tables, plots, and the worst queries in pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence

from patsearch import pages
from patsearch.evaluation.backends import BackendFigures
from patsearch.evaluation.environment import measured_on
from patsearch.evaluation.plots import curves, histogram
from patsearch.evaluation.results import BenchResult, Evaluation

_Table = tuple[list[str], list[list[str]]]


def render_page(result: BenchResult) -> str:
    """The result as HTML; every value that came from a file or a user is escaped."""
    first = result.evaluations[0]
    settings = {"settings": result.options.to_json(), "environment": result.environment}
    return pages.render(
        "bench.html",
        title=f"Retrieval benchmark: {first.dataset['name']}",
        details=_facts(result),
        notes=first.dataset["notes"],
        quality=_quality(result.evaluations, result.options.top_k),
        plots=_plots(result.evaluations),
        backends=_backends(result.backends),
        backend_notes=[backend.summary() for backend in result.backends],
        evaluations=result.evaluations,
        label=label,
        settings=json.dumps(settings, indent=2),
    )


def label(evaluation: Evaluation) -> str:
    """What an evaluation is called in tables and legends."""
    return ", ".join([str(evaluation.encoder["name"]), str(evaluation.protocol), *evaluation.asking.parts()])


def metric_columns(top_k: Sequence[int]) -> list[str]:
    """The metrics worth a column: those at k of up to 10 places, where they are measured."""
    few = [k for k in top_k if k <= 10] or list(top_k[:1])
    last = few[-1]
    hits = [f"hit_rate@{k}" for k in few]
    return ["map", "map_ties", "map_by_patent", f"map@{last}", *hits, f"recall@{last}", "mrr", f"ndcg@{last}"]


def _facts(result: BenchResult) -> list[tuple[str, str]]:
    first = result.evaluations[0]
    data, encoder = first.dataset, first.encoder
    trained = " (untrained baseline)" if encoder["baseline"] else ""
    judged = f"{data['judged_queries']:,} with something to find, of {data['queries']:,}"
    return [
        ("Queries", f"{judged}; {data['patents']:,} patents"),
        ("Gallery", f"{data['gallery']:,} drawings, of which {data['distractors']:,} distractors"),
        ("Protocol", data["protocol"]["text"]),
        ("Filter", data["filter"] or "none"),
        ("Query options", str(first.asking)),
        ("Encoder", f"{encoder['name']}{trained}, {encoder['dim']} dimensions, sha256 {encoder['sha256']}"),
        measured_on(result.environment),
        ("Fingerprint", f"{data['fingerprint']} (of queries, gallery and judgements)"),
    ]


def _quality(evaluations: Sequence[Evaluation], top_k: Sequence[int]) -> _Table:
    columns = metric_columns(top_k)
    rows = [
        [
            label(evaluation) + (" (baseline)" if evaluation.baseline else ""),
            f"{evaluation.dataset['judged_queries']:,}",
            f"{evaluation.dataset['gallery']:,}",
            *(pages.number(evaluation.quality.metrics[column]) for column in columns),
        ]
        for evaluation in evaluations
    ]
    return ["evaluation", "queries", "gallery", *columns], rows


def _plots(evaluations: Sequence[Evaluation]) -> list[str]:
    named = {label(e): e.quality for e in evaluations}
    return [
        curves("recall@k: relevant drawings found", {n: q.curves["recall"] for n, q in named.items()}),
        curves("hit_rate@k: queries with a relevant drawing", {n: q.curves["hit_rate"] for n, q in named.items()}),
        histogram(
            "Average precision of the queries",
            {n: [r.average_precision for r in q.records] for n, q in named.items()},
            x_label="average precision",
        ),
    ]


def _backends(backends: Sequence[BackendFigures]) -> _Table | None:
    if not backends:
        return None
    ks = list(backends[0].series[0].ann_recall)
    recalls = [f"ann_recall@{k}" for k in ks]
    rows = [
        [
            f"{backend.backend}, {series.filter or 'no filter'}",
            f"{series.matches:,}",
            *(pages.number(series.ann_recall[k]) for k in ks),
            *(pages.number(value) for value in (series.p50_ms, series.p95_ms, series.p99_ms)),
            f"{series.queries_per_second:,.0f}",
        ]
        for backend in backends
        for series in backend.series
    ]
    return ["backend, filter", "matches", *recalls, "p50 ms", "p95 ms", "p99 ms", "searches/s"], rows
