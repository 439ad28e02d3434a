"""Data of patents from a table of the user's own: CSV, TSV or JSON Lines with a row a patent.

Columns: `patent` (required), `title`, `kind`, `granted`, `filed`, `locarno`, `uspc`, `cpc`, `ipc`;
several codes are separated by `;` or `|`. Other columns are left alone. As spreadsheets and pandas write tables, cells
may be separated by commas, semicolons or tabs, `sep=;` may come first, and dates may have a time or be numbers.
"""

from __future__ import annotations

import codecs
import csv
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

from patsearch.classification import SCHEMES, ClassCode, try_code
from patsearch.errors import SourceError
from patsearch.files import printable
from patsearch.ingest.sources.base import Problem
from patsearch.ingest.sources.folders import parse_day, readable
from patsearch.numbers import normal_number
from patsearch.types import Patent

COLUMNS = ("patent", "title", "kind", "granted", "filed", *SCHEMES)
_TABLES = (".csv", ".tsv", ".tab")
_JSON_LINES = (".jsonl", ".ndjson")
_LONGEST_LINE = 1 << 20
_SEPARATORS = ",;\t|"
_SEPARATOR_LINE = re.compile(r"^\s*sep=(.)\s*$", re.IGNORECASE)
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_FIRST_DAY = datetime(1970, 1, 1)
_EMPTY = frozenset({"nan", "nat", "none", "null"})  # what pandas writes for no value
_MILLISECONDS = re.compile(r"-?\d{12,13}")  # since 1970, as pandas writes dates in JSON


@dataclass(slots=True)
class Metadata:
    """What a table says.

    Attributes:
        patents: normal form of the number -> its data, without sheets.
        problems: rows and values that could not be read.
    """

    patents: dict[str, Patent] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_metadata(path: Path) -> Metadata:
    """Read a table. A bad value leaves its field empty, a bad row is left out; both are problems.

    Raises:
        SourceError: it cannot be read, is not a table of these kinds, or has no column `patent`.
    """
    result = Metadata()
    for line, row in _rows(path, result.problems):
        where = f"{printable(path)}, line {line}"
        values = {str(k).strip().casefold(): v for k, v in row.items() if k is not None}
        if "patent" not in values:
            raise SourceError(
                f"{where}: there is no column 'patent'.",
                hint=f"Known columns: {', '.join(COLUMNS)}.",
            )
        number = normal_number(one_line(values["patent"]))
        if not number:
            result.problems.append(Problem(where, "the row names no patent; left out"))
        elif number in result.patents:
            result.problems.append(Problem(where, f"{number} occurs twice; the first row counts"))
        else:
            result.patents[number] = _patent(number, values, where, result.problems)
    return result


def _patent(number: str, values: dict[str, Any], where: str, problems: list[Problem]) -> Patent:
    def day(column: str) -> date | None:
        text = one_line(values.get(column)).removesuffix(".0")
        if text.casefold() in _EMPTY:
            return None
        if _MILLISECONDS.fullmatch(text):
            return (_FIRST_DAY + timedelta(milliseconds=int(text))).date()
        found = parse_day(text)
        if text and found is None:
            problems.append(Problem(where, f"{text!r} is not a date (write 2015-03-24)"))
        return found

    granted, filed = day("granted"), day("filed")
    classes: list[ClassCode] = []
    for scheme in SCHEMES:
        for text in _list(values.get(scheme)):
            code = try_code(scheme, text)
            if code is None:
                problems.append(Problem(where, f"{text!r} is not a {scheme} code"))
            else:
                classes.append(code)
    return Patent(
        number=number,
        title=one_line(values.get("title")),
        kind=one_line(values.get("kind")),
        granted=granted,
        filed=filed,
        classes=tuple(dict.fromkeys(classes)),
    )


def _rows(path: Path, problems: list[Problem]) -> Iterator[tuple[int, dict[str, Any]]]:
    suffix = path.suffix.lower()
    if suffix not in _TABLES and suffix not in _JSON_LINES:
        kinds = ", ".join([*_TABLES, *_JSON_LINES])
        raise SourceError(f"{printable(path)}: unknown kind of table {suffix!r}.", hint=f"Use one of {kinds}.")
    try:
        with readable(path), path.open(encoding=_encoding(path), newline="") as file:
            lines = iter(lambda: file.readline(_LONGEST_LINE), "")
            yield from (_json_rows if suffix in _JSON_LINES else _table_rows)(path, lines, problems)
    except UnicodeDecodeError as error:
        raise SourceError(f"{printable(path)}: not in UTF-8 (byte {error.start}).", hint="Save it as UTF-8.") from error
    except UnicodeError as error:
        raise SourceError(f"{printable(path)}: not in UTF-8 ({error}).", hint="Save it as UTF-8.") from error
    except csv.Error as error:
        raise SourceError(f"{printable(path)}: not a readable table ({error}).") from error


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        return "utf-16" if file.read(2) in _UTF16 else "utf-8-sig"


def _table_rows(path: Path, lines: Iterator[str], problems: list[Problem]) -> Iterator[tuple[int, dict[str, Any]]]:
    first, before = next(lines, ""), 0
    separators = _SEPARATORS
    if said := _SEPARATOR_LINE.match(first):
        separators, first, before = said[1], next(lines, ""), 1
    if not first.strip():
        raise SourceError(f"{printable(path)}: the table is empty.")
    separator = next((s for s in separators if _has_patent(first, s)), None)
    if separator is None:
        raise SourceError(
            f"{printable(path)}, line {before + 1}: there is no column 'patent'.",
            hint=f"Known columns: {', '.join(COLUMNS)}.",
        )
    reader = csv.DictReader(chain([first], lines), delimiter=separator, strict=True)
    for row in reader:
        line = reader.line_num + before
        if None in row:
            reason = "more values than the header has columns; left out (put values with separators in quotes)"
            problems.append(Problem(f"{printable(path)}, line {line}", reason))
        else:
            yield line, row


def _has_patent(header: str, separator: str) -> bool:
    names = next(csv.reader([header], delimiter=separator), [])
    return "patent" in (name.strip().casefold() for name in names)


def _json_rows(path: Path, lines: Iterator[str], problems: list[Problem]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            problems.append(Problem(f"{printable(path)}, line {number}", f"not JSON ({error}); left out"))
            continue
        if isinstance(row, dict):
            yield number, row
        else:
            problems.append(Problem(f"{printable(path)}, line {number}", "not a JSON object; left out"))


def one_line(value: object) -> str:
    """A value as one line of text; nothing for other values than text and numbers."""
    if isinstance(value, float):
        value = None if math.isnan(value) else int(value) if value.is_integer() else value
    return " ".join(str(value).split()) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _list(value: object) -> list[str]:
    parts = value if isinstance(value, list) else re.split(r"[;|]", one_line(value))
    return [text for part in parts if (text := one_line(part))]
