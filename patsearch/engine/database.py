"""SQLite as journal and thumbnails use it: durable, several readers beside one writer."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from patsearch.errors import IndexDamaged, IndexVersionError, StorageError


def open_database(path: Path, schema: str, *, version: int, read_only: bool) -> sqlite3.Connection:
    """Open, and make where it is missing; `version` is kept in the file's user_version.

    A reader of a database that is not there yet, or that its writer is about to fill, gets an empty one in memory.
    """
    with storage_errors(path):
        if not read_only:
            connection = sqlite3.connect(path, timeout=30)
        elif path.exists():
            connection = _open_to_read(path)
        else:
            connection = _nothing_yet()
        try:
            if not read_only:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")  # an acknowledged unit survives a power cut
            found = _version(connection)
            if read_only and found == 0:
                connection.close()
                connection = _nothing_yet()
            if found > version:
                raise IndexVersionError(
                    f"{path} was written by a newer patsearch.", hint="Upgrade: pip install --upgrade patsearch."
                )
            if found == 0:
                connection.executescript(schema)
                connection.execute(f"PRAGMA user_version = {int(version)}")
                connection.commit()
        except BaseException:
            connection.close()
            raise
    return connection


def save_database(database: sqlite3.Connection, path: Path) -> None:
    """Copy a database as it is at this moment, without disturbing who uses it."""
    with storage_errors(path):
        copy = sqlite3.connect(path)
        try:
            database.backup(copy)
        finally:
            copy.close()


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours: a full or read-only disk, a damaged file."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        text = str(error)
        if isinstance(error, sqlite3.OperationalError):
            raise StorageError(
                f"Cannot read or write {path}: {text}.",
                hint="Check the free space and the permissions, then run again.",
            ) from error
        raise IndexDamaged(f"{path} is damaged: {text}.", hint="Run patsearch index verify.") from error


def _nothing_yet() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", check_same_thread=False)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _open_to_read(path: Path) -> sqlite3.Connection:
    address = f"{path.resolve().as_uri()}?mode=ro"
    connection = sqlite3.connect(address, uri=True, timeout=30, check_same_thread=False)
    try:
        _version(connection)
    except sqlite3.OperationalError as error:
        connection.close()
        # A folder that may not be written to has no room for the files that readers and writer share.
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        connection = sqlite3.connect(f"{address}&immutable=1", uri=True, check_same_thread=False)
    return connection
