"""Small pictures of the drawings, so that results can be shown after the source is gone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from patsearch.sqlite import Database, Schema

FILE = "thumbnails.sqlite"
_SCHEMA = Schema("CREATE TABLE thumbnail (id TEXT PRIMARY KEY, png BLOB NOT NULL) WITHOUT ROWID;", version=1)
_PAGE = 200


class Thumbnails:
    """PNG bytes by drawing id. Front pages that are not indexed have theirs here too."""

    def __init__(self, index: Path, *, read_only: bool) -> None:
        self._db = Database(index / FILE, _SCHEMA, read_only=read_only)

    def put(self, thumbnails: Iterable[tuple[str, bytes]]) -> None:
        """Insert or replace; durable on return."""
        with self._db.transaction() as db:
            db.executemany("INSERT OR REPLACE INTO thumbnail VALUES (?, ?)", thumbnails)

    def get(self, drawing_id: str) -> bytes | None:
        """PNG bytes, None for an unknown drawing."""
        found = self._db.rows("SELECT png FROM thumbnail WHERE id = ?", (drawing_id,))
        return bytes(found[0][0]) if found else None

    def items(self) -> Iterator[tuple[str, bytes]]:
        """Ids and PNG bytes, by id."""
        page = self._db.rows("SELECT id, png FROM thumbnail ORDER BY id LIMIT ?", (_PAGE,))
        while page:
            yield from ((drawing_id, bytes(png)) for drawing_id, png in page)
            page = self._db.rows("SELECT id, png FROM thumbnail WHERE id > ? ORDER BY id LIMIT ?", (page[-1][0], _PAGE))

    def save(self, path: Path) -> None:
        """A copy of all thumbnails as they are now, in a new file."""
        self._db.save(path)

    def missing(self, ids: Iterable[str]) -> list[str]:
        """Those of the ids that have no thumbnail."""
        return [i for i in ids if not self._db.rows("SELECT 1 FROM thumbnail WHERE id = ?", (i,))]

    def delete(self, ids: Iterable[str]) -> None:
        with self._db.transaction() as db:
            db.executemany("DELETE FROM thumbnail WHERE id = ?", [(i,) for i in ids])

    def close(self) -> None:
        self._db.close()
