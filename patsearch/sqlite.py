"""SQLite as the index uses it: durable, several readers and one writer, patsearch's own errors.

A reader needs SQLite's `-shm` file to share a database with a writer. Where it may not make one (another user's
folder, a read-only mount, a full disk), it reads the files by itself, log included, and looks after each query whether
they have changed meanwhile: the answer is then that of one moment, or the query is done again.

The file may come from a stranger or a failing disk: its tables are compared with the expected ones when it is opened,
and a query ends after as many steps as the size of the file explains.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from patsearch import deadline
from patsearch.errors import IndexDamaged, IndexLocked, IndexVersionError, StorageError, UsageError

T = TypeVar("T")
_FileStamp = tuple[int, int, int] | None  # inode, bytes, time of the last change
_Stamp = tuple[_FileStamp, _FileStamp, bool]
_BUSY_SECONDS = 30.0
_ATTEMPTS = (0.01, 0.1, 0.5, 0.5)  # seconds between them
_LONGEST = 1 << 28  # bytes of a text or picture
_TICK = 100_000  # steps of SQLite between two looks at the limits
_STEPS, _STEPS_PER_BYTE = 50_000_000, 100
_UNSHARED = {"posix": "unix-none", "nt": "win32-none"}[os.name]  # SQLite's access to files without locks
_REFUSED = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL)
_DAMAGED = "Restore the index from a backup, or ingest into a new one."
_inherited: list[sqlite3.Connection] = []  # of a process that forked; closing them here would disturb it


@dataclass(frozen=True, slots=True)
class Schema:
    """What a database holds.

    Attributes:
        sql: the statements that made it in version 0.1.0.
        upgrades: what was added since, step by step; a writer adds to an older database what it lacks.
        version: kept in the file's `user_version`; 0 for none.
    """

    sql: str
    upgrades: tuple[str, ...] = ()
    version: int = 0


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
                raise IndexDamaged(f"{path} is damaged: {error}.", hint=_DAMAGED) from error


class Database:
    """One database. Threads take turns; a forked child opens it again to read, and cannot write.

    Args:
        make: a missing one is made by a writer, and empty for a reader; otherwise it is an error.

    Attributes:
        path: the file.
        level: how many of `Schema.upgrades` it has.

    Raises:
        StorageError, IndexLocked, IndexDamaged: as of `database_errors`.
        IndexVersionError: a newer patsearch wrote it.
    """

    _db: sqlite3.Connection
    _pid: int
    _stamp: _Stamp
    _way: Literal["shared", "alone", "empty"]

    def __init__(self, path: Path, schema: Schema, *, read_only: bool, make: bool = True) -> None:
        self.path = path
        self.level = 0
        self._schema, self._read_only, self._make = schema, read_only, make
        self._lock = threading.RLock()
        self._opened, self._failed = 0, False
        self._steps, self._most_steps, self._late = 0, _STEPS, False
        self._open()

    # ------------------------------------------------------------------ use

    def read(self, sql: str, parameters: Sequence[object], parse: Callable[[sqlite3.Cursor], T]) -> T:
        """What `parse` makes of the rows of a query; rows that it cannot understand are damage.

        Raises:
            StorageError, IndexLocked, IndexDamaged: as of `database_errors`.
            TimedOut: the deadline of this context has passed.
        """
        deadline.check()
        self._check_process()
        with self._lock, database_errors(self.path):
            if self._failed:
                self._open()
            for wait in _ATTEMPTS:
                try:
                    result = self._run(sql, parameters, parse)
                except (sqlite3.DatabaseError, IndexDamaged) as error:
                    if not self._reopened_after(error):
                        raise
                else:
                    if self._steady():
                        return result
                time.sleep(wait)
        raise IndexLocked(
            f"{self.path} is being changed, and this user may not make the files that readers share with the writer.",
            hint="Try again when the other process has finished, or read with the rights to write in the folder.",
        )

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self.read(sql, parameters, list)

    def problems(self) -> Iterator[str]:
        """What SQLite finds wrong with the file, one sentence each."""
        for (text,) in self.rows("PRAGMA integrity_check(10)"):
            if text != "ok":
                yield f"{self.path} is malformed: {text}."

    def changes(self) -> tuple[int, int]:
        """Differs when another connection has committed: a cheap test for readers."""
        ((version,),) = self.rows("PRAGMA data_version")
        if self.level < len(self._schema.upgrades):  # a writer may have upgraded it
            with self._lock, database_errors(self.path):
                self.level = self._level_of(_objects(self._db)) or self.level
        return self._opened, int(version)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: committed at the end, rolled back by any exception."""
        self._check_process()
        with self._lock, database_errors(self.path, "Writing"):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def add_function(self, name: str, function: Callable[..., int]) -> None:
        """Let the statements of a writer call a function, whose values depend on its arguments alone."""
        self._db.create_function(name, -1, function, deterministic=True)

    def save(self, path: Path) -> None:
        """Copy it as it is at this moment, without disturbing its users."""
        self._check_process()
        with self._lock, database_errors(path, "Writing"), closing(sqlite3.connect(path)) as copy:
            self._db.backup(copy)

    def close(self) -> None:
        """Twice is fine."""
        with self._lock:
            if self._pid == os.getpid():
                self._db.close()
            else:
                _inherited.append(self._db)

    # ------------------------------------------------------------------ queries

    def _run(self, sql: str, parameters: Sequence[object], parse: Callable[[sqlite3.Cursor], T]) -> T:
        self._steps, self._late = 0, False
        try:
            return parse(self._db.execute(sql, parameters))
        except sqlite3.OperationalError as error:
            if self._late:
                deadline.check()
            if _code(error) == sqlite3.SQLITE_INTERRUPT:
                raise IndexDamaged(
                    f"{self.path} is damaged: a query takes more steps than a file of its size explains.", hint=_DAMAGED
                ) from error
            raise
        except (ValueError, TypeError, LookupError, OverflowError) as error:
            raise IndexDamaged(
                f"{self.path} is damaged: it holds what is not valid ({error}).", hint=_DAMAGED
            ) from error

    def _tick(self) -> int:
        if self._db.in_transaction:
            return 0  # a writer takes the time it needs
        self._steps += _TICK
        self._late = deadline.remaining() == 0
        return self._late or self._steps > self._most_steps

    def _steady(self) -> bool:
        """Whether the answer just read is of one moment; if not, the files are opened again."""
        if self._way == "shared":
            return True
        found = _stamp(self.path)
        if found == self._stamp or found[0] is None:  # a compaction removes what its readers still have open
            return True
        self._open()
        return False

    def _reopened_after(self, error: Exception) -> bool:
        """Whether the query may succeed now: the files had changed under it, or sharing them did not work."""
        if not self._read_only:
            return False
        if self._way != "shared":
            return not self._steady()
        if isinstance(error, sqlite3.DatabaseError) and _code(error) in _REFUSED:
            self._open(share=False)
            return True
        return False

    def _check_process(self) -> None:
        if self._pid == os.getpid():
            return
        if not self._read_only:
            raise UsageError(
                f"{self.path} was opened for writing by process {self._pid}, and this is a child of it.",
                hint="Open the index in the process that uses it.",
            )
        self._lock = threading.RLock()  # another thread of the parent may have held the old one
        _inherited.append(self._db)
        self._open()

    # ------------------------------------------------------------------ opening

    def _open(self, *, share: bool = True) -> None:
        # Closed first: the end of a connection without locks would drop the locks of the next one.
        if self._opened and not self._failed and self._pid == os.getpid():
            self._db.close()
        self._pid, self._failed = os.getpid(), True
        self._opened += 1
        with database_errors(self.path, "Opening"):
            self._stamp = _stamp(self.path)
            self._db, self._way = self._connected(share=share)
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise
        self._failed = False

    def _connected(self, *, share: bool) -> tuple[sqlite3.Connection, Literal["shared", "alone", "empty"]]:
        if not self._read_only:
            return _connect(self.path, "rwc" if self._make else "rw"), "shared"
        if self._make and self._stamp[0] is None:
            return _empty(), "empty"
        if share:
            try:
                db = _connect(self.path, "ro")
                if not self._make or _version(db):
                    return db, "shared"
            except sqlite3.OperationalError as error:
                if _code(error) not in _REFUSED:
                    raise
                if self._make and error.sqlite_errorcode == sqlite3.SQLITE_READONLY_ROLLBACK:
                    return _empty(), "empty"  # databases here have logs, except while they are made: that was cut off
            else:
                db.close()
                return _empty(), "empty"  # its writer is about to fill it
        # Without a log the file is all there is. With one, SQLite keeps its index of the log in this process' memory.
        if not self._stamp[1]:
            db = _connect(self.path, "ro", "immutable=1")
            if not self._make or _version(db):
                return db, "alone"
            db.close()  # whoever was making it was killed before anything was in it
            return _empty(), "empty"
        return _connect(self.path, "ro", f"vfs={_UNSHARED}", before="PRAGMA locking_mode = EXCLUSIVE"), "alone"

    def _prepare(self) -> None:
        db, schema = self._db, self._schema
        self._steps, self._most_steps = 0, _STEPS
        db.set_progress_handler(self._tick, _TICK)
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
        for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "temp_store = MEMORY"):
            db.execute(f"PRAGMA {pragma}")
        if not self._read_only:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")  # a committed transaction survives a power cut
        found = _objects(db)
        if (version := _version(db)) > schema.version:
            raise IndexVersionError(
                f"{self.path} was written by a newer patsearch.", hint="Upgrade: pip install --upgrade patsearch."
            )
        if not found and self._make and version == 0:
            sql = schema.sql + "".join(schema.upgrades)
            db.executescript(f"BEGIN; {sql} PRAGMA user_version = {schema.version}; COMMIT;")
            found = _objects(db)
        level = self._level_of(found)
        if level is None:
            raise IndexDamaged(f"{self.path} is damaged: its tables are not those that patsearch makes.", hint=_DAMAGED)
        if not self._read_only and level < len(schema.upgrades):
            db.executescript(f"BEGIN IMMEDIATE; {''.join(schema.upgrades[level:])} COMMIT;")
            level = len(schema.upgrades)
        self.level = level
        ((pages, size),) = db.execute("SELECT * FROM pragma_page_count, pragma_page_size")
        self._most_steps += _STEPS_PER_BYTE * pages * size

    def _level_of(self, objects: frozenset[tuple[str, str, str]]) -> int | None:
        """How many upgrades made a database with these; None for one that patsearch does not make."""
        sql, upgrades = self._schema.sql, self._schema.upgrades
        levels = range(len(upgrades) + 1)
        return next((n for n in levels if objects == _made_by(sql + "".join(upgrades[:n]))), None)


def _connect(path: Path, mode: Literal["ro", "rw", "rwc"], option: str = "", *, before: str = "") -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{_uri(path)}?mode={mode}&{option}",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=64,
    )
    try:
        connection.execute(before)
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # SQLite opens the file when it reads it
    except BaseException:
        connection.close()
        raise
    return connection


def _empty() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _objects(connection: sqlite3.Connection) -> frozenset[tuple[str, str, str]]:
    """Kind, name and statement of all that a database holds, without SQLite's own."""
    sql = "SELECT type, name, ifnull(sql, '') FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    return frozenset(connection.execute(sql))


@cache
def _made_by(sql: str) -> frozenset[tuple[str, str, str]]:
    with closing(_empty()) as database:
        database.executescript(sql)
        return _objects(database)


def _stamp(path: Path) -> _Stamp:
    """Changes whenever another process writes to a database, or begins to: the file, its log, and whether it is shared.

    A log without content is as good as none.
    """
    log = _file_stamp(path.with_name(f"{path.name}-wal"))
    return _file_stamp(path), log if log and log[1] else None, path.with_name(f"{path.name}-shm").exists()


def _file_stamp(path: Path) -> _FileStamp:
    with suppress(FileNotFoundError, NotADirectoryError):
        status = path.stat()
        return status.st_ino, status.st_size, status.st_mtime_ns
    return None


def _uri(path: Path) -> str:
    """`file:` address of a path; `Path.as_uri` names the host of a Windows share, which SQLite does not accept."""
    text = path.resolve().as_posix()
    return f"file://{'' if text.startswith('/') else '/'}{quote(text, safe='/:')}"


def _code(error: sqlite3.DatabaseError) -> int:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
