"""One writer at a time: a lock that the system drops when its process ends, however it ends."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from patsearch.errors import IndexLocked
from patsearch.files import read_start, storage_errors

_SCRATCH_LOCK = ".lock"
_UNLOCKED_SECONDS = 600  # by then, whoever made a scratch folder has locked it, or is dead


class WriterLock:
    """Held from construction until `release`.

    The number of the holder's process is in a second file, `NAME.pid` for `NAME.lock`: Windows lets nobody read a
    locked one.

    Raises:
        IndexLocked: another process, or another object of this one, is writing.
    """

    def __init__(self, path: Path) -> None:
        # Released by whichever thread closes the index.
        self._lock = FileLock(path.resolve(), thread_local=False)
        self._holder = path.resolve().with_suffix(".pid")
        with storage_errors(f"Locking {path}"):
            try:
                self._lock.acquire(blocking=False)
            except Timeout as error:
                raise self._held() from error
        with suppress(OSError):  # on a full disk, what frees space must not need any
            self._holder.write_text(f"{os.getpid()}\n", encoding="ascii")

    def release(self) -> None:
        """Let others write. Releasing twice is fine."""
        if self._lock.is_locked:
            with suppress(OSError):
                self._holder.unlink()
            self._lock.release()

    def _held(self) -> IndexLocked:
        holder = ""
        with suppress(OSError, ValueError):
            holder = read_start(self._holder, 20).decode("ascii").strip()
        who = f"Process {holder}" if holder.isdigit() else "Another process"
        return IndexLocked(
            f"{who} is writing to the index in {self._holder.parent}.",
            hint="Wait until it has finished; reading works meanwhile.",
        )


@contextmanager
def scratch_folder(target: Path, kind: str) -> Iterator[Path]:
    """A folder next to `target`, for its parts until they are moved into place; removed at the end.

    What killed runs have left there is removed first: they no longer hold the lock of theirs.

    Raises:
        StorageError: it cannot be made.
    """
    parent, prefix = target.resolve().parent, f".{kind}-"
    for left in parent.glob(f"{prefix}*"):
        if left.is_dir() and not left.is_symlink():
            _remove_abandoned(left)
    with storage_errors(f"Writing {target}"):
        folder = parent / f"{prefix}{uuid.uuid4().hex[:12]}"
        folder.mkdir()
    lock = FileLock(folder / _SCRATCH_LOCK, thread_local=False)
    try:
        with storage_errors(f"Writing {target}"):
            lock.acquire(blocking=False)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)  # Windows keeps a locked file


def _remove_abandoned(folder: Path) -> None:
    with suppress(OSError, Timeout):
        if not (folder / _SCRATCH_LOCK).exists():
            if time.time() - folder.stat().st_mtime > _UNLOCKED_SECONDS:
                shutil.rmtree(folder)
            return
        with FileLock(folder / _SCRATCH_LOCK, blocking=False):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
