"""What a source of patents is: units that are cheap to list and are loaded in worker processes.

A source walks what the user named and yields, in a stable order, one `Unit` a patent and one
`Problem` for each thing that it could not read. Listing is streaming and never unpacks an archive;
the costly part (XML, unpacking sheets) is `Unit.load`, which runs elsewhere: units pickle.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar

from patsearch import plugins
from patsearch.errors import PluginError, SourceError, UsageError
from patsearch.types import Patent


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


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a source that could not be read: reported and counted, never fatal.

    Attributes:
        where: file, or file and member, as the user knows it.
        reason: what is wrong with it, one line.
    """

    where: str
    reason: str

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

    def given(self) -> frozenset[str]:
        """The names of the options that are set."""
        return frozenset(f.name for f in fields(self) if getattr(self, f.name))


class Source(ABC):
    """One kind of source, registered under `patsearch.sources`.

    Attributes:
        name: the name it is registered under.
        looks_for: what `recognises` looks for, in words for an error message.
        takes: names of the `SourceOptions` that it uses; others are refused.
        precedence: the order in which sources look at a path, smallest first. The folder of
            images accepts everything that holds an image and comes last, at 90.
    """

    name: ClassVar[str]
    looks_for: ClassVar[str]
    takes: ClassVar[frozenset[str]] = frozenset()
    precedence: ClassVar[int] = 50

    def __init__(self, path: Path, options: SourceOptions) -> None:
        self.path = path
        self.options = options

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


def open_source(path: Path | str, *, kind: str | None = None, options: SourceOptions | None = None) -> Source:
    """The source at a path, recognised by looking unless its kind is named.

    Raises:
        SourceError: nothing there, or nothing that any kind recognises.
        UsageError: an option that this kind of source does not take.
        PluginError: no kind of that name.
    """
    path, options = Path(path), options or SourceOptions()
    try:
        path.stat()
    except (OSError, ValueError) as error:
        reason = "does not exist" if not path.is_symlink() else "is a link that leads nowhere"
        if not isinstance(error, FileNotFoundError):
            reason = f"cannot be read ({getattr(error, 'strerror', None) or error})"
        raise SourceError(f"{path} {reason}.", hint="Name a file or folder that exists.") from error
    cls = _load(kind) if kind else _recognise(path)
    unknown = sorted(options.given() - cls.takes)
    if unknown:
        takes = ", ".join(sorted(cls.takes)) or "no options"
        raise UsageError(
            f"{path} is read as {cls.name!r}, which does not take {', '.join(unknown)}.",
            hint=f"It takes {takes}; if it was recognised wrongly, name the kind with --source.",
        )
    return cls(path, options)


def _recognise(path: Path) -> type[Source]:
    kinds: list[type[Source]] = []
    broken: list[str] = []
    for name in plugins.names("source"):
        try:
            kinds.append(_load(name))
        except PluginError as error:
            broken.append(error.message)  # another package's fault; it must not stop our own sources
    kinds.sort(key=lambda k: (k.precedence, k.name))
    for kind in kinds:
        if kind.recognises(path):
            return kind
    looked = "; ".join([*(f"{k.name}: {k.looks_for}" for k in kinds), *broken])
    raise SourceError(f"{path} holds nothing that can be ingested.", hint=f"Looked for {looked}.")


def _load(name: str) -> type[Source]:
    loaded: type[Source] = plugins.load("source", name)
    return loaded
