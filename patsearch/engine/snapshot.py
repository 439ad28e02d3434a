"""A whole index as one file, and back.

    index.json  snapshot.json  journal.sqlite  thumbnails.sqlite  backend/...

in a plain tar archive. `backend/` holds the files of an embedded index whatever the backend was: what comes from a
cluster goes into a folder, and back. `snapshot.json` says how many drawings there are; archives of 0.1.0 lack it.
"""

from __future__ import annotations

import json
import re
import shutil
import tarfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from patsearch.backends.base import Backend, as_server, is_shared, on_server
from patsearch.backends.copy import copy
from patsearch.backends.faiss import FaissBackend
from patsearch.engine import journal, thumbnails
from patsearch.engine.engine import open_index
from patsearch.engine.journal import Journal
from patsearch.engine.manifest import FILE as MANIFEST
from patsearch.engine.manifest import read_manifest, write_manifest
from patsearch.engine.thumbnails import Thumbnails
from patsearch.errors import BackendError, IndexDamaged, IndexNotFound, InputError, UsageError
from patsearch.files import (
    SmallReads,
    new_parents,
    parse_json,
    read_start,
    remove,
    storage_errors,
    sync_file,
    sync_folder,
    write_text,
)
from patsearch.lock import scratch_folder
from patsearch.plugins import load
from patsearch.servers import remember, require_known

_PART = "backend"
_FACTS = "snapshot.json"
_NAME = re.compile(r"(?!\.+$)[\w.-]{1,200}", re.ASCII)  # of each file and folder in a snapshot
_MOST_MEMBERS = 10_000
_MAX_FACTS = 1 << 16  # bytes


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
        open_index(index, read_only=False) as engine,
        scratch_folder(out, "snapshot") as scratch,
    ):
        # The journal first: what it names is in the backend, which comes later.
        engine.journal.save(scratch / journal.FILE)
        engine.thumbnails.save(scratch / thumbnails.FILE)
        files, count = _embedded(engine.backend, scratch / _PART)
        if (wanted := engine.backend.count()) != count:
            raise BackendError(
                f"{index} holds {wanted:,} drawings, but {count:,} could be read: no snapshot was written.",
                hint="If others write to it, wait for them; otherwise run patsearch index verify. Then run it again.",
            )
        write_text(scratch / _FACTS, json.dumps({"drawings": count}))
        with tarfile.open(scratch / "archive", "w") as archive:
            archive.add(index / MANIFEST, MANIFEST)
            for name in (_FACTS, journal.FILE, thumbnails.FILE):
                archive.add(scratch / name, name)
            for name, path in files.items():
                archive.add(path, f"{_PART}/{name}")
        sync_file(scratch / "archive")
        (scratch / "archive").rename(out)
        sync_folder(out.resolve().parent)
    return count


def restore_snapshot(
    archive: Path, index: Path, *, backend: str | None = None, url: str | None = None, damaged: bool = False
) -> int:
    """Make an index from a snapshot, which may come from anybody; the folder appears whole or not at all.

    Args:
        backend: by default, the one that the index had.
        url: the server to restore into; by default, the one that the index was on, if you have named it before.
        damaged: restore what can be read of a snapshot that differs from its checksums.

    Returns the number of drawings in it.

    Raises:
        UsageError: the folder, or the server's index of that name, exists already; or the backend has no servers.
        InputError: the file is not a snapshot, not whole, or differs from its checksums.
        VectorIndexError: it names a server that you have not named.
        BackendError: the backend does not hold all drawings afterwards.
        StorageError: it cannot be written.
    """
    if index.exists() and not (index.is_dir() and not any(index.iterdir())):
        raise UsageError(f"{index} exists already.", hint="Restore into a new folder.")
    with storage_errors(f"Restoring {index}"), new_parents(index), scratch_folder(index, "restore") as scratch:
        folder = scratch / "index"
        _unpack(archive, folder)
        try:
            if not damaged:
                _check(archive, folder)
            count = _restored(archive, folder, index.resolve().name, backend, url)
            open_index(folder).close()
        except (IndexNotFound, IndexDamaged) as error:
            raise _not_a_snapshot(archive, str(error).replace(str(folder), "it")) from error
        if index.exists():
            index.rmdir()
        folder.rename(index)
        sync_folder(index.resolve().parent)
    return count


def _check(archive: Path, folder: Path) -> None:
    """Raises InputError where what was unpacked differs from its checksums: copied, it would get new ones."""
    with _opened(archive, folder / _PART, read_manifest(folder).backend) as kept:
        problems = kept.verify()
    for part in (Journal, Thumbnails):
        with closing(part(folder, read_only=False)) as opened:
            problems += opened.problems()
    if problems:
        more = f" There are {len(problems) - 1:,} more such places." if len(problems) > 1 else ""
        raise InputError(
            f"{archive} is damaged: {problems[0]}{more}",
            hint="Use another copy of it; --damaged restores what can be read.",
        )


def _restored(archive: Path, folder: Path, name: str, backend: str | None, url: str | None) -> int:
    """Make an index of the unpacked files, in their folder; returns the number of drawings."""
    manifest, facts = read_manifest(folder), folder / _FACTS
    try:
        wanted = parse_json(read_start(facts, _MAX_FACTS))["drawings"] if facts.exists() else None
    except (ValueError, LookupError, TypeError) as error:
        raise _not_a_snapshot(archive, f"{_FACTS}: {error}") from error
    with _opened(archive, folder / _PART, manifest.backend) as kept:
        count = kept.count()
        if wanted not in (None, count):
            raise InputError(f"{archive} has {count:,} of its {wanted!r} drawings.", hint="Use another copy of it.")
        if backend not in (None, manifest.backend):
            manifest = replace(manifest, backend=backend, location=backend)
        kind: type[Backend] = load("backend", manifest.backend)
        if url is not None:
            manifest = replace(manifest, location=on_server(kind, url, name))
            remember(url)
        elif manifest.on_server:
            require_known(manifest.location, archive)
        _fill(kind, manifest.resolve(folder), kept, folder / _PART)
    remove(folder / _PART)
    facts.unlink(missing_ok=True)
    write_manifest(folder, manifest)
    return count


def _embedded(backend: Backend, scratch: Path) -> tuple[dict[str, Path], int]:
    """The files of an embedded index that holds what the backend does, by name; and how many drawings it holds."""
    scratch.mkdir()
    if isinstance(backend, FaissBackend):
        return backend.files(scratch), backend.count()
    with FaissBackend.create(scratch / "index", backend.spec) as kept:
        copy(backend, kept)
        return kept.files(scratch), kept.count()


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


def _unpack(archive: Path, folder: Path) -> None:
    """The files of an archive below a folder. A snapshot holds plain files and folders alone; nothing else is made."""
    try:
        file = archive.open("rb")
    except OSError as error:
        raise InputError(
            f"Reading {archive}: {error.strerror or error}.", hint="Name a file that you may read."
        ) from error
    with file:
        try:
            with tarfile.open(fileobj=SmallReads(file), mode="r:") as members:
                for number, member in enumerate(members):
                    if number >= _MOST_MEMBERS:
                        raise ValueError(f"it has over {_MOST_MEMBERS:,} files")
                    _unpack_member(members, member, folder)
        except RecursionError as error:
            raise _not_a_snapshot(archive, "its headers have headers without end") from error
        except (tarfile.TarError, ValueError, OverflowError, EOFError, FileExistsError, NotADirectoryError) as error:
            raise _not_a_snapshot(archive, str(error)) from error


def _unpack_member(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    parts = [part for part in member.name.split("/") if part not in ("", ".")]
    if member.name.startswith("/") or not all(_NAME.fullmatch(part) for part in parts):
        raise ValueError(f"it has the name {member.name!r}")
    path = folder.joinpath(*parts)
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    data = archive.extractfile(member) if member.isreg() and not member.issparse() else None
    if data is None:
        raise ValueError(f"{member.name} is not a plain file")
    path.parent.mkdir(parents=True, exist_ok=True)
    with data, path.open("xb") as out:
        shutil.copyfileobj(data, out, SmallReads.MOST)
    if path.stat().st_size != member.size:
        raise ValueError(f"it ends within {member.name}")


def _not_a_snapshot(archive: Path, why: str) -> InputError:
    return InputError(
        f"{archive} is not a snapshot of patsearch: {why.rstrip('.')}.",
        hint="Name a file made by patsearch index snapshot.",
    )
