"""Files that an office delivers in folders or in ZIPs: listed cheaply, read where they are, never unpacked to disk."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from patsearch.errors import SourceError
from patsearch.files import printable
from patsearch.ingest.sources.base import Problem
from patsearch.ingest.sources.folders import readable
from patsearch.ingest.sources.unzip import DAMAGE, fault

_CHUNK = 1 << 20
_LARGEST_DIRECTORY = 256 << 20  # bytes of a ZIP's table of contents: two million files
_TAIL = 65_557  # bytes at the end of a ZIP in which its last record is
_END, _LOCAL = b"PK\x05\x06", b"PK\x03\x04"
_MOST_TOLD = 5


@dataclass(frozen=True, slots=True)
class Stored:
    """A file on disk, or a member of a ZIP.

    Attributes:
        path: of the file, or of the ZIP.
        member: its name in the ZIP, "" for a file on disk.
        offset, packed, method: where its bytes are in the ZIP, how many, and how they are packed.
        size: bytes unpacked.
        crc: its checksum in the ZIP; 0 for a file on disk.
    """

    path: Path
    member: str = ""
    offset: int = 0
    packed: int = 0
    method: int = 0
    size: int = 0
    crc: int = 0

    @property
    def name(self) -> PurePosixPath:
        """Its name in the ZIP, or its path."""
        return PurePosixPath(self.member.replace("\\", "/") if self.member else self.path.as_posix())

    @property
    def where(self) -> str:
        """For messages."""
        return printable(self.path) + (f": {self.member}" if self.member else "")

    def chunks(self, limit: int) -> Iterator[bytes]:
        """Its content.

        Raises:
            SourceError: it cannot be read, is damaged, or has more than `limit` bytes.
        """
        total = crc = 0
        with readable(self.where):
            for chunk in self._member() if self.member else self._file():
                total += len(chunk)
                crc = zlib.crc32(chunk, crc)
                if total > limit:
                    raise SourceError(f"{self.where}: more than the {limit >> 20} MB allowed.")
                yield chunk
        if self.member and (total, crc) != (self.size, self.crc):
            raise SourceError(f"{self.where}: damaged (its checksum in the ZIP differs).")

    def read(self, limit: int) -> bytes:
        """Its content at once; errors as of `chunks`."""
        return b"".join(self.chunks(limit))

    def head(self, length: int) -> bytes:
        """Its first bytes, up to `length`; nothing of what cannot be read."""
        try:
            if not self.member:
                with self.path.open("rb") as file:
                    return file.read(length)
            return next(self._member(min(length, _CHUNK)), b"")
        except (OSError, SourceError):
            return b""

    def checksum(self, limit: int) -> str:
        """Eight hex digits of the content; a file on disk is read for it. Errors as of `chunks`."""
        crc = self.crc
        if not self.member:
            for chunk in self.chunks(limit):
                crc = zlib.crc32(chunk, crc)
        return f"{crc:08x}"

    def _file(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk

    def _member(self, most: int = _CHUNK) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            file.seek(self.offset)
            head = file.read(30)
            if len(head) < 30 or not head.startswith(_LOCAL):
                raise SourceError(f"{self.where}: damaged (the ZIP does not have it where it says).")
            file.seek(self.offset + 30 + sum(struct.unpack("<HH", head[26:30])))
            unpack = zlib.decompressobj(-15) if self.method == zipfile.ZIP_DEFLATED else None
            left = self.packed
            while left and (packed := file.read(min(most, left))):
                left -= len(packed)
                if unpack is None:
                    yield packed
                    continue
                try:
                    # What is packed a thousand times must not be unpacked at once.
                    yield unpack.decompress(packed, most)
                    while unpack.unconsumed_tail:
                        yield unpack.decompress(unpack.unconsumed_tail, most)
                except zlib.error as error:
                    raise SourceError(f"{self.where}: damaged ({error}).") from error
            if unpack is not None:
                yield unpack.flush()


def members(path: Path, *, most: int) -> Iterator[Stored | Problem]:
    """The files in a ZIP, in the ZIP's order; those that must not be unpacked are in a Problem.

    Args:
        most: bytes that a member may have unpacked.
    """
    where = printable(path)
    try:
        with readable(path):
            _check_directory(path)
            with zipfile.ZipFile(path) as archive:
                infos = archive.infolist()
    except SourceError as error:
        yield Problem(where, error.message.removeprefix(f"{where}: "))
        return
    except DAMAGE as error:
        yield Problem(where, f"not a readable ZIP ({str(error)[:200]})")
        return
    refused: list[str] = []
    for info in infos:
        if info.filename.endswith("/") or PurePosixPath(info.filename).name.startswith("."):
            continue
        if reason := fault(info, most=most):
            refused.append(f"{info.filename[:100]!r} ({reason})")
            continue
        yield Stored(
            path, info.filename, info.header_offset, info.compress_size, info.compress_type, info.file_size, info.CRC
        )
    if refused:
        more = f" and {len(refused) - _MOST_TOLD} more" if len(refused) > _MOST_TOLD else ""
        yield Problem(where, f"{len(refused)} files in this ZIP are left out: {', '.join(refused[:_MOST_TOLD])}{more}")


def _check_directory(path: Path) -> None:
    """zipfile reads the whole table of contents at once, so its length is bounded before."""
    with path.open("rb") as file:
        length = file.seek(0, 2)
        file.seek(max(0, length - _TAIL))
        tail = file.read()
    place = tail.rfind(_END)
    if place < 0 or len(tail) < place + 16:
        return  # zipfile says what is wrong
    size = int.from_bytes(tail[place + 12 : place + 16], "little")
    if size > _LARGEST_DIRECTORY:
        raise SourceError(f"its table of contents takes {size >> 20} MB, more than {_LARGEST_DIRECTORY >> 20}")
