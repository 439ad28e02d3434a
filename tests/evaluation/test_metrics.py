"""Metrics: by hand, against ranx and scikit-learn, and what must hold of any ranking."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patsearch.evaluation import metrics
from patsearch.evaluation.metrics import QueryRanks
from patsearch.evaluation.ranking import rank
from patsearch.evaluation.relevance import Relevance

TOP_K = (1, 3, 10, 50)


def ranks(*values: int) -> metrics.Ranks:
    return np.array(values, dtype=np.int64)


NONE = ranks()


@st.composite
def rankings(draw: st.DrawFn) -> tuple[metrics.Ranks, int]:
    """Ranks of at least one relevant item in a gallery, and the gallery's size."""
    size = draw(st.integers(1, 60))
    places = draw(st.sets(st.integers(1, size), min_size=1))
    return ranks(*sorted(places)), size


class TestByHand:
    """R N R N R: relevant at 1, 3 and 5."""

    RANKS = ranks(1, 3, 5)

    def test_average_precision(self) -> None:
        assert metrics.average_precision(self.RANKS) == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)

    def test_average_precision_at_k_divides_by_all_relevant(self) -> None:
        assert metrics.average_precision(self.RANKS, k=3) == pytest.approx((1 + 2 / 3) / 3)
        assert metrics.average_precision(ranks(1, 2, 3), k=1) == pytest.approx(1 / 3)

    def test_average_precision_of_a_cut_ranking(self) -> None:
        assert metrics.average_precision(self.RANKS, relevant=6) == pytest.approx((1 + 2 / 3 + 3 / 5) / 6)

    def test_recall_and_hit_rate(self) -> None:
        assert metrics.recall_at_k(self.RANKS, 3) == pytest.approx(2 / 3)
        assert metrics.recall_at_k(self.RANKS, 3, relevant=4) == pytest.approx(2 / 4)
        assert metrics.hit_rate_at_k(self.RANKS, 1) == 1
        assert metrics.hit_rate_at_k(ranks(2), 1) == 0

    def test_reciprocal_rank(self) -> None:
        assert metrics.reciprocal_rank(ranks(4, 5)) == 1 / 4
        assert metrics.reciprocal_rank(ranks(4, 5), k=3) == 0
        assert metrics.reciprocal_rank(NONE, relevant=2) == 0

    def test_ndcg(self) -> None:
        ideal = 1 + 1 / math.log2(3) + 1 / 2
        assert metrics.ndcg_at_k(self.RANKS) == pytest.approx((1 + 1 / 2 + 1 / math.log2(6)) / ideal)
        assert metrics.ndcg_at_k(self.RANKS, 2) == pytest.approx(1 / (1 + 1 / math.log2(3)))

    def test_ndcg_with_degrees(self) -> None:
        value = metrics.ndcg_at_k(ranks(1, 2), gains=np.array([1.0, 3.0]))
        assert value == pytest.approx((1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3)))

    def test_ties_are_judged_together(self) -> None:
        # Two items share the best score, one of them relevant: precision 1/2 at their threshold.
        assert metrics.average_precision_ties(ranks(2)) == 0.5
        # Two relevant items share one score among four: both found at place 4.
        assert metrics.average_precision_ties(ranks(4, 4)) == 0.5

    def test_ann_recall(self) -> None:
        assert metrics.ann_recall_at_k(["a", "c", "d"], ["a", "b", "c"], 3) == pytest.approx(2 / 3)
        assert metrics.ann_recall_at_k(["a", "c", "b"], ["a", "b", "c"], 2) == 1 / 2
        assert metrics.ann_recall_at_k(["a"], ["a"], 10) == 1  # a filter left one drawing
        assert math.isnan(metrics.ann_recall_at_k([], [], 10))

    def test_ranks_of_flags(self) -> None:
        assert metrics.ranks_of([False, True, True]).tolist() == [2, 3]


def test_a_query_without_relevant_items_is_dropped() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = metrics.per_query([QueryRanks(ranks(2), ranks(2)), QueryRanks(NONE, NONE)], TOP_K)
        assert all(math.isnan(column[1]) for column in values.values())
        means = metrics.aggregate(values)
        assert means["map"] == 0.5
        assert means["hit_rate@1"] == 0
        assert math.isnan(metrics.mean(np.array([np.nan])))


def test_every_group_weighs_the_same() -> None:
    values = np.array([1.0, 0.0, 0.0, 0.8, np.nan, np.nan])
    groups = ["a", "a", "a", "b", "b", "c"]
    assert metrics.mean_over_groups(values, groups) == pytest.approx((1 / 3 + 0.8) / 2)
    assert metrics.mean(values) == pytest.approx(1.8 / 4)
    assert math.isnan(metrics.mean_over_groups(values[4:], groups[4:]))


def test_no_queries_at_all() -> None:
    values = metrics.per_query([], TOP_K)
    assert {"map", "map_ties", "mrr", "recall@10", "ndcg@50", "hit_rate@1", "map@3"} <= values.keys()
    assert all(math.isnan(value) for value in metrics.aggregate(values).values())


# ---------------------------------------------------------------------- other people's readings


def _random_runs(seed: int, *, ties: bool) -> tuple[np.ndarray, list[np.ndarray]]:
    """Scores (queries, gallery) and relevant positions of each query."""
    rng = np.random.default_rng(seed)
    scores: np.ndarray = rng.random((30, 80)).astype(np.float32)
    if ties:
        scores = np.round(scores * 8) / 8
    relevant = [np.sort(rng.choice(80, size=rng.integers(1, 25), replace=False)) for _ in range(30)]
    return scores, relevant


def _rank_by_sorting(scores: np.ndarray, relevant: np.ndarray) -> metrics.Ranks:
    order = np.argsort(-scores, kind="stable")
    return metrics.ranks_of(np.isin(order, relevant))


@pytest.fixture(scope="module")
def ranx() -> Iterator[Any]:
    """ranx as plain Python: compiling it takes a minute, and thirty queries take none."""
    numba = pytest.importorskip("numba", reason="numba is in the dev extra")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numba.config, "DISABLE_JIT", True)
        with warnings.catch_warnings():
            # ranx and numba warn at import on some versions; that is not ours to judge.
            warnings.simplefilter("ignore")
            found = pytest.importorskip("ranx", reason="ranx is in the dev extra")
        yield found


def test_every_metric_agrees_with_ranx(ranx: Any) -> None:
    rng = np.random.default_rng(7)
    scores, relevant = _random_runs(7, ties=False)
    degrees = [rng.integers(1, 4, size=len(r)) for r in relevant]
    qrels = {
        f"q{q:02d}": {f"d{d}": int(g) for d, g in zip(r, gains, strict=True)}
        for q, (r, gains) in enumerate(zip(relevant, degrees, strict=True))
    }
    run = {f"q{q:02d}": {f"d{d}": float(s) for d, s in enumerate(row)} for q, row in enumerate(scores)}
    names = ["map", "mrr"] + [f"{name}@{k}" for name in ("map", "recall", "hit_rate", "ndcg") for k in TOP_K]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = ranx.evaluate(ranx.Qrels(qrels), ranx.Run(run), names, return_mean=False)

    results = []
    for row, positions, gains in zip(scores, relevant, degrees, strict=True):
        order = np.argsort(-row, kind="stable")
        place = {int(p): i + 1 for i, p in enumerate(order)}
        found = sorted((place[int(p)], int(g)) for p, g in zip(positions, gains, strict=True))
        at = ranks(*(r for r, _ in found))
        results.append(QueryRanks(at, at, np.array([g for _, g in found], dtype=np.float64)))
    ours = metrics.per_query(results, TOP_K)
    for name in names:
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-12, err_msg=name)


@pytest.mark.parametrize("ties", [False, True])
def test_deeppatents_average_precision_is_scikit_learns(ties: bool) -> None:
    sklearn_metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is in the dev extra")
    scores, relevant = _random_runs(3, ties=ties)
    order_matters = 0
    for row, positions in zip(scores, relevant, strict=True):
        truth = np.isin(np.arange(80), positions)
        theirs = sklearn_metrics.average_precision_score(truth, row)
        last = np.sort([np.count_nonzero(row >= row[p]) for p in positions])
        assert metrics.average_precision_ties(last) == pytest.approx(theirs, abs=1e-12)
        plain = metrics.average_precision(_rank_by_sorting(row, positions))
        order_matters += not math.isclose(plain, theirs, abs_tol=1e-9)
    # Without ties the two are the same number; with ties they are not, which is why both exist.
    assert (order_matters > 0) == ties


def test_the_whole_way_agrees_with_scikit_learn() -> None:
    """From vectors through the block ranking to DeepPatent's mean."""
    sklearn_metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is in the dev extra")
    rng = np.random.default_rng(11)
    vectors = rng.standard_normal((90, 16)).astype(np.float32)
    vectors[60:75] = vectors[45:60]  # exact copies: ties
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    groups = [str(g) for g in rng.integers(0, 12, size=90)]
    queries, gallery = vectors[:30], vectors[30:]
    relevance = Relevance.same_group(groups[:30], groups[30:])
    result = metrics.per_query([r.ranks for r in rank(queries, gallery, relevance, block_bytes=1)], (1,))
    scores = (queries.astype(np.float64) @ gallery.astype(np.float64).T).astype(np.float32)
    theirs = [
        sklearn_metrics.average_precision_score([g == groups[q] for g in groups[30:]], scores[q])
        for q in range(30)
        if groups[q] in groups[30:]
    ]
    assert metrics.mean(result["map_ties"]) == pytest.approx(np.mean(theirs), abs=1e-12)


# ---------------------------------------------------------------------- what holds of any ranking


@given(rankings())
def test_values_lie_in_0_to_1_and_the_ideal_ranking_has_1(case: tuple[metrics.Ranks, int]) -> None:
    found, _ = case
    values = metrics.per_query([QueryRanks(found, found)], TOP_K)
    assert all(0 <= column[0] <= 1 for column in values.values())
    best = metrics.ranks_of(np.ones(len(found), dtype=bool))
    for value in (metrics.average_precision(best), metrics.ndcg_at_k(best), metrics.reciprocal_rank(best)):
        assert value == pytest.approx(1)


@given(rankings(), st.integers(1, 60))
def test_looking_further_never_lowers_a_metric(case: tuple[metrics.Ranks, int], k: int) -> None:
    found, _ = case
    assert metrics.recall_at_k(found, k) <= metrics.recall_at_k(found, k + 1)
    assert metrics.hit_rate_at_k(found, k) <= metrics.hit_rate_at_k(found, k + 1)
    assert metrics.average_precision(found, k=k) <= metrics.average_precision(found, k=k + 1) + 1e-15
    assert metrics.recall_at_k(found, k) <= metrics.hit_rate_at_k(found, k)


@given(rankings(), st.data())
def test_moving_a_relevant_item_up_never_lowers_a_metric(case: tuple[metrics.Ranks, int], data: st.DataObject) -> None:
    found, _ = case
    free = sorted(set(range(1, int(found[-1]))) - set(found.tolist()))
    if not free:
        return
    better = ranks(*sorted([*found[:-1].tolist(), data.draw(st.sampled_from(free))]))
    before = metrics.per_query([QueryRanks(found, found)], TOP_K)
    after = metrics.per_query([QueryRanks(better, better)], TOP_K)
    assert all(after[name][0] >= before[name][0] - 1e-12 for name in before)


@given(rankings())
def test_without_ties_both_average_precisions_are_one(case: tuple[metrics.Ranks, int]) -> None:
    found, _ = case
    assert metrics.average_precision_ties(found) == pytest.approx(metrics.average_precision(found))
