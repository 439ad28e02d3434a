"""Walking folders that may hold anything: links that loop, names that are not UTF-8, no permission."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from pathlib import Path

from patsearch.dates import span_of
from patsearch.errors import SourceError
from patsearch.files import printable
from patsearch.ingest.sources.base import Problem, Source

_CHUNK = 1 << 20
_MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder and its files, in natural order (`2.png` before `10.png`).

    Attributes:
        hidden: files and folders in it whose names begin with a dot; they are not read.
    """

    path: Path
    files: tuple[Path, ...]
    hidden: tuple[Path, ...] = ()


def walk(root: Path) -> Iterator[Folder | Problem]:
    """The folders below a root, depth first, in natural order.

    Links to folders are followed, each folder once, so that links in a circle end. What is neither
    file nor folder, and links that lead nowhere, are Problems.
    """
    yield from _walk(root, set(), 0)


def folders_of(source: Source) -> Iterator[Folder | Problem]:
    """The folders that a source reads, with the files that no source before it covers; of a file, its folder."""
    if not source.path.is_dir():
        yield Folder(source.path.parent, (source.path,))
        return
    for folder in walk(source.path):
        if isinstance(folder, Folder) and source.before:
            files = (f for f in folder.files if not any(earlier.covers(f) for earlier in source.before))
            yield Folder(folder.path, tuple(files), folder.hidden)
        else:
            yield folder


def _walk(folder: Path, seen: set[tuple[int, int]], depth: int) -> Iterator[Folder | Problem]:
    try:
        here = folder.stat()
        if (here.st_dev, here.st_ino) in seen:
            return
        seen.add((here.st_dev, here.st_ino))
        entries = sorted(folder.iterdir(), key=natural_key)
    except OSError as error:
        yield Problem(printable(folder), f"cannot be read ({error.strerror or error})")
        return
    files, folders, hidden = [], [], []
    for entry in entries:
        if entry.name.startswith("."):
            hidden.append(entry)
            continue
        try:
            mode = entry.stat().st_mode
        except OSError as error:
            reason = "a link that leads nowhere" if entry.is_symlink() else f"cannot be read ({error.strerror})"
            yield Problem(printable(entry), reason, left_out=1)
            continue
        if stat.S_ISDIR(mode):
            folders.append(entry)
        elif stat.S_ISREG(mode):
            files.append(entry)
        else:
            yield Problem(printable(entry), "neither a file nor a folder", left_out=1)
    yield Folder(folder, tuple(files), tuple(hidden))
    if folders and depth >= _MAX_DEPTH:
        reason = f"folders deeper than {_MAX_DEPTH} levels are left out"
        yield Problem(printable(folder), reason, left_out=sum(map(count_files, folders)))
        return
    for entry in folders:
        yield from _walk(entry, seen, depth + 1)


def count_files(path: Path) -> int:
    """The files below a folder, hidden ones and links too; 1 for what is not a folder, 0 for a link to one."""
    if not path.is_dir():
        return 1
    return 0 if path.is_symlink() else sum(len(files) for _, _, files in os.walk(path))


def holds(path: Path, fits: Callable[[Path], bool], *, most: int) -> bool:
    """Whether a file, or one of those below a folder, fits; looks at up to `most` files and folders."""
    if path.is_file():
        return fits(path)
    seen = 0
    for folder in walk(path):
        if isinstance(folder, Folder):
            if any(fits(file) for file in folder.files):
                return True
            seen += 1 + len(folder.files)
            if seen > most:
                break
    return False


@contextmanager
def readable(where: Path | str) -> Iterator[None]:
    """Raises SourceError, naming the place, where the operating system refuses to read."""
    try:
        yield
    except OSError as error:
        raise SourceError(f"{printable(where)}: cannot be read ({error.strerror or error}).") from error


def natural_key(path: Path | str) -> list[tuple[int, int, str]]:
    """Sort key under which the numbers in names count as numbers."""
    parts = re.split(r"(\d+)", path.name if isinstance(path, Path) else path)
    return [(0, int(p), p) if p.isdecimal() else (1, 0, p.casefold()) for p in parts]


def parse_day(text: str) -> date | None:
    """The day of `20181127`, `2018-11-27` or `2018-11-27 00:00:00`; None for any other text."""
    try:
        first, last = span_of(text)
    except ValueError:
        return None
    return first if first == last else None


def read_file(path: Path, limit: int) -> bytes:
    """The content of a file.

    Raises:
        SourceError: it cannot be read, or holds more than `limit` bytes.
    """
    with readable(path), path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise SourceError(f"{printable(path)}: more than the {limit >> 20} MB allowed.")
    return data


def fingerprint(paths: Sequence[Path]) -> tuple[str, int]:
    """Digest over names and contents of files, and their size in bytes. Costs one reading of each.

    Raises:
        SourceError: a file cannot be read.
    """
    digest, size = blake2b(digest_size=16), 0
    for path in paths:
        part = blake2b(digest_size=16)
        with readable(path), path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                part.update(chunk)
                size += len(chunk)
        # A digest of fixed length after each name: no two lists of files give the same bytes.
        digest.update(os.fsencode(path.name) + b"\0" + part.digest())
    return digest.hexdigest(), size
