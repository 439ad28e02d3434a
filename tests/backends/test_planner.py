"""The plan is made from counts alone."""

from __future__ import annotations

import pytest

from patsearch.backends.planner import Tuning, Way, plan

T = Tuning()
MILLION = 1_000_000


@pytest.mark.parametrize(
    ("covered", "matches", "filtered", "exact", "way"),
    [
        (0, 0, False, False, Way.EMPTY),
        (MILLION, 0, True, False, Way.EMPTY),
        (0, 5_000_000, False, False, Way.FLAT),  # no structure yet: slow, and right
        (T.exact_limit - 1, 150_000, False, False, Way.FLAT),
        (MILLION, MILLION, False, True, Way.FLAT),
        (MILLION, T.flat_matches, True, False, Way.FLAT),
        (MILLION, T.flat_matches + 1, True, False, Way.CODES),
        (MILLION, T.scan_matches, True, False, Way.CODES),
        (MILLION, T.scan_matches + 1, True, False, Way.PROBE),
        (10 * MILLION, 500_000, True, False, Way.CODES),  # 5 % of ten million
        (MILLION, MILLION, False, False, Way.PROBE),
    ],
)
def test_the_way_follows_from_the_counts(covered: int, matches: int, filtered: bool, exact: bool, way: Way) -> None:
    assert plan(T, covered=covered, matches=matches, filtered=filtered, exact=exact) is way


def test_more_candidates_than_hits_are_ranked_again() -> None:
    assert T.candidates(1) == 31
    assert T.candidates(10) == 40
    assert T.candidates(100) == 400
