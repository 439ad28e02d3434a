"""What conditions mean: each is decided on a drawing, and a backend decides the same on what it stores."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal, get_args

from patsearch.classification import ClassCode
from patsearch.errors import FilterError, UsageError
from patsearch.numbers import normal_number
from patsearch.text import folded, query_words, text_words
from patsearch.types import Drawing

DateField = Literal["granted", "filed", "expires"]
NameField = Literal["owner", "inventor", "agent"]
TextField = Literal["title", "view", "owner", "inventor", "agent"]
ExactField = Literal["kind", "figure", "patent", "cites", "owner", "inventor", "agent", "country", "office", "status"]
NAME_FIELDS: tuple[NameField, ...] = get_args(NameField)

MOST_CITED = 50_000  # patents that `citedby` may stand for
_LETTER_OF_FIGURE = re.compile(r"^(\d+)[ -]?\(?([a-z]{1,2})\)?$")
_FIGURE = re.compile(r"^fig(?:ure)?s?(?:\b\.? ?|(?=\d))")


@dataclass(frozen=True, slots=True)
class HasClass:
    """The patent has one of these codes, or a code below one of them."""

    codes: frozenset[ClassCode]

    def matches(self, drawing: Drawing) -> bool:
        return any(ClassCode(c.scheme, a) in self.codes for c in drawing.classes for a in c.ancestors)


@dataclass(frozen=True, slots=True)
class DateIn:
    """The date is in one of these closed ranges; None is an open end.

    Attributes:
        undated: whether no date matches, too.
    """

    field: DateField
    ranges: tuple[tuple[date | None, date | None], ...]
    undated: bool = False

    def matches(self, drawing: Drawing) -> bool:
        value: date | None = getattr(drawing, self.field)
        if value is None:
            return self.undated
        return any((lo is None or lo <= value) and (hi is None or value <= hi) for lo, hi in self.ranges)


@dataclass(frozen=True, slots=True)
class HasWords:
    """One of the alternatives matches: each of its words begins a word of the text, in any order.

    Of owners, inventors and agents, each name is a text: `inventor~wei zhang` needs both words in one name.
    """

    field: TextField
    alternatives: tuple[tuple[str, ...], ...]

    def matches(self, drawing: Drawing) -> bool:
        return any(self._in(text_words(text)) for text in drawing.values(self.field))

    def _in(self, words: list[str]) -> bool:
        single = tuple(alternative[0] for alternative in self.alternatives if len(alternative) == 1)
        return any(word.startswith(single) for word in words) or any(
            all(any(word.startswith(prefix) for word in words) for prefix in alternative)
            for alternative in self.alternatives
            if len(alternative) > 1
        )


@dataclass(frozen=True, slots=True)
class OneOf:
    """The field, or one of its values, equals one of these; all in the form of `comparable`."""

    field: ExactField
    values: frozenset[str]

    def matches(self, drawing: Drawing) -> bool:
        return any(comparable(self.field, value) in self.values for value in drawing.values(self.field))


@dataclass(frozen=True, slots=True)
class InForce:
    """The patent is known to be protected on one of these days, anywhere or in one of the day's countries.

    Attributes:
        on: days, each with the codes of countries and of offices that protect there; none for anywhere.
    """

    on: tuple[tuple[date, frozenset[str]], ...]

    def matches(self, drawing: Drawing) -> bool:
        return any(
            one.on(day) and (not countries or one.country in countries)
            for one in drawing.protections
            for day, countries in self.on
        )


@dataclass(frozen=True, slots=True)
class CitedBy:
    """One of these patents cites the patent. Which ones it cites is looked up in an index (`Filter.resolved`)."""

    numbers: frozenset[str]

    def matches(self, _drawing: Drawing) -> bool:
        """Raises UsageError."""
        raise UsageError(
            "What a patent cites is in an index; a drawing alone does not show who cites it.",
            hint="Use backend.resolved(where) first.",
        )


Test = HasClass | DateIn | HasWords | OneOf | InForce | CitedBy


@dataclass(frozen=True, slots=True)
class Condition:
    """One test, possibly negated, with the text it was read from."""

    test: Test
    negated: bool = False
    text: str = ""

    def matches(self, drawing: Drawing) -> bool:
        return self.test.matches(drawing) != self.negated


@dataclass(frozen=True, slots=True)
class Filter:
    """All conditions hold. An empty filter matches everything.

    Attributes:
        notices: what the user should be told once, such as that `cpc=D14` was read as USPC.
    """

    conditions: tuple[Condition, ...] = ()
    notices: tuple[str, ...] = ()

    def matches(self, drawing: Drawing) -> bool:
        """Whether the drawing passes: the definition that every backend must agree with."""
        return all(c.matches(drawing) for c in self.conditions)

    def resolved(self, cited: Callable[[Filter], Iterable[str]]) -> Filter:
        """The same with `citedby` as the patents that it stands for.

        Args:
            cited: numbers of the patents that are cited by those that a filter selects.

        Raises:
            FilterError: it stands for too many.
        """
        if not any(isinstance(condition.test, CitedBy) for condition in self.conditions):
            return self
        return replace(self, conditions=tuple(_resolved(condition, cited) for condition in self.conditions))

    def among(self, drawings: Iterable[Drawing]) -> Filter:
        """The same with `citedby` as what those among some drawings cite: for drawings that are in no index."""
        return self.resolved(lambda citing: (n for d in drawings if citing.matches(d) for n in d.values("cites")))

    def __bool__(self) -> bool:
        return bool(self.conditions)

    def __and__(self, other: Filter) -> Filter:
        notices = dict.fromkeys(self.notices + other.notices)
        return Filter(self.conditions + other.conditions, tuple(notices))

    def __str__(self) -> str:
        return " and ".join(c.text for c in self.conditions)


def _resolved(condition: Condition, cited: Callable[[Filter], Iterable[str]]) -> Condition:
    if not isinstance(condition.test, CitedBy):
        return condition
    citing = Filter((Condition(OneOf("patent", condition.test.numbers)),))
    found: set[str] = set()
    for number in cited(citing):
        found.add(comparable("patent", number))
        if len(found) > MOST_CITED:
            raise FilterError(
                f"{condition.text[:80]} stands for more than {MOST_CITED:,} patents.", hint="Name fewer patents."
            )
    return replace(condition, test=OneOf("patent", frozenset(found)))


def only_patent(number: str) -> Filter:
    """The filter that selects one patent, however its number is written."""
    normal = normal_number(number)
    values = frozenset(comparable("patent", text) for text in (normal, number))
    text = normal if normal.isalnum() else f'"{normal}"'
    return Filter((Condition(OneOf("patent", values), text=f"patent={text}"),))


def only_patents(numbers: Iterable[str]) -> Filter:
    """The filter that selects patents by their numbers in normal form."""
    return Filter((Condition(OneOf("patent", frozenset(comparable("patent", number) for number in numbers))),))


def not_patent(number: str) -> Filter:
    """The filter that leaves one patent out."""
    (only,) = only_patent(number).conditions
    return Filter((replace(only, negated=True, text=only.text.replace("=", "!=", 1)),))


def comparable(field: ExactField, text: str) -> str:
    """What `OneOf` compares: `FIG. 01` and `1` are the same figure, `NIKE, Inc.` and `Nike Inc` the same owner."""
    if field in NAME_FIELDS:
        return " ".join(query_words(text))
    key = folded(text)
    if field == "kind":
        return key.replace(" ", "")
    if field == "figure":
        key = _LETTER_OF_FIGURE.sub(r"\1\2", _FIGURE.sub("", key).rstrip("."))
        return key.lstrip("0") or key
    return key.replace(", ", ",").replace(" ,", ",")
