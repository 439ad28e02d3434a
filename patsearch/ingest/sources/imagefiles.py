"""A patent made of image files: the unit that the DeepPatent layout and image folders share."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

from patsearch.errors import SourceError
from patsearch.ingest.sources.base import Problem, Unit
from patsearch.ingest.sources.folders import fingerprint, read_file
from patsearch.ingest.sources.unzip import MAX_MEMBER
from patsearch.types import Patent, Sheet

SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".j2k", ".jpx", ".tif", ".tiff", ".btf", ".tf8", ".gif", ".bmp",
    ".webp", ".avif", ".heic", ".heif", ".svg",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SheetFile:
    """One sheet in its own file."""

    path: Path
    name: str
    front_page: bool = False


@dataclass(frozen=True, kw_only=True)
class PatentFiles(Unit):
    """A patent whose data are known and whose sheets are files.

    Attributes:
        patent: the data, without sheets.
        files: its sheets in page order.
    """

    patent: Patent
    files: tuple[SheetFile, ...]

    def known(self) -> Patent:
        return self.patent

    def load(self) -> Patent:
        sheets, problems = [], []
        for file in self.files:
            try:
                data = read_file(file.path, MAX_MEMBER)
            except SourceError as error:
                problems.append(error.message)
            else:
                sheets.append(Sheet(file.name, data, file.front_page))
        if not sheets:
            raise SourceError(problems[0] if problems else f"{self.key}: no sheets.")
        return replace(self.patent, sheets=tuple(sheets), problems=self.patent.problems + tuple(problems))


def sheet_names(names: list[str]) -> list[str]:
    """Names made safe for a URL or file name, as the ids of drawings have to be, and unique."""
    safe: list[str] = []
    taken: set[str] = set()
    for name in names:
        base = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "sheet"
        unique, n = base, 1
        while unique in taken:
            n += 1
            unique = f"{base}-{n}"
        taken.add(unique)
        safe.append(unique)
    return safe


def patent_files(key: str, patent: Patent, files: list[SheetFile], origin: str) -> Unit | Problem:
    """The unit of a patent; its fingerprint covers its data as well as its files."""
    try:
        content, size = fingerprint([file.path for file in files])
    except SourceError as error:
        return Problem(key, error.message)
    names = [file.name for file in files]
    digest = blake2b(f"{content} {patent.described()} {names}".encode(), digest_size=16).hexdigest()
    return PatentFiles(key=key, fingerprint=digest, origin=origin, size=size, patent=patent, files=tuple(files))
