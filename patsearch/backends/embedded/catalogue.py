"""The catalogue of one generation: an SQLite database of payloads, and the place where commits happen.

What drawings share is stored once: the *facts* of a patent (title, dates, classes ...) and the
*caption* of a figure (its number and view). A row of the segments names both by number, so that a
filter is decided on facts and captions and spread over the rows by one look-up (see `masks`).

A row is never changed: a replaced or deleted drawing's row is marked with the version at which it
died, and stays until compaction, so that readers of an older version still find it.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patsearch.backends.embedded.segments import Batch
from patsearch.classification import ClassCode
from patsearch.sqlite import connect, database_errors
from patsearch.types import Drawing

_SCHEMA = """
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
"""
# CROSS JOIN in SQLite keeps the order of the tables: the few wanted ones first, then the index.
_PAYLOAD = """
SELECT d.row, d.id, f.patent, d.sheet, c.figure, c.view, d.front_page, d.turned, d.box, f.title, f.kind, f.granted,
       f.filed, f.classes, f.source
FROM json_each(?) AS wanted CROSS JOIN drawings AS d ON d.row = wanted.value
JOIN facts AS f ON f.id = d.fact JOIN captions AS c ON c.id = d.caption
"""

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class State:
    """What counts at one version: rows, facts and captions up to these numbers."""

    version: int
    rows: int
    facts: int
    captions: int


class Catalogue:
    """The database of one generation. One connection, used by one thread at a time."""

    def __init__(self, path: Path, *, read_only: bool) -> None:
        self._path = path
        self._lock = threading.RLock()
        with database_errors(path, "Opening"):
            self._db = connect(path, "ro" if read_only else "rw", autocommit=True)
            try:
                self._db.execute("SELECT 1 FROM state").fetchone()
                if not read_only:
                    self._db.execute("PRAGMA synchronous = FULL")
            except BaseException:
                self._db.close()
                raise

    @staticmethod
    def create(path: Path) -> None:
        """Make an empty catalogue."""
        with database_errors(path, "Creating"), closing(connect(path, "rwc", autocommit=True)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(f"BEGIN; {_SCHEMA} COMMIT;")

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: committed at the end, rolled back by any exception."""
        with self._lock, database_errors(self._path, "Writing"):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    # ------------------------------------------------------------------ reading

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """All rows of a query."""
        with self._lock, database_errors(self._path):
            return self._db.execute(sql, parameters).fetchall()

    def integers(self, sql: str, parameters: Sequence[object] = ()) -> Rows:
        """One integer column as an array."""
        with self._lock, database_errors(self._path):
            return np.fromiter((value for (value,) in self._db.execute(sql, parameters)), dtype=np.int64)

    def data_version(self) -> int:
        """Changes when another connection has committed: a cheap test for readers."""
        with self._lock, database_errors(self._path):
            return int(self._db.execute("PRAGMA data_version").fetchone()[0])

    def state(self, dead_since: int = -1) -> tuple[State, Rows]:
        """The state, and the rows that died after version `dead_since`, of one moment."""
        with self._lock, database_errors(self._path):
            self._db.execute("BEGIN")
            try:
                values = dict(self._db.execute("SELECT key, value FROM state"))
                dead = self.integers("SELECT row FROM drawings WHERE dead > ?", (dead_since,))
            finally:
                self._db.execute("COMMIT")
        return State(values["version"], values["rows"], values["facts"], values["captions"]), dead

    def drawings(self, rows: Iterable[int]) -> dict[int, Drawing]:
        """The drawings of some rows, by row."""
        wanted = json.dumps([int(row) for row in rows])
        with self._lock, database_errors(self._path):
            return {record[0]: _drawing(record) for record in self._db.execute(_PAYLOAD, (wanted,))}

    def ids_of(self, rows: Iterable[int]) -> dict[int, str]:
        """The ids of some rows, by row."""
        sql = "SELECT d.row, d.id FROM json_each(?) AS wanted CROSS JOIN drawings AS d ON d.row = wanted.value"
        with self._lock, database_errors(self._path):
            return dict(self._db.execute(sql, (json.dumps([int(row) for row in rows]),)))

    def rows_of(self, ids: Sequence[str], state: State) -> dict[str, int]:
        """The rows at which drawings are alive at that version; unknown ids are left out."""
        sql = """SELECT d.id, d.row FROM json_each(?) AS wanted CROSS JOIN drawings AS d ON d.id = wanted.value
                 WHERE d.row < ? AND (d.dead IS NULL OR d.dead > ?)"""
        with self._lock, database_errors(self._path):
            return dict(self._db.execute(sql, (json.dumps(list(ids)), state.rows, state.version)))

    def rows_by_id(self, state: State) -> Rows:
        """Every row alive at that version, in the order of the drawings' ids."""
        return self.integers(
            "SELECT row FROM drawings WHERE row < ? AND (dead IS NULL OR dead > ?) ORDER BY id",
            (state.rows, state.version),
        )

    def batches(self, rows: int) -> Iterator[Batch]:
        """The batches that make up the first rows, in order."""
        for record in self.query("SELECT * FROM batches WHERE first < ? ORDER BY first", (rows,)):
            yield Batch(*record)  # type: ignore[arg-type]  # four integers, by the schema


def _drawing(record: tuple[Any, ...]) -> Drawing:
    (_, id_, patent, sheet, figure, view, front, turned, box, title, kind, granted, filed, classes, source) = record
    left_top_right_bottom = json.loads(box) if box else None
    return Drawing(
        id=id_,
        patent=patent,
        sheet=sheet,
        figure=figure,
        view=view,
        front_page=bool(front),
        turned=turned,
        box=tuple(left_top_right_bottom) if left_top_right_bottom else None,
        title=title,
        kind=kind,
        granted=None if granted is None else date.fromordinal(granted),
        filed=None if filed is None else date.fromordinal(filed),
        classes=tuple(ClassCode(scheme, code) for scheme, code in json.loads(classes)),
        source=source,
    )
