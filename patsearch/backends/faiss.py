"""The embedded backend: files in a folder, exact while small, FAISS when large; needs no server."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self, TypeVar

import numpy as np

from patsearch.backends.base import Backend, Embeddings, IndexSpec, Location
from patsearch.backends.embedded import manifest as manifests
from patsearch.backends.embedded.generation import CATALOGUE, Generation, Snapshot
from patsearch.backends.embedded.maintenance import copy_live, problems, remove_leftovers
from patsearch.backends.embedded.manifest import Manifest
from patsearch.backends.planner import Tuning
from patsearch.backends.specfile import FORMAT
from patsearch.errors import StorageError, UsageError, VectorIndexError
from patsearch.files import storage_errors
from patsearch.filters import Filter
from patsearch.lock import WriterLock
from patsearch.types import Drawing, Hit, JsonDict, Patent

_LOCK = "writer.lock"
_ATTEMPTS = 5
_IDS = 10_000

T = TypeVar("T")


class FaissBackend(Backend):
    """An index in a folder (its files: see `patsearch.backends.embedded`).

    Many processes may read while one writes. A reader sees one version throughout a call, and looks
    for a newer one at the start of each call. Use one object from several threads as you like.
    """

    name = "faiss"

    def __init__(self, root: Path, manifest: Manifest, lock: WriterLock | None, tuning: Tuning) -> None:
        """Use `create` or `open`."""
        self.spec = manifest.spec
        self.read_only = lock is None
        self._root = root
        self._writer = lock
        self._tuning = tuning
        self._mutex = threading.RLock()
        self._stamp = manifests.stamp(root)
        self._manifest = manifest
        self._generation: Generation | None = self._open_generation(manifest)

    @classmethod
    def create(cls, location: Location, spec: IndexSpec, *, tuning: Tuning | None = None) -> Self:
        """Make an empty index in a folder, which is made where it is missing, and open it for writing.

        Raises:
            UsageError: there is an index already.
            IndexLocked: another process is making one there.
        """
        root = Path(location)
        with storage_errors(f"Creating {root}"):
            root.mkdir(parents=True, exist_ok=True)
        lock = WriterLock(root / _LOCK)
        try:
            if manifests.exists(root):
                raise UsageError(f"There is an index in {root} already.", hint="Open it, or name another folder.")
            manifest = Manifest(spec)
            with storage_errors(f"Creating {root}"):
                shutil.rmtree(root / manifest.folder, ignore_errors=True)
            Generation.create(root / manifest.folder)
            manifest.write(root)
            return cls(root, manifest, lock, tuning or Tuning())
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open(cls, location: Location, *, read_only: bool = True, tuning: Tuning | None = None) -> Self:
        """Open the index in a folder; errors as in `Backend.open`."""
        root = Path(location)
        if read_only:
            return _steady(root, lambda: cls(root, manifests.read(root), None, tuning or Tuning()))
        manifests.read(root)  # only an index gets a lock file
        lock = WriterLock(root / _LOCK)
        try:
            manifest = manifests.read(root)
            remove_leftovers(root, manifest)
            return cls(root, manifest, lock, tuning or Tuning())
        except BaseException:
            lock.release()
            raise

    @property
    def location(self) -> Path:
        """The folder of the index."""
        return self._root

    # ------------------------------------------------------------------ reading

    def refresh(self) -> bool:
        """See what other processes have committed since; every reading call does this first."""
        with self._mutex:
            generation = self._current()
            try:
                replaced = self.read_only and manifests.stamp(self._root) != self._stamp
            except OSError:
                return False  # the folder was moved, or is being replaced: what is open still answers
            if replaced:
                # The old generation closes when the last search that uses it is done.
                self._generation = _steady(self._root, self._reopen)
                return True
            return generation.refresh()

    def count(self, where: Filter | None = None) -> int:
        generation, seen = self._now()
        keep = generation.keep(seen, self.resolved(where))
        return seen.state.rows if keep is None else int(np.count_nonzero(keep))

    def patents(self, where: Filter | None = None) -> int:
        generation, seen = self._now()
        return generation.patents(seen, self.resolved(where))

    def get(self, ids: Sequence[str]) -> dict[str, tuple[Drawing, Embeddings]]:
        generation, seen = self._now()
        rows = generation.catalogue.rows_of(ids, seen.state)
        order = np.array(sorted(rows.values()), dtype=np.int64)
        vectors = dict(zip(order.tolist(), generation.segments.take(order), strict=True))
        drawings = generation.catalogue.drawings(order.tolist())
        return {id_: (drawings[rows[id_]], vectors[rows[id_]]) for id_ in dict.fromkeys(ids) if id_ in rows}

    def scan(self, where: Filter | None = None, *, batch: int = 1024) -> Iterator[tuple[list[Drawing], Embeddings]]:
        generation, seen = self._now()
        rows = generation.rows_by_id(seen, self.resolved(where))
        for start in range(0, len(rows), batch):
            part = rows[start : start + batch]
            drawings = generation.catalogue.drawings(part.tolist())
            yield [drawings[row] for row in part.tolist()], generation.segments.take(part)

    def payloads(self, where: Filter | None = None) -> Iterator[list[Drawing]]:
        generation, seen = self._now()
        rows = generation.rows_by_id(seen, self.resolved(where))
        for start in range(0, len(rows), _IDS):
            part = rows[start : start + _IDS].tolist()
            drawings = generation.catalogue.drawings(part)
            yield [drawings[row] for row in part]

    def ids(self, where: Filter | None = None) -> Iterator[str]:
        generation, seen = self._now()
        rows = generation.rows_by_id(seen, self.resolved(where))
        for start in range(0, len(rows), _IDS):
            part = rows[start : start + _IDS].tolist()
            ids = generation.catalogue.ids_of(part)
            yield from (ids[row] for row in part)

    def lacking(self, fields: Sequence[str]) -> int:
        generation, seen = self._now()
        return generation.lacking(seen, fields)

    def _search(self, queries: Embeddings, k: int, where: Filter, exact: bool) -> list[list[Hit]]:
        generation, _ = self._now()
        return generation.search(queries, k, where, exact=exact)

    def _cited(self, where: Filter) -> Iterator[str]:
        generation, seen = self._now()
        for bibliography in generation.bibliographies(seen, where):
            yield from bibliography.cites

    def info(self) -> JsonDict:
        generation, seen = self._now()
        derived = seen.derived
        return {
            "patents": generation.patents(seen, None),
            "drawings": seen.live,
            "bytes": sum(path.stat().st_size for path in generation.folder.iterdir() if path.is_file()),
            "engine": f"IVF{derived.lists},SQ8 with exact re-ranking" if derived else "exact scan",
            "dim": self.spec.dim,
            "deleted": seen.dead_count,
            "indexed": seen.covered,
            "generation": self._manifest.generation,
            "format": FORMAT,
        }

    def verify(self) -> list[str]:
        generation, _ = self._now()
        return list(problems(generation))

    # ------------------------------------------------------------------ writing

    def _upsert(self, drawings: Sequence[Drawing], embeddings: Embeddings) -> None:
        with self._mutex:
            self._current().append(drawings, embeddings)

    def amend(self, patents: Sequence[Patent]) -> set[str]:
        """As of `Backend`; facts are changed where they are, and no vector is written."""
        self._require_writable()
        with self._mutex:
            return self._current().amend(patents)

    def _delete(self, ids: Sequence[str]) -> int:
        with self._mutex:
            return self._current().delete(ids)

    def optimize(self) -> None:
        """Build the approximate structure where the index is large enough for one and it is missing or stale."""
        self._require_writable()
        with self._mutex:
            generation = self._current()
            if generation.stale():
                generation.build()

    def compact(self) -> JsonDict:
        """Write the live drawings into a new generation, which then takes the place of the old one.

        Nothing is written where nothing was deleted and everything bears a checksum.

        Readers keep the old files until they look again; a kill at any moment leaves the old
        generation or the new one.

        Returns `reclaimed` (rows of deleted or replaced drawings), `bytes_before` and `bytes_after`.
        """
        self._require_writable()
        with self._mutex:
            before = self.info()
            if before["deleted"] or self._current().catalogue.unchecked():
                self._replace_generation()
            self.optimize()
            return {
                "reclaimed": before["deleted"],
                "bytes_before": before["bytes"],
                "bytes_after": self.info()["bytes"],
            }

    def files(self, scratch: Path) -> dict[str, Path]:
        """The files that hold the index as it is now, by their names in its folder, for a copy.

        They stay as they are while this object is open and nothing is written through it.

        Args:
            scratch: an existing folder for a copy of the catalogue: one file, without the log that may be next to it.
        """
        self._require_writable()
        with self._mutex:
            generation = self._current()
            found = {manifests.FILE: self._root / manifests.FILE}
            for path in sorted(generation.folder.iterdir()):
                if not path.name.startswith(CATALOGUE):
                    found[f"{generation.folder.name}/{path.name}"] = path
            found[f"{generation.folder.name}/{CATALOGUE}"] = scratch / CATALOGUE
            generation.catalogue.save(scratch / CATALOGUE)
            return found

    def close(self) -> None:
        with self._mutex:
            if self._generation is not None:
                self._generation.close()
                self._generation = None
            if self._writer is not None:
                self._writer.release()
                self._writer = None

    # ------------------------------------------------------------------ generations

    def _current(self) -> Generation:
        if self._generation is None:
            raise UsageError("The index is closed.")
        return self._generation

    def _now(self) -> tuple[Generation, Snapshot]:
        with self._mutex:
            self.refresh()
            generation = self._current()
            return generation, generation.snapshot

    def _open_generation(self, manifest: Manifest) -> Generation:
        folder = self._root / manifest.folder
        return Generation(folder, self.spec.dim, self._tuning, read_only=self.read_only)

    def _reopen(self) -> Generation:
        self._stamp = manifests.stamp(self._root)
        self._manifest = manifests.read(self._root)
        self.spec = self._manifest.spec
        return self._open_generation(self._manifest)

    def _replace_generation(self) -> None:
        old, following = self._current(), self._manifest.next()
        folder = self._root / following.folder
        try:
            Generation.create(folder)
            new = self._open_generation(following)
            try:
                copy_live(old, new)
                if new.stale():
                    new.build()
                following.write(self._root)
            except BaseException:
                new.close()
                raise
        except BaseException:
            # Unless the interruption came just behind the replacement.
            if manifests.read(self._root).generation == self._manifest.generation:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        self._generation, self._manifest = new, following
        old.close()
        remove_leftovers(self._root, following)


def _steady(root: Path, attempt: Callable[[], T]) -> T:
    """Do it again where a compaction removed the generation between reading the manifest and opening it."""
    for _ in range(_ATTEMPTS):
        before = manifests.stamp(root) if manifests.exists(root) else None
        try:
            return attempt()
        except (VectorIndexError, StorageError):
            if before is None or manifests.stamp(root) == before:
                raise
    return attempt()
