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

import os
import re
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import ClassVar

from patsearch.errors import SourceError
from patsearch.files import printable
from patsearch.ingest.grant import MAX_XML
from patsearch.ingest.sources import tarball
from patsearch.ingest.sources.base import Problem, Source, Unit, patent_of
from patsearch.ingest.sources.folders import Folder, fingerprint, folders_of, holds, read_file
from patsearch.ingest.sources.grants import GRANT_NAME, IMAGES, SHEET_NAME, TEXTS, GrantFiles, GrantZip, grant_key
from patsearch.ingest.sources.unzip import MAX_ZIP

_WEEK = re.compile(r"^I\d{8}(?:-\w+)?$", re.IGNORECASE)
_GRANT_INSIDE = re.compile(rb"US[A-Z]{0,2}\d{4,11}-\d{8}\b", re.IGNORECASE)
# Lists and definitions next to the grants of an archive, and the supplements in folders.
_ATTACHED = re.compile(r"-SUPP/|(?:^|/)DTDS/|\.(?:dtd|ent|txt|lst|html?)$", re.IGNORECASE)
_LOOK_AT = 20_000  # entries of a folder that `recognises` looks at


class UsptoSource(Source):
    """US grants in the layout of the weekly bulk files, packed or unpacked."""

    name = "uspto"
    looks_for = "weekly archives (I20210105.tar), grant ZIPs or grant XML (USD0907292-20210105.ZIP)"
    precedence: ClassVar[int] = 10
    shares: ClassVar[bool] = True

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
        for folder in folders_of(self):
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
                elif suffix in TEXTS or (suffix == ".zip" and not _supplement(str(file))):
                    keys.add(grant_key(file.name))
            self._take(folder)
        return len(keys)

    def _units(self) -> Iterator[Unit | Problem]:
        for folder in folders_of(self):
            if isinstance(folder, Problem):
                yield folder
                continue
            self._take(folder)
            for file in folder.files:
                if _supplement(str(file)):
                    continue
                if file.name.lower().endswith(tarball.SUFFIXES):
                    yield from _in_tar(file)
                elif file.suffix.lower() == ".zip":
                    yield _in_file(file)
            yield from _loose(folder)

    def _take(self, folder: Folder) -> None:
        packed = (f for f in folder.files if f.name.lower().endswith((".zip", *tarball.SUFFIXES)))
        self.taken.update(file for file in packed if not _supplement(str(file)))
        for xml, images in _texts(folder).items():
            self.taken.update((xml, *images))


def _in_tar(path: Path) -> Iterator[Unit | Problem]:
    found = False
    others: Counter[str] = Counter()
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
        elif not _supplement(member.name) and not _ATTACHED.search(member.name):
            others[PurePosixPath(member.name).suffix.lower() or "no suffix"] += 1
    if found and others:
        counts = ", ".join(f"{suffix}: {count}" for suffix, count in others.most_common(10))
        reason = f"{others.total()} files in this archive are not grant ZIPs and are left out ({counts})"
        yield Problem(printable(path), reason)
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
    for xml, own in _texts(folder).items():
        try:
            digest, size = fingerprint([xml, *own])
        except SourceError as error:
            yield Problem(printable(xml), error.message)
            continue
        origin = printable(xml.name)
        yield GrantFiles(
            key=grant_key(xml.name), fingerprint=digest, origin=origin, size=size, xml=xml, images=tuple(own)
        )


def _texts(folder: Folder) -> dict[Path, list[Path]]:
    """The texts of a folder and the images that belong to each."""
    texts: dict[Path, list[Path]] = {f: [] for f in folder.files if f.suffix.lower() in TEXTS}
    owners = {xml.stem.casefold(): xml for xml in reversed(texts)}
    for file in folder.files if texts else ():
        if file.suffix.lower() in IMAGES:
            # With several texts, a sheet belongs to the one whose name it begins with.
            only = next(iter(texts)) if len(texts) == 1 else None
            owner = owners.get(SHEET_NAME.sub("", file.stem).casefold())
            if owner is None and only is not None and _is_of(file, only):
                owner = only
            if owner is not None:
                texts[owner].append(file)
    return texts


def _is_of(image: Path, xml: Path) -> bool:
    """Whether an image in the folder of one text belongs to it, by its name or because the text names it."""
    owner = SHEET_NAME.sub("", image.stem)
    if GRANT_NAME.match(owner) and GRANT_NAME.match(xml.stem):
        return patent_of(owner) == patent_of(xml.stem)
    if owner != image.stem or image.stem.casefold().startswith(xml.stem.casefold()):
        return True
    try:
        return os.fsencode(image.name).lower() in read_file(xml, MAX_XML).lower()
    except SourceError:
        return False


def _is_grant_zip(name: str) -> bool:
    return name.lower().endswith(".zip") and not _supplement(name)


def _supplement(name: str) -> bool:
    """Whether a file is of the office's supplements: sequence listings, tables, DTDs."""
    stem = PurePosixPath(name).name.upper().removesuffix(".GZ").rpartition(".")[0]
    return stem.endswith("-SUPP") or stem == "DTDS"


def _looks_like_grants(file: Path) -> bool:
    name = file.name.lower()
    if name.endswith(tarball.SUFFIXES):
        return bool(_WEEK.match(file.name.partition(".")[0])) or any(
            isinstance(m, tarball.Member) and GRANT_NAME.match(PurePosixPath(m.name).stem) for m in _first(file)
        )
    if name.endswith((".zip", *TEXTS)):
        if GRANT_NAME.match(file.stem):
            return True
        try:
            with file.open("rb") as opened:
                head = opened.read(4096)
        except OSError:
            return False
        # The first member's name is not packed at the head of a ZIP.
        return (
            b"us-patent-grant" in head
            or b"<PATDOC" in head
            or (head.startswith(b"PK") and bool(_GRANT_INSIDE.search(head)))
        )
    return False


def _first(file: Path) -> Iterator[tarball.Member | Problem]:
    for seen, member in enumerate(tarball.members(file, contents=False)):
        if seen >= _LOOK_AT:
            return
        yield member
