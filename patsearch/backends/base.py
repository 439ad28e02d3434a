"""The interface of a backend: where drawings and their embeddings are stored and searched.

Public methods validate; a backend implements the underscored ones. The promises of every backend are tests in
`patsearch_contract` (packages/patsearch-contract), which the author of a plug-in inherits:

- upsert is idempotent by drawing id; deleting an unknown id is fine;
- an empty index answers with empty lists; at most k hits, never padding;
- scores (cosine in [-1, 1]) descend, ties by id;
- a filter selects exactly the drawings for which `Filter.matches` is true;
- after `upsert` or `delete` has returned, its change survives kill -9 and reopening;
- `citedby` in a filter stands for what is stored (`resolved`);
- a wrong dimension, NaN or another encoder's vectors raise our errors.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from patsearch.errors import EncoderMismatch, UsageError
from patsearch.filters import Filter, only_patents
from patsearch.types import Closing, Drawing, Hit, JsonDict, Patent

Embeddings = NDArray[np.float32]
Location = str | os.PathLike[str]
_AMENDED = 200  # patents whose drawings are held at once


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """How the vectors of an index were made.

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


class Backend(Closing):
    """A store of drawings and unit vectors, searched by cosine. A context manager.

    Attributes:
        name: the name under which it is registered ("faiss").
        spec: the encoder and dimension that this index was made for.
        read_only: whether writing is refused.
    """

    name: str
    spec: IndexSpec
    read_only: bool

    # ------------------------------------------------------------------ to implement

    @classmethod
    @abstractmethod
    def create(cls, location: Location, spec: IndexSpec) -> Self:
        """Make a new, empty index and open it for writing. A backend may take more keyword options.

        Args:
            location: a folder, or the address of a server.

        Raises:
            UsageError: the location has an index already.
        """

    @classmethod
    @abstractmethod
    def open(cls, location: Location, *, read_only: bool = True) -> Self:
        """Open an index that `create` made. A backend may take more keyword options.

        Raises:
            IndexNotFound: the location has no index.
            IndexLocked: `read_only` is false and another process is writing.
            IndexVersionError: it was written by a newer patsearch.
            IndexDamaged: its files contradict each other.
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
        """Drawings and their vectors (dim,), by id; unknown ids are left out."""

    @abstractmethod
    def scan(self, where: Filter | None = None, *, batch: int = 1024) -> Iterator[tuple[list[Drawing], Embeddings]]:
        """Everything that matches, ordered by id, in batches: export, copying, benchmarks."""

    @abstractmethod
    def info(self) -> JsonDict:
        """Counts, sizes and state, for `patsearch index info`.

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
            k: up to k hits a query.
            where: only drawings that match.
            exact: never approximate.
        """
        if k < 1:
            raise UsageError(f"k must be at least 1, not {k}.")
        queries = self._checked(np.atleast_2d(embeddings), "Query vectors")
        return self._search(queries, k, self.resolved(where) or Filter(), exact) if len(queries) else []

    def delete(self, ids: Sequence[str]) -> int:
        """Remove drawings by id; returns how many were there."""
        self._require_writable()
        return self._delete(list(dict.fromkeys(ids))) if ids else 0

    def ids(self, where: Filter | None = None) -> Iterator[str]:
        """The ids of everything that matches, in order."""
        for drawings, _ in self.scan(where):
            yield from (drawing.id for drawing in drawings)

    def delete_where(self, where: Filter) -> int:
        """Remove the drawings that match; returns how many.

        Raises:
            UsageError: the filter is empty, which would remove everything.
        """
        if not where:
            raise UsageError("An empty filter would delete every drawing.", hint="Name the drawings to delete.")
        return self.delete(list(self.ids(where)))

    def amend(self, patents: Sequence[Patent]) -> set[str]:
        """Add what is known of patents to their stored drawings (`Drawing.amended`); durable on return.

        Vectors stay as they are. Patents that are not stored are passed over.

        Args:
            patents: with distinct numbers; their sheets are not looked at.

        Returns:
            The numbers of those that are stored.
        """
        self._require_writable()
        found: set[str] = set()
        for start in range(0, len(patents), _AMENDED):
            known = {patent.number: patent for patent in patents[start : start + _AMENDED]}
            where = only_patents(known)
            for drawings, vectors in list(self.scan(where)):
                found.update(d.patent for d in drawings if d.patent in known)
                pairs = [(place, d.amended(known[d.patent])) for place, d in enumerate(drawings) if d.patent in known]
                changed = [(place, new) for place, new in pairs if new != drawings[place]]
                if changed:
                    self.upsert([new for _, new in changed], vectors[[place for place, _ in changed]])
        return found

    def resolved(self, where: Filter | None) -> Filter | None:
        """The filter with `citedby` as the patents that are cited in this index; every method that filters does this.

        Raises:
            FilterError: it stands for too many patents.
        """
        return where.resolved(self._cited) if where else where

    def _cited(self, where: Filter) -> Iterator[str]:
        """Numbers of the patents that those which match cite, some more than once."""
        for drawings in self.payloads(where):
            for drawing in drawings:
                yield from drawing.values("cites")

    def optimize(self) -> None:
        """Bring derived search structures up to date; called after a large ingest. Searches are correct without it."""

    def compact(self) -> JsonDict:
        """Free the space of deleted drawings and bring derived structures up to date.

        Returns what was done, at least `reclaimed` (drawings whose space was freed).
        """
        self.optimize()
        return {"reclaimed": 0}

    def verify(self) -> list[str]:
        """Look for damage; returns the problems found, one sentence each, none if all is well."""
        return []

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

    def lacking(self, fields: Sequence[str]) -> int:
        """Number of drawings that have no value in any of these fields of a filter (`granted`, `title`, `uspc` ...)."""
        return sum(not any(map(d.has, fields)) for drawings in self.payloads() for d in drawings)

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


class ServerBackend(Backend):
    """A backend that can keep an index on a server, where other index folders may write to it too.

    Attributes:
        shared: whether this index is on a server.
    """

    shared: bool

    @classmethod
    @abstractmethod
    def on_server(cls, url: str, name: str) -> str:
        """The location of the index `name` on a server; what `create` and `open` take.

        Raises:
            UsageError: the address is not valid.
        """

    @abstractmethod
    def search_groups(
        self, query: Embeddings, *, k: int, size: int, where: Filter, exact: bool
    ) -> list[list[Hit]] | None:
        """The k best patents, best first, each with its best `size` hits; None where this index cannot group.

        Args:
            query: (dim,) float32, of unit length.
        """

    @abstractmethod
    def publish(self, alias: str) -> str | None:
        """Make a name on the server point to this index, in one step; returns what it pointed to before.

        Raises:
            UsageError: the index is not on a server, or the name is taken by something else.
        """

    @abstractmethod
    def drop(self) -> None:
        """Delete the index on the server with all its contents, and close it.

        Raises:
            UsageError: the index is not on a server.
        """


def on_server(kind: type[Backend], url: str, name: str) -> str:
    """The location of the index `name` on a server, for a backend that can be there.

    Raises:
        UsageError: the backend has no servers, or the address is not valid.
    """
    if not issubclass(kind, ServerBackend):
        raise UsageError(f"The backend {kind.name!r} has no server.", hint=f"Leave {url} out, or use --backend qdrant.")
    return kind.on_server(url, name)


def is_shared(backend: Backend) -> bool:
    """Whether other index folders may write to the same store."""
    return isinstance(backend, ServerBackend) and backend.shared


def as_server(backend: Backend) -> ServerBackend:
    """The backend, which must keep its index on a server.

    Raises:
        UsageError: the index is in a folder.
    """
    if not isinstance(backend, ServerBackend) or not backend.shared:
        raise UsageError(
            "Only an index on a server can be published or dropped; this one is in a folder.",
            hint="Delete the folder, or copy the index to a server: patsearch index copy.",
        )
    return backend
