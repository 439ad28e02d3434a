"""One writer at a time: a lock that the system drops when its process ends, however it ends."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from patsearch.errors import IndexLocked
from patsearch.files import storage_errors


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
            holder = self._holder.read_text(encoding="ascii").strip()
        who = f"Process {holder}" if holder.isdigit() else "Another process"
        return IndexLocked(
            f"{who} is writing to the index in {self._holder.parent}.",
            hint="Wait until it has finished; reading works meanwhile.",
        )
