"""The text of a filter -> `Filter` (the grammar: `patsearch.filters`)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from typing import get_args

from patsearch.classification import SCHEMES, ClassCode, Scheme, is_design_class, is_known_class, try_code
from patsearch.dates import span_of
from patsearch.errors import FilterError
from patsearch.filters.conditions import (
    NAME_FIELDS,
    CitedBy,
    Condition,
    DateField,
    DateIn,
    ExactField,
    Filter,
    HasClass,
    HasWords,
    InForce,
    OneOf,
    Test,
    comparable,
)
from patsearch.numbers import OFFICES, normal_number
from patsearch.text import folded, is_storable, listed, parts, plain, query_words, quoted, unquoted

_DATES: tuple[DateField, ...] = get_args(DateField)

# More than anybody writes, and little enough to be read and decided at once.
MOST_TEXT = 20_000  # characters
MOST_CONDITIONS = 100
MOST_VALUES = 1000
MOST_WORDS = 200

UNDATED = "none"  # among the values of a date: also where there is no date

# Texts are in the form of `plain`: blanks are single.
_CONDITION = re.compile(r"^([A-Za-z_]+) ?(!=|!~|>=|<=|==|=|~|>|<) ?(.*)$")
# " and " splits only before something that looks like the next condition: titles may contain it.
_AND = re.compile(r" and (?=[A-Za-z_]{1,20} ?[!<>=~])", re.IGNORECASE)
_PARTS_OF_A_NAME = 3  # of a folder, between commas without quotation marks
# 800,001 or 6,859,910; not a part of a longer list of three digits.
_THOUSANDS = re.compile(r"(?<![\d,])(?:\d{1,3}|\d{1,2},\d{3}),\d{3}(?!,?\d{3}(?!\d))(?!\d)")
_CODE = re.compile(r"[A-Z]{2}")
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
    "owner": "owner~nike",
    "inventor": 'inventor~"wei zhang"',
    "agent": "agent~banner",
    "country": "country=DE",
    "office": "office=US",
    "status": "status=granted",
    "expires": "expires>=2030",
    "inforce": "inforce=2026-11-28",
    "cites": "cites=USD907292",
    "citedby": "citedby=USD907292",
}
KEYS = tuple(_EXAMPLES)
_OFFICE_NAMES = {
    "CNIPA": "CN", "DPMA": "DE", "EPO": "EP", "EU": "EM", "EUIPO": "EM", "INPI": "FR", "JPO": "JP", "KIPO": "KR",
    "OEPM": "ES", "UKIPO": "GB", "USPTO": "US", "WIPO": "WO",
}  # fmt: skip
# Offices whose designs protect in several countries.
_COMMON_OFFICES = {
    "EM": frozenset("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split()),
    "BX": frozenset("BE LU NL".split()),
}
TERMS = (
    "{}: the last day is the one that the source gives; else US designs are taken to last 15 years from grant (14 if "
    "filed before 13 May 2015), and US utility patents 20 years from the first filing, with fees paid. Surrender and "
    "decisions of courts are not known."
)


def parse_filter(text: str | Iterable[str]) -> Filter:
    """Read one filter, or several of which all must hold.

    Raises:
        FilterError: unknown key, operator that does not fit the key, a value that the key cannot have, or more text,
            conditions or values than the limits allow.
    """
    texts = [text] if isinstance(text, str) else list(text)
    _limit(sum(map(len, texts)), MOST_TEXT, "characters")
    plain_texts = [quoted(plain(text)) for text in texts]
    _limit(sum(map(len, plain_texts)), MOST_TEXT, "characters")  # one letter may stand for eighteen
    written = [part for whole in plain_texts for part in parts(whole, _AND)]
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
    if key.lower() in ("patent", "cites", "citedby"):
        values = [
            value for value in listed(text, _THOUSANDS) if normal_number(value) != value or value.startswith("US")
        ]
    operator = operator.replace("!", "")
    dated = key.lower() in _DATES
    return [
        parse_filter(f"{key}={value}" if dated and folded(value) == UNDATED else f"{key}{operator}{value}")
        for value in values
    ]


def as_filter(where: Filter | str | Iterable[str] | None) -> Filter:
    """A filter, however it was given; None selects everything.

    Raises:
        FilterError: as `parse_filter`.
    """
    return where if isinstance(where, Filter) else parse_filter(where or ())


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
    if key in _DATES:
        return ("=", "!=", ">=", "<=", ">", "<")
    if key in NAME_FIELDS:
        return ("~", "!~", "=", "!=")
    return ("~", "!~") if key in ("title", "view") else ("=", "!=")


def _parse_test(key: str, operator: str, value: str, text: str) -> tuple[Test, tuple[str, ...]]:
    values = [unquoted(part) for part in listed(value)]
    if not values:
        raise FilterError(f"The filter {_shown(text)} has no value.", hint=f"Example: {_EXAMPLES[key]}.")
    if key in ("patent", "cites", "citedby"):
        return _number_test(key, value)
    if key in (*SCHEMES, "class"):
        return _class_test(key, values)
    if key in _DATES:
        notices = (TERMS.format(key),) if key == "expires" else ()
        days = [v for v in values if folded(v) != UNDATED]
        return DateIn(key, tuple(_date_range(v, operator, text) for v in days), len(days) < len(values)), notices
    if key == "inforce":
        return InForce(tuple(_day_and_countries(v, text) for v in values)), (TERMS.format(key),)
    if operator.endswith("~"):
        alternatives = tuple(dict.fromkeys(tuple(query_words(v)) for v in values))
        if not all(alternatives):
            raise FilterError(
                f"The filter {_shown(text)} holds no word to look for.", hint=f"Write for instance {_EXAMPLES[key]}."
            )
        return HasWords(key, alternatives), ()  # type: ignore[arg-type]
    if key in ("country", "office"):
        values = [_code(key, v) for v in values]
    return OneOf(key, _exact(key, values)), ()  # type: ignore[arg-type]


def _code(key: str, value: str) -> str:
    """A country or an office by its code of WIPO ST.3."""
    code = value.upper()
    if key == "office":
        code = _OFFICE_NAMES.get(code, code)
    if not _CODE.fullmatch(code) or (key == "office" and code not in OFFICES):
        raise FilterError(
            f"{_shown(value)} is not the code of {'a country' if key == 'country' else 'an office'}.",
            hint=f"Write two letters, as in {_EXAMPLES[key]}.",
        )
    return code


def _day_and_countries(value: str, text: str) -> tuple[date, frozenset[str]]:
    """`2026-11-28`, or with a country `2026-11-28 DE`: also where an office protects there with others."""
    days = [part for part in value.split() if not part.isalpha()]
    codes = [_code("country", _OFFICE_NAMES.get(part.upper(), part)) for part in value.split() if part.isalpha()]
    if len(days) != 1 or len(codes) > 1:
        raise FilterError(
            f"{_shown(value)} is not a day, with or without a country, in the filter {_shown(text)}.",
            hint="Write inforce=2026-11-28 or inforce=2026-11-28 DE.",
        )
    first, last = _span(days[0], text)
    if first != last:
        raise FilterError(f"The filter {_shown(text)} needs a day.", hint="Write inforce=2026-11-28.")
    common = [office for office, members in _COMMON_OFFICES.items() if members.issuperset(codes)] if codes else []
    return first, frozenset([*codes, *common])


def _exact(field: ExactField, values: Iterable[str]) -> frozenset[str]:
    """The values as they are compared; also as written, which is how an older index has them."""
    found = set()
    for value in values:
        found |= {folded(value), comparable(field, value)}
        if not any(map(str.isalnum, comparable(field, value))):
            article = "an" if field[0] in "aio" else "a"
            raise FilterError(f"{_shown(value)} is not {article} {field}.", hint=f"Example: {_EXAMPLES[field]}.")
    return frozenset(found)


def _number_test(key: str, text: str) -> tuple[OneOf | CitedBy, tuple[str, ...]]:
    numbers, notices = _numbers(key, text)
    if key == "citedby":
        return CitedBy(numbers), notices
    return OneOf("patent" if key == "patent" else "cites", numbers), notices


def _numbers(key: str, text: str) -> tuple[frozenset[str], tuple[str, ...]]:
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
            notices.append(f"{key}={number}: {read}; a design's number begins with D.")
    for start in range(len(written)):
        for end in range(start + 2, min(start + _PARTS_OF_A_NAME, len(written)) + 1):
            name = ",".join(written[start:end])
            if '"' not in name and not any(part.startswith("US") for part in map(normal_number, written[start:end])):
                values.append(name)
    return _exact("patent", values), tuple(notices)


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
