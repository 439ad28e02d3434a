"""The catalogue of one generation: an SQLite database of payloads, and the place where commits happen.

What drawings share is stored once: the *facts* of a patent (title, dates, classes ...) and the
*caption* of a figure (its number and view). A row of the segments names both by number, so that a
filter is decided on facts and captions and spread over the rows by one look-up (see `masks`).

Facts that 0.1.0 stored have no bibliography (NULL), those of a patent of which nothing is known have an empty one.

Everything bears a checksum: facts and captions the digest under which they are found again, and one of their terms in
the inverted lists; a drawing one of its own values, renewed when it dies. Those of an index that 0.1.0 made are NULL
until a compaction; they are not checked.

A row is never changed: a replaced or deleted drawing's row is marked with the version at which it
died, and stays until compaction, so that readers of an older version still find it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from patsearch.backends.embedded.segments import Batch
from patsearch.bibliography import Bibliography, from_text
from patsearch.classification import ClassCode
from patsearch.sqlite import Database, Schema
from patsearch.types import Drawing

_SCHEMA = Schema(
    """
CREATE TABLE state (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO state VALUES ('version', 0), ('rows', 0), ('facts', 0), ('captions', 0);
CREATE TABLE facts (
    id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, patent TEXT NOT NULL, title TEXT NOT NULL, kind TEXT NOT NULL,
    granted INTEGER, filed INTEGER, classes TEXT NOT NULL, source TEXT NOT NULL);
CREATE INDEX facts_dates ON facts (granted, filed);
CREATE TABLE captions (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, figure TEXT, view TEXT);
CREATE TABLE drawings (
    row INTEGER PRIMARY KEY, id TEXT NOT NULL, sheet TEXT NOT NULL, front_page INTEGER NOT NULL,
    turned INTEGER NOT NULL, box TEXT, fact INTEGER NOT NULL, caption INTEGER NOT NULL, dead INTEGER);
CREATE INDEX drawings_id ON drawings (id);
CREATE INDEX drawings_dead ON drawings (dead) WHERE dead IS NOT NULL;
CREATE TABLE terms (id INTEGER PRIMARY KEY, field TEXT NOT NULL, text TEXT NOT NULL, UNIQUE (field, text));
CREATE TABLE postings (term INTEGER NOT NULL, item INTEGER NOT NULL, PRIMARY KEY (term, item)) WITHOUT ROWID;
CREATE TABLE batches (
    first INTEGER PRIMARY KEY, rows INTEGER NOT NULL, vectors_crc INTEGER NOT NULL, columns_crc INTEGER NOT NULL);
""",
    (
        """
ALTER TABLE drawings ADD COLUMN crc INTEGER;
ALTER TABLE facts ADD COLUMN terms_crc INTEGER;
ALTER TABLE captions ADD COLUMN terms_crc INTEGER;
""",
        """
ALTER TABLE facts ADD COLUMN bibliography TEXT;
INSERT INTO state VALUES ('amended', 0);
""",
    ),
)
_CHECKSUMS, _BIBLIOGRAPHIES = 1, 2  # of its upgrades
STORED = "row, id, sheet, front_page, turned, box, fact, caption, dead"  # what the checksum of a drawing covers
# CROSS JOIN in SQLite keeps the order of the tables: the few wanted ones first, then the index.
_PAYLOAD = """
SELECT d.row, d.id, d.sheet, d.front_page, d.turned, d.box, d.fact, d.caption, d.dead, {crc}, f.patent, f.title, f.kind,
       f.granted, f.filed, f.classes, f.source, {bibliography}, c.figure, c.view
FROM json_each(?) AS wanted CROSS JOIN drawings AS d ON d.row = wanted.value
JOIN facts AS f ON f.id = d.fact JOIN captions AS c ON c.id = d.caption
"""

CAPTION_FIELDS = ("figure", "view")  # the terms of captions; all others are of facts
TERMS_MODULUS = 1 << 32
_PAGE = 10_000

Rows = NDArray[np.int64]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class State:
    """What counts at one version: rows, facts and captions up to these numbers.

    Attributes:
        amended: how often data were added to facts that existed; their terms are others then.
    """

    version: int
    rows: int
    facts: int
    captions: int
    amended: int = 0


class Catalogue:
    """The database of one generation."""

    def __init__(self, path: Path, *, read_only: bool) -> None:
        self._db = Database(path, _SCHEMA, read_only=read_only, make=False)
        if not read_only:
            self._db.add_function("payload_crc", payload_crc)

    @staticmethod
    def create(path: Path) -> None:
        """Make an empty catalogue."""
        Database(path, _SCHEMA, read_only=False).close()

    def close(self) -> None:
        self._db.close()

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """A write transaction: committed at the end, rolled back by any exception. It knows `payload_crc(...)`."""
        return self._db.transaction()

    def save(self, path: Path) -> None:
        """A copy of the database as it is now, in a new file."""
        self._db.save(path)

    # ------------------------------------------------------------------ reading

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self._db.rows(sql, parameters)

    def integers(self, sql: str, parameters: Sequence[object] = (), *, below: int = 1 << 62) -> Rows:
        """One column as an array; anything but whole numbers from 0 on, and below the limit, is damage."""
        return self._db.read(sql, parameters, lambda cursor: _integers((value for (value,) in cursor), below))

    def table(self, sql: str, parameters: Sequence[object], *, columns: int) -> NDArray[np.int64]:
        """Several columns of whole numbers from 0 on, (n, columns)."""
        values = self._db.read(sql, parameters, lambda cursor: _integers(chain.from_iterable(cursor), 1 << 62))
        return values.reshape(-1, columns)

    def changes(self) -> tuple[int, int]:
        """Differs when another connection has committed: a cheap test for readers."""
        return self._db.changes()

    def state(self, dead_since: int = -1) -> tuple[State, Rows]:
        """The state, and the rows that died after version `dead_since`, of one moment."""
        sql = "SELECT key, value FROM state UNION ALL SELECT NULL, row FROM drawings WHERE dead > ?"
        return self._db.read(sql, (dead_since,), _state)

    @property
    def has_bibliographies(self) -> bool:
        """False for an index of an earlier version that nobody has written to since."""
        return self._db.level >= _BIBLIOGRAPHIES

    def drawings(self, rows: Iterable[int]) -> dict[int, Drawing]:
        """The drawings of some rows, by row."""
        crc = "d.crc" if self._db.level >= _CHECKSUMS else "NULL"
        bibliography = "f.bibliography" if self.has_bibliographies else "NULL"
        known: dict[int, Drawing] = {}  # by fact: the drawings of a patent share one
        return self._by_row(
            _PAYLOAD.format(crc=crc, bibliography=bibliography), rows, lambda record: _drawing(record, known)
        )

    def bibliographies(self, facts: Iterable[int]) -> Iterator[Bibliography]:
        """Those of some facts that have one."""
        if not self.has_bibliographies:
            return
        sql = "SELECT f.bibliography FROM json_each(?) AS wanted CROSS JOIN facts AS f ON f.id = wanted.value"
        given = json.dumps([int(fact) for fact in facts])
        for found in self._db.read(sql, (given,), lambda cursor: [from_text(text) for (text,) in cursor]):
            if found is not None:
                yield found

    def ids_of(self, rows: Iterable[int]) -> dict[int, str]:
        """The ids of some rows, by row."""
        sql = "SELECT d.row, d.id FROM json_each(?) AS wanted CROSS JOIN drawings AS d ON d.row = wanted.value"
        return self._by_row(sql, rows, lambda record: str(record[1]))

    def _by_row(self, sql: str, rows: Iterable[int], value: Callable[[tuple[Any, ...]], T]) -> dict[int, T]:
        wanted = [int(row) for row in rows]

        def parse(cursor: sqlite3.Cursor) -> dict[int, T]:
            found = {record[0]: value(record) for record in cursor}
            if missing := set(wanted) - found.keys():
                raise LookupError(f"row {min(missing)} is missing")
            return found

        return self._db.read(sql, (json.dumps(wanted),), parse)

    def rows_of(self, ids: Sequence[str], state: State) -> dict[str, int]:
        """The rows at which drawings are alive at that version; unknown ids are left out."""
        sql = """SELECT d.id, d.row FROM json_each(?) AS wanted CROSS JOIN drawings AS d ON d.id = wanted.value
                 WHERE d.row < ? AND (d.dead IS NULL OR d.dead > ?)"""
        return dict(self._db.rows(sql, (json.dumps(list(ids)), state.rows, state.version)))

    def rows_by_id(self, state: State) -> Rows:
        """Every row alive at that version, in the order of the drawings' ids."""
        return self.integers(
            "SELECT row FROM drawings WHERE row < ? AND (dead IS NULL OR dead > ?) ORDER BY id",
            (state.rows, state.version),
            below=state.rows,
        )

    def problems(self) -> Iterator[str]:
        """What SQLite finds wrong with the file, one sentence each."""
        return self._db.problems()

    def unchecked(self) -> bool:
        """Whether something bears no checksum: an index of version 0.1.0 that was not compacted since."""
        if self._db.level < _CHECKSUMS:
            return True
        sql = """SELECT EXISTS (SELECT 1 FROM drawings WHERE crc IS NULL AND dead IS NULL)
                 OR EXISTS (SELECT 1 FROM facts WHERE terms_crc IS NULL)
                 OR EXISTS (SELECT 1 FROM captions WHERE terms_crc IS NULL)"""
        return bool(self.query(sql)[0][0])

    def damaged(self, table: str) -> Iterator[int]:
        """The numbers of records in `drawings`, `facts` or `captions` that differ from their checksum."""
        number, columns, checksum, right = _CHECKED[table]
        if checksum == "crc" and self._db.level < _CHECKSUMS:
            return
        if not self.has_bibliographies:
            columns = columns.replace("bibliography", "NULL")
        sql = f"SELECT {number}, {checksum}, {columns} FROM {table} WHERE {number} >= ? ORDER BY {number} LIMIT ?"  # noqa: S608
        page = self.query(sql, (0, _PAGE))
        while page:
            yield from (record[0] for record in page if record[1] is not None and record[1] != right(record[2:]))
            page = self.query(sql, (page[-1][0] + 1, _PAGE))

    def terms_crc(self, table: str, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The checksum of the terms of each fact or caption as stored, -1 without one; and as the lists have them."""
        stored = np.full(size, -1, dtype=np.int64)
        if self._db.level >= _CHECKSUMS:
            sql = f"SELECT id, terms_crc FROM {table} WHERE terms_crc IS NOT NULL AND id < ?"  # noqa: S608  two own names
            pairs = self.table(sql, (size,), columns=2)
            stored[pairs[:, 0]] = pairs[:, 1]
        terms = [
            (number, term_crc(field, text))
            for number, field, text in self.query("SELECT id, field, text FROM terms ORDER BY id")
            if (field in CAPTION_FIELDS) == (table == "captions")
        ]
        numbers, shares = np.array(terms, dtype=np.int64).reshape(-1, 2).T
        found = np.zeros(size, dtype=np.int64)
        for start in range(0, len(numbers), _PAGE):
            part = numbers[start : start + _PAGE]
            sql = "SELECT term, item FROM postings WHERE term BETWEEN ? AND ?"
            postings = self.table(sql, (int(part[0]), int(part[-1])), columns=2)
            postings = postings[np.isin(postings[:, 0], part) & (postings[:, 1] < size)]
            np.add.at(found, postings[:, 1], shares[start + np.searchsorted(part, postings[:, 0])])
        return stored, found % TERMS_MODULUS

    def batches(self, rows: int) -> Iterator[Batch]:
        """The batches that make up the first rows, in order."""
        for record in self.query("SELECT * FROM batches WHERE first < ? ORDER BY first", (rows,)):
            yield Batch(*record)


def _integers(values: Iterable[Any], below: int) -> Rows:
    found = np.fromiter(values, dtype=np.int64)
    if len(found) and not 0 <= int(found.min()) <= int(found.max()) < below:
        raise ValueError("a number is out of its bounds")
    return found


def _state(cursor: sqlite3.Cursor) -> tuple[State, Rows]:
    values: dict[str, int] = {}
    dead: list[int] = []
    for key, value in cursor:
        if key is None:
            dead.append(value)
        else:
            values[key] = value
    state = State(values["version"], values["rows"], values["facts"], values["captions"], values.get("amended", 0))
    rows = np.array(dead, dtype=np.int64)
    if not all(type(value) is int and 0 <= value < 1 << 40 for value in values.values()):
        raise ValueError("its state is not a number")
    if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < state.rows:
        raise ValueError("a deleted row is out of its bounds")
    return state, rows


def digest(values: Sequence[object]) -> bytes:
    """By which facts (`facts`, patent, title ...) or a caption are found again."""
    # Damage can make bytes of a text: another digest then, and no error.
    return hashlib.blake2b(json.dumps(values, ensure_ascii=False, default=repr).encode(), digest_size=16).digest()


def payload_crc(*values: object) -> int:
    """The checksum of a drawing's own values, in the order of `STORED`."""
    return zlib.crc32("\0".join(map(str, values)).encode())


def term_crc(field: str, text: str) -> int:
    """Its share in the checksum of the terms of an item: their sum, modulo `TERMS_MODULUS`."""
    return zlib.crc32(f"{field}\0{text}".encode())


FACTS = ("patent", "title", "kind", "granted", "filed", "classes", "source", "bibliography")


def facts_digest(values: Sequence[object]) -> bytes:
    """Of the values of `FACTS`; without the bibliography where there is none, as 0.1.0 made it."""
    return digest(("facts", *(values if values[-1] is not None else values[:-1])))


# Of each table: the column of its number, what its checksum covers, the checksum's column, and how it is made.
_CHECKED: dict[str, tuple[str, str, str, Callable[[tuple[Any, ...]], object]]] = {
    "drawings": ("row", STORED, "crc", lambda values: payload_crc(*values)),
    "facts": ("id", ", ".join(FACTS), "digest", facts_digest),
    "captions": ("id", "figure, view", "digest", lambda values: digest(("captions", *values))),
}


def drawing_of(facts: Sequence[Any]) -> Drawing:
    """A drawing with these facts, in the order of `FACTS`, and nothing else."""
    patent, title, kind, granted, filed, classes, source, bibliography = facts
    return Drawing(
        id="",
        patent=patent,
        title=title,
        kind=kind,
        granted=None if granted is None else date.fromordinal(granted),
        filed=None if filed is None else date.fromordinal(filed),
        classes=tuple(ClassCode(scheme, code) for scheme, code in json.loads(classes)),
        source=source,
        bibliography=from_text(bibliography),
    )


def _drawing(record: tuple[Any, ...], known: dict[int, Drawing]) -> Drawing:
    """The drawing of a row of `_PAYLOAD`; `known` has the facts that were read before, by number."""
    row, id_, sheet, front, turned, box, fact, _caption, _dead, crc, *facts, figure, view = record
    if crc is not None and crc != payload_crc(*record[:9]):
        raise ValueError(f"row {row} differs from its checksum")
    if fact not in known:
        known[fact] = drawing_of(facts)
    left_top_right_bottom = json.loads(box) if box else None
    return replace(
        known[fact],
        id=id_,
        sheet=sheet,
        figure=figure,
        view=view,
        front_page=bool(front),
        turned=turned,
        box=tuple(left_top_right_bottom) if left_top_right_bottom else None,
    )
