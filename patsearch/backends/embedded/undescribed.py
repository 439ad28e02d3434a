"""Facts that were stored before bibliographies: what follows from their numbers and dates alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from patsearch.backends.embedded.catalogue import Catalogue, Rows
from patsearch.filters import DateIn, InForce, OneOf
from patsearch.numbers import office_of
from patsearch.terms import protections

Mask = NDArray[np.bool_]
_NONE = 0  # ordinals begin at 1
DERIVED = ("office", "expires", "inforce")  # the fields that follow


@dataclass(frozen=True, slots=True)
class Undescribed:
    """The facts without a bibliography, not even an empty one.

    Attributes:
        items: (n,) their numbers.
        offices: (n,) place of the office in `names`.
        first, last: (n,) ordinals of the days on which the only term begins and ends; 0 where it is not known.
        countries: codes in which such a term protects.
    """

    size: int
    items: Rows
    names: tuple[str, ...]
    offices: NDArray[np.int16]
    first: NDArray[np.int32]
    last: NDArray[np.int32]
    country: str = "US"

    def having(self, field: str) -> Mask:
        """(size,) which facts have a value in one of the fields of `DERIVED`."""
        return self._scattered(self.offices != self.names.index("") if field == "office" else self.last != _NONE)

    def matching(self, test: OneOf | DateIn | InForce) -> Mask:
        """(size,) which facts pass a test of one of these fields."""
        found = np.zeros(len(self.items), dtype=np.bool_)
        match test:
            case OneOf(_, values):
                wanted = [place for place, name in enumerate(self.names) if name.casefold() in values]
                found |= np.isin(self.offices, wanted)
            case DateIn(_, ranges):
                for low, high in ranges:
                    found |= (self.last >= (low.toordinal() if low else 1)) & (
                        self.last <= (high.toordinal() if high else 1 << 30)
                    )
            case InForce(on):
                for day, countries in on:
                    if not countries or self.country in countries:
                        found |= (self.first <= day.toordinal()) & (self.last >= day.toordinal())
        return self._scattered(found)

    def _scattered(self, found: Mask) -> Mask:
        mask = np.zeros(self.size, dtype=np.bool_)
        mask[self.items[found]] = True
        return mask


def read_undescribed(catalogue: Catalogue, size: int) -> Undescribed:
    """Those among the first facts. A million of them take some seconds, once in a process."""
    where = "AND bibliography IS NULL" if catalogue.has_bibliographies else ""
    sql = f"SELECT id, patent, ifnull(granted, 0), ifnull(filed, 0) FROM facts WHERE id < ? {where} ORDER BY id"  # noqa: S608  own text
    names: dict[str, int] = {"": 0}
    terms: dict[tuple[str, int, int], tuple[int, int]] = {}
    rows: list[tuple[int, int, int, int]] = []
    for number, patent, granted, filed in catalogue.query(sql, (size,)):
        key = (patent.rstrip("0123456789"), granted, filed)
        if key not in terms:
            terms[key] = _term(patent, granted, filed)
        rows.append((number, names.setdefault(office_of(patent), len(names)), *terms[key]))
    table = np.array(rows, dtype=np.int64).reshape(-1, 4)
    return Undescribed(
        size, table[:, 0], tuple(names), table[:, 1].astype(np.int16), table[:, 2].astype(np.int32),
        table[:, 3].astype(np.int32),
    )  # fmt: skip


def _term(patent: str, granted: int, filed: int) -> tuple[int, int]:
    days = [date.fromordinal(day) if day else None for day in (granted, filed)]
    found = protections(patent, days[0], days[1], None)
    if not found or found[0].first is None or found[0].last is None:
        return _NONE, _NONE
    return found[0].first.toordinal(), found[0].last.toordinal()
