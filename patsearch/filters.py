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

The text is read as `patsearch.text` reads any: widths, cases and ways of composing a letter do not count. A comma
within a number (`D907,292`) belongs to it. A value in quotation marks may have commas: `patent="chair, oak"`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

from patsearch.classification import SCHEMES, ClassCode, Scheme, is_design_class, is_known_class, try_code
from patsearch.dates import span_of
from patsearch.errors import FilterError
from patsearch.numbers import normal_number
from patsearch.text import folded, is_storable, listed, parts, plain, query_words, quoted, text_words, unquoted
from patsearch.types import Drawing

DateField = Literal["granted", "filed"]
TextField = Literal["title", "view"]
ExactField = Literal["kind", "patent", "figure"]

# More than anybody writes, and little enough to be read and decided at once.
MOST_TEXT = 20_000  # characters
MOST_CONDITIONS = 100
MOST_VALUES = 1000
MOST_WORDS = 200

# Texts are in the form of `plain`: blanks are single.
_CONDITION = re.compile(r"^([A-Za-z_]+) ?(!=|!~|>=|<=|==|=|~|>|<) ?(.*)$")
# " and " splits only before something that looks like the next condition: titles may contain it.
_AND = re.compile(r" and (?=[A-Za-z_]{1,20} ?[!<>=~])", re.IGNORECASE)
_PARTS_OF_A_NAME = 3  # of a folder, between commas without quotation marks
# 800,001 or 6,859,910; not a part of a longer list of three digits.
_THOUSANDS = re.compile(r"(?<![\d,])(?:\d{1,3}|\d{1,2},\d{3}),\d{3}(?!,?\d{3}(?!\d))(?!\d)")
_FIGURE = re.compile(r"^fig(?:ure)?s?(?:\b\.? ?|(?=\d))")
_LETTER_OF_FIGURE = re.compile(r"^(\d+)[ -]?\(?([a-z]{1,2})\)?$")
_EXAMPLES = {
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
KEYS = tuple(_EXAMPLES)


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
        single = tuple(alternative[0] for alternative in self.alternatives if len(alternative) == 1)
        return any(word.startswith(single) for word in words) or any(
            all(any(word.startswith(prefix) for word in words) for prefix in alternative)
            for alternative in self.alternatives
            if len(alternative) > 1
        )


@dataclass(frozen=True, slots=True)
class OneOf:
    """The field equals one of these values, both in the form of `comparable`."""

    field: ExactField
    values: frozenset[str]

    def matches(self, drawing: Drawing) -> bool:
        value = getattr(drawing, self.field)
        return value is not None and comparable(self.field, value) in self.values


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
        FilterError: unknown key, operator that does not fit the key, a value that the key cannot have, or more text,
            conditions or values than the limits allow.
    """
    texts = [text] if isinstance(text, str) else list(text)
    _limit(sum(map(len, texts)), MOST_TEXT, "characters")
    written = [part for whole in texts for part in parts(quoted(plain(whole)), _AND)]
    _limit(len(written), MOST_CONDITIONS, "conditions")
    _limit(sum(part.count(",") + 1 for part in written), MOST_VALUES, "values")
    conditions: list[Condition] = []
    notices: dict[str, None] = {}
    for part in written:
        condition, said = _parse_condition(part)
        conditions.append(condition)
        notices |= dict.fromkeys(said)
    alternatives = [one for c in conditions if isinstance(c.test, HasWords) for one in c.test.alternatives]
    _limit(sum(map(len, alternatives)), MOST_WORDS, "words")
    return Filter(tuple(conditions), tuple(notices))


def each_value(condition: Condition) -> list[Filter]:
    """The values of a condition as filters, not negated; of patents only the numbers, as names may have commas."""
    match = _CONDITION.match(condition.text)
    assert match, "a condition has the text that it was read from"
    key, operator, text = match.groups()
    values = listed(text)
    if key.lower() == "patent":
        values = [
            value for value in listed(text, _THOUSANDS) if normal_number(value) != value or value.startswith("US")
        ]
    return [parse_filter(f"{key}{operator.replace('!', '')}{value}") for value in values]


def as_filter(where: Filter | str | Iterable[str] | None) -> Filter:
    """A filter, however it was given; None selects everything.

    Raises:
        FilterError: as `parse_filter`.
    """
    return where if isinstance(where, Filter) else parse_filter(where or ())


def only_patent(number: str) -> Filter:
    """The filter that selects one patent, however its number is written."""
    normal = normal_number(number)
    values = frozenset(comparable("patent", text) for text in (normal, number))
    text = normal if normal.isalnum() else f'"{normal}"'
    return Filter((Condition(OneOf("patent", values), text=f"patent={text}"),))


def not_patent(number: str) -> Filter:
    """The filter that leaves one patent out."""
    (only,) = only_patent(number).conditions
    return Filter((replace(only, negated=True, text=only.text.replace("=", "!=", 1)),))


def comparable(field: ExactField, text: str) -> str:
    """What `OneOf` compares: `FIG. 01` and `1` are the same figure, `1(a)` and `1A` too."""
    key = folded(text)
    if field == "kind":
        return key.replace(" ", "")
    if field == "figure":
        key = _LETTER_OF_FIGURE.sub(r"\1\2", _FIGURE.sub("", key).rstrip("."))
        return key.lstrip("0") or key
    return key.replace(", ", ",").replace(" ,", ",")


def _limit(count: int, most: int, what: str) -> None:
    if count > most:
        raise FilterError(
            f"The filter has {count:,} {what}; the limit is {most:,}.",
            hint="Use several searches, or a wider condition.",
        )


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")


def _parse_condition(text: str) -> tuple[Condition, tuple[str, ...]]:
    match = _CONDITION.match(text)
    if not match:
        raise FilterError(
            f"Cannot read the filter {_shown(text)}.",
            hint="Write key=value, as in cpc=D14, granted>=2015 or title~chair.",
        )
    key, operator, value = match.group(1).lower(), match.group(2).replace("==", "="), match.group(3)
    if key not in KEYS:
        raise FilterError(f"Unknown filter key {_shown(key)}.", hint="Known keys: " + ", ".join(KEYS) + ".")
    allowed = _operators(key)
    if operator not in allowed:
        raise FilterError(
            f"The key {key!r} does not go with {operator!r}, in {_shown(text)}.", hint=f"Example: {_EXAMPLES[key]}."
        )
    if not is_storable(value):
        raise FilterError(f"The filter {_shown(text)} is not valid Unicode.", hint="Write it in UTF-8.")
    test, notices = _parse_test(key, operator, value, text)
    return Condition(test, negated=operator.startswith("!"), text=text), notices


def _operators(key: str) -> tuple[str, ...]:
    if key in ("granted", "filed"):
        return ("=", "!=", ">=", "<=", ">", "<")
    return ("~", "!~") if key in ("title", "view") else ("=", "!=")


def _parse_test(key: str, operator: str, value: str, text: str) -> tuple[Test, tuple[str, ...]]:
    values = [unquoted(part) for part in listed(value)]
    if not values:
        raise FilterError(f"The filter {_shown(text)} has no value.", hint=f"Example: {_EXAMPLES[key]}.")
    if key == "patent":
        return _patent_test(value)
    if key in (*SCHEMES, "class"):
        return _class_test(key, values)
    if key in ("granted", "filed"):
        return DateIn(key, tuple(_date_range(v, operator, text) for v in values)), ()  # type: ignore[arg-type]
    if key in ("title", "view"):
        alternatives = tuple(dict.fromkeys(tuple(query_words(v)) for v in values))
        if not all(alternatives):
            raise FilterError(
                f"The filter {_shown(text)} holds no word to look for.", hint="Write for instance title~chair."
            )
        return HasWords(key, alternatives), ()  # type: ignore[arg-type]
    return OneOf(key, _exact(key, values)), ()  # type: ignore[arg-type]


def _exact(field: ExactField, values: Iterable[str]) -> frozenset[str]:
    """The values as they are compared; also as written, which is how an older index has them."""
    found = set()
    for value in values:
        found |= {folded(value), comparable(field, value)}
        if not any(map(str.isalnum, comparable(field, value))):
            raise FilterError(f"{_shown(value)} is not a {field}.", hint=f"Example: {_EXAMPLES[field]}.")
    return frozenset(found)


def _patent_test(text: str) -> tuple[OneOf, tuple[str, ...]]:
    """Commas separate patents, and are within numbers (`D907,292`) and within the names of folders (`chair, oak`)."""
    values: list[str] = []
    notices: list[str] = []
    written = listed(text, _THOUSANDS)
    for part in written:
        number = normal_number(unquoted(part))
        values += [number, unquoted(part)]
        digits = number.replace(",", "")
        if part == number and digits.isdecimal() and 6 <= len(digits) <= 8:
            # Nothing says whether this is a number of the United States or names of somebody's own.
            values += [f"US{digits.lstrip('0')}", *number.split(",")]
            apart = ", ".join(number.split(","))
            read = f"matched as US{digits.lstrip('0')} and as {apart}"
            notices.append(f"patent={number}: {read}; a design's number begins with D.")
    for start in range(len(written)):
        for end in range(start + 2, min(start + _PARTS_OF_A_NAME, len(written)) + 1):
            name = ",".join(written[start:end])
            if '"' not in name and not any(part.startswith("US") for part in map(normal_number, written[start:end])):
                values.append(name)
    return OneOf("patent", _exact("patent", values)), tuple(notices)


def _class_test(key: str, values: list[str]) -> tuple[HasClass, tuple[str, ...]]:
    codes: set[ClassCode] = set()
    notices: list[str] = []
    for value in values:
        schemes: tuple[Scheme, ...] = SCHEMES if key == "class" else (key,)  # type: ignore[assignment]
        codes_of = (try_code(scheme, value) for scheme in schemes)
        found = {_whole_group(code) for code in codes_of if code and is_known_class(code)}
        design = try_code("uspc", value) if key == "cpc" else None
        if design and is_design_class(design.code):
            # D14 is not a CPC code: designs have US classes, and users often look for them under this key.
            found.add(design)
            also = " as well as CPC" if len(found) > 1 else ""
            notices.append(f"{key}={value}: designs have no CPC codes; matched as US design class {design.code}{also}.")
        if not found:
            raise FilterError(f"{_shown(value)} is not a {key} code.", hint=f"Example: {_EXAMPLES[key]}.")
        codes |= found
    return HasClass(frozenset(codes)), tuple(notices)


def _whole_group(code: ClassCode) -> ClassCode:
    """`G06F3/00` is the symbol of the main group: all that is below `G06F3`."""
    if code.scheme in ("cpc", "ipc") and code.code.endswith("/00"):
        return replace(code, code=code.code.removesuffix("/00"))
    return code


def _date_range(value: str, operator: str, text: str) -> tuple[date | None, date | None]:
    start, *end = re.split(r"\.{2,3}", value, maxsplit=1)
    if end:
        if operator not in ("=", "!="):
            raise FilterError(
                f"A range needs = or !=, not {operator!r}, in {_shown(text)}.", hint="Write granted=2015..2018."
            )
        lo = _span(start, text)[0] if start.strip() else None
        hi = _span(end[0], text)[1] if end[0].strip() else None
        if not lo and not hi:
            raise FilterError(f"The range in {_shown(text)} has no date.", hint="Write granted=2015..2018.")
        if lo and hi and lo > hi:
            raise FilterError(
                f"The range in {_shown(text)} ends before it begins.", hint="Write the earlier date first."
            )
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
    try:
        return span_of(value)
    except ValueError as error:
        raise FilterError(
            f"{_shown(value.strip())} is not a date, in the filter {_shown(text)}.",
            hint="Write 2015, 2015-03 or 2015-03-24.",
        ) from error
