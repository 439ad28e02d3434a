"""How a search is answered, decided from counts alone, before any vector is touched.

A selective filter breaks approximate search silently: its structure visits the lists near the query,
and a filter that goes with the query's content (a class of designs) may leave nothing there. So the
number of matches is looked at first.

    rows below `exact_limit`, no structure, or exactness demanded  ->  FLAT    every match, originals
    few matches                                                    ->  FLAT    the matches, originals
    matches up to `scan_matches` or `scan_share` of the rows       ->  CODES   every match, compressed, re-ranked
    else                                                           ->  PROBE   lists by promise, re-ranked

A PROBE chooses its lists by what they hold of the matches, and by whether their distance leaves room for
anything better than what was found (see `embedded.approximate`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Way(Enum):
    """The ways to answer a search."""

    EMPTY = "nothing matches"
    FLAT = "exact: all matches, original vectors"
    CODES = "exhaustive: all matches, compressed vectors, re-ranked with the originals"
    PROBE = "approximate: the promising lists, re-ranked with the originals"


@dataclass(frozen=True, slots=True)
class Tuning:
    """Limits of the ways, in rows unless said otherwise; the defaults were measured with `bench/million.py`.

    Attributes:
        exact_limit: with fewer rows no approximate structure is built or used.
        flat_matches: up to this many matches are compared in the original vectors.
        scan_matches: up to this many matches are all compared.
        scan_share: up to this share of the rows, matches are all compared.
        nprobe: inverted lists visited at once by a search; with a filter, as many as hold as many matches.
        sigmas: a list is also visited if its centroid is within this many standard deviations of the k-th score.
        refine: candidates of a compressed search that are re-ranked, as a multiple of k ...
        refine_least: ... and at least this many more than k.
        stale_share: share of rows newer than the structure at which it is rebuilt.
        threads: OpenMP threads of one search; building uses all cores.
    """

    exact_limit: int = 200_000
    flat_matches: int = 1_000
    scan_matches: int = 50_000
    scan_share: float = 0.05
    nprobe: int = 12
    sigmas: float = 4.0
    refine: int = 4
    refine_least: int = 30
    stale_share: float = 0.1
    threads: int = 1

    def candidates(self, k: int) -> int:
        """How many candidates of a compressed search are re-ranked for k hits."""
        return max(self.refine * k, k + self.refine_least)


def plan(tuning: Tuning, *, covered: int, matches: int, filtered: bool, exact: bool) -> Way:
    """The way to answer.

    Args:
        covered: rows in the approximate structure, 0 without one.
        matches: live rows that pass the filter.
        filtered: whether any row is left out.
        exact: whether approximation is forbidden.
    """
    if not matches:
        return Way.EMPTY
    if exact or covered < tuning.exact_limit or not covered or matches <= tuning.flat_matches:
        return Way.FLAT
    if filtered and matches <= max(tuning.scan_matches, tuning.scan_share * covered):
        return Way.CODES
    return Way.PROBE
