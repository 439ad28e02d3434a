"""Retrieval quality: rank a dataset exactly, and keep of every query what reports need."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from patsearch.evaluation import metrics
from patsearch.evaluation.datasets import RetrievalDataset
from patsearch.evaluation.ranking import DEFAULT_BLOCK_BYTES, Ranked, rank

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
    """One query and what became of it.

    Attributes:
        ranks: ranks of all relevant drawings, ascending.
        last_ranks: last place of each one's group of equal scores.
        gains: degrees of relevance in the order of `ranks`; empty where all are 1.
        top: the first places.
        expected: all relevant drawings, best placed first.
    """

    id: str
    patent: str
    ranks: tuple[int, ...]
    last_ranks: tuple[int, ...]
    gains: tuple[float, ...]
    top: tuple[Place, ...]
    expected: tuple[Place, ...]

    def query_ranks(self) -> metrics.QueryRanks:
        """The ranks as the metrics take them."""
        return metrics.QueryRanks(
            np.array(self.ranks, dtype=np.int64),
            np.array(self.last_ranks, dtype=np.int64),
            np.array(self.gains, dtype=np.float64),
        )

    def degrees(self) -> tuple[float, ...]:
        """The degree of relevance of each of `expected`."""
        return self.gains or (1.0,) * len(self.ranks)

    @property
    def average_precision(self) -> float:
        """NaN without relevant drawings."""
        return metrics.average_precision(np.array(self.ranks, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Quality:
    """How well one encoder's vectors rank one dataset.

    Attributes:
        metrics: means over the judged queries, by name.
        records: one a query, in the dataset's order.
        curves: `recall` and `hit_rate`: pairs of k and the mean at k.
        seconds: wall time of the ranking.
    """

    metrics: dict[str, float]
    records: tuple[QueryRecord, ...]
    curves: dict[str, list[tuple[int, float]]]
    seconds: float


def measure_quality(
    dataset: RetrievalDataset,
    *,
    top_k: Sequence[int] = metrics.DEFAULT_TOP_K,
    depth: int = 100,
    block_bytes: int = DEFAULT_BLOCK_BYTES,
    advance: Callable[[int], None] | None = None,
) -> Quality:
    """Rank every query of a dataset against its whole gallery, exactly.

    Args:
        top_k: the k of the metrics at k.
        depth: places kept of each ranking, for run files and pictures.
        block_bytes, advance: see `ranking.rank`.
    """
    start = time.perf_counter()
    ranked = rank(
        dataset.query_vectors(),
        dataset.gallery_vectors(),
        dataset.relevance,
        own=dataset.own,
        top=depth,
        block_bytes=block_bytes,
        advance=advance,
    )
    records = tuple(_record(dataset, number, one) for number, one in enumerate(ranked))
    seconds = time.perf_counter() - start
    values = metrics.per_query((r.query_ranks() for r in records), top_k)
    return Quality(metrics.aggregate(values), records, _curves(records, len(dataset.gallery)), seconds)


def _record(dataset: RetrievalDataset, number: int, one: Ranked) -> QueryRecord:
    query = dataset.query(number)
    right = set(one.relevant.tolist())
    top = tuple(
        _place(dataset, int(position), place, float(score), int(position) in right)
        for place, (position, score) in enumerate(zip(one.top, one.top_scores, strict=True), start=1)
    )
    found = zip(one.relevant, one.ranks.ranks, one.relevant_scores, strict=True)
    wanted = tuple(_place(dataset, int(position), int(place), float(score), True) for position, place, score in found)
    gains = one.ranks.gains
    return QueryRecord(
        id=query.id,
        patent=query.patent,
        ranks=tuple(one.ranks.ranks.tolist()),
        last_ranks=tuple(one.ranks.last_ranks.tolist()),
        gains=() if (gains == 1).all() else tuple(gains.tolist()),
        top=top,
        expected=wanted,
    )


def _place(dataset: RetrievalDataset, position: int, place: int, score: float, relevant: bool) -> Place:
    drawing = dataset.at(position)
    return Place(drawing.id, drawing.patent, place, score, relevant)


def _curves(records: Sequence[QueryRecord], gallery: int) -> dict[str, list[tuple[int, float]]]:
    points = [k for k in CURVE_K if k <= max(gallery, 1)]
    ranks = [np.array(r.ranks, dtype=np.int64) for r in records if r.ranks]
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
