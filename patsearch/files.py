"""Files that survive a crash: written whole or not at all, on every platform.

Folders are made durable where the system can do that (Windows cannot open them, and does not need it). A file that
another process has open cannot be replaced or removed on Windows: replacing waits a moment, removing is left for later.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
import time
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from patsearch.errors import StorageError, UsageError

if TYPE_CHECKING:
    import gzip

# What Windows alone raises for a file that somebody has open, and the seconds between attempts to replace one.
IN_USE: tuple[type[OSError], ...] = (PermissionError,) if os.name == "nt" else ()
_WAITS = (0.01, 0.05, 0.2, 1.0)
_seeking = threading.Lock()
_SUM = "sum"


@contextmanager
def storage_errors(doing: str) -> Iterator[None]:
    """Turn errors of the operating system into ours.

    Raises:
        StorageError: full disk, missing permission, failing device.
    """
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{doing}: {error.strerror or error}.",
            hint="Free some space or check the permissions; what was stored before is intact.",
        ) from error


# ---------------------------------------------------------------------- whole or not at all


@contextmanager
def replacing(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """A temporary file in the same folder; at the end it takes the place of `path`, durably and in one step.

    An exception removes the temporary file and leaves `path` as it was.

    Args:
        shared: several processes may write `path` at the same time; each gets its own temporary file.

    Raises:
        OSError: it cannot be written.
    """
    # Fifty letters of a name leave room for the rest of the longest that systems take.
    part = path.with_name(f".{path.name[:50]}.{uuid.uuid4().hex[:12]}.new" if shared else f"{path.name}.new")
    try:
        yield part
        sync_file(part)
        _replace(part, path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_bytes(path: Path, data: bytes, *, shared: bool = False) -> None:
    """Replace the contents of a file, or leave it as it was; arguments as of `replacing`.

    Behind a link, the file that it leads to is replaced. A new file has the permissions of the old one. What is not a
    file (`/dev/stdout`, a pipe) is written to.

    Raises:
        StorageError: it cannot be written.
    """
    with storage_errors(f"Writing {path}"):
        if path.exists() and not path.is_file():
            path.write_bytes(data)
            return
        target = Path(os.path.realpath(path))
        with replacing(target, shared=shared) as part:
            part.write_bytes(data)
            if target.exists():
                shutil.copymode(target, part)


def write_text(path: Path, text: str, *, shared: bool = False) -> None:
    """Like `write_bytes`: UTF-8, with line ends as they are in the text; what UTF-8 cannot hold becomes `?`."""
    write_bytes(path, text.encode(errors="replace"), shared=shared)


def write_output(path: Path, data: bytes | str) -> None:
    """Write a file that the user named, whole or not at all; text in UTF-8. Into a device or pipe it is written.

    Raises:
        StorageError: it cannot be written; what was there before is as it was.
    """
    content = data.encode("utf-8", "backslashreplace") if isinstance(data, str) else data
    if path.exists() and not path.is_file():
        path.write_bytes(content)
    else:
        write_bytes(path.resolve(), content, shared=True)  # not over a link, but where it leads


def at_home(path: Path | str) -> Path:
    """The path, with the home folder instead of `~`.

    Raises:
        UsageError: the system does not know the user or the home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        start = Path(path).parts[0]
        raise UsageError(
            f"No home folder found for {printable(start)}.",
            hint=f"Write the path as it is; a folder of that name is ./{printable(start)}.",
        ) from error


def printable(path: Path | str) -> str:
    """A path as valid text: bytes that are not UTF-8 as `\\xe9`, so that it can be printed and stored."""
    return os.fsencode(path).decode("utf-8", errors="backslashreplace")


def sync_file(path: Path) -> None:
    """Make the bytes of a file durable, whoever wrote them."""
    # Windows flushes only what was opened for writing.
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except (PermissionError, IsADirectoryError):
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems
            raise
    finally:
        os.close(handle)


def _replace(part: Path, path: Path) -> None:
    for wait in _WAITS:
        try:
            part.replace(path)
        except IN_USE:
            time.sleep(wait)
        else:
            return
    part.replace(path)


def read_start(path: Path, most: int) -> bytes:
    """The first `most` bytes of a file, or fewer; raises OSError."""
    with path.open("rb") as file:
        return file.read(most)


def parse_json(text: bytes | str) -> Any:
    """The value of a JSON text from anywhere.

    Raises:
        ValueError: not JSON, or nested deeper than any that patsearch writes.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def sealed(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a JSON object with a checksum of them all, `sum`."""
    return {**fields, _SUM: _sum(fields)}


def check_seal(fields: dict[str, Any]) -> None:
    """Raises ValueError where `sum` differs from the other fields; what has none is not checked."""
    if _SUM in fields and fields[_SUM] != _sum({name: value for name, value in fields.items() if name != _SUM}):
        raise ValueError("it differs from its checksum")


def _sum(fields: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(fields, sort_keys=True).encode())


# ---------------------------------------------------------------------- whole folders


def foreign_entry(root: Path) -> Path | None:
    """What below a folder is not its own file or folder, None if all is: a link that leads out, a device, a pipe.

    The folder itself may be a link.
    """
    home = root.resolve()
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder, name)
            if path.is_symlink():
                if not _within(path, home):
                    return path
            elif name in files and path.exists() and not path.is_file():
                return path
    return None


def _within(path: Path, home: Path) -> bool:
    try:
        return path.resolve(strict=True).is_relative_to(home)
    except (OSError, RuntimeError):  # a loop, or nothing there yet: a writer would make it
        return False


def remove(path: Path) -> None:
    """Remove a file or folder that nothing needs any more; what a reader has open on Windows is left for later."""
    with suppress(*IN_USE):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def new_parents(path: Path) -> Iterator[None]:
    """The folders above a path, made where they are missing; an exception removes those that were made."""
    made = [parent for parent in path.parents if not parent.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with suppress(OSError):
            for parent in made:
                parent.rmdir()
        raise


# ---------------------------------------------------------------------- parts of files


class SmallReads(RawIOBase):
    """A file whose single reads are bounded: `tarfile` reads headers of extensions whole, however large they say.

    A read of more than `MOST` bytes raises ValueError.
    """

    MOST = 1 << 20

    def __init__(self, raw: BinaryIO | gzip.GzipFile) -> None:
        self._raw = raw

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self.MOST:
            raise ValueError(f"the archive states a header of {size} bytes")
        return self._raw.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()


def open_binary(path: Path, *, writable: bool) -> int:
    """A handle for `read_at` and `write_at`; a writable file is made where it is missing."""
    flags = os.O_RDWR | os.O_CREAT if writable else os.O_RDONLY
    return os.open(path, flags | getattr(os, "O_BINARY", 0), 0o644)


def read_at(handle: int, into: memoryview, offset: int) -> int:
    """Fill a buffer from a place in a file, for several threads at once; returns the bytes read."""
    if hasattr(os, "preadv"):
        return os.preadv(handle, [into], offset)
    with _seeking:
        os.lseek(handle, offset, os.SEEK_SET)
        data = os.read(handle, into.nbytes)
    into.cast("B")[: len(data)] = data
    return len(data)


def write_at(handle: int, data: memoryview, offset: int) -> None:
    """Write all of a buffer of bytes to a place in a file."""
    while len(data):
        if hasattr(os, "pwrite"):
            written = os.pwrite(handle, data, offset)
        else:
            with _seeking:
                os.lseek(handle, offset, os.SEEK_SET)
                written = os.write(handle, data)
        data, offset = data[written:], offset + written


def sync_data(handle: int) -> None:
    """Make the bytes of an open file durable."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(handle)
    else:
        os.fsync(handle)
