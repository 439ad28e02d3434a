"""USPTO grants with images: weekly archives, folders of them, unpacked folders, single grants.

    I20210105.tar                                     a week, also .tar.gz
      I20210105/DESIGN/USD0907292-20210105.ZIP        a grant
        USD0907292-20210105/USD0907292-20210105.XML
                            USD0907292-20210105-D00000.TIF    the front page's figure
                            USD0907292-20210105-D00001.TIF    the first sheet ...

The utility grants of a week lie beside the designs (`UTIL12448/`), reissues, plants and SIRs too;
`-SUPP` archives (sequence listings, tables) and `DTDS` are passed over. Listing reads each archive
once, to fingerprint the grants in it: about a second a gigabyte from memory, else the disk's pace.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import ClassVar

from patsearch.errors import SourceError
from patsearch.ingest.grant import MAX_XML, Grant, parse_grant
from patsearch.ingest.sources import tarball
from patsearch.ingest.sources.base import Problem, Source, Unit
from patsearch.ingest.sources.folders import Folder, fingerprint, natural_key, printable, read_file, walk
from patsearch.ingest.sources.unzip import MAX_MEMBER, MAX_ZIP, unzip
from patsearch.types import Patent, Sheet

_GRANT = re.compile(r"^(?:US)?[A-Z]{0,2}\d{4,11}(?:[A-Z]\d?)?-\d{8}$", re.IGNORECASE)
_WEEK = re.compile(r"^I\d{8}(?:-\w+)?$", re.IGNORECASE)
# Sheets end in D00001, photographs in P00001; C and M are chemistry and mathematics in the text.
_SHEET = re.compile(r"-(?P<name>[DP]\d{5}(?:-\w+)?)$", re.IGNORECASE)
_IMAGES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
FRONT_PAGE = "D00000"
_LOOK_AT = 2000  # entries of a folder that `recognises` looks at


class UsptoSource(Source):
    """US grants in the layout of the weekly bulk files, packed or unpacked."""

    name = "uspto"
    looks_for = "weekly archives (I20210105.tar), grant ZIPs or grant XML (USD0907292-20210105.ZIP)"
    precedence: ClassVar[int] = 10

    @classmethod
    def recognises(cls, path: Path) -> bool:
        if path.is_file():
            return _looks_like_grants(path)
        seen = 0
        for folder in walk(path):
            if isinstance(folder, Folder):
                if any(_looks_like_grants(file) for file in folder.files):
                    return True
                seen += 1 + len(folder.files)
                if seen > _LOOK_AT:
                    break
        return False

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
            what = f"{len(doubles)} grants are there twice with different content, {doubles[0]} for one"
            yield Problem(printable(self.path), f"{what}; the first of each was read")

    def total(self) -> int | None:
        sizes = self._sizes()
        return None if sizes is None else len(sizes)

    def total_bytes(self) -> int | None:
        sizes = self._sizes()
        return None if sizes is None else sum(sizes)

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

    def _sizes(self) -> list[int] | None:
        """Sizes of the units by their headers; None where an archive is compressed."""
        sizes: dict[str, int] = {}
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
                            sizes.setdefault(_key(member.name), member.size)
                elif suffix == ".xml" or (suffix == ".zip" and not _supplement(str(file))):
                    sizes.setdefault(_key(file.name), file.stat().st_size)
        return list(sizes.values())


@dataclass(frozen=True, kw_only=True)
class GrantZip(Unit):
    """A grant's ZIP: a file, a member of a tar (by its offset), or bytes from a compressed tar."""

    path: Path
    member: str = ""
    offset: int = 0
    data: bytes | None = None

    def load(self) -> Patent:
        where = f"{printable(self.path)}:{self.member}" if self.member else printable(self.path)
        data = self.data if self.data is not None else self._read(where)
        try:
            unpacked = unzip(data, _wanted)
            name = _xml_name(list(unpacked.files), PurePosixPath(self.member or self.path.name).stem)
            if name is None:
                # Say why, where the XML was there and could not be unpacked.
                raise SourceError("; ".join(["no grant XML in it", *unpacked.problems]))
            grant = parse_grant(unpacked.files.pop(name))
        except SourceError as error:
            raise SourceError(f"{where}: {error.message}.") from error
        images = {n: d for n, d in unpacked.files.items() if not n.lower().endswith(".xml")}
        return _with_sheets(grant, images, tuple(unpacked.problems))

    def _read(self, where: str) -> bytes:
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                data = file.read(self.size)
        except OSError as error:
            raise SourceError(f"{where}: cannot be read ({error.strerror or error}).") from error
        if len(data) != self.size:
            raise SourceError(f"{where}: changed or was cut short while it was being read.")
        return data


@dataclass(frozen=True, kw_only=True)
class GrantFiles(Unit):
    """A grant's XML on disk with the sheets that lie beside it, of which there may be none."""

    xml: Path
    images: tuple[Path, ...]

    def load(self) -> Patent:
        data = read_file(self.xml, MAX_XML)
        try:
            grant = parse_grant(data)
        except SourceError as error:
            raise SourceError(f"{printable(self.xml)}: {error.message}.") from error
        wanted = {Path(name).stem.casefold() for name in grant.images}
        images, problems = {}, []
        for path in self.images:
            if _SHEET.search(path.stem) or path.stem.casefold() in wanted:
                try:
                    images[path.name] = read_file(path, MAX_MEMBER)
                except SourceError as error:
                    problems.append(error.message)
        if not images and not problems:
            return grant.patent  # a text without drawings, as the full-text collections have it
        return _with_sheets(grant, images, tuple(problems))


def _with_sheets(grant: Grant, files: dict[str, bytes], problems: tuple[str, ...]) -> Patent:
    """The patent with its sheets: those that the grant names in its order, then others by name."""
    by_stem = {Path(name).stem.casefold(): name for name in sorted(files, key=natural_key, reverse=True)}
    named = [Path(name).stem.casefold() for name in grant.images]
    missing = [name for name, stem in zip(grant.images, named, strict=True) if stem not in by_stem]
    others = (s for s in sorted(by_stem, key=natural_key) if s not in set(named) and _SHEET.search(s))
    sheets = []
    for stem in (*(s for s in named if s in by_stem), *others):
        name = Path(by_stem[stem]).stem
        match = _SHEET.search(name)
        short = match["name"].upper() if match else name
        sheets.append(Sheet(short, files[by_stem[stem]], front_page=short.split("-")[0] == FRONT_PAGE))
    if missing:
        problems += (f"{len(missing)} of {len(named)} sheets are missing: {', '.join(missing[:5])}",)
    sheets.sort(key=lambda sheet: not sheet.front_page)
    return replace(grant.patent, sheets=tuple(sheets), problems=grant.patent.problems + problems)


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
                key=_key(member.name),
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
    return GrantZip(key=_key(path.name), fingerprint=digest, origin=printable(path.name), size=len(data), path=path)


def _loose(folder: Folder) -> Iterator[Unit | Problem]:
    """Grants whose text lies in a folder as a file of its own, with or without sheets beside it."""
    xmls = [f for f in folder.files if f.suffix.lower() == ".xml"]
    images: dict[str, list[Path]] = {}
    for file in folder.files if xmls else ():
        if file.suffix.lower() in _IMAGES:
            # Beside several texts a sheet belongs to the one whose name it begins with.
            owner = xmls[0].stem if len(xmls) == 1 else _SHEET.sub("", file.stem)
            images.setdefault(owner.casefold(), []).append(file)
    for xml in xmls:
        own = images.get(xml.stem.casefold(), [])
        try:
            digest, size = fingerprint([xml, *own])
        except SourceError as error:
            yield Problem(printable(xml), error.message)
            continue
        origin = printable(xml.name)
        yield GrantFiles(key=_key(xml.name), fingerprint=digest, origin=origin, size=size, xml=xml, images=tuple(own))


def _key(name: str) -> str:
    stem = printable(PurePosixPath(name).stem)
    return stem.upper() if _GRANT.match(stem) else stem


def _is_grant_zip(name: str) -> bool:
    return name.lower().endswith(".zip") and not _supplement(name)


def _supplement(name: str) -> bool:
    stem = PurePosixPath(name).stem.upper()
    return stem.endswith("-SUPP") or stem == "DTDS"


def _wanted(name: str) -> bool:
    return name.lower().endswith((".xml", *_IMAGES))


def _xml_name(names: list[str], stem: str) -> str | None:
    """The grant's text among the files of its ZIP: named like the ZIP, else like a grant, else the only one."""
    xmls = [n for n in names if n.lower().endswith(".xml")]
    for fits in (lambda n: Path(n).stem.casefold() == stem.casefold(), lambda n: _GRANT.match(Path(n).stem)):
        if chosen := [n for n in xmls if fits(n)]:
            return chosen[0]
    return xmls[0] if len(xmls) == 1 else None


def _looks_like_grants(file: Path) -> bool:
    name = file.name.lower()
    if name.endswith(tarball.SUFFIXES):
        return bool(_WEEK.match(file.name.partition(".")[0])) or any(
            isinstance(m, tarball.Member) and _GRANT.match(PurePosixPath(m.name).stem) for m in _first(file)
        )
    if name.endswith((".zip", ".xml")):
        if _GRANT.match(file.stem):
            return True
        try:
            with file.open("rb") as opened:
                head = opened.read(4096)
        except OSError:
            return False
        return b"us-patent-grant" in head or (name.endswith(".zip") and head.startswith(b"PK"))
    return False


def _first(file: Path) -> Iterator[tarball.Member | Problem]:
    for seen, member in enumerate(tarball.members(file, contents=False)):
        if seen >= _LOOK_AT:
            return
        yield member
