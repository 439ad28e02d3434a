"""A whole index as one file, and back.

    index.json  journal.sqlite  thumbnails.sqlite  backend/...

in a plain tar archive. `backend/` holds the backend's data: its files, or a server's own snapshot.
"""

from __future__ import annotations

import tarfile
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from patsearch.backends.base import Backend, on_server
from patsearch.engine import journal, thumbnails
from patsearch.engine.engine import open_index
from patsearch.engine.manifest import FILE as MANIFEST
from patsearch.engine.manifest import read_manifest, write_manifest
from patsearch.errors import IndexDamaged, IndexNotFound, InputError, UsageError
from patsearch.files import replacing, storage_errors
from patsearch.plugins import load

_PART = "backend"


def save_snapshot(index: Path, out: Path) -> int:
    """Write an index into a file, which appears whole or not at all; returns its bytes.

    Nothing can write to the index meanwhile; on a server, other folders can, and the snapshot is of one moment.

    Raises:
        UsageError: the file exists already.
        StorageError: it cannot be written.
    """
    if out.exists():
        raise UsageError(f"{out} exists already.", hint="Name a new file.")
    with (
        storage_errors(f"Writing {out}"),
        replacing(out, shared=True) as temporary,
        open_index(index, read_only=False) as engine,
        TemporaryDirectory(dir=out.resolve().parent, prefix=".snapshot-") as scratch,
        tarfile.open(temporary, "w") as archive,
    ):
        # The journal first: what it names is in the backend, which comes later.
        engine.journal.save(Path(scratch) / journal.FILE)
        engine.thumbnails.save(Path(scratch) / thumbnails.FILE)
        archive.add(index / MANIFEST, MANIFEST)
        for name in (journal.FILE, thumbnails.FILE):
            archive.add(Path(scratch) / name, name)
        own = Path(scratch) / _PART
        own.mkdir()
        for name, path in engine.backend.snapshot(own):
            archive.add(path, f"{_PART}/{name}")
    return out.stat().st_size


def restore_snapshot(archive: Path, index: Path, *, url: str | None = None) -> None:
    """Make an index from a snapshot; the folder appears whole or not at all.

    Args:
        url: the server to restore into; by default, the one that the index was on.

    Raises:
        UsageError: the folder, or the server's index of that name, exists already.
        InputError: the file is not a snapshot.
    """
    if index.exists() and not (index.is_dir() and not any(index.iterdir())):
        raise UsageError(f"{index} exists already.", hint="Restore into a new folder.")
    index.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=index.resolve().parent, prefix=".restore-") as scratch:
        folder = Path(scratch) / "index"
        try:
            with tarfile.open(archive, "r:") as file:
                file.extractall(folder, filter="data")
            manifest = read_manifest(folder)
        except (tarfile.TarError, OSError, IndexNotFound, IndexDamaged) as error:
            raise InputError(
                f"{archive} is not a snapshot of patsearch: {error}.",
                hint="Name a file made by patsearch index snapshot.",
            ) from error
        kind: type[Backend] = load("backend", manifest.backend)
        if url is not None:
            manifest = replace(manifest, location=on_server(kind, url, index.resolve().name))
        kind.restore(folder / _PART, manifest.resolve(folder))
        if (folder / _PART).is_dir():
            for left in (folder / _PART).iterdir():
                left.unlink()
            (folder / _PART).rmdir()
        write_manifest(folder, manifest)
        if index.exists():
            index.rmdir()
        folder.rename(index)
