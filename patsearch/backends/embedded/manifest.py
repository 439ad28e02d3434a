"""The manifest: what an index is, and which generation of its files counts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from patsearch.backends.base import IndexSpec
from patsearch.errors import IndexDamaged, IndexNotFound, IndexVersionError
from patsearch.files import storage_errors, write_bytes

FORMAT = 1
_NAME = "manifest.json"
_MAX_BYTES = 1 << 20


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
        """The manifest that compaction will put in place of this one."""
        return replace(self, generation=self.generation + 1)

    def write(self, root: Path) -> None:
        """Replace the manifest of an index; the moment at which a generation begins to count."""
        text = json.dumps({"format": FORMAT, "generation": self.generation, "spec": asdict(self.spec)}, indent=2)
        with storage_errors(f"Writing {root / _NAME}"):
            write_bytes(root / _NAME, text.encode())


def exists(root: Path) -> bool:
    """Whether there is an index in a folder."""
    return (root / _NAME).is_file()


def stamp(root: Path) -> tuple[int, int]:
    """Changes whenever the manifest is replaced: a cheap test for readers."""
    status = (root / _NAME).stat()
    return status.st_ino, status.st_mtime_ns


def read(root: Path) -> Manifest:
    """Read the manifest of an index.

    Raises:
        IndexNotFound: there is none.
        IndexVersionError: its format is newer than this code.
        IndexDamaged: it cannot be understood.
    """
    path = root / _NAME
    if not path.is_file():
        raise IndexNotFound(f"There is no index in {root}.", hint="Make one with: patsearch ingest SOURCE --index DIR.")
    with storage_errors(f"Reading {path}"):
        data = path.read_bytes()[:_MAX_BYTES]
    try:
        fields = json.loads(data)
        version = fields["format"]
        if isinstance(version, int) and version > FORMAT:
            raise IndexVersionError(
                f"The index in {root} has format {version}; this patsearch reads up to format {FORMAT}.",
                hint="Upgrade patsearch.",
            )
        spec = IndexSpec(**fields["spec"])
        manifest = Manifest(spec, fields["generation"])
        if version != FORMAT or type(manifest.generation) is not int or type(spec.dim) is not int or spec.dim < 1:
            raise ValueError("a field has an impossible value")
    except (ValueError, KeyError, TypeError) as error:
        raise IndexDamaged(
            f"{path} cannot be understood: {error}.", hint="Restore the index from a backup, or ingest into a new one."
        ) from error
    return manifest
