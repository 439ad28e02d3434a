"""Retrieval quality: rank a dataset exactly, and keep what reports need about every query."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from patsearch.encoder.shape import WHOLE, Comparison
from patsearch.evaluation import metrics
from patsearch.evaluation.asking import Asking
from patsearch.evaluation.datasets import RetrievalDataset
from patsearch.evaluation.ranking import Ranked, Vectors, rank, rank_scores
from patsearch.types import Drawing

# Points of the curves of recall and hit rate; as many as a plot can show.
CURVE_K = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000)


@dataclass(frozen=True, slots=True)
class Place:
    """One drawing in one query's ranking."""

    id: str
    patent: str
    rank: int
    score: float
    relevant: bool


@dataclass(frozen=True, slots=True)
class QueryRecord:
    """One query and its ranking. Arrays, not objects: a benchmark may have a hundred thousand of them."""

    id: str
    patent: str
    ranked: Ranked

    @property
    def ranks(self) -> metrics.QueryRanks:
        """The ranks of the relevant drawings."""
        return self.ranked.ranks

    @property
    def average_precision(self) -> float:
        """NaN without relevant drawings."""
        return metrics.average_precision(self.ranks.ranks)


@dataclass(frozen=True, slots=True)
class Quality:
    """How well one encoder's vectors rank one dataset.

    Attributes:
        metrics: means over the judged queries, by name.
        records: one a query, in the dataset's order.
        gallery: the drawings that were ranked, by gallery position.
        curves: `recall` and `hit_rate`: pairs of k and the mean at k.
        seconds: wall time of the ranking.
    """

    metrics: dict[str, float]
    records: tuple[QueryRecord, ...]
    gallery: tuple[Drawing, ...]
    curves: dict[str, list[tuple[int, float]]]
    seconds: float

    def top(self, record: QueryRecord, count: int | None = None) -> list[Place]:
        """The first places of a query's ranking; all that were kept if `count` is None."""
        one = record.ranked
        right = set(one.relevant.tolist())
        pairs = zip(one.top[:count].tolist(), one.top_scores[:count].tolist(), strict=True)
        return [
            self._place(position, rank, score, position in right)
            for rank, (position, score) in enumerate(pairs, start=1)
        ]

    def expected(self, record: QueryRecord, count: int | None = None) -> list[Place]:
        """What should have been found, best placed first; all of it if `count` is None."""
        one = record.ranked
        triples = zip(
            one.relevant[:count].tolist(),
            one.ranks.ranks[:count].tolist(),
            one.relevant_scores[:count].tolist(),
            strict=True,
        )
        return [self._place(position, rank, score, True) for position, rank, score in triples]

    def _place(self, position: int, rank: int, score: float, relevant: bool) -> Place:
        drawing = self.gallery[position]
        return Place(drawing.id, drawing.patent, rank, score, relevant)


def measure_quality(
    dataset: RetrievalDataset,
    *,
    top_k: Sequence[int] = metrics.DEFAULT_TOP_K,
    depth: int = 100,
    advance: Callable[[int], None] | None = None,
    asking: Asking | None = None,
    asked: Vectors | None = None,
    comparison: Comparison = WHOLE,
    scores: Iterable[Vectors] | None = None,
) -> Quality:
    """Rank every query of a dataset against its whole gallery, exactly.

    Args:
        top_k: the k of the metrics at k.
        depth: places kept of each ranking, for run files and pictures.
        advance: see `ranking.rank`.
        asking: refinements of the search.
        asked: (Q, V, dim) float32, the vectors of the queries; None is those in the dataset.
        comparison: what is compared of all vectors.
        scores: (G,) of each query, instead of vectors.
    """
    start = time.perf_counter()
    ranked = (
        rank_scores(scores, dataset.relevance, own=dataset.own, ignored=dataset.ignored, top=depth, advance=advance)
        if scores is not None
        else rank(
            comparison.of(dataset.query_vectors() if asked is None else asked),
            comparison.of(dataset.gallery_vectors()),
            dataset.relevance,
            own=dataset.own,
            ignored=dataset.ignored,
            top=depth,
            advance=advance,
            expansion=asking.expansion if asking else None,
            rerank=asking.rerank if asking else None,
        )
    )
    records = tuple(
        QueryRecord((query := dataset.query(number)).id, query.patent, one) for number, one in enumerate(ranked)
    )
    seconds = time.perf_counter() - start
    gallery = tuple(dataset.at(position) for position in range(len(dataset.gallery)))
    values = metrics.per_query((r.ranks for r in records), top_k)
    means = metrics.aggregate(values)
    means["map_by_patent"] = metrics.mean_over_groups(values["map"], [r.patent for r in records])
    return Quality(means, records, gallery, _curves(records, len(gallery)), seconds)


def _curves(records: Sequence[QueryRecord], gallery: int) -> dict[str, list[tuple[int, float]]]:
    points = [k for k in CURVE_K if k <= max(gallery, 1)]
    ranks = [r.ranks.ranks for r in records if r.ranks.relevant]
    if not ranks:
        return {"recall": [], "hit_rate": []}
    first = np.array([r[0] for r in ranks])
    # The mean over queries of the share found by k: each relevant item weighs 1 / R of its query.
    places = np.concatenate(ranks)
    weights = np.concatenate([np.full(len(r), 1 / len(r)) for r in ranks]) / len(ranks)
    return {
        "recall": [(k, float(weights[places <= k].sum())) for k in points],
        "hit_rate": [(k, float((first <= k).mean())) for k in points],
    }
