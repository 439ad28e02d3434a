"""The interface of a backend: where drawings and their embeddings lie and are searched.

Public methods validate; a backend implements the underscored ones. What every backend promises is
written as tests in `patsearch.backends.contract`, which a plug-in's author inherits:

- upsert is idempotent by drawing id; deleting what is not there is fine;
- an empty index answers with empty lists; at most k hits, never padding;
- scores (cosine in [-1, 1]) descend, ties by id;
- a filter selects exactly the drawings for which `Filter.matches` is true;
- what `upsert` or `delete` returned from survives kill -9 and reopening;
- a wrong dimension, NaN or another encoder's vectors raise our errors.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from patsearch.errors import EncoderMismatch, UsageError
from patsearch.filters import Filter
from patsearch.types import Drawing, Hit, JsonDict

Embeddings = NDArray[np.float32]
Location = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """What an index remembers of the way its vectors were made.

    Attributes:
        encoder: the encoder's name, as `patsearch.load_encoder` takes it.
        encoder_sha256: fingerprint of its weights and preprocessing; vectors of another are refused.
        dim: length of a vector.
        whole_sheets: whether sheets were indexed unsplit; queries are then treated the same way.
    """

    encoder: str
    encoder_sha256: str
    dim: int
    whole_sheets: bool = False


class Backend(ABC):
    """A store of drawings and unit vectors, searched by cosine. A context manager.

    Attributes:
        name: the name under which it is registered ("faiss").
        spec: the encoder and dimension that this index was made for.
        read_only: whether writing is refused.
        shared: whether other index folders may write to the same store: one on a server.
    """

    name: str
    spec: IndexSpec
    read_only: bool
    shared: bool = False

    # ------------------------------------------------------------------ to implement

    @classmethod
    @abstractmethod
    def create(cls, location: Location, spec: IndexSpec) -> Self:
        """Make a new, empty index and open it for writing. A backend may take keyword options besides.

        Args:
            location: a folder for an embedded engine, an address for a server.

        Raises:
            UsageError: there is an index already.
        """

    @classmethod
    @abstractmethod
    def open(cls, location: Location, *, read_only: bool = True) -> Self:
        """Open an index that `create` made. A backend may take keyword options besides.

        Raises:
            IndexNotFound: there is none.
            IndexLocked: `read_only` is false and another process is writing.
            IndexVersionError: it was written by a newer patsearch.
            IndexDamaged: what is there contradicts itself.
        """

    @abstractmethod
    def _upsert(self, drawings: Sequence[Drawing], embeddings: Embeddings) -> None:
        """Store durably; on return, everything survives kill -9."""

    @abstractmethod
    def _search(self, queries: Embeddings, k: int, where: Filter, exact: bool) -> list[list[Hit]]:
        """Best k per query, best first. `exact` forbids approximation."""

    @abstractmethod
    def _delete(self, ids: Sequence[str]) -> int:
        """Remove drawings by id; returns how many were there."""

    @abstractmethod
    def count(self, where: Filter | None = None) -> int:
        """Number of drawings that match."""

    @abstractmethod
    def get(self, ids: Sequence[str]) -> dict[str, tuple[Drawing, Embeddings]]:
        """Drawings and their vectors (dim,), by id; ids that are not there are left out."""

    @abstractmethod
    def scan(self, where: Filter | None = None, *, batch: int = 1024) -> Iterator[tuple[list[Drawing], Embeddings]]:
        """Everything that matches, ordered by id, in batches: export, copying, benchmarks."""

    @abstractmethod
    def info(self) -> JsonDict:
        """Counts, sizes and the engine's state, for `patsearch index info`.

        At least `patents`, `drawings`, `bytes` (on disk) and `engine` (what answers searches).
        """

    @abstractmethod
    def close(self) -> None:
        """Release files, locks and connections. Closing twice is fine."""

    # ------------------------------------------------------------------ conveniences

    def upsert(self, drawings: Sequence[Drawing], embeddings: Embeddings) -> None:
        """Insert or replace drawings by id.

        Args:
            drawings: N drawings with distinct ids.
            embeddings: (N, dim) float32, rows of unit length.

        Raises:
            EncoderMismatch: the vectors have another dimension than the index.
            UsageError: NaN or rows that are not of unit length, or counts that differ.
        """
        self._require_writable()
        if len(drawings) != len(embeddings):
            raise UsageError(f"{len(drawings)} drawings came with {len(embeddings)} vectors.")
        if not drawings:
            return
        matrix = self._checked(embeddings, "Vectors to store")
        if len({d.id for d in drawings}) != len(drawings):
            raise UsageError("The same drawing id occurs twice in one upsert.")
        self._upsert(drawings, matrix)

    def search(
        self, embeddings: Embeddings, *, k: int = 10, where: Filter | None = None, exact: bool = False
    ) -> list[list[Hit]]:
        """The k closest drawings for each query vector, best first, ties by id.

        Args:
            embeddings: (Q, dim) float32, rows of unit length; one vector (dim,) is taken as Q = 1.
            k: at most so many hits a query.
            where: only drawings that match.
            exact: never approximate.
        """
        if k < 1:
            raise UsageError(f"k must be at least 1, not {k}.")
        queries = self._checked(np.atleast_2d(embeddings), "Query vectors")
        return self._search(queries, k, where or Filter(), exact) if len(queries) else []

    def delete(self, ids: Sequence[str]) -> int:
        """Remove drawings by id; returns how many were there."""
        self._require_writable()
        return self._delete(list(dict.fromkeys(ids))) if ids else 0

    def ids(self, where: Filter | None = None) -> Iterator[str]:
        """The ids of everything that matches, in order."""
        for drawings, _ in self.scan(where):
            yield from (drawing.id for drawing in drawings)

    def delete_where(self, where: Filter) -> int:
        """Remove what matches; returns how many drawings that were.

        Raises:
            UsageError: the filter is empty, which would remove everything.
        """
        if not where:
            raise UsageError("An empty filter would delete every drawing.", hint="Name what is to be deleted.")
        return self.delete(list(self.ids(where)))

    def optimize(self) -> None:  # noqa: B027  an engine without derived structures has nothing to do
        """Bring derived search structures up to date; called after a large ingest. Searches are right without it."""

    def compact(self) -> JsonDict:
        """Give back the space of deleted drawings and bring derived structures up to date.

        Returns what was done, at least `reclaimed` (drawings whose space was freed).
        """
        self.optimize()
        return {"reclaimed": 0}

    def verify(self) -> list[str]:
        """Look for damage; returns the problems found, one sentence each, none if all is well."""
        return []

    @classmethod
    def on_server(cls, url: str, name: str) -> str:  # noqa: ARG003
        """The location of the index `name` on a server; what `create` and `open` take.

        Raises:
            UsageError: the engine has no servers.
        """
        raise UsageError(f"The backend {cls.name!r} has no server.", hint=f"Leave {url} out, or use --backend qdrant.")

    def search_groups(
        self,
        query: Embeddings,  # noqa: ARG002
        *,
        k: int,  # noqa: ARG002
        size: int,  # noqa: ARG002
        where: Filter,  # noqa: ARG002
        exact: bool,  # noqa: ARG002
    ) -> list[list[Hit]] | None:
        """The k best patents, best first, each with its best `size` hits; None where the engine cannot group.

        Args:
            query: (dim,) float32, of unit length.
        """
        return None

    def publish(self, alias: str) -> str | None:
        """Let a name on the server stand for this index, in one step; returns what it stood for before.

        Raises:
            UsageError: the index is not on a server, or the name is taken by something else.
        """
        raise UsageError(f"Only an index on a server can be published, as {alias!r} or otherwise.")

    def drop(self) -> None:
        """Delete the index with all it holds, and close it.

        Raises:
            UsageError: it lies in a folder, which the user can delete.
        """
        raise UsageError("An index in a folder goes with its folder.")

    def snapshot(self, scratch: Path) -> list[tuple[str, Path]]:  # noqa: ARG002
        """Files that hold the whole index at this moment, with the names that `restore` will find them under.

        They stay as they are while the index is open and nothing is written through it.

        Args:
            scratch: an empty folder for files that have to be made first.

        Raises:
            UsageError: the engine has no snapshots.
        """
        self._require_writable()
        raise UsageError(f"The backend {self.name!r} has no snapshots.", hint="Use patsearch index export.")

    @classmethod
    def restore(cls, files: Path, location: Location) -> None:  # noqa: ARG003
        """Make an index at a location where there is none from the files of a snapshot, which it may move.

        Raises:
            UsageError: there is an index, or the engine has no snapshots.
        """
        raise UsageError(f"The backend {cls.name!r} has no snapshots.")

    def refresh(self) -> bool:
        """See what other processes have committed since; returns whether anything changed."""
        return False

    def payloads(self, where: Filter | None = None) -> Iterator[list[Drawing]]:
        """The drawings that match, ordered by id, in batches, without their vectors."""
        for drawings, _ in self.scan(where):
            yield drawings

    def patents(self, where: Filter | None = None) -> int:
        """Number of distinct patents that match."""
        return len({d.patent for drawings in self.payloads(where) for d in drawings})

    def _require_writable(self) -> None:
        if self.read_only:
            raise UsageError("The index was opened for reading only.", hint="Open it with read_only=False.")

    def _checked(self, embeddings: Embeddings, what: str) -> Embeddings:
        # Never the caller's array: a backend may write into what it was given.
        matrix = np.array(embeddings, dtype=np.float32, order="C", copy=True)
        if matrix.ndim != 2 or matrix.shape[1] != self.spec.dim:
            raise EncoderMismatch(
                f"{what} have the shape {matrix.shape}; this index holds {self.spec.dim}-dimensional vectors "
                f"of the encoder {self.spec.encoder!r}.",
                hint="Use that encoder, or ingest into a new index.",
            )
        norms = np.linalg.norm(matrix, axis=1)
        if not np.isfinite(norms).all():
            raise UsageError(f"{what} contain NaN or infinity.")
        if len(norms) and np.abs(norms - 1.0).max() > 1e-3:
            raise UsageError(f"{what} must be of unit length.")
        return matrix

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
