"""Streaming through a tar: one member after the other, never unpacked, never trusted.

`tarfile` ends silently at a header that it cannot read and at the end of a file cut between two
members. A reader that remembers the last block distinguishes both from a proper end.
"""

from __future__ import annotations

import gzip
import struct
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from patsearch.errors import SourceError
from patsearch.files import SmallReads, printable
from patsearch.ingest.sources.base import Problem
from patsearch.ingest.sources.unzip import MAX_ZIP

SUFFIXES = (".tar", ".tar.gz", ".tgz")
_GZIP_MAGIC = b"\x1f\x8b"
_DAMAGE = (tarfile.TarError, EOFError, zlib.error, OSError, ValueError, OverflowError, struct.error, RecursionError)


@dataclass(frozen=True, slots=True)
class Member:
    """One file in a tar.

    Attributes:
        offset: where its content begins in the tar, None where the tar is compressed.
        data: its content where the tar is compressed, since it cannot be read again; else None.
        digest: hex digest of its content; empty where contents were not read.
    """

    name: str
    size: int
    offset: int | None
    data: bytes | None
    digest: str


def members(path: Path, *, contents: bool = True) -> Iterator[Member | Problem]:
    """The files of a tar or tar.gz in order; a damaged archive yields its good part, then a Problem.

    Args:
        contents: read each member to fingerprint it; without, only headers are read.
    """
    where = printable(path)
    try:
        with path.open("rb") as plain:
            packed = plain.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
            plain.seek(0)
            with gzip.open(plain) if packed else plain as raw:
                yield from _members(where, _Reader(raw), packed, contents)
    except _DAMAGE as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        yield Problem(where, f"the archive cannot be read on from here: {reason}")
    except SourceError as error:
        yield Problem(where, error.message)


def _members(where: str, raw: _Reader, packed: bool, contents: bool) -> Iterator[Member | Problem]:
    before = -1
    with tarfile.open(fileobj=raw, mode="r:") as tar:
        while (info := tar.next()) is not None:
            tar.members.clear()  # type: ignore[attr-defined]  # or it would hold every header of the archive
            if tar.offset <= before:
                raise SourceError("the archive leads back into itself")
            before = tar.offset
            if info.isdir():
                continue
            name = printable(info.name)
            if not info.isreg() or info.issparse():
                yield Problem(f"{where}:{name}", "a link or device, not a file; left out")
                continue
            if not 0 <= info.size <= MAX_ZIP:
                yield Problem(f"{where}:{name}", f"{info.size} bytes, too large for a grant; left out")
                if packed:
                    raise SourceError("cannot pass over a member of that size in a compressed archive")
                continue
            data, digest = _content(raw, info, keep=packed) if contents else (None, "")
            yield Member(name, info.size, None if packed else info.offset_data, data, digest)
    if not raw.last:
        yield Problem(where, "the archive ends without its end mark: it was probably cut short")
    elif raw.last.strip(b"\0"):
        yield Problem(where, f"the archive is damaged behind byte {before}; what follows cannot be read")


def _content(raw: _Reader, info: tarfile.TarInfo, *, keep: bool) -> tuple[bytes | None, str]:
    raw.seek(info.offset_data)
    left, digest, kept = info.size, blake2b(digest_size=16), []
    while left:
        chunk = raw.read(min(left, SmallReads.MOST))
        if not chunk:
            raise SourceError(f"the archive ends within {printable(info.name)}: it was cut short")
        left -= len(chunk)
        digest.update(chunk)
        if keep:
            kept.append(chunk)
    return (b"".join(kept) if keep else None), digest.hexdigest()


class _Reader(SmallReads):
    """A file that remembers the last block read."""

    last = b""

    def read(self, size: int = -1) -> bytes:
        self.last = super().read(size)
        return self.last
