"""Filters: `cpc=D14`, `granted=2015..2018`, `title~chair` -> `Filter`.

`Filter.matches(drawing)` IS the meaning; every backend translates the same conditions to its own
engine and is tested against it.

    filter     = condition { " and " condition }     repetition means and
    condition  = key operator value { "," value }    commas mean or
    operator   = "=" | "!=" | ">=" | "<=" | ">" | "<" | "~" | "!~"

| keys                                | operators        | values                                       |
|-------------------------------------|------------------|----------------------------------------------|
| `locarno` `uspc` `cpc` `ipc` `class`| `=` `!=`         | a code of any depth: includes all below it   |
| `granted` `filed` `expires`         | `=` `!=` `<` ... | `2015`, `2015-03`, `2015-03-24`, `2015..2018`|
| `title` `view`                      | `~` `!~`         | words; each must begin a word of the text    |
| `owner` `inventor` `agent`          | `~` `!~` `=` `!=`| words of one name; or one whole name         |
| `kind` `status` `figure`            | `=` `!=`         | as printed                                   |
| `country` `office`                  | `=` `!=`         | `DE`; also names of offices, `EUIPO`         |
| `inforce`                           | `=` `!=`         | a day: `2026-11-28`, `2026-11-28 DE`         |
| `patent` `cites` `citedby`          | `=` `!=`         | a number in any way of writing               |

A negated condition is true exactly where the plain one is false, so `granted!=2015` includes
drawings without a date. So does `granted>=2015,none`: among dates, `none` is that there is none.
A year or a month means its whole span: `granted>2015` begins on 2016-01-01, `granted<=2015-03` ends on 2015-03-31.

The text is read as `patsearch.text` reads any: widths, cases and ways of composing a letter do not count. A comma
within a number (`D907,292`) belongs to it. A value in quotation marks may have commas: `patent="chair, oak"`.
"""

from __future__ import annotations

from patsearch.filters.conditions import (
    NAME_FIELDS,
    CitedBy,
    Condition,
    DateIn,
    ExactField,
    Filter,
    HasClass,
    HasWords,
    InForce,
    NameField,
    OneOf,
    Test,
    TextField,
    comparable,
    not_patent,
    only_patent,
    only_patents,
)
from patsearch.filters.parse import (
    KEYS,
    MOST_CONDITIONS,
    MOST_TEXT,
    MOST_VALUES,
    MOST_WORDS,
    UNDATED,
    as_filter,
    each_value,
    parse_filter,
)

__all__ = [
    "KEYS",
    "MOST_CONDITIONS",
    "MOST_TEXT",
    "MOST_VALUES",
    "MOST_WORDS",
    "NAME_FIELDS",
    "UNDATED",
    "CitedBy",
    "Condition",
    "DateIn",
    "ExactField",
    "Filter",
    "HasClass",
    "HasWords",
    "InForce",
    "NameField",
    "OneOf",
    "Test",
    "TextField",
    "as_filter",
    "comparable",
    "each_value",
    "not_patent",
    "only_patent",
    "only_patents",
    "parse_filter",
]
