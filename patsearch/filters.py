"""Filters: `cpc=D14`, `granted=2015..2018`, `title~chair` -> `Filter`.

`Filter.matches(drawing)` IS the meaning; every backend translates the same conditions to its own
engine and is tested against it.

    filter     = condition { " and " condition }     repetition means and
    condition  = key operator value { "," value }    commas mean or
    operator   = "=" | "!=" | ">=" | "<=" | ">" | "<" | "~" | "!~"

| keys                                | operators        | values                                       |
|-------------------------------------|------------------|----------------------------------------------|
| `locarno` `uspc` `cpc` `ipc` `class`| `=` `!=`         | a code of any depth: includes all below it   |
| `granted` `filed`                   | `=` `!=` `<` ... | `2015`, `2015-03`, `2015-03-24`, `2015..2018`|
| `title` `view`                      | `~` `!~`         | words; each must begin a word of the text    |
| `kind` `patent` `figure`            | `=` `!=`         | as printed; `patent` in any way of writing   |

A negated condition is true exactly where the plain one is false, so `granted!=2015` includes
drawings without a date. A year or a month means its whole span: `granted>2015` begins
on 2016-01-01, `granted<=2015-03` ends on 2015-03-31.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

from patsearch.classification import SCHEMES, ClassCode, Scheme, is_design_class, try_code
from patsearch.errors import FilterError
from patsearch.numbers import normal_number
from patsearch.types import Drawing

DateField = Literal["granted", "filed"]
TextField = Literal["title", "view"]
ExactField = Literal["kind", "patent", "figure"]

_CONDITION = re.compile(r"^\s*([A-Za-z_]+)\s*(!=|!~|>=|<=|==|=|~|>|<)\s*(.*?)\s*$", re.DOTALL)
_DATE = re.compile(r"^(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?$")
_WORD = re.compile(r"[^\W_]+")
KEYS = ("locarno", "uspc", "cpc", "ipc", "class", "granted", "filed", "title", "view", "kind", "patent", "figure")


@dataclass(frozen=True, slots=True)
class HasClass:
    """The patent has one of these codes, or a code below one of them."""

    codes: frozenset[ClassCode]

    def matches(self, drawing: Drawing) -> bool:
        return any(ClassCode(c.scheme, a) in self.codes for c in drawing.classes for a in c.ancestors)


@dataclass(frozen=True, slots=True)
class DateIn:
    """The date is in one of these closed ranges; None is an open end. No date never matches."""

    field: DateField
    ranges: tuple[tuple[date | None, date | None], ...]

    def matches(self, drawing: Drawing) -> bool:
        value: date | None = getattr(drawing, self.field)
        if value is None:
            return False
        return any((lo is None or lo <= value) and (hi is None or value <= hi) for lo, hi in self.ranges)


@dataclass(frozen=True, slots=True)
class HasWords:
    """One of the alternatives matches: each of its words begins a word of the text, in any order."""

    field: TextField
    alternatives: tuple[tuple[str, ...], ...]

    def matches(self, drawing: Drawing) -> bool:
        words = text_words(getattr(drawing, self.field) or "")
        return any(all(any(w.startswith(p) for w in words) for p in alt) for alt in self.alternatives)


@dataclass(frozen=True, slots=True)
class OneOf:
    """The field equals one of these values; compared without regard to case."""

    field: ExactField
    values: frozenset[str]

    def matches(self, drawing: Drawing) -> bool:
        value = getattr(drawing, self.field)
        return value is not None and str(value).casefold() in self.values


Test = HasClass | DateIn | HasWords | OneOf


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

    def __bool__(self) -> bool:
        return bool(self.conditions)

    def __and__(self, other: Filter) -> Filter:
        notices = dict.fromkeys(self.notices + other.notices)
        return Filter(self.conditions + other.conditions, tuple(notices))

    def __str__(self) -> str:
        return " and ".join(c.text for c in self.conditions)


def parse_filter(text: str | Iterable[str]) -> Filter:
    """Read one filter, or several of which all must hold.

    Raises:
        FilterError: unknown key, operator that does not fit the key, bad date or class code.
    """
    texts = [text] if isinstance(text, str) else list(text)
    result = Filter()
    for whole in texts:
        # " and " splits only before something that looks like the next condition: titles may contain it.
        for part in re.split(r"\s+and\s+(?=[A-Za-z_]+\s*(?:[!<>=~]))", whole.strip(), flags=re.IGNORECASE):
            result &= _parse_condition(part)
    return result


def as_filter(where: Filter | str | Iterable[str] | None) -> Filter:
    """A filter, however it was given; None selects everything.

    Raises:
        FilterError: as `parse_filter`.
    """
    return where if isinstance(where, Filter) else parse_filter(where or ())


def only_patent(number: str) -> Filter:
    """The filter that selects one patent, however its number is written."""
    normal = normal_number(number)
    return Filter((Condition(OneOf("patent", frozenset({normal.casefold()})), text=f"patent={normal}"),))


def not_patent(number: str) -> Filter:
    """The filter that leaves one patent out."""
    (only,) = only_patent(number).conditions
    return Filter((replace(only, negated=True, text=only.text.replace("=", "!=", 1)),))


def is_storable(text: str) -> bool:
    """False for bytes of a command line that are not UTF-8: they arrive as lone surrogates, which nothing stores."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def text_words(text: str) -> list[str]:
    """The words of a title or caption, case-folded: what `~` compares."""
    return _WORD.findall(text.casefold())


def _parse_condition(text: str) -> Filter:
    match = _CONDITION.match(text)
    if not match:
        raise FilterError(
            f"Cannot read the filter {text!r}.", hint="Write key=value, as in cpc=D14, granted>=2015 or title~chair."
        )
    key, operator, value = match.group(1).lower(), match.group(2).replace("==", "="), match.group(3)
    values = [v.strip() for v in value.split(",") if v.strip()]
    if key not in KEYS:
        raise FilterError(f"Unknown filter key {key!r}.", hint="Known keys: " + ", ".join(KEYS) + ".")
    if not values:
        raise FilterError(f"The filter {text!r} has no value.", hint=f"Example: {_example(key)}.")
    test, notices = _parse_test(key, operator, values, text)
    return Filter((Condition(test, negated=operator.startswith("!"), text=text.strip()),), notices)


def _parse_test(key: str, operator: str, values: list[str], text: str) -> tuple[Test, tuple[str, ...]]:
    if key in (*SCHEMES, "class"):
        _allow(operator, ("=", "!="), key, text)
        return _class_test(key, values)
    if key in ("granted", "filed"):
        _allow(operator, ("=", "!=", ">=", "<=", ">", "<"), key, text)
        return DateIn(key, tuple(_date_range(v, operator, text) for v in values)), ()  # type: ignore[arg-type]
    if key in ("title", "view"):
        _allow(operator, ("~", "!~"), key, text)
        alternatives = tuple(tuple(text_words(v)) for v in values)
        if not all(alternatives):
            raise FilterError(f"The filter {text!r} holds no word to look for.", hint="Write for instance title~chair.")
        return HasWords(key, alternatives), ()  # type: ignore[arg-type]
    _allow(operator, ("=", "!="), key, text)
    normal = [normal_number(v) for v in values] if key == "patent" else values
    return OneOf(key, frozenset(v.casefold() for v in normal)), ()  # type: ignore[arg-type]


def _class_test(key: str, values: list[str]) -> tuple[HasClass, tuple[str, ...]]:
    codes: set[ClassCode] = set()
    notices: list[str] = []
    for value in values:
        schemes: tuple[Scheme, ...] = SCHEMES if key == "class" else (key,)  # type: ignore[assignment]
        found = {code for scheme in schemes if (code := try_code(scheme, value))}
        design = try_code("uspc", value) if key == "cpc" else None
        if design and is_design_class(design.code):
            # D14 is not a CPC code: designs have US classes, and users often look for them under this key.
            found.add(design)
            also = " as well as CPC" if len(found) > 1 else ""
            notices.append(f"{key}={value}: designs have no CPC codes; matched as US design class {design.code}{also}.")
        if not found:
            raise FilterError(f"{value!r} is not a {key} code.", hint=f"Example: {_example(key)}.")
        codes |= found
    return HasClass(frozenset(codes)), tuple(notices)


def _date_range(value: str, operator: str, text: str) -> tuple[date | None, date | None]:
    if ".." in value:
        if operator not in ("=", "!="):
            raise FilterError(
                f"A range needs = or !=, not {operator!r}, in {text!r}.", hint="Write granted=2015..2018."
            )
        start, _, end = value.partition("..")
        lo = _span(start, text)[0] if start.strip() else None
        hi = _span(end, text)[1] if end.strip() else None
        if lo and hi and lo > hi:
            raise FilterError(f"The range in {text!r} ends before it begins.", hint="Write the earlier date first.")
        return lo, hi
    first, last = _span(value, text)
    day = timedelta(days=1)
    nothing = (date.max, date.min)  # after the last day that there is, or before the first
    match operator:
        case ">=":
            return first, None
        case "<=":
            return None, last
        case ">":
            return (last + day, None) if last < date.max else nothing
        case "<":
            return (None, first - day) if first > date.min else nothing
    return first, last


def _span(value: str, text: str) -> tuple[date, date]:
    """First and last day of a year, a month or a day."""
    match = _DATE.match(value.strip())
    try:
        if not match:
            raise ValueError("not a date")
        year = int(match.group(1))
        month = int(match.group(2)) if match.group(2) else None
        day = int(match.group(3)) if match.group(3) else None
        if month is None:
            return date(year, 1, 1), date(year, 12, 31)
        if day is None:
            return date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])
        return date(year, month, day), date(year, month, day)
    except ValueError as error:
        raise FilterError(
            f"{value.strip()!r} is not a date, in the filter {text!r}.", hint="Write 2015, 2015-03 or 2015-03-24."
        ) from error


def _allow(operator: str, allowed: tuple[str, ...], key: str, text: str) -> None:
    if operator not in allowed:
        raise FilterError(
            f"The key {key!r} does not go with {operator!r}, in {text!r}.", hint=f"Example: {_example(key)}."
        )


def _example(key: str) -> str:
    examples = {
        "locarno": "locarno=14-02",
        "uspc": "uspc=D14/126",
        "cpc": "cpc=G06F3/01",
        "ipc": "ipc=G06F",
        "class": "class=D14,14-02",
        "granted": "granted=2015..2018",
        "filed": "filed>=2015-01-01",
        "title": "title~chair",
        "view": "view~perspective",
        "kind": "kind=S1",
        "patent": "patent=USD907292",
        "figure": "figure=1",
    }
    return examples[key]
