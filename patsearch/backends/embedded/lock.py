"""One writer at a time: a POSIX record lock, which the kernel drops when its process dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from patsearch.backends.embedded.durable import mapped_errors
from patsearch.errors import IndexLocked

# Record locks belong to the process: it would pass its own lock, and lose it by closing a second handle.
# (A lock that children inherit would outlive a killed parent.)
_held: set[Path] = set()


class WriterLock:
    """Held from construction until `release`.

    Raises:
        IndexLocked: another process, or another object of this one, is writing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        if self._path in _held:
            raise _locked(self._path, os.getpid())
        with mapped_errors(f"Locking {path}"):
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            holder = os.pread(handle, 32, 0).decode("ascii", "replace").strip()
            os.close(handle)
            raise _locked(self._path, int(holder) if holder.isdigit() else None) from error
        with mapped_errors(f"Locking {path}"):
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._handle: int | None = handle
        _held.add(self._path)

    def release(self) -> None:
        """Let others write. Twice is fine."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
            _held.discard(self._path)


def _locked(path: Path, holder: int | None) -> IndexLocked:
    who = f"Process {holder}" if holder else "Another process"
    return IndexLocked(
        f"{who} is writing to the index in {path.parent}.", hint="Wait until it has finished; reading works meanwhile."
    )
