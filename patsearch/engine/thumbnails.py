"""Small pictures of the drawings, so that results can be shown after the source is gone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from patsearch.deadline import check
from patsearch.sqlite import database_errors, open_database, save_database

FILE = "thumbnails.sqlite"
_SCHEMA = "CREATE TABLE thumbnail (id TEXT PRIMARY KEY, png BLOB NOT NULL) WITHOUT ROWID;"


class Thumbnails:
    """PNG bytes by drawing id. Front pages that are not indexed have theirs here too."""

    def __init__(self, index: Path, *, read_only: bool) -> None:
        self._path = index / FILE
        self._db = open_database(self._path, _SCHEMA, version=1, read_only=read_only)

    def put(self, thumbnails: Iterable[tuple[str, bytes]]) -> None:
        """Insert or replace; durable on return."""
        with database_errors(self._path), self._db:
            self._db.executemany("INSERT OR REPLACE INTO thumbnail VALUES (?, ?)", thumbnails)

    def get(self, drawing_id: str) -> bytes | None:
        """PNG bytes, None for an unknown drawing."""
        check()  # records with many drawings take long
        with database_errors(self._path):
            row = self._db.execute("SELECT png FROM thumbnail WHERE id = ?", (drawing_id,)).fetchone()
        return None if row is None else bytes(row[0])

    def items(self) -> Iterator[tuple[str, bytes]]:
        """Ids and PNG bytes, by id."""
        with database_errors(self._path):
            for drawing_id, png in self._db.execute("SELECT id, png FROM thumbnail ORDER BY id"):
                yield drawing_id, bytes(png)

    def save(self, path: Path) -> None:
        """A copy of all thumbnails as they are now, in a new file."""
        save_database(self._db, path)

    def missing(self, ids: Iterable[str]) -> list[str]:
        """Those of the ids that have no thumbnail."""
        with database_errors(self._path):
            find = "SELECT 1 FROM thumbnail WHERE id = ?"
            return [i for i in ids if self._db.execute(find, (i,)).fetchone() is None]

    def delete(self, ids: Iterable[str]) -> None:
        with database_errors(self._path), self._db:
            self._db.executemany("DELETE FROM thumbnail WHERE id = ?", [(i,) for i in ids])

    def close(self) -> None:
        self._db.close()
