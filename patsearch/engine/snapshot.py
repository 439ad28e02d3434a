"""A whole index as one file, and back.

    index.json  snapshot.json  journal.sqlite  thumbnails.sqlite  backend/...

in a plain tar archive. `backend/` holds the files of an embedded index whatever the backend was: what comes from a
cluster goes into a folder, and back. `snapshot.json` says how many drawings there are; archives of 0.1.0 lack it.
"""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from patsearch.backends.base import Backend, as_server, is_shared, on_server
from patsearch.backends.copy import copy
from patsearch.backends.faiss import FaissBackend
from patsearch.engine import journal, thumbnails
from patsearch.engine.engine import open_index
from patsearch.engine.manifest import FILE as MANIFEST
from patsearch.engine.manifest import read_manifest, write_manifest
from patsearch.errors import BackendError, IndexDamaged, IndexNotFound, InputError, UsageError
from patsearch.files import remove, replacing, storage_errors
from patsearch.plugins import load

_PART = "backend"
_FACTS = "snapshot.json"


def save_snapshot(index: Path, out: Path) -> int:
    """Write an index into a file, which appears whole or not at all; returns the number of drawings in it.

    Raises:
        UsageError: the file exists already.
        BackendError: the backend gave fewer or more drawings than it counts.
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
        files = _embedded(engine.backend, Path(scratch) / _PART)
        with FaissBackend.open(files) as kept:
            count = kept.count()
        if (wanted := engine.backend.count()) != count:
            raise BackendError(
                f"{index} holds {wanted:,} drawings, but {count:,} could be read: no snapshot was written.",
                hint="If others write to it, wait for them; otherwise run patsearch index verify. Then run it again.",
            )
        (Path(scratch) / _FACTS).write_text(json.dumps({"drawings": count}), encoding="utf-8")
        archive.add(index / MANIFEST, MANIFEST)
        for name in (_FACTS, journal.FILE, thumbnails.FILE):
            archive.add(Path(scratch) / name, name)
        archive.add(files, _PART, filter=_needed)
    return count


def restore_snapshot(archive: Path, index: Path, *, backend: str | None = None, url: str | None = None) -> int:
    """Make an index from a snapshot; the folder appears whole or not at all. Returns the number of drawings in it.

    Args:
        backend: by default, the one that the index had.
        url: the server to restore into; by default, the one that the index was on.

    Raises:
        UsageError: the folder, or the server's index of that name, exists already; or the backend has no servers.
        InputError: the file is not a snapshot, or not whole.
        BackendError: the backend does not hold all drawings afterwards.
    """
    if index.exists() and not (index.is_dir() and not any(index.iterdir())):
        raise UsageError(f"{index} exists already.", hint="Restore into a new folder.")
    index.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=index.resolve().parent, prefix=".restore-") as scratch:
        folder, facts = Path(scratch) / "index", Path(scratch) / "index" / _FACTS
        try:
            with tarfile.open(archive, "r:") as file:
                file.extractall(folder, filter="data")
            manifest = read_manifest(folder)
            wanted = json.loads(facts.read_bytes())["drawings"] if facts.exists() else None
        except (tarfile.TarError, OSError, ValueError, LookupError, IndexNotFound, IndexDamaged) as error:
            raise InputError(
                f"{archive} is not a snapshot of patsearch: {error}.",
                hint="Name a file made by patsearch index snapshot.",
            ) from error
        with _opened(archive, folder / _PART, manifest.backend) as kept:
            count = kept.count()
            if wanted not in (None, count):
                raise InputError(f"{archive} has {count:,} of its {wanted:,} drawings.", hint="Use another copy of it.")
            if backend not in (None, manifest.backend):
                manifest = replace(manifest, backend=backend, location=backend)
            kind: type[Backend] = load("backend", manifest.backend)
            if url is not None:
                manifest = replace(manifest, location=on_server(kind, url, index.resolve().name))
            _fill(kind, manifest.resolve(folder), kept, folder / _PART)
        remove(folder / _PART)
        facts.unlink(missing_ok=True)
        write_manifest(folder, manifest)
        if index.exists():
            index.rmdir()
        folder.rename(index)
    return count


def _embedded(backend: Backend, scratch: Path) -> Path:
    """A folder with the files of an embedded index that holds what the backend does."""
    if isinstance(backend, FaissBackend):
        return backend.location
    with FaissBackend.create(scratch, backend.spec) as kept:
        copy(backend, kept)
    return scratch


def _needed(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Neither the lock's files nor what SQLite shares in memory."""
    return None if member.name.endswith((".lock", ".pid", "-shm")) else member


def _opened(archive: Path, files: Path, name: str) -> Backend:
    """The backend's part of a snapshot. In 0.1.0 that was in the backend's own form."""
    try:
        return FaissBackend.open(files)
    except IndexNotFound as error:
        try:
            kind: type[Backend] = load("backend", name)
            return kind.open(files)
        except IndexNotFound:
            raise InputError(
                f"{archive} is a Qdrant server's own snapshot, as patsearch 0.1.0 made it.",
                hint="Restore it with patsearch 0.1.0, then make a new one.",
            ) from error


def _fill(kind: type[Backend], location: str, kept: Backend, files: Path) -> None:
    """Make the backend's index from the files of a snapshot, which may be moved; on an error, nothing is left."""
    if kind is type(kept) is FaissBackend:
        kept.close()
        files.rename(location)
        return
    with kind.create(location, kept.spec) as new:
        try:
            copy(kept, new)
            if (count := new.count()) != kept.count():
                raise BackendError(
                    f"{location} holds {count:,} of the {kept.count():,} drawings.", hint="Restore the snapshot again."
                )
        except BaseException:
            if is_shared(new):
                as_server(new).drop()
            raise
