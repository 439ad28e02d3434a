"""USPTO grants with images: weekly archives, folders of them, unpacked folders, single grants.

    I20210105.tar                                     a week, also .tar.gz
      I20210105/DESIGN/USD0907292-20210105.ZIP        a grant
        USD0907292-20210105/USD0907292-20210105.XML
                            USD0907292-20210105-D00000.TIF    the front page's figure
                            USD0907292-20210105-D00001.TIF    the first sheet ...

The utility grants of a week are next to the designs (`UTIL12448/`), reissues, plants and SIRs too;
`-SUPP` archives (sequence listings, tables) and `DTDS` are passed over. Listing reads each archive
once, to fingerprint the grants in it: about a second a gigabyte from memory, else the disk's pace.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import ClassVar

from patsearch.errors import SourceError
from patsearch.ingest.sources import tarball
from patsearch.ingest.sources.base import Problem, Source, Unit
from patsearch.ingest.sources.folders import Folder, fingerprint, holds, printable, read_file, walk
from patsearch.ingest.sources.grants import GRANT_NAME, IMAGES, SHEET_NAME, GrantFiles, GrantZip, grant_key
from patsearch.ingest.sources.unzip import MAX_ZIP

_WEEK = re.compile(r"^I\d{8}(?:-\w+)?$", re.IGNORECASE)
_GRANT_INSIDE = re.compile(rb"US[A-Z]{0,2}\d{4,11}-\d{8}\b", re.IGNORECASE)
_LOOK_AT = 2000  # entries of a folder that `recognises` looks at


class UsptoSource(Source):
    """US grants in the layout of the weekly bulk files, packed or unpacked."""

    name = "uspto"
    looks_for = "weekly archives (I20210105.tar), grant ZIPs or grant XML (USD0907292-20210105.ZIP)"
    precedence: ClassVar[int] = 10

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return holds(path, _looks_like_grants, most=_LOOK_AT)

    def units(self) -> Iterator[Unit | Problem]:
        seen: dict[str, str] = {}
        doubles: list[str] = []
        for unit in self._units():
            if isinstance(unit, Unit):
                if unit.key in seen:
                    doubles += [unit.key] if seen[unit.key] != unit.fingerprint else []
                    continue
                seen[unit.key] = unit.fingerprint
            yield unit
        if doubles:
            what = f"{len(doubles)} grants occur twice with different content, for example {doubles[0]}"
            yield Problem(printable(self.path), f"{what}; the first of each was read")

    def total(self) -> int | None:
        """Counted by the archives' headers; None where an archive is compressed."""
        keys: set[str] = set()
        for folder in _folders(self.path):
            if isinstance(folder, Problem):
                continue
            for file in folder.files:
                suffix = file.suffix.lower()
                if suffix in (".gz", ".tgz"):
                    return None
                if suffix == ".tar":
                    for member in tarball.members(file, contents=False):
                        if isinstance(member, tarball.Member) and _is_grant_zip(member.name):
                            keys.add(grant_key(member.name))
                elif suffix == ".xml" or (suffix == ".zip" and not _supplement(str(file))):
                    keys.add(grant_key(file.name))
        return len(keys)

    def _units(self) -> Iterator[Unit | Problem]:
        for folder in _folders(self.path):
            if isinstance(folder, Problem):
                yield folder
                continue
            for file in folder.files:
                if file.name.lower().endswith(tarball.SUFFIXES):
                    yield from _in_tar(file)
                elif file.suffix.lower() == ".zip" and not _supplement(str(file)):
                    yield _in_file(file)
            yield from _loose(folder)


def _folders(path: Path) -> Iterator[Folder | Problem]:
    if path.is_dir():
        yield from walk(path)
    else:
        yield Folder(path.parent, (path,))


def _in_tar(path: Path) -> Iterator[Unit | Problem]:
    found = False
    for member in tarball.members(path):
        if isinstance(member, Problem):
            yield member
            found = True
        elif _is_grant_zip(member.name):
            found = True
            yield GrantZip(
                key=grant_key(member.name),
                fingerprint=member.digest,
                origin=printable(path.name),
                size=member.size,
                path=path,
                member=member.name,
                offset=member.offset or 0,
                data=member.data,
            )
    if not found:
        yield Problem(printable(path), "no grant ZIPs in this archive")


def _in_file(path: Path) -> Unit | Problem:
    try:
        data = read_file(path, MAX_ZIP)
    except SourceError as error:
        return Problem(printable(path), error.message)
    digest = blake2b(data, digest_size=16).hexdigest()
    return GrantZip(
        key=grant_key(path.name), fingerprint=digest, origin=printable(path.name), size=len(data), path=path
    )


def _loose(folder: Folder) -> Iterator[Unit | Problem]:
    """Grants whose text is a file in a folder, with or without sheets next to it."""
    xmls = [f for f in folder.files if f.suffix.lower() == ".xml"]
    images: dict[str, list[Path]] = {}
    for file in folder.files if xmls else ():
        if file.suffix.lower() in IMAGES:
            # With several texts, a sheet belongs to the one whose name it begins with.
            owner = xmls[0].stem if len(xmls) == 1 else SHEET_NAME.sub("", file.stem)
            images.setdefault(owner.casefold(), []).append(file)
    for xml in xmls:
        own = images.get(xml.stem.casefold(), [])
        try:
            digest, size = fingerprint([xml, *own])
        except SourceError as error:
            yield Problem(printable(xml), error.message)
            continue
        origin = printable(xml.name)
        yield GrantFiles(
            key=grant_key(xml.name), fingerprint=digest, origin=origin, size=size, xml=xml, images=tuple(own)
        )


def _is_grant_zip(name: str) -> bool:
    return name.lower().endswith(".zip") and not _supplement(name)


def _supplement(name: str) -> bool:
    stem = PurePosixPath(name).stem.upper()
    return stem.endswith("-SUPP") or stem == "DTDS"


def _looks_like_grants(file: Path) -> bool:
    name = file.name.lower()
    if name.endswith(tarball.SUFFIXES):
        return bool(_WEEK.match(file.name.partition(".")[0])) or any(
            isinstance(m, tarball.Member) and GRANT_NAME.match(PurePosixPath(m.name).stem) for m in _first(file)
        )
    if name.endswith((".zip", ".xml")):
        if GRANT_NAME.match(file.stem):
            return True
        try:
            with file.open("rb") as opened:
                head = opened.read(4096)
        except OSError:
            return False
        # The first member's name is not packed at the head of a ZIP.
        return b"us-patent-grant" in head or (head.startswith(b"PK") and bool(_GRANT_INSIDE.search(head)))
    return False


def _first(file: Path) -> Iterator[tarball.Member | Problem]:
    for seen, member in enumerate(tarball.members(file, contents=False)):
        if seen >= _LOOK_AT:
            return
        yield member
