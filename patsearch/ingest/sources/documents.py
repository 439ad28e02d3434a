"""Files that are patents each, or all files of a folder that is named like one: what PDFs and 3D models share.

USD0907292.pdf                      patent USD907292
USD907293/front.pdf  .../side.pdf   patent USD907293
exhibits/A.pdf                      patent exhibits-A
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import ClassVar

from patsearch.errors import SourceError
from patsearch.files import printable
from patsearch.ingest.sources.base import Problem, Source, Unit
from patsearch.ingest.sources.folders import fingerprint, folders_of, holds, natural_key
from patsearch.ingest.sources.metadata import Metadata, read_metadata
from patsearch.numbers import is_number, normal_number
from patsearch.types import Patent

_LOOK_AT = 20_000  # files that `recognises` looks at


class DocumentSource(Source):
    """Files with certain suffixes in folders, or one such file, with a table of metadata where there is one.

    Attributes:
        suffixes: in small letters, with the dot.
    """

    takes: ClassVar[frozenset[str]] = frozenset({"metadata"})
    shares: ClassVar[bool] = True
    suffixes: ClassVar[frozenset[str]]

    @classmethod
    @abstractmethod
    def unit(
        cls, patent: Patent, files: tuple[Path, ...], *, key: str, fingerprint: str, origin: str, size: int
    ) -> Unit:
        """A patent whose sheets are in these files; `patent` has its number or name, and the data of the table."""

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return holds(path, cls._fits, most=_LOOK_AT)

    @classmethod
    def _fits(cls, file: Path) -> bool:
        return file.suffix.lower() in cls.suffixes

    def units(self) -> Iterator[Unit | Problem]:
        metadata = read_metadata(self.options.metadata) if self.options.metadata else Metadata()
        yield from metadata.problems
        for found in self._patents():
            if isinstance(found, Problem):
                yield found
                continue
            name, files = found
            patent = metadata.patents.get(name, Patent(number=name))
            try:
                content, size = fingerprint(files)
            except SourceError as error:
                yield Problem(name, error.message)
                continue
            digest = blake2b(f"{content} {patent!r}".encode(), digest_size=16).hexdigest()
            origin = printable(files[0].parent.name if len(files) > 1 else files[0].name)
            yield self.unit(patent, tuple(files), key=name, fingerprint=digest, origin=origin, size=size)

    def total(self) -> int | None:
        return sum(not isinstance(found, Problem) for found in self._patents())

    def _patents(self) -> Iterator[tuple[str, list[Path]] | Problem]:
        patents: dict[str, list[Path]] = {}
        for folder in folders_of(self):
            if isinstance(folder, Problem):
                yield folder
                continue
            doubled = []
            here: set[str] = set()
            for file in filter(self._fits, folder.files):
                self.taken.add(file)
                name = self._name(file)
                if name in patents and name not in here:
                    doubled.append(file)
                    continue
                here.add(name)
                patents.setdefault(name, []).append(file)
            if doubled:
                yield self.leave_out(
                    doubled, printable(folder.path), "another folder has files of the same patent; left out"
                )
        for name in sorted(patents, key=natural_key):
            yield name, sorted(patents[name], key=natural_key)

    def _name(self, file: Path) -> str:
        """The number in the name of the file or of its folder, else the path below the source."""
        for name in (file.stem, file.parent.name):
            number = normal_number(printable(name))
            if is_number(number):
                return number
        root = self.path if self.path.is_dir() else self.path.parent
        return "-".join(map(printable, file.relative_to(root).with_suffix("").parts))
