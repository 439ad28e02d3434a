"""The journal of an index: which units (patents of a source) have been ingested.

A unit is written here last, after its vectors, payloads and thumbnails are durable. A run that was
killed therefore finds every finished unit here and does the others again, which changes nothing
where they had been stored already. Which patents it had begun to store, or to delete from, is noted
here first: until they are finished, their drawings and thumbnails may be there or not.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from patsearch.sqlite import Database, Schema

FILE = "journal.sqlite"
_SCHEMA = Schema(
    """
CREATE TABLE unit (
    key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, settings TEXT NOT NULL, patent TEXT NOT NULL,
    drawings INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX unit_patent ON unit (patent);
CREATE TABLE content (one INTEGER PRIMARY KEY CHECK (one = 1), digest TEXT NOT NULL);
INSERT INTO content VALUES (1, '00000000000000000000000000000000');
""",
    (
        """
ALTER TABLE unit ADD COLUMN crc INTEGER;
CREATE TABLE begun (patent TEXT PRIMARY KEY, deed TEXT NOT NULL) WITHOUT ROWID;
""",
    ),
    version=1,
)
Deed = Literal["store", "delete"]
State = Literal["done", "partial", "failed", "deleted", "replaced", "described"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One unit as the journal knows it.

    Attributes:
        key: the unit's identity in any copy of its source.
        fingerprint: digest of its content.
        settings: the ingest options that shape its drawings; and the fingerprint of the unit that the bibliography
            is from, which may be another version of it.
        state: `partial` where a sheet failed, `deleted` where a user removed the patent,
            `replaced` where the same patent came later from another source, `described` where only its
            bibliography was taken from this unit.
    """

    key: str
    fingerprint: str
    settings: str
    patent: str
    drawings: int
    state: State
    reason: str = ""

    def digest(self) -> int:
        text = "\0".join((self.key, self.fingerprint, self.settings, self.patent, str(self.drawings), self.state))
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "big")


class Journal:
    """Entries by unit key, and a digest of them all that does not depend on their order."""

    def __init__(self, index: Path, *, read_only: bool) -> None:
        self._db = Database(index / FILE, _SCHEMA, read_only=read_only)

    def get(self, key: str) -> Entry | None:
        found = self._db.rows(f"{_SELECT} WHERE key = ?", (key,))
        return Entry(*found[0]) if found else None

    def begin(self, patents: Iterable[str], deed: Deed) -> None:
        """Note that drawings of these patents will be stored or deleted; durable on return. `put` ends it."""
        # Storing that was cut off is only done by storing again, whatever is deleted meanwhile.
        sql = """INSERT INTO begun VALUES (?, ?) ON CONFLICT (patent) DO UPDATE SET deed = excluded.deed
                 WHERE excluded.deed = 'store'"""
        with self._db.transaction() as db:
            db.executemany(sql, [(patent, deed) for patent in patents])

    def begun(self) -> dict[str, Deed]:
        """The patents whose storing, or deleting, was begun and did not end: it is under way, or was cut off."""
        return dict(self._db.rows("SELECT patent, deed FROM begun ORDER BY patent")) if self._db.level else {}

    def put(self, entries: Iterable[Entry], *, done: Iterable[str] = ()) -> None:
        """Insert or replace; durable on return.

        Args:
            done: the patents of which `begin` was said.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._db.transaction() as db:
            digest = int(self.digest(), 16)
            for entry in entries:
                old = self.get(entry.key)
                # XOR makes the digest independent of the order in which units were ingested.
                digest ^= entry.digest() ^ (old.digest() if old else 0)
                values = (entry.key, entry.fingerprint, entry.settings, entry.patent, entry.drawings, entry.state,
                          entry.reason, now)  # fmt: skip
                db.execute(
                    f"INSERT OR REPLACE INTO unit ({_COLUMNS}, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                    (*values, _crc(values)),
                )
            db.executemany("DELETE FROM begun WHERE patent = ?", [(patent,) for patent in done])
            db.execute("UPDATE content SET digest = ?", (f"{digest:032x}",))

    def of_patent(self, patent: str) -> list[Entry]:
        return [Entry(*row) for row in self._db.rows(f"{_SELECT} WHERE patent = ? ORDER BY key", (patent,))]

    def of_registration(self, number: str) -> list[Entry]:
        """The units of the designs of a registration: those with its number and their place behind it as key."""
        # The sign behind the hyphen is the dot.
        rows = self._db.rows(f"{_SELECT} WHERE key > ? AND key < ? ORDER BY key", (f"{number}-", f"{number}."))
        return [Entry(*row) for row in rows]

    def forget_drawings(self, patents: Iterable[str], left: Callable[[str], int]) -> None:
        """Take note that drawings of these patents were deleted; `left` says how many remain."""
        changed: list[Entry] = []
        done: list[str] = []
        begun = self.begun()
        for patent in sorted(set(patents)):
            remaining = left(patent)
            if not remaining or begun.get(patent) == "delete":
                done.append(patent)
            changed += [
                replace(entry, drawings=remaining, state=entry.state if remaining else "deleted")
                for entry in self.of_patent(patent)
                if entry.state in ("done", "partial")
            ]
        self.put(changed, done=done)

    def entries(self) -> list[Entry]:
        """All of them, by key."""
        return [Entry(*row) for row in self._db.rows(f"{_SELECT} ORDER BY key")]

    def save(self, path: Path) -> None:
        """A copy of the whole journal as it is now, in a new file."""
        self._db.save(path)

    def counts(self) -> dict[str, int]:
        """Number of units in each state."""
        return dict(self._db.rows("SELECT state, count(*) FROM unit GROUP BY state ORDER BY state"))

    def last(self) -> str:
        """When a unit was written last, in UTC (ISO 8601); "" for an empty journal."""
        ((at,),) = self._db.rows("SELECT max(at) FROM unit WHERE state IN ('done', 'partial', 'described')")
        return str(at or "")

    def drawings(self) -> dict[str, int]:
        """Drawings by patent that the journal says are stored."""
        query = "SELECT patent, sum(drawings) FROM unit WHERE state IN ('done', 'partial') GROUP BY patent"
        return dict(self._db.rows(query))

    def digest(self) -> str:
        """Digest of all entries: two indexes of the same content agree, however they came about."""
        ((digest,),) = self._db.rows("SELECT digest FROM content")
        return str(digest)

    def problems(self) -> Iterator[str]:
        """What is wrong, one sentence each: rows that differ from their checksum, or all from their digest."""
        yield from self._db.problems()
        crc = "crc" if self._db.level else "NULL"
        digest = 0
        for *values, found in self._db.rows(f"SELECT {_COLUMNS}, {crc} FROM unit"):  # noqa: S608  own names
            if found not in (None, _crc(values)) or bytes in map(type, values):  # SQLite has no fixed types
                yield f"The journal's entry of {values[0]!r} differs from its checksum."
                continue
            digest ^= Entry(*values[:7]).digest()
        if f"{digest:032x}" != self.digest():
            yield "The journal's entries differ from their digest."

    def add_checksums(self) -> None:
        """To entries that version 0.1.0 made without."""
        bare = self._db.rows(f"SELECT {_COLUMNS} FROM unit WHERE crc IS NULL")  # noqa: S608  own names
        with self._db.transaction() as db:
            db.executemany("UPDATE unit SET crc = ? WHERE key = ?", [(_crc(values), values[0]) for values in bare])

    def close(self) -> None:
        self._db.close()


_COLUMNS = "key, fingerprint, settings, patent, drawings, state, reason, at"
_SELECT = f"SELECT {_COLUMNS.removesuffix(', at')} FROM unit"  # noqa: S608  own names


def _crc(values: Sequence[object]) -> int:
    """The checksum of an entry as it is stored."""
    return zlib.crc32("\0".join(map(str, values)).encode())
