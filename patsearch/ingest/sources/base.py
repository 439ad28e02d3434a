"""What a source of patents is: units that are cheap to list and are loaded in worker processes.

A source walks what the user named and yields, in a stable order, one `Unit` a patent and one
`Problem` for each thing that it could not read. Listing is streaming and never unpacks an archive;
the costly part (XML, unpacking sheets) is `Unit.load`, which runs elsewhere: units pickle.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import ClassVar

from patsearch.files import at_home
from patsearch.numbers import normal_number
from patsearch.types import Patent

_DATED = re.compile(r"-\d{8}$")  # the day of an edition, behind the number of the patent


@dataclass(frozen=True, kw_only=True)
class Unit(ABC):
    """One patent of a source, not yet read. Cheap to make, and it pickles.

    Attributes:
        key: stable identity within any copy of the source: `USD0907292-20210105`.
        fingerprint: hex digest of the content. The same content has the same one in any
            place; a corrected grant has another and replaces the old one.
        origin: where it came from: `I20210105.tar`.
        size: bytes as stored, for progress.
    """

    key: str
    fingerprint: str
    origin: str
    size: int

    @abstractmethod
    def load(self) -> Patent:
        """Read the patent: its data, and its sheets as encoded bytes, in page order.

        A sheet that is missing or damaged does not spoil the patent: it is named in
        `Patent.problems`.

        Raises:
            SourceError: the patent cannot be read at all; one line says what and where.
        """

    def known(self) -> Patent:
        """The patent's data alone, without sheets and what is wrong with them; errors as of `load`."""
        return replace(self.load(), sheets=(), problems=())


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a source that could not be read: reported and counted, never fatal.

    Attributes:
        where: file, or file and member, as the user knows it.
        reason: what is wrong with it, one line.
        left_out: number of files below the source that are left out for this reason; 0 where the file
            belongs to a patent and could not be read.
        expected: they are left out by rule, such as hidden files: said, but not a failure.
    """

    where: str
    reason: str
    left_out: int = 0
    expected: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What the user may add to a source's path. None of it is required.

    Attributes:
        metadata: CSV, TSV or JSON Lines file with a row a patent (see docs/reference/formats.md).
        pattern: how file names give patent and figure: a template with braces,
            `{patent}_{figure}.png`, or a regular expression with the named groups `patent` and,
            optionally, `figure`.
        lists: DeepPatent list files; only what they name is read.
    """

    metadata: Path | None = None
    pattern: str | None = None
    lists: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "metadata", self.metadata and at_home(self.metadata))
        object.__setattr__(self, "lists", tuple(map(at_home, self.lists)))

    def given(self) -> frozenset[str]:
        """The names of the options that are set."""
        return frozenset(f.name for f in fields(self) if getattr(self, f.name))


class Source(ABC):
    """One kind of source, registered under `patsearch.sources`.

    Attributes:
        name: the name it is registered under.
        looks_for: what `recognises` looks for, in words for an error message.
        takes: names of the `SourceOptions` that it uses; others are refused.
        shares: whether it keeps `taken`, so that other sources can read what it leaves of a folder, and the rest is
            reported; a source that does not gets the whole folder for itself.
        precedence: the order in which sources look at a path, smallest first. The folder of
            images accepts everything that holds an image and comes last, at 90.
    """

    name: ClassVar[str]
    looks_for: ClassVar[str]
    takes: ClassVar[frozenset[str]] = frozenset()
    precedence: ClassVar[int] = 50
    shares: ClassVar[bool] = False

    def __init__(self, path: Path, options: SourceOptions) -> None:
        self.path = path
        self.options = options
        self.taken: set[Path] = set()  # the files of its patents, so far
        self.left: set[Path] = set()  # those that it has named in a Problem instead
        self.before: tuple[Source, ...] = ()  # those that choose from the same folder first
        self.owned: Container[str] = ()  # numbers of the patents that those have

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of the kinds of source that it was read as, when its units have been."""
        return (self.name,)

    def covers(self, file: Path) -> bool:
        """Whether a file below the path is this source's: read, named in a Problem, or replaced by one that is."""
        return file in self.taken or file in self.left

    def leave_out(self, files: Sequence[Path], where: str, reason: str) -> Problem:
        """The Problem of files that are this source's and belong to no patent."""
        self.left.update(files)
        self.taken.difference_update(files)
        return Problem(where, reason, left_out=len(files))

    @classmethod
    @abstractmethod
    def recognises(cls, path: Path) -> bool:
        """Whether the path looks like this kind of source. Cheap, and raises nothing."""

    @abstractmethod
    def units(self) -> Iterator[Unit | Problem]:
        """Every patent, in a stable order. Damaged ones yield their good part, then a `Problem`."""

    def total(self) -> int | None:
        """Number of units, where it is cheap to tell; for progress alone."""
        return None


def patent_of(key: str) -> str:
    """The number of a unit's patent, the same for all its editions; as good as its key is."""
    return normal_number(_DATED.sub("", key))
