"""A Qdrant index in a folder: the file that describes it, and the lock of the one process that has it open.

index.json      format, encoder and dimension
process.lock    held by the one process that has it open; its number is in process.pid
"""

from __future__ import annotations

from pathlib import Path

from patsearch.backends.base import IndexSpec
from patsearch.backends.specfile import read_spec, write_spec
from patsearch.errors import IndexDamaged, IndexLocked, UsageError
from patsearch.lock import WriterLock

_ENGINE = "edge"
FILE = "index.json"
LOCK = "process.lock"


def lock(root: Path) -> WriterLock:
    """Take the folder for this process.

    Raises:
        IndexLocked: another process has it open, or another object of this one.
    """
    try:
        return WriterLock(root / LOCK)
    except IndexLocked as error:
        raise IndexLocked(
            error.message.replace("is writing to", "has open") if error.message else "The index is open elsewhere.",
            hint="Only one process at a time can open a Qdrant index in a folder: wait, or use a server.",
        ) from error


def write(root: Path, spec: IndexSpec) -> None:
    """Write what the folder holds; from then on it is an index."""
    write_spec(root / FILE, spec, engine=_ENGINE)


def require_none(root: Path) -> None:
    """Raises UsageError where the folder holds an index already."""
    if (root / FILE).is_file():
        raise UsageError(f"There is an index in {root} already.", hint="Open it, or name another folder.")


def read(root: Path) -> IndexSpec:
    """The encoder and dimension of an index; errors as of `read_spec`."""
    spec, fields = read_spec(root / FILE, engine=str)
    if fields["engine"] != _ENGINE:
        raise IndexDamaged(
            f"{root / FILE} is not valid: engine {fields['engine']!r}.", hint="Ingest into a new folder."
        )
    return spec


def size(root: Path) -> int:
    """Bytes of all files below."""
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
