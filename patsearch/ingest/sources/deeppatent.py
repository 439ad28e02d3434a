"""The DeepPatent layout (Kucer et al., WACV 2022): sheets as PNG, named after patent, date and page.

    I20181127/USD0834581-20181127/USD0834581-20181127-D00002.png
    test_query_patent.txt:  I20181127/USD0834581-20181127/USD0834581-20181127-D00002.png 1

A list's label is the running number of the patent within that family of lists (query and gallery
of one split) and means nothing outside of it: patents are distinguished by the file name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import ClassVar

from patsearch.errors import SourceError
from patsearch.files import printable
from patsearch.ingest.sources.base import Problem, Source, Unit
from patsearch.ingest.sources.folders import folders_of, holds, natural_key, parse_day, readable
from patsearch.ingest.sources.imagefiles import SUFFIXES, SheetFile, patent_files
from patsearch.ingest.sources.metadata import Metadata, read_metadata
from patsearch.numbers import normal_number
from patsearch.types import Patent

FRONT_PAGE = "D00000"
# D is a drawing and P a photograph; some copies add a running number, D00012-1465.
_NAME = re.compile(
    r"^(?P<key>(?P<number>US[A-Z]{0,2}\d{4,11})-(?P<date>\d{8}))-(?P<sheet>[DP]\d{5}(?:-[A-Z0-9]+)?)$", re.IGNORECASE
)
# A name that begins so is of this layout, and not that of an image of the user's own.
_DATED = re.compile(r"^US[A-Z]{0,2}\d{4,11}-\d{8}-", re.IGNORECASE)
_MISNAMED = "named like a sheet of this layout, but not with a number of five digits (-D00002)"
_LABEL = re.compile(r'^\s*"?(?P<path>[^\s"](?:.*?[^\s"])?)"?(?:\s*[,;]\s*|\s+)"?(?P<label>\d{1,9})"?\s*$')
_LONGEST_LINE = 5000  # characters of a list
_LOOK_AT = 20_000  # files that `recognises` looks at


class DeepPatentSource(Source):
    """Images in the DeepPatent layout, all of a folder or those that list files name."""

    name = "deeppatent"
    looks_for = "images named like USD0834581-20181127-D00002.png"
    takes: ClassVar[frozenset[str]] = frozenset({"lists", "metadata"})
    precedence: ClassVar[int] = 20
    shares: ClassVar[bool] = True

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return path.is_dir() and holds(path, _is_sheet, most=_LOOK_AT)

    def units(self) -> Iterator[Unit | Problem]:
        table = read_metadata(self.options.metadata) if self.options.metadata else Metadata()
        yield from table.problems
        for found in self._patents():
            if isinstance(found, Problem):
                yield found
                continue
            key, files = found
            number, _, day = key.partition("-")
            patent = table.patents.get(normal_number(number), Patent(number=normal_number(number)))
            patent = replace(patent, granted=patent.granted or parse_day(day))
            yield patent_files(key, patent, files, printable(files[0].path.parent.name))

    def total(self) -> int | None:
        return sum(not isinstance(found, Problem) for found in self._patents())

    def _patents(self) -> Iterator[tuple[str, list[SheetFile]] | Problem]:
        """Each patent's key and sheets. Names are gathered first: a patent may be in several folders."""
        sheets: dict[str, dict[str, SheetFile]] = {}
        doubles: list[Path] = []
        unnamed: list[Path] = []
        for file in self._files():
            if isinstance(file, Problem):
                yield file
                continue
            self.taken.add(file)
            if match := _NAME.match(file.stem):
                name = match["sheet"].upper()
                sheet = SheetFile(file, name, front_page=name.split("-")[0] == FRONT_PAGE)
                if sheets.setdefault(match["key"].upper(), {}).setdefault(name, sheet).path != file:
                    doubles.append(file)
            else:
                unnamed.append(file)
        for odd, reason in ((doubles, "a sheet that another file is too"), (unnamed, _MISNAMED)):
            if odd:
                yield self.leave_out(odd, printable(odd[0]), f"{reason}; {len(odd)} such files left out")
        if not sheets and not self.before:
            yield Problem(printable(self.path), f"no {self.looks_for}")
        for key in sorted(sheets, key=natural_key):
            files = sheets[key].values()
            yield key, sorted(files, key=lambda f: (not f.front_page, natural_key(f.name)))

    def _files(self) -> Iterator[Path | Problem]:
        if not self.options.lists:
            for folder in folders_of(self):
                if isinstance(folder, Problem):
                    yield folder
                else:
                    yield from (f for f in folder.files if f.suffix.lower() in SUFFIXES and _DATED.match(f.stem))
            return
        for listed in self.options.lists:
            missing: list[str] = []
            for name, _ in read_list(listed):
                file = self.path / name
                if not file.is_file():
                    missing.append(name)
                elif _is_sheet(file):
                    yield file
                else:
                    yield Problem(printable(listed), f"{name} is not named as a sheet of this layout")
            if missing:
                yield Problem(printable(listed), f"{len(missing)} listed files are missing, for example {missing[0]}")


def read_list(path: Path) -> list[tuple[str, int]]:
    """A list file: relative path of an image and its label, a line each, in the order of the file.

    Raises:
        SourceError: it cannot be read, or a line is not a path and a label, or leads out of the folder.
    """
    entries: list[tuple[str, int]] = []
    try:
        with readable(path):
            lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise SourceError(f"{printable(path)}: not a text file in UTF-8.") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        match = _LABEL.match(line) if len(line) <= _LONGEST_LINE else None
        name = PurePosixPath(match["path"].replace("\\", "/")) if match else PurePosixPath("..")
        if match is None or name.is_absolute() or ".." in name.parts:
            raise SourceError(
                f"{printable(path)}, line {number}: not a relative path and a label.",
                hint="A line reads: I20181127/USD0834581-20181127/USD0834581-20181127-D00002.png 1",
            )
        entries.append((str(name), int(match["label"])))
    return entries


def sheet_key(name: str) -> str | None:
    """Number and date, as `USD0834581-20181127`, in the path of an image; None where it is not named so."""
    match = _NAME.match(PurePosixPath(name).stem)
    return match["key"].upper() if match else None


def _is_sheet(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES and bool(_NAME.match(file.stem))
