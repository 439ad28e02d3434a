"""SQLite as the index uses it: durable, several readers and one writer, patsearch's own errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from patsearch.errors import IndexDamaged, IndexLocked, IndexVersionError, StorageError

_BUSY_SECONDS = 30.0
_ANY_VERSION = "PRAGMA schema_version"  # reads the file's header and no table


@contextmanager
def database_errors(path: Path, doing: str = "Reading") -> Iterator[None]:
    """Turn SQLite's errors into ours, which name the file.

    Raises:
        StorageError: full disk, missing permission, failing device.
        IndexLocked: another process holds the database for too long.
        IndexDamaged: the file is malformed.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        match _code(error):
            case sqlite3.SQLITE_FULL | sqlite3.SQLITE_IOERR | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN:
                raise StorageError(
                    f"{doing} {path}: {error}.",
                    hint="Free some space or check the permissions; what was stored before is intact.",
                ) from error
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                raise IndexLocked(
                    f"{doing} {path}: {error}.", hint="Try again when the other process has finished."
                ) from error
            case _:
                raise IndexDamaged(
                    f"{path} is damaged: {error}.", hint="Restore the index from a backup, or ingest into a new one."
                ) from error


def connect(path: Path, mode: Literal["ro", "rw", "rwc"], *, autocommit: bool = False) -> sqlite3.Connection:
    """Open a database; the caller closes it. Several threads may share it if they take turns.

    A folder that may not be written to has no room for the files that readers and writer share: its databases are
    read as files that nobody changes.

    Args:
        mode: `ro` to read, `rw` to write, `rwc` to make it where it is missing.
        autocommit: the caller begins and ends transactions.

    Raises:
        sqlite3.DatabaseError: it cannot be opened; see `database_errors`.
    """
    try:
        return _opened(f"{_uri(path)}?mode={mode}", autocommit)
    except sqlite3.OperationalError as error:
        if mode != "ro" or _code(error) not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
    return _opened(f"{_uri(path)}?mode=ro&immutable=1", autocommit)


def open_database(path: Path, schema: str, *, version: int, read_only: bool) -> sqlite3.Connection:
    """Open a database of a known schema, whose version is in the file's `user_version`; a writer makes it.

    A reader of a database that is missing, or that its writer is about to fill, gets an empty one in memory.

    Raises:
        StorageError, IndexLocked, IndexDamaged: as of `database_errors`.
        IndexVersionError: a newer patsearch wrote it.
    """
    with database_errors(path, "Opening"):
        connection = _open_or_make(path, read_only=read_only)
        try:
            found = _version(connection)
            if found == 0 and read_only:
                connection.close()
                connection = _empty()
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
    """Copy a database as it is at this moment, without disturbing its users."""
    with database_errors(path, "Writing"), closing(sqlite3.connect(path)) as copy:
        database.backup(copy)


def _open_or_make(path: Path, *, read_only: bool) -> sqlite3.Connection:
    if read_only:
        return connect(path, "ro") if path.exists() else _empty()
    connection = connect(path, "rwc")
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # a committed transaction survives a power cut
    except BaseException:
        connection.close()
        raise
    return connection


def _opened(uri: str, autocommit: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri,
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None if autocommit else "DEFERRED",
        check_same_thread=False,
        cached_statements=64,
    )
    try:
        connection.execute(_ANY_VERSION).fetchone()  # SQLite opens the file with the first statement
    except BaseException:
        connection.close()
        raise
    return connection


def _empty() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", check_same_thread=False)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _uri(path: Path) -> str:
    """`file:` address of a path; `Path.as_uri` names the host of a Windows share, which SQLite does not accept."""
    text = path.resolve().as_posix()
    return f"file://{'' if text.startswith('/') else '/'}{quote(text, safe='/:')}"


def _code(error: sqlite3.DatabaseError) -> int:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
