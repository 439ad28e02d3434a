"""Two runs side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from patsearch.evaluation.compare import compare
from patsearch.evaluation.metrics import QueryRanks
from patsearch.evaluation.runfile import SavedRun


def run(ranks: dict[str, list[int]], *, fingerprint: str = "same", **dataset: object) -> SavedRun:
    """Query names read PATENT/number."""
    arrays = [np.array(r, dtype=np.int64) for r in ranks.values()]
    return SavedRun(
        path=Path("run.json"),
        dataset={"fingerprint": fingerprint, "name": "x", **dataset},
        encoder={"name": "e"},
        metrics={},
        ids=tuple(ranks),
        patents=tuple(name.split("/")[0] for name in ranks),
        ranks=tuple(QueryRanks(a, a) for a in arrays),
    )


def patents(count: int, rank: int) -> dict[str, list[int]]:
    return {f"{p}/{q}": [rank] for p in range(count) for q in range(3)}


def test_equal_runs_do_not_differ() -> None:
    result = compare(run(patents(5, 2)), run(patents(5, 2)), names=["map"], rounds=200)
    (difference,) = result.differences
    assert result.comparable
    assert (result.queries, result.patents) == (15, 5)
    assert (difference.difference, difference.interval, difference.p_value) == (0, (0, 0), 1)
    assert (difference.better, difference.worse) == (0, 0)


def test_values_by_hand() -> None:
    first, second = run({"A/1": [2], "A/2": [1], "B/1": [4]}), run({"A/1": [1], "A/2": [1], "B/1": [5]})
    (difference,) = compare(first, second, names=["mrr"], rounds=500).differences
    assert difference.first == pytest.approx((1 / 2 + 1 + 1 / 4) / 3)
    assert difference.second == pytest.approx((1 + 1 + 1 / 5) / 3)
    assert (difference.better, difference.worse) == (1, 1)
    # The patents' sums are +0.5 and -0.05: however they swap, the total is 0.45 or 0.55, never closer to 0.
    assert difference.p_value == 1
    assert difference.interval[0] <= difference.difference <= difference.interval[1]


def test_the_p_value_by_hand() -> None:
    # Sums of +1/2 and +1/12: two of the four ways to swap are as far from 0 as what was observed.
    first, second = run({"A/1": [2], "B/1": [4]}), run({"A/1": [1], "B/1": [3]})
    (difference,) = compare(first, second, names=["mrr"], rounds=4000).differences
    assert difference.p_value == pytest.approx(0.5, abs=0.04)


def test_a_steady_difference_is_significant() -> None:
    (difference,) = compare(run(patents(20, 4)), run(patents(20, 2)), names=["map"], rounds=2000).differences
    assert difference.p_value < 0.01
    assert difference.interval[0] > 0


def test_patents_are_the_units_of_chance_not_drawings() -> None:
    # One patent with a hundred drawings improves: as drawings highly significant, as one patent not at all.
    first, second = {f"A/{q}": [4] for q in range(100)}, {f"A/{q}": [2] for q in range(100)}
    (difference,) = compare(run(first), run(second), names=["map"], rounds=500).differences
    assert difference.p_value == 1
    assert difference.better == 100


def test_what_is_not_comparable_says_why() -> None:
    first = run(patents(3, 1), gallery=100, protocol={"text": "figures"})
    second = run(patents(3, 2), fingerprint="other", gallery=50, protocol={"text": "whole sheets"})
    result = compare(first, second, names=["map"], rounds=50)
    assert not result.comparable
    assert result.reasons == ("size of the gallery: 100 and 50", "protocol: figures and whole sheets")
    assert result.queries == 9
    unclear = compare(run(patents(3, 1)), run(patents(3, 1), fingerprint="other"), names=["map"], rounds=50)
    assert unclear.reasons == ("queries, gallery or judgements differ",)


def test_runs_without_a_query_in_common() -> None:
    result = compare(run({"A/1": [1]}), run({"B/1": [1]}, fingerprint="other"))
    assert result.differences == ()
    assert "no judged query is in both runs" in result.reasons


def test_queries_without_anything_to_find_are_dropped() -> None:
    result = compare(run({"A/1": [1], "B/1": []}), run({"A/1": [1], "B/1": []}), names=["map"], rounds=50)
    assert result.queries == 1
    assert result.differences[0].first == 1


def test_false_alarms_are_as_rare_as_they_should_be() -> None:
    """Between two rankings by chance p is below 0.1 about one time in ten."""
    rng = np.random.default_rng(4)
    alarms = 0
    for _ in range(200):
        names = [f"{p}/{q}" for p in range(15) for q in range(2)]
        a, b = ({n: [int(r)] for n, r in zip(names, rng.integers(1, 9, 30), strict=True)} for _ in range(2))
        alarms += compare(run(a), run(b), names=["map"], rounds=199).differences[0].p_value <= 0.1
    assert 8 <= alarms <= 34  # binomial(200, 0.1), beyond three standard deviations on either side
