"""Data of patents from a table of the user's own: CSV, TSV or JSON Lines with a row a patent.

Columns: `patent` (required), `title`, `kind`, `granted`, `filed`, `locarno`, `uspc`, `cpc`, `ipc`;
several codes are separated by `;` or `|`. Other columns are left alone.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
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
_DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_JSON_LINES = (".jsonl", ".ndjson")
_LONGEST_LINE = 1 << 20


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
        text = one_line(values.get(column))
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
    if suffix not in _DELIMITERS and suffix not in _JSON_LINES:
        kinds = ", ".join([*_DELIMITERS, *_JSON_LINES])
        raise SourceError(f"{printable(path)}: unknown kind of table {suffix!r}.", hint=f"Use one of {kinds}.")
    try:
        with readable(path), path.open(encoding="utf-8-sig", newline="") as file:
            if suffix in _JSON_LINES:
                yield from _json_rows(path, iter(lambda: file.readline(_LONGEST_LINE), ""), problems)
            else:
                reader = csv.DictReader(file, delimiter=_DELIMITERS[suffix], strict=True)
                if reader.fieldnames is None:
                    raise SourceError(f"{printable(path)}: the table is empty.")
                for row in reader:
                    yield reader.line_num, row
    except UnicodeDecodeError as error:
        raise SourceError(f"{printable(path)}: not in UTF-8 (byte {error.start}).", hint="Save it as UTF-8.") from error
    except csv.Error as error:
        raise SourceError(f"{printable(path)}: not a readable table ({error}).") from error


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
    return " ".join(str(value).split()) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _list(value: object) -> list[str]:
    parts = value if isinstance(value, list) else re.split(r"[;|]", one_line(value))
    return [text for part in parts if (text := one_line(part))]
