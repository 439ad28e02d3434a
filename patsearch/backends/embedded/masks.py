"""Filter -> which rows match, as a NumPy mask.

Each condition is decided on the facts or the captions, through dates held as arrays and inverted
lists held in SQLite, and spread over the rows through their columns: a million rows cost a look-up
of about a millisecond for any filter.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from datetime import date
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from patsearch.backends.embedded.catalogue import Catalogue, State
from patsearch.backends.embedded.ledger import HAS_TERMS, name_term
from patsearch.backends.embedded.segments import Columns
from patsearch.backends.embedded.undescribed import DERIVED, Undescribed, read_undescribed
from patsearch.classification import SCHEMES
from patsearch.filters import (
    NAME_FIELDS,
    CitedBy,
    Condition,
    DateIn,
    Filter,
    HasClass,
    HasWords,
    InForce,
    OneOf,
    Test,
)
from patsearch.text import is_storable

Mask = NDArray[np.bool_]
_REMEMBERED = 16  # conditions
_NO_DATE = 0  # ordinals begin at 1
_ON_CAPTION = ("view", "figure")


class Masks:
    """Filters decided on one catalogue; remembers the date columns and the latest conditions."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._dates: dict[str, NDArray[np.int32]] = {}
        self._undescribed: Undescribed | None = None
        self._amended = -1
        self._recent: OrderedDict[tuple[Test, int], Mask] = OrderedDict()

    def lacking(self, field: str, state: State, columns: list[Columns]) -> Mask:
        """(rows,) whether each row's drawing has no value in a field of the filters."""
        self._forget_amended(state)
        captions = field in _ON_CAPTION
        if field in HAS_TERMS:
            return self._spread(~self._having(field, state.facts), columns)
        empty = f"instr(classes, '\"{field}\"') = 0" if field in SCHEMES else f"ifnull({field}, '') = ''"
        sql = f"SELECT id FROM {'captions' if captions else 'facts'} WHERE {empty}"  # noqa: S608  known names
        without = _scatter(self._catalogue.integers(sql), state.captions if captions else state.facts)
        return self._spread(without, columns, int(captions))

    def _having(self, field: str, size: int) -> Mask:
        """(size,) which facts have a value in one of the fields of `HAS_TERMS`."""
        having = self._terms([("has", field)], size)
        return having | self._undescribed_facts(size).having(field) if field in DERIVED else having

    @staticmethod
    def _spread(items: Mask, columns: list[Columns], column: int = 0) -> Mask:
        """(rows,) what holds for each row's facts, or caption; a damaged column names what is not there."""
        parts = (np.take(items, part[:, column], mode="clip") for part in columns)
        return np.concatenate([np.zeros(0, dtype=np.bool_), *parts])

    def rows(self, where: Filter, state: State, columns: list[Columns]) -> Mask:
        """(rows,) whether each row's drawing matches; dead rows are not considered."""
        self._forget_amended(state)
        facts: Mask | None = None
        captions: Mask | None = None
        for condition in where.conditions:
            if _on_caption(condition.test):
                mask = self._decided(condition, state.captions)
                captions = mask if captions is None else captions & mask
            else:
                mask = self._decided(condition, state.facts)
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

    def _forget_amended(self, state: State) -> None:
        """Forget what was read before data were added to facts."""
        if state.amended != self._amended:
            self._amended, self._undescribed = state.amended, None
            self._dates.clear()
            self._recent.clear()

    def _decided(self, condition: Condition, size: int) -> Mask:
        """(size,) which facts or captions pass; those behind `size` are newer than the reader's version."""
        # An item's terms change in an amendment alone, so the number of items says all about what may be reused.
        key = (condition.test, size)
        mask = self._recent.pop(key, None)
        if mask is None:
            mask = self._test(condition.test, size)
        self._recent[key] = mask
        while len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)
        return ~mask if condition.negated else mask

    def _test(self, test: Test, size: int) -> Mask:
        match test:
            case DateIn(field="expires"):
                mask = self._expires(test, size) | self._undescribed_facts(size).matching(test)
                return mask | ~self._having("expires", size) if test.undated else mask
            case DateIn():
                return self._date(test, size)
            case InForce():
                return self._in_force(test, size) | self._undescribed_facts(size).matching(test)
            case CitedBy():
                raise TypeError("a filter is resolved before it comes here")
            case HasClass():
                return self._terms([(code.scheme, code.code) for code in test.codes], size)
            case HasWords(field, alternatives) if field in NAME_FIELDS:
                return self._names(field, alternatives, size)
            case HasWords():
                mask = np.zeros(size, dtype=np.bool_)
                for prefixes in test.alternatives:
                    every = np.ones(size, dtype=np.bool_)
                    for prefix in prefixes:
                        every &= self._prefix(test.field, prefix, size)
                    mask |= every
                return mask
            case OneOf(field, values) if field in NAME_FIELDS:
                return self._terms([(field, name_term(value)) for value in values], size)
            case OneOf():
                mask = self._terms([(test.field, value) for value in test.values], size)
                return mask | self._undescribed_facts(size).matching(test) if test.field == "office" else mask
            case _:
                assert_never(test)

    def _terms(self, terms: list[tuple[str, str]], size: int) -> Mask:
        """Which items have one of these terms (field, text)."""
        sql = """SELECT p.item FROM json_each(?) AS w
                 CROSS JOIN terms AS t
                     ON t.field = json_extract(w.value, '$[0]') AND t.text = json_extract(w.value, '$[1]')
                 CROSS JOIN postings AS p ON p.term = t.id"""
        known = [term for term in terms if is_storable(term[1])]
        return _scatter(self._catalogue.integers(sql, (json.dumps(known),)), size)

    def _prefix(self, field: str, prefix: str, size: int) -> Mask:
        if not is_storable(prefix):
            return np.zeros(size, dtype=np.bool_)
        # Every text that begins with the prefix sorts below the prefix and the last code point.
        sql = """SELECT p.item FROM terms AS t CROSS JOIN postings AS p ON p.term = t.id
                 WHERE t.field = ? AND t.text >= ? AND t.text < ?"""
        return _scatter(self._catalogue.integers(sql, (field, prefix, prefix + "\U0010ffff")), size)

    def _names(self, field: str, alternatives: tuple[tuple[str, ...], ...], size: int) -> Mask:
        """Which items have a name with all words of an alternative: every distinct name is looked at."""
        known = [words for words in alternatives if all(map(is_storable, words))]
        if not known:
            return np.zeros(size, dtype=np.bool_)
        fits = " OR ".join(" AND ".join(["instr(' ' || t.text, ?)"] * len(words)) for words in known)
        sql = f"SELECT p.item FROM terms AS t CROSS JOIN postings AS p ON p.term = t.id WHERE t.field = ? AND ({fits})"  # noqa: S608
        parameters = [f" {word}" for words in known for word in words]
        return _scatter(self._catalogue.integers(sql, (field, *parameters)), size)

    def _expires(self, test: DateIn, size: int) -> Mask:
        mask = np.zeros(size, dtype=np.bool_)
        sql = """SELECT p.item FROM terms AS t CROSS JOIN postings AS p ON p.term = t.id
                 WHERE t.field = 'expires' AND t.text BETWEEN ? AND ?"""
        for low, high in test.ranges:
            days = (str(low or date.min), str(high or date.max))
            mask |= _scatter(self._catalogue.integers(sql, days), size)
        return mask

    def _in_force(self, test: InForce, size: int) -> Mask:
        mask = np.zeros(size, dtype=np.bool_)
        sql = """SELECT p.item FROM terms AS t CROSS JOIN postings AS p ON p.term = t.id
                 WHERE t.field = 'inforce' AND substr(t.text, 1, 10) <= ?1 AND substr(t.text, 12, 10) >= ?1
                 AND (?2 = '[]' OR substr(t.text, 23) IN (SELECT value FROM json_each(?2)))"""
        for day, countries in test.on:
            given = (str(day), json.dumps(sorted(countries)))
            mask |= _scatter(self._catalogue.integers(sql, given), size)
        return mask

    def _undescribed_facts(self, size: int) -> Undescribed:
        if self._undescribed is None or self._undescribed.size != size:
            self._undescribed = read_undescribed(self._catalogue, size)
        return self._undescribed

    def _date(self, test: DateIn, size: int) -> Mask:
        days = self._days(test.field, size)  # no range includes `_NO_DATE`
        mask = (days == _NO_DATE) if test.undated else np.zeros(size, dtype=np.bool_)
        for lo, hi in test.ranges:
            mask |= (days >= (lo.toordinal() if lo else 1)) & (days <= (hi.toordinal() if hi else 1 << 30))
        return mask

    def _days(self, field: str, size: int) -> NDArray[np.int32]:
        if len(self._dates.get(field, ())) < size:
            sql = "SELECT id, ifnull(granted, 0), ifnull(filed, 0) FROM facts WHERE id < ?"
            table = self._catalogue.table(sql, (size,), columns=3)
            for name, column in (("granted", 1), ("filed", 2)):
                days = np.full(size, _NO_DATE, dtype=np.int32)
                days[table[:, 0]] = table[:, column]
                self._dates[name] = days
        return self._dates[field][:size] if size else np.zeros(0, dtype=np.int32)


def _on_caption(test: Test) -> bool:
    return isinstance(test, HasWords | OneOf) and test.field in _ON_CAPTION


def _scatter(items: NDArray[np.int64], size: int) -> Mask:
    mask = np.zeros(size, dtype=np.bool_)
    mask[items[items < size]] = True
    return mask
