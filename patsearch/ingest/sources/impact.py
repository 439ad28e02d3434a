"""The IMPACT dataset of US design patents: a table for each year, and the drawing sheets that it names.

2022.csv                                title, id, date, class, file_names, fig_desc ... with a row for each patent
.../USD0939806-20220104-D00001.TIF      sheets, in folders at any depth or in ZIPs
"""

from __future__ import annotations

import ast
import codecs
import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import ClassVar

from patsearch.classification import ClassCode, try_code, uspc_from_grant
from patsearch.errors import SourceError
from patsearch.ingest.captions import parse_captions
from patsearch.ingest.notices import Notice, View
from patsearch.ingest.sources.folders import natural_key, parse_day
from patsearch.ingest.sources.grants import SHEET_NAME
from patsearch.ingest.sources.imagefiles import sheet_names
from patsearch.ingest.sources.register import MAX_TEXT, RegisterSource
from patsearch.ingest.sources.stored import Stored
from patsearch.numbers import is_number, normal_number
from patsearch.types import Patent

_NEEDED = frozenset({"id", "title", "claim", "file_names"})
_MOST_COLUMNS = 200
_LONGEST_CELL = 4 << 20  # characters; the captions of a patent with many figures
_LONGEST_LINE = 8 << 20
_LONGEST_LIST = 1 << 20
_LONGEST_TITLE = 1000
_MOST_SHEETS = 5000


class ImpactSource(RegisterSource):
    """Tables of the IMPACT dataset with its drawings."""

    name = "impact"
    looks_for = "tables of the IMPACT dataset (2022.csv) with its drawings"
    precedence: ClassVar[int] = 8
    suffix: ClassVar[str] = ".csv"

    @classmethod
    def is_of_kind(cls, head: bytes) -> bool:
        line = head.removeprefix(codecs.BOM_UTF8).split(b"\n", 1)[0].decode("utf-8", "replace")
        return {name.strip().strip('"') for name in line.split(",")} >= _NEEDED

    def notices(self, file: Stored) -> Iterator[Notice | str]:
        before = csv.field_size_limit(_LONGEST_CELL)
        try:
            yield from _rows(file.chunks(MAX_TEXT))
        except csv.Error as error:
            raise SourceError(f"not a readable table ({error}); what came before was read") from error
        finally:
            csv.field_size_limit(before)


def _rows(chunks: Iterable[bytes]) -> Iterator[Notice | str]:
    lines = _lines(chunks)
    reader = csv.reader(lines, strict=True)
    header = [name.strip() for name in next(reader, [])]
    if len(header) > _MOST_COLUMNS:
        raise SourceError(f"the table has {len(header):,} columns, more than the {_MOST_COLUMNS} allowed")
    for cells in reader:
        line = f"line {reader.line_num}"
        if not any(cells):
            continue
        if len(cells) != len(header):
            yield f"{line}: {len(cells)} values for {len(header)} columns; left out"
            continue
        if any("\0" in cell for cell in cells):
            yield f"{line}: a value has a NUL in it; left out"
            continue
        row = dict(zip(header, cells, strict=True))
        number = normal_number(row["id"])
        if not is_number(number):
            yield f"{line}: {row['id'][:40]!r} is not the number of a patent; left out"
        else:
            try:
                yield _notice(row, number)
            except ValueError as error:
                yield f"{line}: {error}; left out"


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """The lines of a text in UTF-8, with their ends."""
    rest, place = b"", 0
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield _decoded(line + b"\n", place)
            place += len(line) + 1
        if len(rest) > _LONGEST_LINE:
            raise SourceError(f"a line has more than {_LONGEST_LINE >> 20} million characters")
    if rest:
        yield _decoded(rest, place)


def _decoded(line: bytes, place: int) -> str:
    try:
        return line.decode("utf-8" if place else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"not in UTF-8 (byte {place + error.start}); what came before was read") from error


def _notice(row: dict[str, str], number: str) -> Notice:
    """Raises ValueError, with what is wrong: its lists cannot be read."""
    count = row.get("no_figs", "").strip().removesuffix(".0")
    granted = parse_day(row.get("date", "").strip())
    patent = Patent(
        number=number,
        title=" ".join(row["title"].split())[:_LONGEST_TITLE],
        granted=granted,
        classes=tuple(dict.fromkeys(_classes(row.get("class", "")))),
        captions=parse_captions(_list(row.get("fig_desc", ""), "fig_desc")),
        figure_count=int(count) if re.fullmatch(r"\d{1,5}", count, re.ASCII) else None,
    )
    files = sorted(set(_list(row["file_names"], "file_names")), key=natural_key)[:_MOST_SHEETS]
    stems = [PurePosixPath(file.replace("\\", "/")).stem for file in files]
    names = sheet_names([found["name"].upper() if (found := SHEET_NAME.search(stem)) else stem for stem in stems])
    return Notice(patent, dated=granted, views=tuple(View(n, (f,)) for n, f in zip(names, files, strict=True)))


def _list(text: str, column: str) -> list[str]:
    """A list as Python writes it: `['a', 'b']`."""
    if not (text := text.strip()) or text.lower() in ("nan", "none"):
        return []
    if not text.startswith("["):
        return [text]
    try:
        found = ast.literal_eval(text) if len(text) <= _LONGEST_LIST else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        found = None
    if not isinstance(found, list):
        raise ValueError(f"{column} is not a list of texts")
    return [one.strip() for one in found if isinstance(one, str) and one.strip() and len(one) < _LONGEST_TITLE * 10]


def _classes(text: str) -> Iterator[ClassCode]:
    for part in text.split(","):
        written = part.strip("\r\n\t'\"[]")
        code = (
            try_code("uspc", written.strip())
            if "/" in written
            else uspc_from_grant(written) or try_code("uspc", written)
        )
        if code:
            yield code
