"""The manifest: what an index is, and which generation of its files counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from patsearch.backends.base import IndexSpec
from patsearch.backends.specfile import read_spec, write_spec

FILE = "manifest.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """Attributes:
    spec: the encoder and dimension of the vectors.
    generation: number of the folder that counts, from 1.
    """

    spec: IndexSpec
    generation: int = 1

    @property
    def folder(self) -> str:
        """Name of the generation's folder."""
        return f"g{self.generation:06d}"

    def next(self) -> Manifest:
        """The manifest with which compaction will replace this one."""
        return replace(self, generation=self.generation + 1)

    def write(self, root: Path) -> None:
        """Replace the manifest of an index; the moment at which a generation begins to count."""
        write_spec(root / FILE, self.spec, generation=self.generation)


def exists(root: Path) -> bool:
    """Whether there is an index in a folder."""
    return (root / FILE).is_file()


def stamp(root: Path) -> tuple[int, int]:
    """Changes whenever the manifest is replaced: a cheap test for readers."""
    status = (root / FILE).stat()
    return status.st_ino, status.st_mtime_ns


def read(root: Path) -> Manifest:
    """Read the manifest of an index; errors as of `read_spec`."""
    spec, fields = read_spec(root / FILE, generation=int)
    return Manifest(spec, fields["generation"])
