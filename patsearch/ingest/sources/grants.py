"""The two packings of a grant: a ZIP (in a tar or by itself), and files in a folder."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from patsearch.errors import SourceError
from patsearch.files import printable
from patsearch.ingest.grant import MAX_XML, Grant, parse_grant
from patsearch.ingest.sources.base import Unit
from patsearch.ingest.sources.folders import natural_key, read_file, readable
from patsearch.ingest.sources.imagefiles import SUFFIXES, sheet_names
from patsearch.ingest.sources.unzip import MAX_MEMBER, Unpacked, unzip
from patsearch.types import Patent, Sheet

GRANT_NAME = re.compile(r"^(?:US)?[A-Z]{0,2}\d{4,11}(?:[A-Z]\d?)?-\d{8}$", re.IGNORECASE)
# Sheets end in D00001, photographs in P00001; C and M are chemistry and mathematics in the text.
SHEET_NAME = re.compile(r"-(?P<name>[DP]\d{5}(?:-[A-Z0-9]+)?)$", re.IGNORECASE)
TEXTS = (".xml", ".sgm", ".sgml")
_IN_TEXT = re.compile(r"-[CM]\d{5}", re.IGNORECASE)
MAX_TOLD = 5  # problems in one message
# Chemistry and mathematics as the applicant's programs wrote them, sequences, definitions.
_ATTACHED = (".cdx", ".mol", ".nb", ".txt", ".dtd", ".ent")
IMAGES = SUFFIXES
FRONT_PAGE = "D00000"


@dataclass(frozen=True, kw_only=True)
class GrantZip(Unit):
    """A grant's ZIP: a file, a member of a tar (by its offset), or bytes from a compressed tar."""

    path: Path
    member: str = ""
    offset: int = 0
    data: bytes | None = None

    def load(self) -> Patent:
        grant, unpacked, others = self._unpacked(IMAGES)
        images = {n: d for n, d in unpacked.files.items() if not n.lower().endswith(TEXTS)}
        if others:
            unpacked.problems.append(f"{len(others)} files are not images of a known kind: {', '.join(others[:5])}")
        return _with_sheets(grant, images, tuple(unpacked.problems))

    def known(self) -> Patent:
        grant, _, _ = self._unpacked(())
        return replace(grant.patent, problems=())

    def _unpacked(self, images: tuple[str, ...]) -> tuple[Grant, Unpacked, list[str]]:
        """The grant, its other files with one of these suffixes, and names of files that no grant has by rule."""
        where = f"{printable(self.path)}:{self.member}" if self.member else printable(self.path)
        data = self.data if self.data is not None else self._read(where)
        try:
            others: list[str] = []
            unpacked = unzip(data, lambda name: _wanted(name, others, images))
            name = _xml_name(list(unpacked.files), PurePosixPath(self.member or self.path.name).stem)
            if name is None:
                # Say why, where the XML was there and could not be unpacked.
                raise SourceError("; ".join(["no grant XML in it", *unpacked.problems[:MAX_TOLD]]))
            grant = parse_grant(unpacked.files.pop(name))
        except SourceError as error:
            raise SourceError(f"{where}: {error.message}.") from error
        return grant, unpacked, others

    def _read(self, where: str) -> bytes:
        with readable(where), self.path.open("rb") as file:
            file.seek(self.offset)
            data = file.read(self.size)
        if len(data) != self.size:
            raise SourceError(f"{where}: changed or was cut short while it was being read.")
        return data


@dataclass(frozen=True, kw_only=True)
class GrantFiles(Unit):
    """A grant's XML on disk with the sheets next to it, if there are any."""

    xml: Path
    images: tuple[Path, ...]

    def load(self) -> Patent:
        grant = self._grant()
        images, problems = {}, []
        for path in self.images:
            if _IN_TEXT.search(path.stem):
                continue
            try:
                images[path.name] = read_file(path, MAX_MEMBER)
            except SourceError as error:
                problems.append(error.message)
        if not images and not problems and not grant.images:
            return grant.patent  # a grant without drawings, such as one in chemistry
        return _with_sheets(grant, images, tuple(problems))

    def known(self) -> Patent:
        return replace(self._grant().patent, problems=())

    def _grant(self) -> Grant:
        data = read_file(self.xml, MAX_XML)
        try:
            return parse_grant(data)
        except SourceError as error:
            raise SourceError(f"{printable(self.xml)}: {error.message}.") from error


def _with_sheets(grant: Grant, files: dict[str, bytes], problems: tuple[str, ...]) -> Patent:
    """The patent with its sheets: those that the grant names in its order, then others by name."""
    by_stem = {Path(name).stem.casefold(): name for name in sorted(files, key=natural_key, reverse=True)}
    named = [Path(name).stem.casefold() for name in grant.images]
    missing = [name for name, stem in zip(grant.images, named, strict=True) if stem not in by_stem]
    others = (s for s in sorted(by_stem, key=natural_key) if s not in set(named) and SHEET_NAME.search(s))
    chosen = [by_stem[stem] for stem in (*(s for s in named if s in by_stem), *others)]
    sheets = [
        Sheet(name, files[file], front_page=name.split("-")[0] == FRONT_PAGE)
        for name, file in zip(sheet_names([_page(file) for file in chosen]), chosen, strict=True)
    ]
    unread = sorted(file for file in files if file not in chosen and not _IN_TEXT.search(Path(file).stem))
    if unread:
        problems += (f"{len(unread)} images are not sheets of the grant and are left out: {', '.join(unread[:5])}",)
    if missing:
        problems += (f"{len(missing)} of {len(named)} sheets are missing: {', '.join(missing[:5])}",)
    sheets.sort(key=lambda sheet: not sheet.front_page)
    return replace(grant.patent, sheets=tuple(sheets), problems=grant.patent.problems + problems)


def _page(file: str) -> str:
    """`D00001`, from the name of a sheet's file; the whole name where it does not follow the office's rules."""
    match = SHEET_NAME.search(Path(file).stem)
    return match["name"].upper() if match else Path(file).stem


def grant_key(name: str) -> str:
    """Identity of a grant by its file's name: `USD0907292-20210105`."""
    stem = printable(PurePosixPath(name).stem)
    return stem.upper() if GRANT_NAME.match(stem) else stem


def _wanted(name: str, others: list[str], images: tuple[str, ...]) -> bool:
    """Whether to unpack a member; the names of those that no grant has by rule are added to `others`."""
    wanted = name.lower().endswith((*TEXTS, *images))
    if not wanted and not name.startswith(".") and not name.lower().endswith(_ATTACHED):
        others.append(name)
    return wanted


def _xml_name(names: list[str], stem: str) -> str | None:
    """The grant's text among the files of its ZIP: named like the ZIP, else like a grant, else the only one."""
    xmls = [n for n in names if n.lower().endswith(TEXTS)]
    for fits in (lambda n: Path(n).stem.casefold() == stem.casefold(), lambda n: GRANT_NAME.match(Path(n).stem)):
        if chosen := [n for n in xmls if fits(n)]:
            return chosen[0]
    return xmls[0] if len(xmls) == 1 else None
