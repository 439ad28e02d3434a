"""Relevance by citations: what the examiner cited, and what was examined against the same earlier designs.

For a drawing of a patent, drawings of another patent are right that is earlier (granted before its day of grant) and

- is cited by the examiner of the query's patent; or
- shares at least `shared` of the examiner's references with it.

The examiner's citations are the office's own statement that a design is close. Those of applicants are left out: they
list what they know, not what is close. What was granted on the same day or later is left out of a query's ranking, as a
search for prior art leaves it out; so are the other drawings of the query's own patent. Where one of two days of grant
is not known, a citation counts, a shared reference does not, and nothing is left out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from patsearch.evaluation.relevance import NO_DAY, NotEarlier, Positions, Relevance
from patsearch.types import Drawing

DEFAULT_SHARED = 3


def cited_relevance(drawings: Sequence[Drawing], queries: Positions, *, shared: int) -> tuple[Relevance, NotEarlier]:
    """What is right for each query, and what is left out of its ranking.

    Args:
        drawings: the gallery, by position.
        queries: (Q,) gallery positions.
        shared: references of the examiner that two patents have in common at least.
    """
    members: dict[str, list[int]] = defaultdict(list)
    days: dict[str, int] = {}
    references: dict[str, set[str]] = defaultdict(set)
    for position, drawing in enumerate(drawings):
        members[drawing.patent].append(position)
        days.setdefault(drawing.patent, drawing.granted.toordinal() if drawing.granted else NO_DAY)
        references[drawing.patent].update(examined(drawing))
    citing: dict[str, list[str]] = defaultdict(list)
    for patent, numbers in references.items():
        for number in numbers:
            citing[number].append(patent)
    rows: dict[str, Positions] = {}
    for patent in dict.fromkeys(drawings[int(q)].patent for q in queries):
        common = Counter(other for number in references[patent] for other in citing[number])
        close = {other for other, count in common.items() if count >= shared and days[other] != NO_DAY}
        close = close if days[patent] != NO_DAY else set()
        cited = {number for number in references[patent] if number in members}
        earlier = {o for o in close | cited if NO_DAY in (days[o], days[patent]) or days[o] < days[patent]}
        found = sorted(position for other in earlier - {patent} for position in members[other])
        rows[patent] = np.array(found, dtype=np.int64)
    number_of = {patent: number for number, patent in enumerate(members)}
    patents = np.array([number_of[d.patent] for d in drawings], dtype=np.int64)
    all_days = np.array([days[d.patent] for d in drawings], dtype=np.int32)
    relevance = Relevance.from_rows([rows[drawings[int(q)].patent] for q in queries])
    return relevance, NotEarlier(patents, all_days, patents[queries], all_days[queries])


def examined(drawing: Drawing) -> set[str]:
    """Numbers of the patents that the examiner of a drawing's patent cited."""
    known = drawing.bibliography
    return {one.patent for one in known.citations if one.patent and one.by == "examiner"} if known else set()
