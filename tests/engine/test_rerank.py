"""Re-ranking against the paper's formulas set by set, and query expansion."""

from __future__ import annotations

import math
import tracemalloc
from contextvars import copy_context

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patsearch.deadline import set_deadline
from patsearch.engine.expansion import Expansion
from patsearch.engine.rerank import Rerank, mutual_overlap
from patsearch.errors import TimedOut, UsageError


def unit(vectors: np.ndarray) -> np.ndarray:
    found: np.ndarray = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return found.astype(np.float32)


def clusters(seed: int, groups: int, each: int, dim: int = 6, noise: float = 0.5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((groups, dim))
    return unit(np.repeat(centres, each, axis=0) + noise * rng.standard_normal((groups * each, dim)))


def naive_overlap(points: np.ndarray, k1: int, k2: int) -> list[float]:
    """J of point 0 with the others, as the paper writes it: sets and sums."""
    count = len(points)
    distance = [[1 - float(a @ b) for b in points] for a in points]

    def nearest(x: int, k: int) -> list[int]:
        others = sorted((g for g in range(count) if g != x), key=lambda g: (distance[x][g], g))
        return [x, *others[:k]]

    def mutual(x: int, k: int) -> set[int]:
        return {g for g in nearest(x, k) if x in nearest(g, k)}

    half = int(np.around(k1 / 2))
    vectors: list[dict[int, float]] = []
    for x in range(count):
        reached = set(mutual(x, k1))
        for q in mutual(x, k1):
            more = mutual(q, half)
            if len(mutual(x, k1) & more) >= 2 / 3 * len(more) - 1e-12:
                reached |= more
        weights = {g: 1.0 if g == x else math.exp(-distance[x][g]) for g in reached}
        vectors.append({g: w / sum(weights.values()) for g, w in weights.items()})
    means: list[dict[int, float]] = []
    for x in range(count):
        near = nearest(x, k2 - 1)
        means.append({g: sum(vectors[n].get(g, 0.0) for n in near) / len(near) for g in range(count)})
    result = []
    for g in range(1, count):
        smaller = sum(min(means[0][c], means[g][c]) for c in range(count))
        larger = sum(max(means[0][c], means[g][c]) for c in range(count))
        result.append(smaller / larger)
    return result


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    groups=st.integers(1, 4),
    each=st.integers(1, 5),
    k1=st.integers(1, 9),
    data=st.data(),
)
def test_equals_the_paper_set_by_set(seed: int, groups: int, each: int, k1: int, data: st.DataObject) -> None:
    points = clusters(seed, groups, each)
    k2 = data.draw(st.integers(1, k1))
    found = mutual_overlap((points @ points.T).astype(np.float32), k1=k1, k2=k2)
    np.testing.assert_allclose(found, naive_overlap(points.astype(np.float64), k1, k2), atol=1e-5)


def test_scores_join_overlap_and_cosine() -> None:
    points = clusters(3, 4, 5)
    query, gallery = points[0], points[1:]
    cosines = gallery @ query
    overlap = np.array(naive_overlap(points.astype(np.float64), 4, 2))
    scores = Rerank(k1=4, k2=2, weight=0.3).scores(cosines, gallery)
    np.testing.assert_allclose(scores, 0.7 * overlap + 0.3 * cosines, atol=1e-5)
    assert scores.dtype == np.float32


def test_only_the_candidates_are_re_ranked() -> None:
    points = clusters(5, 5, 6)
    query, gallery = points[0], points[1:]
    cosines = gallery @ query
    best = np.argsort(-cosines, kind="stable")[:8]
    scores = Rerank(k1=4, k2=2, weight=0.4, candidates=8).scores(cosines, gallery)
    alone = Rerank(k1=4, k2=2, weight=0.4).scores(cosines[best], gallery[best])
    np.testing.assert_allclose(scores[best], alone, atol=1e-6)
    rest = np.setdiff1d(np.arange(len(gallery)), best)
    np.testing.assert_allclose(scores[rest], 0.4 * cosines[rest], atol=1e-6)
    assert scores[best].min() >= scores[rest].max()


def test_what_is_left_out_stays_out_and_takes_no_part() -> None:
    points = clusters(7, 3, 5)
    query, gallery = points[0], points[1:]
    cosines = gallery @ query
    hidden = cosines.copy()
    hidden[2] = -np.inf
    for weight in (0.0, 0.3):
        method = Rerank(k1=4, k2=2, weight=weight)
        scores = method.scores(hidden, gallery)
        assert scores[2] == -np.inf
        without = method.scores(np.delete(cosines, 2), np.delete(gallery, 2, axis=0))
        np.testing.assert_allclose(np.delete(scores, 2), without, atol=1e-6)


def test_mutual_neighbours_overtake_a_lone_neighbour() -> None:
    # A hub is closer to the query than the query's own kind, but has neighbours of its own kind.
    query = unit(np.array([1.0, 0.0, 0.0]))
    kind = unit(np.array([[1.0, 0.5, 0.00], [1.0, 0.5, 0.05], [1.0, 0.5, -0.05]]))
    hub = unit(np.array([[1.0, -0.40, 0.0], [1.0, -0.62, 0.0], [1.0, -0.63, 0.02], [1.0, -0.63, -0.02]]))
    gallery = np.concatenate([hub, kind])
    cosines = gallery @ query
    assert int(np.argmax(cosines)) == 0
    assert int(np.argmax(Rerank(k1=3, k2=1, weight=0.0).scores(cosines, gallery))) >= len(hub)


def test_a_weight_of_one_is_the_cosine_and_an_empty_list_stays_empty() -> None:
    points = clusters(2, 3, 3)
    cosines = points[1:] @ points[0]
    np.testing.assert_array_equal(Rerank(weight=1.0).scores(cosines, points[1:]), cosines)
    assert Rerank().scores(cosines[:0], points[:0]).shape == (0,)
    assert Rerank().scores(cosines[:1], points[1:2]).shape == (1,)


def test_exact_copies_tie() -> None:
    points = clusters(9, 3, 4)
    gallery = np.concatenate([points[1:], points[4:5]])  # the last is a copy of position 3
    scores = Rerank(k1=5, k2=1).scores(gallery @ points[0], gallery)
    assert scores[3] == pytest.approx(scores[-1], abs=1e-6)


@pytest.mark.parametrize("text", ["20,6,0.3", "5,1,1", "10,10,0,40"])
def test_reads_and_writes_its_text(text: str) -> None:
    method = Rerank.parse(text)
    assert Rerank.parse(str(method)) == method


@pytest.mark.parametrize("text", ["", "20", "20,6", "a,b,c", "20,6,0.3,500,1", "5,6,0.3", "20,0,0.3", "20,6,1.1",
                                  "20,6,nan", "20,6,0.3,1", "20,6,0.3,9999", "201,6,0.3", "20,6,0.3,2001"])  # fmt: skip
def test_refuses_what_makes_no_sense(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Rerank.parse(text)
    assert caught.value.hint


@pytest.mark.parametrize("k2", [2, 100])
def test_memory_grows_with_the_points_and_not_with_the_neighbours(k2: int) -> None:
    points = clusters(1, 20, 20)
    similar = (points @ points.T).astype(np.float32)

    def most(k1: int) -> int:
        tracemalloc.start()
        mutual_overlap(similar, k1=k1, k2=k2)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    most(1)  # what is imported at the first use
    assert most(200) < 64 * similar.nbytes  # its cube is 100 times as much


def test_it_ends_at_the_deadline() -> None:
    points = clusters(1, 4, 5)
    context = copy_context()
    context.run(set_deadline, 0)
    with pytest.raises(TimedOut):
        context.run(Rerank().scores, points[1:] @ points[0], points[1:])


# ------------------------------------------------------------------ expansion


def test_expansion_is_the_weighted_mean_at_unit_length() -> None:
    points = clusters(1, 2, 3)
    query, found = points[0], points[1:]
    cosines = found @ query
    wanted = query.astype(np.float64)
    for vector, cosine in zip(found.astype(np.float64), cosines.tolist(), strict=True):
        wanted = wanted + max(0.0, cosine) ** 2.5 * vector
    new = Expansion(5, 2.5).expanded(query, found, cosines)
    np.testing.assert_allclose(new, wanted / np.linalg.norm(wanted), atol=1e-6)
    assert new.dtype == np.float32


def test_alpha_zero_weighs_all_alike_and_opposites_weigh_nothing() -> None:
    axes = np.eye(3, dtype=np.float32)
    average = Expansion(2, 0.0).expanded(axes[0], axes[1:], np.array([0.9, 0.1], np.float32))
    np.testing.assert_allclose(average, np.full(3, 1 / math.sqrt(3)), atol=1e-6)
    same = Expansion(1, 3.0).expanded(axes[0], -axes[:1], np.array([-1.0], np.float32))
    np.testing.assert_array_equal(same, axes[0])
    cancelled = Expansion(1, 0.0).expanded(axes[0], -axes[:1], np.array([-1.0], np.float32))
    np.testing.assert_array_equal(cancelled, axes[0])


@pytest.mark.parametrize("text", ["", "3", "a,b", "0,3", "3,-1", "3,nan", "3,3,3", "100000,1"])
def test_expansion_refuses_what_makes_no_sense(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Expansion.parse(text)
    assert caught.value.hint


def test_expansion_reads_and_writes_its_text() -> None:
    assert str(Expansion.parse("5,2.5")) == "5,2.5"
