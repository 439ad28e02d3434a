"""The queries of a batch: what a folder holds, and a table with their filters."""

from __future__ import annotations

import csv
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path

from patsearch.engine import Picture
from patsearch.errors import FilterError, InputError
from patsearch.files import printable
from patsearch.filters import KEYS, NAME_FIELDS, Filter, parse_filter

MOST_QUERIES = 100_000
MOST_FILES = 100  # of one query
_MOST_TABLE = 64 << 20  # bytes
_NAME = "name"
_SEPARATORS = ",;\t"
_OPERATOR = re.compile(r"(?:!=|!~|>=|<=|==|=|~|>|<)")
_BY_WORDS = frozenset({"title", "view", *NAME_FIELDS})
# What file managers leave in folders.
_LEFT = frozenset({"thumbs.db", "desktop.ini", "__macosx"})
_EVERYTHING = Filter()
_LONGEST_NAME = 200  # bytes: with an ending it is still a name that systems take


@dataclass(frozen=True, slots=True)
class BatchQuery:
    """One query: a file of the folder, or a sub-folder whose files show one thing.

    Attributes:
        path: the file or sub-folder.
        files: pictures and documents that together are the query.
        where: its own filter, of the table.
        problem: why it cannot be searched, "" where it can.
    """

    path: Path
    files: tuple[Path, ...]
    where: Filter = _EVERYTHING
    problem: str = ""

    @property
    def name(self) -> str:
        """Of the file or sub-folder."""
        return self.path.name

    @property
    def shown(self) -> str:
        """The name as valid text."""
        return printable(self.name)

    @property
    def stem(self) -> str:
        """How its reports are called, without their ending."""
        data = os.fsencode(self.name)
        if len(data) <= _LONGEST_NAME:
            return self.name
        return f"{data[:150].decode(errors='ignore')}-{hashlib.sha256(data).hexdigest()[:16]}"

    def pictures(self) -> list[Picture]:
        """Its files as a question takes them."""
        return [Picture(name, file) for name, file in zip(self._names(), self.files, strict=True)]

    def digest(self) -> str:
        """Of the names and contents of its files, read in parts.

        Raises:
            InputError: a file cannot be read.
        """
        whole = hashlib.sha256()
        for name, file in zip(self._names(), self.files, strict=True):
            try:
                with file.open("rb") as opened:
                    content = hashlib.file_digest(opened, "sha256").hexdigest()
            except OSError as error:
                raise InputError(f"Cannot read {name}: {error.strerror}.") from error
            whole.update(f"{name}\0{content}\0".encode())
        return whole.hexdigest()

    def _names(self) -> Iterator[str]:
        return (printable(file.relative_to(self.path.parent)) for file in self.files)


def queries_of(folder: Path, table: Path | None = None, *, leave_out: Iterable[Path] = ()) -> list[BatchQuery]:
    """The queries in a folder, by name. Hidden files are left out.

    Args:
        table: CSV with a column `name`, of files or sub-folders with or without their ending; each other column is a
            key of filters.
        leave_out: files and folders within it that are not queries.

    Raises:
        InputError: the folder or the table cannot be read, or the folder is empty.
        FilterError: a column is not a key of filters, or a filter is not valid.
    """
    apart = {path.resolve() for path in (*leave_out, *filter(None, [table]))}
    try:
        entries = sorted((one for one in folder.iterdir() if not _is_hidden(one.name)), key=lambda one: one.name)
    except OSError as error:
        raise InputError(
            f"Cannot read the folder {printable(folder)}: {error.strerror}.", hint="Name a folder of pictures."
        ) from error
    found = [_query(entry) for entry in entries if entry.resolve() not in apart]
    if not found:
        raise InputError(f"{printable(folder)} holds no query.", hint="Put pictures there, or folders of pictures.")
    if len(found) > MOST_QUERIES:
        raise InputError(
            f"{printable(folder)} holds {len(found):,} queries; the limit is {MOST_QUERIES:,}.",
            hint="Use several folders.",
        )
    return found if table is None else _filtered(found, table)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.casefold() in _LEFT


def _query(entry: Path) -> BatchQuery:
    if not entry.is_dir():
        return BatchQuery(entry, (entry,), problem="" if entry.is_file() else "it is not a file")
    files = []
    for place, folders, names in os.walk(entry):
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        files += [Path(place, name) for name in sorted(names) if not _is_hidden(name)]
        if len(files) > MOST_FILES:
            return BatchQuery(entry, (), problem=f"it holds more than {MOST_FILES} files, the limit of one query")
    if other := next((file for file in files if not file.is_file()), None):
        return BatchQuery(entry, (), problem=f"{printable(other.name)} is not a file")
    return BatchQuery(entry, tuple(files), problem="" if files else "the folder holds no file")


# ---------------------------------------------------------------------- filters


def _filtered(queries: list[BatchQuery], table: Path) -> list[BatchQuery]:
    """The queries with their filters."""
    names = _by_name(queries)
    filters: dict[str, Filter] = {}
    for where, name, row in _rows(table):
        found = names.get(name)
        if found is None:
            reason = "several queries have this name without its ending" if name in names else "no query has this name"
            raise InputError(f"{where}: {name!r}: {reason}.", hint="Write the name of a file or sub-folder.")
        if found in filters:
            raise InputError(f"{where}: {name!r} occurs twice.", hint="Keep one row of each query.")
        filters[found] = _filter(row, where)
    return [replace(one, where=filters.get(one.name, one.where)) for one in queries]


def _by_name(queries: list[BatchQuery]) -> dict[str, str | None]:
    """The query that a name in the table means; None where it is not one alone."""
    names: dict[str, str | None] = {}
    for one in queries:
        stem = printable(Path(one.name).stem)
        names[stem] = None if stem in names else one.name
    return names | {one.shown: one.name for one in queries}


def _filter(row: dict[str, str], where: str) -> Filter:
    conditions = []
    for key, cell in row.items():
        value = " ".join(cell.split())
        if value:
            sign = "" if _OPERATOR.match(value) else "~" if key in _BY_WORDS else "="
            conditions.append(f"{key}{sign}{value}")
    try:
        return parse_filter(conditions)
    except FilterError as error:
        raise FilterError(f"{where}: {error.message}", hint=error.hint) from error


def _rows(table: Path) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Where a row is, its name, and its other cells by the key of the filter."""
    shown = printable(table)
    text = _text(table)
    first, *_ = [*text.splitlines(), ""]
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        header = [cell.strip().casefold() for cell in next(reader, [])]
        keys = [name for name in header if name != _NAME]
        if header.count(_NAME) != 1:
            raise InputError(f"{shown} has no column {_NAME!r}.", hint=f"Columns: {_NAME}, {', '.join(KEYS)}.")
        if wrong := next((key for key in keys if key not in KEYS or keys.count(key) > 1), None):
            said = "occurs twice" if wrong in KEYS else "is not a key of filters"
            raise FilterError(f"{shown}: the column {wrong!r} {said}.", hint=f"Keys: {', '.join(KEYS)}.")
        for cells in reader:
            where = f"{shown}, line {reader.line_num}"
            if len(cells) > len(header):
                raise InputError(f"{where}: more cells than columns.", hint="Put values with separators in quotes.")
            row = dict(zip(header, (cell.strip() for cell in cells), strict=False))
            if any(row.values()):
                yield where, row.pop(_NAME), row
    except csv.Error as error:
        raise InputError(f"{shown}, line {reader.line_num}: not a readable row ({error}).") from error


def _text(table: Path) -> str:
    try:
        with table.open("rb") as file:
            data = file.read(_MOST_TABLE + 1)
        if len(data) > _MOST_TABLE:
            raise InputError(f"{printable(table)} is larger than {_MOST_TABLE >> 20} MiB, too large for a table.")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"Cannot read the table {printable(table)}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{printable(table)} is not in UTF-8 (byte {error.start}).", hint="Save it as CSV in UTF-8."
        ) from error
