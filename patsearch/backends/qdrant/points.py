"""The interface between the backend and what stores its points."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from patsearch.backends.base import Embeddings, IndexSpec
from patsearch.backends.qdrant.clauses import Clause
from patsearch.backends.qdrant.payload import VECTOR, Point
from patsearch.errors import UsageError
from patsearch.types import JsonDict

# Measured on 200,000 vectors of 512 numbers (bench/backends.py): 8-bit codes in memory, the best ones
# compared again in the original.
EF_SEARCH = 128
# A filter by class leaves islands in the graph. With 128 a query from outside of the filter's classes missed one of
# its ten in twenty-five (class 10%: recall 0.975, 30%: 0.963).
EF_FILTERED = 512
OVERSAMPLING = 2.0
HNSW_M = 16
EF_CONSTRUCT = 128
INT8_QUANTILE = 0.99
FULL_SCAN_KB = 10_000  # matches of a filter up to this size are compared one by one
INDEXING_KB = 20_000  # segments smaller than this are searched without a graph


# Measured on a Qdrant server 1.19.0 with 60,000 drawings of 512 numbers, payloads (without bibliographies: those of 499
# designs of 2021 and 2023 add 2,343 bytes of JSON a drawing), indexes, graph and log included:
# 5,120 bytes a drawing on disk, of which 5 a number are originals (4, and what files reserve) and 1 is the 8-bit code.
_DISK_A_NUMBER, _DISK_A_DRAWING = 6, 2_048
# In the same files: the code, 1 byte a number, and 313 bytes of graph, which the server keeps in memory.
_GRAPH = 313
BYTES_ARE = (
    "estimated from a measurement: 5,120 bytes a drawing of 512 numbers (Qdrant 1.19, 60,000 drawings), all copies"
)
MEMORY_IS = "calculated from the sizes measured there: 8-bit codes and graph, without caches and payload indexes"


def ef_search(clause: Clause | None) -> int:
    """Candidates that a search of the graph keeps."""
    return EF_SEARCH if clause is None else EF_FILTERED


def estimated_bytes(points: int, dim: int) -> int:
    """Bytes on disk of that many drawings, in one copy."""
    return points * (_DISK_A_NUMBER * dim + _DISK_A_DRAWING)


def estimated_memory(points: int, dim: int) -> int:
    """Bytes of memory that codes and graph of that many drawings take, in one copy."""
    return points * (dim + _GRAPH)


@dataclass(frozen=True, slots=True)
class Found:
    """One point found, with its cosine."""

    id: str
    score: float
    payload: JsonDict


def found_of(hit: Any) -> Found:
    """A hit as Qdrant gives it, in this process or on a server."""
    return Found(str(hit.id), float(hit.score), hit.payload or {})


def point_of(record: Any) -> Point:
    """A record as Qdrant gives it, in this process or on a server."""
    vector = record.vector[VECTOR] if record.vector else None
    return Point(str(record.id), record.payload or {}, None if vector is None else np.array(vector, dtype=np.float32))


def selected(fields: Sequence[str] | bool) -> Any:
    """Which fields of the payload to give, as Qdrant takes it."""
    return fields if isinstance(fields, bool) else list(fields)


class Points(ABC):
    """Points of one index. What comes back from a write is durable."""

    spec: IndexSpec
    shared: bool = False

    @abstractmethod
    def add_indexes(self) -> None:
        """Make the indexes of payload fields that a collection of an earlier version lacks."""

    @abstractmethod
    def upsert(self, points: Sequence[Point]) -> None:
        """Insert or replace by id; every point has a vector."""

    @abstractmethod
    def delete(self, ids: Sequence[str]) -> None:
        """Remove points; unknown ids are fine."""

    @abstractmethod
    def retrieve(
        self, ids: Sequence[str], *, fields: Sequence[str] | bool, vectors: bool, patient: bool | None = None
    ) -> list[Point]:
        """The points that are there, in any order, with these fields of their payload (True: all).

        Args:
            patient: as of `Connection.call`.
        """

    @abstractmethod
    def search(self, queries: Embeddings, limit: int, clause: Clause | None, exact: bool) -> list[list[Found]]:
        """The closest for each query, best first, whole payloads."""

    @abstractmethod
    def count(self, clause: Clause | None) -> int:
        """How many points match, exactly."""

    @abstractmethod
    def distinct(self, field: str, clause: Clause | None) -> int:
        """How many values a keyword field has among the points that match."""

    @abstractmethod
    def scroll(
        self, clause: Clause | None, *, batch: int, fields: Sequence[str] | bool, vectors: bool
    ) -> Iterator[list[Point]]:
        """Everything that matches, in batches, in Qdrant's own order."""

    @abstractmethod
    def defer(self) -> None:
        """Build no graph until `optimize`: a large load is coming. Twice is fine."""

    @abstractmethod
    def optimize(self) -> None:
        """Build what is missing and wait for it."""

    @abstractmethod
    def facts(self) -> JsonDict:
        """`engine` and `bytes`, and what else `index info` should show."""

    @abstractmethod
    def problems(self) -> Iterator[str]:
        """The problems that Qdrant reports, one sentence each."""

    def publish(self, alias: str) -> str | None:
        """Make an alias point to the collection; returns what it pointed to before."""
        raise UsageError(f"Only an index on a server can be published as {alias!r}.")

    def drop(self) -> None:
        """Delete the collection."""
        raise UsageError("Only an index on a server can be dropped.", hint="Delete the folder.")

    @abstractmethod
    def close(self) -> None:
        """Release connections, files and locks. Twice is fine."""

    @abstractmethod
    def groups(
        self, query: Embeddings, limit: int, size: int, clause: Clause | None, exact: bool
    ) -> list[list[Found]] | None:
        """The best `limit` patents, each with its best `size` points; None where Qdrant cannot group."""
