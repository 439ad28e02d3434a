"""An index of Qdrant's in a folder: the file that says so, and the lock of the one process that has it open.

index.json      format, which engine wrote the rest, encoder and dimension
process.lock    held by the one process that has it open; its number is in process.pid
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from patsearch.backends.base import IndexSpec
from patsearch.errors import IndexDamaged, IndexLocked, IndexNotFound, IndexVersionError, UsageError
from patsearch.files import storage_errors, write_bytes
from patsearch.lock import WriterLock

FORMAT = 1
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
            hint="One process at a time can have an index of Qdrant's own engine open: wait, or use a server.",
        ) from error


def write(root: Path, spec: IndexSpec) -> None:
    """Write what the folder holds; from then on it is an index."""
    text = json.dumps({"format": FORMAT, "engine": _ENGINE, "spec": asdict(spec)}, indent=2)
    with storage_errors(f"Writing {root / FILE}"):
        write_bytes(root / FILE, text.encode())


def require_none(root: Path) -> None:
    """Raises UsageError where the folder holds an index already."""
    if (root / FILE).is_file():
        raise UsageError(f"There is an index in {root} already.", hint="Open it, or name another folder.")


def read(root: Path) -> IndexSpec:
    """The encoder and dimension of an index.

    Raises:
        IndexNotFound, IndexVersionError, IndexDamaged: there is none, it is too new, or broken.
    """
    path = root / FILE
    if not path.is_file():
        raise IndexNotFound(f"There is no index in {root}.", hint="Make one with: patsearch ingest SOURCE --index DIR.")
    with storage_errors(f"Reading {path}"):
        data = path.read_bytes()
    try:
        fields = json.loads(data)
        if int(fields["format"]) > FORMAT:
            raise IndexVersionError(
                f"The index in {root} has format {fields['format']}; this patsearch reads up to format {FORMAT}.",
                hint="Upgrade patsearch.",
            )
        spec = IndexSpec(**fields["spec"])
        if fields["engine"] != _ENGINE or type(spec.dim) is not int or spec.dim < 1:
            raise ValueError("a field has an impossible value")
    except (ValueError, KeyError, TypeError) as error:
        raise IndexDamaged(
            f"{path} cannot be understood: {error}.", hint="Restore the index from a backup, or ingest into a new one."
        ) from error
    return spec


def size(root: Path) -> int:
    """Bytes of all files below."""
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
