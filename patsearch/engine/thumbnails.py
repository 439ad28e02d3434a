"""Small pictures of the drawings, so that results can be shown after the source is gone."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from patsearch.sqlite import Database, Schema

FILE = "thumbnails.sqlite"
_SCHEMA = Schema(
    "CREATE TABLE thumbnail (id TEXT PRIMARY KEY, png BLOB NOT NULL) WITHOUT ROWID;",
    ("ALTER TABLE thumbnail ADD COLUMN crc INTEGER;",),
    version=1,
)
_PAGE = 200
_log = logging.getLogger(__name__)


class Thumbnails:
    """PNG bytes by drawing id, with their checksum. Front pages that are not indexed have theirs here too."""

    def __init__(self, index: Path, *, read_only: bool) -> None:
        self._db = Database(index / FILE, _SCHEMA, read_only=read_only)

    def put(self, thumbnails: Iterable[tuple[str, bytes]]) -> None:
        """Insert or replace; durable on return."""
        with self._db.transaction() as db:
            rows = ((drawing_id, png, _crc(drawing_id, png)) for drawing_id, png in thumbnails)
            db.executemany("INSERT OR REPLACE INTO thumbnail (id, png, crc) VALUES (?, ?, ?)", rows)

    def get(self, drawing_id: str) -> bytes | None:
        """PNG bytes; None for an unknown drawing, and for one whose picture is damaged (see `damaged`)."""
        found = self._db.rows(f"SELECT id, png, {self._crc} FROM thumbnail WHERE id = ?", (drawing_id,))  # noqa: S608
        if found and not _sound(*found[0]):
            _log.warning("The thumbnail of %s is damaged; run patsearch index verify.", drawing_id)
            return None
        return bytes(found[0][1]) if found else None

    def items(self) -> Iterator[tuple[str, bytes]]:
        """Ids and PNG bytes, by id."""
        yield from ((drawing_id, bytes(png)) for drawing_id, png, _ in self._all())

    def damaged(self) -> list[str]:
        """The drawings whose thumbnails differ from their checksum."""
        return [drawing_id for drawing_id, png, crc in self._all() if not _sound(drawing_id, png, crc)]

    def problems(self) -> Iterator[str]:
        """What is wrong, one sentence each: every thumbnail is read."""
        yield from self._db.problems()
        yield from (f"The thumbnail of {drawing_id} differs from its checksum." for drawing_id in self.damaged())

    def add_checksums(self) -> None:
        """To thumbnails that version 0.1.0 stored without."""
        while bare := self._db.rows("SELECT id, png FROM thumbnail WHERE crc IS NULL LIMIT ?", (_PAGE,)):
            self.put((drawing_id, bytes(png)) for drawing_id, png in bare)

    @property
    def _crc(self) -> str:
        return "crc" if self._db.level else "NULL"

    def _all(self) -> Iterator[tuple[Any, ...]]:
        sql = f"SELECT id, png, {self._crc} FROM thumbnail WHERE id > ? ORDER BY id LIMIT ?"  # noqa: S608  own names
        page = self._db.rows(sql, ("", _PAGE))
        while page:
            yield from page
            page = self._db.rows(sql, (page[-1][0], _PAGE))

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


def _crc(drawing_id: str, png: bytes) -> int:
    return zlib.crc32(png, zlib.crc32(drawing_id.encode()))


def _sound(drawing_id: Any, png: Any, crc: Any) -> bool:
    return type(drawing_id) is str and type(png) is bytes and (crc is None or crc == _crc(drawing_id, png))
