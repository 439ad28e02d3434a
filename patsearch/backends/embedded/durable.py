"""Writing so that a crash at any moment leaves the old state or the new one, and errors as ours."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from patsearch.errors import IndexDamaged, IndexLocked, StorageError, UsageError

_FREE_SPACE = "Free some space or check the permissions; what was stored before is intact."


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def fsync_file(path: Path) -> None:
    """Make the bytes of a file durable that another library wrote."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_file(path: Path, data: bytes) -> None:
    """Put `data` in the place of a file, durably and at once."""
    temporary = path.with_name(path.name + ".new")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    fsync_folder(path.parent)


@contextmanager
def mapped_errors(what: str) -> Iterator[None]:
    """Turn errors of the operating system and of SQLite into ours.

    Raises:
        StorageError: full disk, missing permission, failing device.
        IndexDamaged: SQLite finds its file malformed.
        IndexLocked: another process holds the database for too long.
    """
    try:
        yield
    except OSError as error:
        raise StorageError(f"{what}: {error.strerror or error}.", hint=_FREE_SPACE) from error
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        match code:
            case sqlite3.SQLITE_FULL | sqlite3.SQLITE_IOERR | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN:
                raise StorageError(f"{what}: {error}.", hint=_FREE_SPACE) from error
            case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
                raise IndexDamaged(
                    f"{what}: {error}.", hint="Restore the index from a backup, or ingest into a new one."
                ) from error
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                raise IndexLocked(f"{what}: {error}.", hint="Try again when the other process has finished.") from error
        raise


def folder_files(root: Path, *, leave_out: frozenset[str]) -> list[tuple[str, Path]]:
    """All files below a folder by their relative names, but for those names and what SQLite shares in memory."""
    return [
        (path.relative_to(root).as_posix(), path)
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name not in leave_out and not path.name.endswith("-shm")
    ]


def put_folder(files: Path, root: Path) -> None:
    """Move the files of a snapshot to where there is nothing, or an empty folder.

    Raises:
        UsageError: something is there.
    """
    with mapped_errors(f"Restoring {root}"):
        if root.is_dir() and not any(root.iterdir()):
            root.rmdir()
        if root.exists():
            raise UsageError(f"{root} is there already.", hint="Restore into a new folder.")
        root.parent.mkdir(parents=True, exist_ok=True)
        files.rename(root)
        fsync_folder(root.parent)
