"""Data of patents from a table of the user's own: CSV, TSV or JSON Lines with a row a patent.

Columns: `patent` (required), `title`, `kind`, `granted`, `filed`, `locarno`, `uspc`, `cpc`, `ipc`; of the bibliography
`owner`, `inventor`, `agent`, `country`, `status`, `expires`, `cites`, `cites_examiner`, `cites_applicant`. Several
codes, names or numbers are separated by `;` or `|`. Other columns are left alone. As spreadsheets and pandas write
tables, cells may be separated by commas, semicolons or tabs, `sep=;` may come first, and dates may have a time or be
numbers.
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

from patsearch.bibliography import Bibliography, Citation, Citer, Party, Protection, bounded
from patsearch.classification import SCHEMES, ClassCode, try_code
from patsearch.errors import SourceError
from patsearch.files import printable
from patsearch.ingest.sources.base import Problem
from patsearch.ingest.sources.folders import parse_day, readable
from patsearch.numbers import normal_number, office_of
from patsearch.types import Patent

_CITED: dict[str, Citer] = {"cites": "", "cites_examiner": "examiner", "cites_applicant": "applicant"}
COLUMNS = (
    *("patent", "title", "kind", "granted", "filed", *SCHEMES),
    *("owner", "inventor", "agent", "country", "status", "expires", *_CITED),
)
_TABLES = (".csv", ".tsv", ".tab")
_JSON_LINES = (".jsonl", ".ndjson")
TABLES = (*_TABLES, *_JSON_LINES)
_COUNTRY = re.compile(r"[A-Z]{2}")
_LONGEST_LINE = 1 << 20
_SEPARATORS = ",;\t|"
_SEPARATOR_LINE = re.compile(r'^\s*"?sep=(.)"?\s*$', re.IGNORECASE)
_AS_TEXT = re.compile(r'="(.*)"')  # how spreadsheets keep a number as text
_WHOLE = re.compile(r"(\d+)\.0", re.ASCII)  # a whole number, as pandas writes a column with empty cells
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_FIRST_DAY = datetime(1970, 1, 1)
_EMPTY = frozenset({"nan", "nat", "none", "null", "<na>", "n/a", "#n/a", "-"})  # written for no value
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
        number = normal_number(_cell(values.get("patent")))
        if not any(map(str.isalnum, number)):
            result.problems.append(Problem(where, "the row names no patent; left out"))
        elif number in result.patents:
            result.problems.append(Problem(where, f"{number} occurs twice; the first row counts"))
        else:
            result.patents[number] = _patent(number, values, where, result.problems)
    return result


def _patent(number: str, values: dict[str, Any], where: str, problems: list[Problem]) -> Patent:
    def day(column: str) -> date | None:
        text = _cell(values.get(column))
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
    expires = day("expires")
    owners = [Party(name) for name in _list(values.get("owner"))]
    bibliography, remarks = bounded(
        Bibliography(
            owners=_with_countries(owners, _list(values.get("country")), where, problems),
            inventors=tuple(Party(name) for name in _list(values.get("inventor"))),
            agents=tuple(Party(name) for name in _list(values.get("agent"))),
            citations=tuple(
                Citation(normal_number(text), by) for column, by in _CITED.items() for text in _list(values.get(column))
            ),
            protections=(Protection(office_of(number), granted, expires),) if expires else (),
            status=_cell(values.get("status")),
        )
    )
    return Patent(
        number=number,
        title=_cell(values.get("title")),
        kind=_cell(values.get("kind")),
        granted=granted,
        filed=filed,
        classes=tuple(dict.fromkeys(classes)),
        remarks=remarks,
        bibliography=bibliography,
    )


def _with_countries(
    owners: list[Party], countries: list[str], where: str, problems: list[Problem]
) -> tuple[Party, ...]:
    """The owners with their countries: one for each, or one for all."""
    codes = [text.upper() for text in countries]
    if wrong := [text for text in codes if not _COUNTRY.fullmatch(text)]:
        problems.append(Problem(where, f"{wrong[0]!r} is not the code of a country (write two letters, as in DE)"))
        return tuple(owners)
    if codes and owners and len(codes) not in (1, len(owners)):
        problems.append(Problem(where, f"{len(codes)} countries for {len(owners)} owners"))
        return tuple(owners)
    each = codes * len(owners) if len(codes) == 1 else codes or [""] * len(owners)
    return tuple(Party(owner.name, code) for owner, code in zip(owners, each, strict=False))


def _rows(path: Path, problems: list[Problem]) -> Iterator[tuple[int, dict[str, Any]]]:
    suffix = path.suffix.lower()
    if suffix not in TABLES:
        kinds = ", ".join(TABLES)
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
    header, before, separators = "", 0, _SEPARATORS
    for line in lines:
        if said := _SEPARATOR_LINE.match(line):
            separators = said[1] + _SEPARATORS
        elif line.strip():
            header = line
            break
        before += 1
    if not header:
        raise SourceError(f"{printable(path)}: the table is empty.")
    separator = _separator(header, separators, f"{printable(path)}, line {before + 1}")
    reader = csv.DictReader(chain([header], lines), delimiter=separator, strict=True)
    assert reader.fieldnames is not None, "there is a header"  # read now, so that lines are counted behind it
    while True:
        begins = reader.line_num + before + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            # Where quotation marks do not fit, nothing says where the next row begins.
            raise SourceError(
                f"{printable(path)}, line {begins}: not a readable row ({error}).",
                hint='Put values with quotation marks in quotation marks, and write "" within them.',
            ) from error
        if row is None:
            return
        number = reader.line_num + before
        if None in row:
            reason = "more values than the header has columns; left out (put values with separators in quotes)"
            problems.append(Problem(f"{printable(path)}, line {number}", reason))
        else:
            yield number, row


def _separator(header: str, separators: str, where: str) -> str:
    """What separates the names of the columns.

    Raises:
        SourceError: none of them is `patent`, or a column that is read occurs twice.
    """
    for separator in separators:
        try:
            names = next(csv.reader([header], delimiter=separator), [])
        except csv.Error:
            continue
        names = [name.strip().casefold() for name in names]
        if "patent" in names:
            if double := next((name for name in COLUMNS if names.count(name) > 1), None):
                raise SourceError(f"{where}: the column {double!r} occurs twice.", hint="Rename or remove one of them.")
            return separator
    raise SourceError(f"{where}: there is no column 'patent'.", hint=f"Known columns: {', '.join(COLUMNS)}.")


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


def _cell(value: object) -> str:
    """A value as one line, without what programs write around it; nothing for what they write for no value."""
    text = one_line(value)
    for written in (_AS_TEXT, _WHOLE):
        if found := written.fullmatch(text):
            text = found[1].strip()
    return "" if text.casefold() in _EMPTY else text


def _list(value: object) -> list[str]:
    parts = value if isinstance(value, list) else re.split(r"[;|]", _cell(value))
    return [text for part in parts if (text := _cell(part))]
