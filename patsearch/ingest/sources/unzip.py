"""Reading a grant's ZIP without trusting it: bounds on everything, nothing written to disk.

Member names serve as keys of a dictionary alone, so a name with `..` can do no harm; such a member
is left out and named all the same. A ZIP within the ZIP is not opened.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import PurePosixPath

from patsearch.errors import SourceError

MAX_ZIP = 512 << 20  # bytes of one grant's ZIP
MAX_MEMBERS = 20_000
MAX_MEMBER = 64 << 20  # bytes of one file unpacked: a sheet takes 5 to 100 KB, a text rarely 10 MB
MAX_TOTAL = 1 << 30
MAX_SHOWN = 200  # characters of a name or a reason in a message
MAX_RATIO = 500  # unpacked to packed, of members beyond the size below: deflate ends at 1,032
_RATIO_FROM = 16 << 20
_ENTRY = b"PK\x01\x02"  # begins each entry of a ZIP's directory
_ENCRYPTED = 0x1
# What zipfile and zlib raise at damage, in addition to their own errors.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    ValueError,
    OverflowError,
    OSError,
    struct.error,
)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(slots=True)
class Unpacked:
    """The files of a ZIP by base name, and what was wrong with others.

    Attributes:
        files: base name (without folders) -> content.
        problems: one line for each member that was wanted and could not be read.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def unzip(data: bytes, wanted: Callable[[str], bool]) -> Unpacked:
    """The wanted files of a ZIP in memory.

    Args:
        wanted: base name -> whether to unpack it.

    Raises:
        SourceError: not a ZIP, damaged beyond reading, or beyond the bounds; without the file's name.
    """
    # zipfile reads the whole directory at once, so its length is bounded before.
    if len(data) > MAX_ZIP or data.count(_ENTRY) > MAX_MEMBERS:
        raise SourceError(f"too large for a grant: {len(data)} bytes, {data.count(_ENTRY)} members")
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            return _members(archive, wanted)
    except DAMAGE as error:
        raise SourceError(f"not a readable ZIP ({str(error)[:MAX_SHOWN]})") from error


def _members(archive: zipfile.ZipFile, wanted: Callable[[str], bool]) -> Unpacked:
    result = Unpacked()
    total = 0
    for info in archive.infolist():
        if info.filename.endswith("/"):
            continue
        name = PurePosixPath(info.filename).name
        if reason := fault(info):
            result.problems.append(f"{info.filename[:MAX_SHOWN]!r}: {reason}; left out")
            continue
        if not wanted(name):
            continue
        total += info.file_size
        if total > MAX_TOTAL:
            raise SourceError(f"unpacks to more than {MAX_TOTAL >> 20} MB")
        try:
            with archive.open(info) as member:
                result.files[name] = member.read(MAX_MEMBER)
        except (*DAMAGE, RuntimeError) as error:
            result.problems.append(f"{name[:MAX_SHOWN]}: damaged ({str(error)[:MAX_SHOWN]})")
    return result


def fault(info: zipfile.ZipInfo, *, most: int = MAX_MEMBER) -> str | None:
    """Why a member must not be unpacked; None if it may be.

    Args:
        most: bytes that it may have unpacked.
    """
    # zipfile cuts names at a NUL and turns backslashes on Windows only; judge what the archive says.
    name = info.orig_filename.replace("\\", "/")
    if not PurePosixPath(name).name:
        return "no name"
    if name.startswith("/") or ".." in name.split("/") or ":" in name or not name.isprintable():
        return "a name that leads out of the archive"
    if name.lower().endswith((".zip", ".tar", ".gz", ".tgz")):
        return "an archive within the archive"
    if info.flag_bits & _ENCRYPTED:
        return "encrypted"
    if info.compress_type not in _METHODS:
        return "packed by a method that grants do not use"
    if info.file_size > most:
        return f"unpacks to {info.file_size >> 20} MB, more than the {most >> 20} MB allowed"
    if info.file_size > _RATIO_FROM and info.file_size > MAX_RATIO * info.compress_size:
        return f"unpacks to {info.file_size // max(info.compress_size, 1)} times its size"
    return None
