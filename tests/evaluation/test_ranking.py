"""Exact ranking in blocks: the same as a full sort, in bounded memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patsearch.errors import UsageError
from patsearch.evaluation.ranking import Ranked, rank, score_block
from patsearch.evaluation.relevance import Relevance


def unit(vectors: np.ndarray) -> np.ndarray:
    found: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return found.astype(np.float32)


def naive(scores: np.ndarray, relevant: np.ndarray, own: int) -> tuple[list[int], list[int], list[int]]:
    """Ranks, last places of ties, and the whole order, by sorting (score descending, position ascending)."""
    order = sorted((p for p in range(len(scores)) if p != own), key=lambda p: (-scores[p], p))
    ranks = [order.index(p) + 1 for p in relevant]
    last = [sum(1 for o in order if scores[o] >= scores[p]) for p in relevant]
    return sorted(ranks), sorted(last), order


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    gallery_size=st.integers(1, 120),
    groups=st.integers(1, 12),
    levels=st.sampled_from([2, 3, 1000]),
    block_bytes=st.sampled_from([1, 1000, 1 << 20]),
)
def test_agrees_with_a_full_sort(seed: int, gallery_size: int, groups: int, levels: int, block_bytes: int) -> None:
    rng = np.random.default_rng(seed)
    # Few levels make many exact copies: ties, up to a gallery of nothing else.
    gallery = unit(rng.integers(0, levels, size=(gallery_size, 3)) + 1.0)
    labels = [str(g) for g in rng.integers(0, groups, size=gallery_size)]
    own = rng.permutation(gallery_size)[: min(9, gallery_size)]
    relevance = Relevance.same_group([labels[o] for o in own], labels, own)
    scores = score_block(gallery[own], gallery)
    results = list(rank(gallery[own], gallery, relevance, own=own, top=7, block_bytes=block_bytes))
    assert len(results) == len(own)
    for query, result in enumerate(results):
        relevant, _ = relevance.row(query)
        ranks, last, order = naive(scores[query], relevant, int(own[query]))
        assert result.ranks.ranks.tolist() == ranks
        assert result.ranks.last_ranks.tolist() == last
        assert result.top.tolist() == order[:7]
        assert [order.index(int(p)) + 1 for p in result.relevant] == ranks
        np.testing.assert_array_equal(result.top_scores, scores[query][result.top])
        np.testing.assert_array_equal(result.relevant_scores, scores[query][result.relevant])


def test_block_size_does_not_change_the_ranking() -> None:
    rng = np.random.default_rng(5)
    gallery = unit(rng.standard_normal((700, 48)))
    gallery[350:] = gallery[:350]  # every drawing twice: each rank hangs on a tie
    queries = unit(rng.standard_normal((40, 48)))
    relevance = Relevance.from_rows([np.sort(rng.choice(700, 5, replace=False)) for _ in range(40)])

    def ranks(block_bytes: int) -> list[list[int]]:
        return [r.ranks.ranks.tolist() for r in rank(queries, gallery, relevance, block_bytes=block_bytes)]

    assert ranks(1) == ranks(20_000) == ranks(1 << 24)


def test_equal_scores_are_ordered_by_position() -> None:
    gallery = np.ones((5, 1), dtype=np.float32)
    (result,) = rank(gallery[:1], gallery, Relevance.from_rows([np.array([1, 3])]), own=np.array([0]), top=10)
    assert result.top.tolist() == [1, 2, 3, 4]
    assert result.ranks.ranks.tolist() == [1, 3]
    assert result.ranks.last_ranks.tolist() == [4, 4]


def test_memory_stays_within_the_bound() -> None:
    rng = np.random.default_rng(1)
    gallery = unit(rng.standard_normal((20_000, 16)))
    queries = unit(rng.standard_normal((1_500, 16)))
    relevance = Relevance.same_group([str(q) for q in range(1_500)], [str(g % 4_000) for g in range(20_000)])
    whole = len(queries) * len(gallery) * 4
    bound = 4 << 20
    tracemalloc.start()
    try:
        count = sum(1 for _ in rank(queries, gallery, relevance, block_bytes=bound))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == len(queries)
    assert peak < 2 * bound + (2 << 20)  # the block, its product before rounding, one row's work
    assert peak < whole / 8


def test_a_query_without_relevant_items_is_ranked_all_the_same() -> None:
    gallery = unit(np.eye(3) + 0.1)
    (result,) = rank(gallery[:1], gallery, Relevance.from_rows([np.empty(0, np.int64)]), top=2)
    assert result.ranks.relevant == 0
    assert result.top.tolist()[0] == 0


def test_empty_gallery_and_no_queries() -> None:
    empty = np.empty((0, 4), dtype=np.float32)
    query = unit(np.ones((1, 4)))
    (result,) = rank(query, empty, Relevance.from_rows([np.empty(0, np.int64)]))
    assert isinstance(result, Ranked)
    assert len(result.top) == 0
    assert list(rank(empty, query, Relevance.from_rows([]))) == []


def test_refuses_what_cannot_be_ranked() -> None:
    good = unit(np.ones((2, 4)))
    none = Relevance.from_rows([np.empty(0, np.int64)] * 2)
    with pytest.raises(UsageError, match="cannot be ranked"):
        list(rank(good, np.ones((2, 3), np.float32), none))
    with pytest.raises(UsageError, match="judgements for 2"):
        list(rank(good[:1], good, none))
    bad = good.copy()
    bad[1, 2] = np.nan
    with pytest.raises(UsageError, match="gallery vector contains NaN"):
        list(rank(good, bad, none))


def test_reports_progress() -> None:
    vectors = unit(np.ones((10, 2)) + np.arange(10)[:, None])
    done: list[int] = []
    none = Relevance.from_rows([np.empty(0, np.int64)] * 10)
    list(rank(vectors, vectors, none, block_bytes=4 * 10 * 4, advance=done.append))
    assert done == [4, 4, 2]
