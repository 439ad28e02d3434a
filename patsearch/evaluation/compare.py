"""Two runs side by side: is the difference more than chance, and can they be compared at all?

The drawings of one patent rise and fall together, so patents, not drawings, are the units of chance:
the randomisation test swaps the values of a patent's queries between the runs together, the bootstrap
draws whole patents. The statistic is the mean over queries in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from patsearch.evaluation import metrics
from patsearch.evaluation.results import BenchResult, Evaluation
from patsearch.evaluation.runfile import SavedRun, as_run
from patsearch.types import JsonDict

DEFAULT_METRICS = ("map", "mrr", "hit_rate@1", "hit_rate@10", "recall@10", "ndcg@10")
_ROUNDS = 10_000
_LEAST_ROUNDS = 1_000
_CELLS = 1 << 22  # random numbers held at a time
_MOST_CELLS = 1 << 27  # drawn in total: with very many patents fewer rounds suffice


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric of two runs.

    Attributes:
        first, second: means over the queries that both runs have.
        difference: second - first.
        interval: 95 % bootstrap interval of the difference, over patents.
        p_value: two-sided, of the paired randomisation test over patents.
        better, worse: queries whose value rose, fell.
    """

    metric: str
    first: float
    second: float
    difference: float
    interval: tuple[float, float]
    p_value: float
    better: int
    worse: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs compared.

    Attributes:
        comparable: whether queries, gallery and judgements are the same in both.
        reasons: why they are not, or what else differs between the runs.
        queries: number of judged queries in both: what the differences are means over.
        patents: number of patents that these belong to.
        differences: by metric; empty where the runs share no query.
    """

    comparable: bool
    reasons: tuple[str, ...]
    queries: int
    patents: int
    differences: tuple[Difference, ...]

    def to_json(self) -> JsonDict:
        return asdict(self)


def compare(
    first: SavedRun,
    second: SavedRun,
    *,
    names: Sequence[str] = DEFAULT_METRICS,
    rounds: int | None = None,
) -> Comparison:
    """Compare two runs over the judged queries that both have.

    Where the galleries or judgements differ, the values are shown but marked as not comparable: a smaller
    gallery alone improves every metric.

    Args:
        rounds: of randomisation and of the bootstrap; 10,000 if None, fewer with very many patents.
    """
    reasons = _differences_of_setting(first, second)
    at = {query: number for number, query in enumerate(second.ids)}
    pairs = [
        (a, at[query])
        for a, query in enumerate(first.ids)
        if query in at and first.ranks[a].relevant and second.ranks[at[query]].relevant
    ]
    patents = [first.patents[a] for a, _ in pairs]
    comparable = first.dataset.get("fingerprint") == second.dataset.get("fingerprint")
    if not pairs:
        return Comparison(comparable, (*reasons, "no judged query is in both runs"), 0, 0, ())
    rounds = rounds or max(_LEAST_ROUNDS, min(_ROUNDS, _MOST_CELLS // len(set(patents))))
    top_k = sorted({int(name.rpartition("@")[2]) for name in names if "@" in name})
    values_a = metrics.per_query((first.ranks[a] for a, _ in pairs), top_k)
    values_b = metrics.per_query((second.ranks[b] for _, b in pairs), top_k)
    differences = [_difference(name, values_a[name], values_b[name], patents, rounds=rounds) for name in names]
    return Comparison(comparable, reasons, len(pairs), len(set(patents)), tuple(differences))


def baseline_of(result: BenchResult) -> Evaluation | None:
    """What the first evaluation is compared with: on the same protocol, without pictures or else untrained."""
    first = result.evaluations[0]
    same = (e for e in result.evaluations if e.protocol == first.protocol and e.asking == first.asking)
    return next((e for e in same if e.baseline), None)


def compare_with_baseline(result: BenchResult) -> Comparison | None:
    """The first evaluation (as second) against its baseline (as first)."""
    baseline = baseline_of(result)
    return None if baseline is None else compare(as_run(baseline), as_run(result.evaluations[0]))


def _difference(
    name: str,
    first: metrics.Values,
    second: metrics.Values,
    patents: Sequence[str],
    *,
    rounds: int,
) -> Difference:
    delta = second - first
    _, group = np.unique(np.asarray(patents), return_inverse=True)
    sums = np.bincount(group, weights=delta).astype(np.float64)  # (P,) summed difference of each patent
    sizes = np.bincount(group).astype(np.float64)
    rng = np.random.default_rng(0)
    means = float(first.mean()), float(second.mean())
    return Difference(
        metric=name,
        first=means[0],
        second=means[1],
        difference=means[1] - means[0],
        interval=_bootstrap(sums, sizes, rounds, rng),
        p_value=_randomise(sums, rounds, rng),
        better=int((delta > 0).sum()),
        worse=int((delta < 0).sum()),
    )


def _randomise(sums: NDArray[np.float64], rounds: int, rng: np.random.Generator) -> float:
    """Share of sign flips over patents that give a sum at least as far from 0; never quite 0."""
    observed = abs(sums.sum())
    # What differs by rounding alone counts as equally far.
    bound = observed - 1e-12 * max(1.0, observed)
    as_far = 0
    for size in _chunks(rounds, len(sums)):
        signs = rng.integers(0, 2, size=(size, len(sums)), dtype=np.int8) * 2 - 1
        as_far += int((np.abs(signs @ sums) >= bound).sum())
    return (as_far + 1) / (rounds + 1)


def _bootstrap(
    sums: NDArray[np.float64], sizes: NDArray[np.float64], rounds: int, rng: np.random.Generator
) -> tuple[float, float]:
    """2.5 % and 97.5 % points of the mean difference over queries when patents are drawn with replacement."""
    means: list[NDArray[np.float64]] = []
    for size in _chunks(rounds, len(sums)):
        drawn = rng.integers(0, len(sums), size=(size, len(sums)))
        means.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    return float(low), float(high)


def _chunks(rounds: int, width: int) -> list[int]:
    size = max(1, min(rounds, _CELLS // max(1, width)))
    return [size] * (rounds // size) + ([rounds % size] if rounds % size else [])


def _differences_of_setting(first: SavedRun, second: SavedRun) -> tuple[str, ...]:
    reasons: list[str] = []
    a, b = first.dataset, second.dataset
    if a.get("fingerprint") != b.get("fingerprint"):
        for key, what in (("name", "dataset"), ("queries", "number of queries"), ("gallery", "size of the gallery"),
                          ("distractors", "number of distractors"), ("filter", "filter")):  # fmt: skip
            if a.get(key) != b.get(key):
                reasons.append(f"{what}: {a.get(key)} and {b.get(key)}")
        texts = [d.get("protocol", {}).get("text") for d in (a, b)]
        if texts[0] != texts[1]:
            reasons.append(f"protocol: {texts[0]} and {texts[1]}")
        if not reasons:
            reasons.append("queries, gallery or judgements differ")
    return tuple(reasons)
