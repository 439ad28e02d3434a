"""Retrieval metrics as pure functions of the ranks of the relevant items.

A ranking is given by `ranks`: the 1-based places of the relevant items, ascending. A metric on binary
relevance needs nothing else, and it stays small where the gallery is large.
`relevant` is the number of relevant items in the gallery; it exceeds `len(ranks)` where a ranking
was cut off before all were found, and equals it (the default) for a whole ranking.

A query without relevant items has no value: every function returns NaN for it, and `mean` drops
it (ranx and trec_eval would count it as 0). Two recalls are never mixed: `recall_at_k` compares
with relevance judgements, `ann_recall_at_k` a backend's answer with the exact one.

| name            | divisor of the query's value                    | ranx         |
|-----------------|-------------------------------------------------|--------------|
| `map`           | all relevant items                              | `map`        |
| `map_ties`      | all relevant items; ties judged together        | -            |
| `map_by_patent` | as `map`; then the mean over patents            | -            |
| `map@k`         | all relevant items, also where there are over k | `map@k`      |
| `recall@k`      | all relevant items                              | `recall@k`   |
| `hit_rate@k`    | 1                                               | `hit_rate@k` |
| `mrr`           | 1                                               | `mrr`        |
| `ndcg@k`        | DCG of the best possible first k                | `ndcg@k`     |
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Ranks = NDArray[np.int64]
Values = NDArray[np.float64]

DEFAULT_TOP_K = (1, 5, 10, 20, 50, 100)


@dataclass(frozen=True, slots=True)
class QueryRanks:
    """The ranks of the relevant items of one query.

    Attributes:
        ranks: (R,) int64, 1-based, ascending, ties broken by id.
        last_ranks: (R,) int64, ascending: for each relevant item the last place of the group of
            equal scores that it belongs to; equals `ranks` where nothing ties.
        gains: (R,) float64, the judged degree of relevance of each item, in the order of `ranks`.
    """

    ranks: Ranks
    last_ranks: Ranks
    gains: Values = field(default_factory=lambda: np.empty(0))

    @property
    def relevant(self) -> int:
        return len(self.ranks)


def ranks_of(relevance: Sequence[bool] | NDArray[np.bool_]) -> Ranks:
    """The ranks in a ranking given as flags, best first: `[False, True, True]` -> `[2, 3]`."""
    return np.flatnonzero(np.asarray(relevance, dtype=bool)).astype(np.int64) + 1


def average_precision(ranks: Ranks, *, relevant: int | None = None, k: int | None = None) -> float:
    """Average precision: the precision at the rank of each relevant item, averaged.

        AP = 1/R * sum over the i-th relevant item, at rank r_i (<= k), of i / r_i

    Args:
        ranks: (n,) ascending 1-based ranks of relevant items.
        relevant: R, the number of relevant items in the gallery; `len(ranks)` if None.
        k: look at the first k places only; None is the whole ranking.

    Returns:
        A value in [0, 1]. The divisor is R also at a k smaller than R (as in ranx and trec_eval,
        so AP@k cannot reach 1 there). NaN without relevant items: the query is dropped.
    """
    total = _relevant(ranks, relevant)
    if not total:
        return math.nan
    precisions = np.arange(1, len(ranks) + 1) / ranks
    return float(precisions[_within(ranks, k)].sum() / total)


def average_precision_ties(last_ranks: Ranks) -> float:
    """Average precision with equal scores judged together: DeepPatent's own.

    DeepPatent's evaluation calls scikit-learn's `average_precision_score` for every query over the
    whole gallery. It takes each distinct score as a threshold, so that all items of one score
    enter at once:

        AP = sum over thresholds n of (recall_n - recall_(n-1)) * precision_n

    which is, for each relevant item, the precision at the last place of its group of equal scores.
    It equals `average_precision` where no relevant item shares its score with another item,
    depends on no order among ties, and can be higher or lower where items tie: two tied at the
    top, one of them relevant, give 1/2, against 1 or 1/2 by the order of their ids.

    Args:
        last_ranks: (R,) ascending, see `QueryRanks.last_ranks`; of all R relevant items.

    Returns:
        A value in [0, 1], divided by R. NaN without relevant items: the query is dropped.
    """
    if not len(last_ranks):
        return math.nan
    found = np.searchsorted(last_ranks, last_ranks, side="right")
    return float((found / last_ranks).mean())


def recall_at_k(ranks: Ranks, k: int, *, relevant: int | None = None) -> float:
    """Relevant items among the first k, divided by all relevant items (not by k).

    NaN without relevant items: the query is dropped.
    """
    total = _relevant(ranks, relevant)
    return float(np.count_nonzero(_within(ranks, k)) / total) if total else math.nan


def hit_rate_at_k(ranks: Ranks, k: int, *, relevant: int | None = None) -> float:
    """1 if at least one relevant item is among the first k, else 0.

    What metric learning calls Recall@k, re-identification Rank-k and DeepPatent top-k accuracy.
    NaN without relevant items: the query is dropped.
    """
    return float(_within(ranks, k).any()) if _relevant(ranks, relevant) else math.nan


def reciprocal_rank(ranks: Ranks, *, relevant: int | None = None, k: int | None = None) -> float:
    """1 / rank of the first relevant item; 0 where none is among the first k.

    NaN without relevant items: the query is dropped.
    """
    if not _relevant(ranks, relevant):
        return math.nan
    first = int(ranks[0]) if len(ranks) else 0
    return 1.0 / first if first and (k is None or first <= k) else 0.0


def ndcg_at_k(ranks: Ranks, k: int | None = None, *, gains: Values | None = None, ideal: Values | None = None) -> float:
    """Normalised discounted cumulative gain (Järvelin and Kekäläinen 2002).

        DCG@k = sum over relevant items at rank r <= k of gain / log2(r + 1)

    Args:
        ranks: (n,) ascending 1-based ranks of relevant items.
        k: look at the first k places only; None is the whole ranking.
        gains: (n,) the degree of relevance of the item at each rank; all 1 if None.
        ideal: degrees of relevance of all relevant items in the gallery; `gains` if None.

    Returns:
        DCG@k divided by the DCG@k of the best possible ranking, in [0, 1]. NaN without relevant
        items: the query is dropped.
    """
    gain = np.ones(len(ranks)) if gains is None else np.asarray(gains, dtype=np.float64)
    best = np.sort(gain if ideal is None else np.asarray(ideal, dtype=np.float64))[::-1][:k]
    if not len(best):
        return math.nan
    near = _within(ranks, k)
    dcg = (gain[near] / np.log2(ranks[near] + 1.0)).sum()
    return float(dcg / (best / np.log2(np.arange(len(best)) + 2.0)).sum())


def ann_recall_at_k(found: Sequence[str], exact: Sequence[str], k: int) -> float:
    """Share of the exact first k that a backend found among its own first k.

    The divisor is the length of the exact answer, k or fewer where a filter leaves fewer drawings.
    NaN where the exact answer is empty: the query is dropped. Both lists must break ties in the
    same way (by id), or equal scores at the k-th place count as misses.
    """
    right = set(exact[:k])
    return len(right.intersection(found[:k])) / len(right) if right else math.nan


def per_query(results: Iterable[QueryRanks], top_k: Sequence[int] = DEFAULT_TOP_K) -> dict[str, Values]:
    """Every metric for every query: name -> (Q,) float64, NaN for a query without relevant items."""
    rows = [_one_query(result, top_k) for result in results]
    names = _one_query(QueryRanks(np.empty(0, np.int64), np.empty(0, np.int64)), top_k)
    return {name: np.array([row[name] for row in rows], dtype=np.float64) for name in names}


def mean(values: Values) -> float:
    """Mean over the queries that have a value: NaN (no relevant item) is dropped. NaN if none has."""
    kept = values[~np.isnan(values)]
    return float(kept.mean()) if len(kept) else math.nan


def mean_over_groups(values: Values, groups: Sequence[str]) -> float:
    """Mean over groups of the mean over each group's queries: every patent weighs the same.

    NaN (no relevant item) is dropped, and with it a group without any other value. NaN if none is left.
    """
    kept = ~np.isnan(values)
    if not kept.any():
        return math.nan
    _, group = np.unique(np.asarray(groups)[kept], return_inverse=True)
    return float((np.bincount(group, weights=values[kept]) / np.bincount(group)).mean())


def aggregate(values: Mapping[str, Values]) -> dict[str, float]:
    """The metrics of a run: the mean over queries of what `per_query` gave."""
    return {name: mean(column) for name, column in values.items()}


def _one_query(result: QueryRanks, top_k: Sequence[int]) -> dict[str, float]:
    ranks = result.ranks
    gains = result.gains if len(result.gains) else None
    row = {
        "map": average_precision(ranks),
        "map_ties": average_precision_ties(result.last_ranks),
        "mrr": reciprocal_rank(ranks),
    }
    for k in top_k:
        row[f"map@{k}"] = average_precision(ranks, k=k)
        row[f"recall@{k}"] = recall_at_k(ranks, k)
        row[f"hit_rate@{k}"] = hit_rate_at_k(ranks, k)
        row[f"ndcg@{k}"] = ndcg_at_k(ranks, k, gains=gains)
    return row


def _relevant(ranks: Ranks, relevant: int | None) -> int:
    return len(ranks) if relevant is None else relevant


def _within(ranks: Ranks, k: int | None) -> NDArray[np.bool_]:
    return np.ones(len(ranks), dtype=bool) if k is None else ranks <= k
