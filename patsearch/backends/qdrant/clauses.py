"""Filter -> clauses on payload fields, independent of Qdrant's packages; `edge` and `remote` translate them.

Exact: a clause holds for the payload of `to_point(drawing, ...)` where the filter's condition holds for
the drawing. A condition that no drawing can meet, or that every drawing meets, becomes a truth
value, so that Qdrant never sees an empty list or a range that ends before it begins.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import assert_never

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


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The field, a text or a list of texts, has one of these values."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Begins:
    """One of the field's texts begins so."""

    field: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Between:
    """The field is a date in this closed range; None is an open end."""

    field: str
    first: date | None
    last: date | None


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no such field."""

    field: str


@dataclass(frozen=True, slots=True)
class Inside:
    """All of it holds for one of the field's objects, whose own fields it names."""

    field: str
    of: Clause


@dataclass(frozen=True, slots=True)
class All:
    """Every one of them holds."""

    of: tuple[Clause, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One of them holds at least."""

    of: tuple[Clause, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """It does not hold."""

    of: Clause


Clause = AnyOf | Begins | Between | Missing | Inside | All | Either | Not


def translate(where: Filter | None) -> Clause | bool:
    """The clause of a filter; True where everything matches, False where nothing can."""
    return _all([_condition(condition) for condition in (where.conditions if where else ())])


def lacking(fields: Sequence[str]) -> Clause:
    """No value in any of these fields of a filter."""
    stored: dict[str, str] = {
        **dict.fromkeys(("patent", "kind", "figure", "country", "office", "status"), "{}_key"),
        **dict.fromkeys(("title", "view"), "{}_words"),
        **dict.fromkeys(NAME_FIELDS, "{}[].name"),
        "inforce": "force[].last",
    }
    return All(tuple(Missing(stored.get(field, "{}").format(field)) for field in fields))


def _condition(condition: Condition) -> Clause | bool:
    clause = _test(condition.test)
    if not condition.negated:
        return clause
    return not clause if isinstance(clause, bool) else Not(clause)


def _test(test: Test) -> Clause | bool:
    match test:
        case HasClass():
            by_scheme: dict[str, list[str]] = defaultdict(list)
            for code in sorted(test.codes):
                by_scheme[code.scheme].append(code.code)
            return _either([_any_of(scheme, codes) for scheme, codes in by_scheme.items()])
        case DateIn():
            undated = [Missing(test.field)] if test.undated else []
            return _either([*undated, *(_between(test.field, first, last) for first, last in test.ranges)])
        case HasWords(field, alternatives) if field in NAME_FIELDS:
            names = [_all([_begins("words", word) for word in words]) for words in alternatives]
            return _inside(field, _either(names))
        case HasWords():
            stored = f"{test.field}_words"
            return _either([_all([_begins(stored, word) for word in words]) for words in test.alternatives])
        case OneOf(field, values) if field in NAME_FIELDS:
            return _any_of(f"{field}[].name", sorted(values))
        case OneOf("cites", values):
            return _any_of("cites", sorted(values))
        case OneOf():
            return _any_of(f"{test.field}_key", sorted(test.values))
        case InForce(on):
            return _either([_in_force(day, countries) for day, countries in on])
        case CitedBy():
            raise TypeError("a filter is resolved before it comes here")
        case _:
            assert_never(test)


def _in_force(day: date, countries: frozenset[str]) -> Clause | bool:
    clauses: list[Clause | bool] = [Between("first", None, day), Between("last", day, None)]
    if countries:
        clauses.append(_any_of("country", sorted(countries)))
    return _inside("force", _all(clauses))


def _inside(field: str, clause: Clause | bool) -> Clause | bool:
    """A truth value within is that of no object, or of any."""
    return clause if isinstance(clause, bool) else Inside(field, clause)


def _any_of(field: str, values: list[str]) -> Clause | bool:
    known = tuple(value for value in values if is_storable(value))
    return AnyOf(field, known) if known else False


def _begins(field: str, prefix: str) -> Clause | bool:
    return Begins(field, prefix) if is_storable(prefix) else False


def _between(field: str, first: date | None, last: date | None) -> Clause | bool:
    return False if first and last and first > last else Between(field, first, last)


def _all(clauses: list[Clause | bool]) -> Clause | bool:
    if False in clauses:
        return False
    real = tuple(clause for clause in clauses if not isinstance(clause, bool))
    return real[0] if len(real) == 1 else All(real) if real else True


def _either(clauses: list[Clause | bool]) -> Clause | bool:
    if True in clauses:
        return True
    real = tuple(clause for clause in clauses if not isinstance(clause, bool))
    return real[0] if len(real) == 1 else Either(real) if real else False
