"""A folder of images: the name of a sub-folder is the patent, or a pattern finds it in file names.

USD907292/1.png  USD907292/2.png        patent USD907292 with two sheets
USD907293.png                           patent USD907293 with one
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from patsearch.errors import UsageError
from patsearch.files import printable
from patsearch.ingest.sources.base import Problem, Source, SourceOptions, Unit
from patsearch.ingest.sources.folders import folders_of, holds, natural_key
from patsearch.ingest.sources.imagefiles import SUFFIXES, SheetFile, patent_files, sheet_names
from patsearch.ingest.sources.metadata import Metadata, read_metadata
from patsearch.numbers import normal_number
from patsearch.types import Patent

_FIELDS = {"{patent}": r"(?P<patent>[^/]+)", "{figure}": r"(?P<figure>[^/]+?)", "*": r"[^/]*"}
_LOOK_AT = 20_000  # files that `recognises` looks at


class ImageFolderSource(Source):
    """Images in folders, or one image, with a table of metadata where there is one."""

    name = "images"
    looks_for = "images (" + " ".join(s[1:] for s in SUFFIXES) + ") in a folder"
    takes: ClassVar[frozenset[str]] = frozenset({"metadata", "pattern"})
    precedence: ClassVar[int] = 90
    shares: ClassVar[bool] = True

    def __init__(self, path: Path, options: SourceOptions) -> None:
        super().__init__(path, options)
        self._pattern = compile_pattern(options.pattern) if options.pattern else None

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return holds(path, _is_image, most=_LOOK_AT)

    def units(self) -> Iterator[Unit | Problem]:
        metadata = read_metadata(self.options.metadata) if self.options.metadata else Metadata()
        yield from metadata.problems
        without = dict.fromkeys(metadata.patents)
        for found in self._patents():
            if isinstance(found, Problem):
                yield found
                continue
            number, files = found
            without.pop(number, None)
            patent = metadata.patents.get(number, Patent(number=number))
            yield patent_files(number, patent, files, printable(files[0].path.parent.name))
        without = {number: None for number in without if number not in self.owned}
        if without:
            reason = f"no images of {len(without)} patents of this table, for example {next(iter(without))}"
            yield Problem(printable(self.options.metadata or ""), reason)

    def total(self) -> int | None:
        return sum(not isinstance(found, Problem) for found in self._patents())

    @property
    def _root(self) -> Path:
        return self.path if self.path.is_dir() else self.path.parent

    def _patents(self) -> Iterator[tuple[str, list[SheetFile]] | Problem]:
        """Each patent's number and sheets, gathered over all folders."""
        patents: dict[str, list[tuple[Path, str]]] = {}
        homes: dict[str, Path] = {}
        unfit: list[Path] = []
        for folder in folders_of(self):
            if isinstance(folder, Problem):
                yield folder
                continue
            doubled: list[Path] = []
            for file in filter(_is_image, folder.files):
                self.taken.add(file)
                named = self._name(file)
                if named is None:
                    unfit.append(file)
                elif self._pattern or homes.setdefault(named[0], file.parent) == file.parent:
                    patents.setdefault(named[0], []).append((file, named[1]))
                else:
                    doubled.append(file)
            if doubled:
                # To join A/views and B/views into one patent would be wrong, and a guess.
                reason = (
                    "another folder gives a patent of the same name; left out: distinguish patents by a name pattern"
                )
                yield self.leave_out(doubled, printable(folder.path), reason)
        if unfit:
            reason = f"the name does not match the pattern; {len(unfit)} images are left out"
            yield self.leave_out(unfit, printable(unfit[0]), reason)
        if not patents and not self.taken and not self.before:
            yield Problem(printable(self.path), "no images that belong to a patent")
        for number in sorted(patents, key=natural_key):
            yield number, _sheets(patents[number])

    def _name(self, file: Path) -> tuple[str, str] | None:
        """The patent and the sheet's name of an image; None where it does not fit the pattern."""
        if self._pattern is None:
            loose = file.parent == self._root
            return normal_number(printable(file.stem if loose else file.parent.name)), printable(file.stem)
        path = file.relative_to(self._root)
        for name in (file.stem, file.name, path.with_suffix("").as_posix(), path.as_posix()):
            if match := self._pattern.fullmatch(printable(name)):
                groups = match.groupdict()
                return normal_number(groups["patent"]), groups.get("figure") or printable(file.stem)
        return None


def compile_pattern(text: str) -> re.Pattern[str]:
    """The regular expression of a name pattern, which must give the patent.

    A template has `{patent}`, `{figure}` and `*` (any text but `/`); a regular expression has the
    named group `patent` and may have `figure`. It must fit the whole file name, or the path below
    the source's folder; in both the suffix may be left out.

    Raises:
        UsageError: it does not give the patent, or is not a regular expression.
    """
    source = text
    if "(?P<" not in text:
        parts = re.split(r"(\{\w*\}|\*)", text)
        if unknown := [p for p in parts if p.startswith("{") and p not in _FIELDS]:
            raise UsageError(
                f"The name pattern {text!r} has an unknown part {unknown[0]}.", hint="Use {patent}, {figure}."
            )
        source = "".join(_FIELDS.get(part, re.escape(part)) for part in parts)
    try:
        pattern = re.compile(source)
    except re.error as error:
        raise UsageError(f"The name pattern {text!r} cannot be read ({error}).") from error
    if "patent" not in pattern.groupindex:
        raise UsageError(
            f"The name pattern {text!r} does not say where the patent is.",
            hint="Examples: {patent}_{figure}.png, (?P<patent>[^_]+)_(?P<figure>\\d+).",
        )
    return pattern


def _sheets(files: list[tuple[Path, str]]) -> list[SheetFile]:
    """Sheets in the natural order of their names."""
    ordered = sorted(files, key=lambda item: (natural_key(item[1]), natural_key(item[0])))
    names = sheet_names([name for _, name in ordered])
    return [SheetFile(path, name) for (path, _), name in zip(ordered, names, strict=True)]


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES
