"""Filter -> which rows match, as a NumPy mask.

Each condition is decided on the facts or the captions, through dates held as arrays and inverted
lists held in SQLite, and spread over the rows through their columns: a million rows cost a look-up
of about a millisecond, whatever the filter.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from patsearch.backends.embedded.catalogue import Catalogue, State
from patsearch.backends.embedded.segments import Columns
from patsearch.filters import Condition, DateIn, Filter, HasClass, HasWords, OneOf

Mask = NDArray[np.bool_]
_REMEMBERED = 16  # masks of terms
_NO_DATE = 0  # ordinals begin at 1


class Masks:
    """Filters decided on one catalogue; remembers the date columns and the terms last asked for."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._dates: dict[str, NDArray[np.int32]] = {}
        self._recent: OrderedDict[tuple[str, str, bool, int], Mask] = OrderedDict()

    def rows(self, where: Filter, state: State, columns: list[Columns]) -> Mask:
        """(rows,) whether each row's drawing matches; dead rows are not considered."""
        facts: Mask | None = None
        captions: Mask | None = None
        for condition in where.conditions:
            if _on_caption(condition):
                mask = self._captions(condition, state)
                captions = mask if captions is None else captions & mask
            else:
                mask = self._facts(condition, state)
                facts = mask if facts is None else facts & mask
        result = np.empty(state.rows, dtype=np.bool_)
        done = 0
        for part in columns:
            out = result[done : done + len(part)]
            # Columns only name what exists, so clipping changes nothing; it saves half the time of checking.
            if facts is None:
                out[:] = True
            else:
                np.take(facts, part[:, 0], out=out, mode="clip")
            if captions is not None:
                out &= np.take(captions, part[:, 1], mode="clip")
            done += len(part)
        return result

    def _facts(self, condition: Condition, state: State) -> Mask:
        test = condition.test
        match test:
            case DateIn():
                days = self._days(test.field, state.facts)
                mask = np.zeros(state.facts, dtype=np.bool_)
                for lo, hi in test.ranges:
                    mask |= (days >= (lo.toordinal() if lo else 1)) & (days <= (hi.toordinal() if hi else 1 << 30))
                mask &= days != _NO_DATE
            case HasClass():
                mask = np.zeros(state.facts, dtype=np.bool_)
                for code in test.codes:
                    mask |= self._term(code.scheme, code.code, state.facts)
            case HasWords():
                mask = self._words(test, state.facts)
            case OneOf():
                mask = self._one_of(test, state.facts)
            case _:
                assert_never(test)
        return ~mask if condition.negated else mask

    def _captions(self, condition: Condition, state: State) -> Mask:
        test = condition.test
        if isinstance(test, HasWords):
            mask = self._words(test, state.captions)
        elif isinstance(test, OneOf):
            mask = self._one_of(test, state.captions)
        else:
            raise TypeError(f"{type(test).__name__} is no test of captions.")
        return ~mask if condition.negated else mask

    def _one_of(self, test: OneOf, size: int) -> Mask:
        mask = np.zeros(size, dtype=np.bool_)
        for value in test.values:
            mask |= self._term(test.field, value, size)
        return mask

    def _words(self, test: HasWords, size: int) -> Mask:
        mask = np.zeros(size, dtype=np.bool_)
        for prefixes in test.alternatives:
            every = np.ones(size, dtype=np.bool_)
            for prefix in prefixes:
                every &= self._prefix(test.field, prefix, size)
            mask |= every
        return mask

    def _term(self, field: str, text: str, size: int) -> Mask:
        sql = "SELECT item FROM postings WHERE term = (SELECT id FROM terms WHERE field = ? AND text = ?)"
        return self._items((field, text, False, size), sql, (field, text))

    def _prefix(self, field: str, prefix: str, size: int) -> Mask:
        # Every text that begins with the prefix sorts below the prefix and the last code point.
        sql = """SELECT p.item FROM terms AS t CROSS JOIN postings AS p ON p.term = t.id
                 WHERE t.field = ? AND t.text >= ? AND t.text < ?"""
        return self._items((field, prefix, True, size), sql, (field, prefix, prefix + "\U0010ffff"))

    def _items(self, key: tuple[str, str, bool, int], sql: str, parameters: tuple[str, ...]) -> Mask:
        # An item's terms never change, so the number of items in the key says all about validity.
        mask = self._recent.pop(key, None)
        if mask is None:
            size = key[-1]
            items = self._catalogue.integers(sql, parameters)
            mask = np.zeros(size, dtype=np.bool_)
            # A writer may have added items since this reader's state was read.
            mask[items[items < size]] = True
            mask.flags.writeable = False
        self._recent[key] = mask
        while len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)
        return mask

    def _days(self, field: str, size: int) -> NDArray[np.int32]:
        if len(self._dates.get(field, ())) < size:
            sql = "SELECT id, ifnull(granted, 0), ifnull(filed, 0) FROM facts WHERE id < ?"
            table = np.array(self._catalogue.query(sql, (size,)), dtype=np.int32).reshape(-1, 3)
            for name, column in (("granted", 1), ("filed", 2)):
                days = np.full(size, _NO_DATE, dtype=np.int32)
                days[table[:, 0]] = table[:, column]
                self._dates[name] = days
        return self._dates[field][:size] if size else np.zeros(0, dtype=np.int32)


def _on_caption(condition: Condition) -> bool:
    return isinstance(condition.test, HasWords | OneOf) and condition.test.field in ("view", "figure")
