"""The backend `qdrant` over qdrant-client's local mode: the client's own Python, exact, without a server."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from qdrant_client import QdrantClient, models

from patsearch.backends.base import Embeddings, IndexSpec, Location
from patsearch.backends.qdrant import folder
from patsearch.backends.qdrant.backend import QdrantBackend
from patsearch.backends.qdrant.clauses import Clause
from patsearch.backends.qdrant.limits import Limits
from patsearch.backends.qdrant.payload import VECTOR, Point
from patsearch.backends.qdrant.points import Found, found_of, point_of
from patsearch.backends.qdrant.remote import RemotePoints
from patsearch.backends.qdrant.wire import Asked
from patsearch.errors import UsageError
from patsearch.files import storage_errors
from patsearch.lock import WriterLock
from patsearch.types import JsonDict

T = TypeVar("T")


class LocalBackend(QdrantBackend):
    """An index in a folder, by `LocalPoints`."""

    @classmethod
    def create(cls, location: Location, spec: IndexSpec) -> Self:
        root = Path(location)
        root.mkdir(parents=True, exist_ok=True)
        folder.require_none(root)
        points = LocalPoints(root, spec)
        points.call(
            "Creating",
            lambda c: c.create_collection(
                LocalPoints.collection, {VECTOR: models.VectorParams(size=spec.dim, distance=models.Distance.COSINE)}
            ),
        )
        folder.write(root, spec)
        return cls(points, read_only=False)

    @classmethod
    def open(cls, location: Location, *, read_only: bool = True) -> Self:
        return cls(LocalPoints(Path(location), folder.read(Path(location))), read_only=read_only)


class LocalPoints(RemotePoints):
    """The calls that go to a server, answered by the client itself."""

    shared = False
    collection = "drawings"
    limits = Limits()

    def __init__(self, root: Path, spec: IndexSpec) -> None:
        self.spec = spec
        self._root = root
        self._lock: WriterLock | None = folder.lock(root)
        with warnings.catch_warnings():
            # That local mode is not meant for large collections is said in `engine`.
            warnings.simplefilter("ignore", UserWarning)
            self._client = QdrantClient(path=str(root / "client"), force_disable_check_same_thread=True)

    def upsert(self, points: Sequence[Point]) -> None:
        self._send(list(points))

    def search(self, queries: Embeddings, limit: int, clause: Clause | None, exact: bool) -> list[list[Found]]:
        """Scores computed again, to six places.

        Its sums differ in the last bits from call to call, and its vectors, which are scaled again whenever
        they are loaded, from one opening to the next.
        """
        answers = super().search(queries, limit, clause, exact)
        vectors = {p.id: p.vector for p in self._vectors({hit.id for answer in answers for hit in answer})}
        rescored = [
            [replace(hit, score=round(_product(vectors[hit.id], query), 6)) for hit in answer]
            for query, answer in zip(queries, answers, strict=True)
        ]
        return [sorted(answer, key=lambda hit: -hit.score) for answer in rescored]

    def _answers(self, queries: Embeddings, asked: Asked) -> list[list[Found]]:
        requests = [
            models.QueryRequest(
                query=query.tolist(), using=VECTOR, filter=asked.filter, limit=asked.limit, with_payload=True
            )
            for query in queries
        ]
        answers = self.call("Searching", lambda c: c.query_batch_points(self.collection, requests))
        return [[found_of(hit) for hit in answer.points] for answer in answers]

    def _groups(
        self, query: Embeddings, limit: int, size: int, clause: Clause | None, exact: bool
    ) -> list[list[Found]] | None:
        return None

    def _read(self, ids: Sequence[str], fields: Any, vectors: bool, patient: bool | None) -> list[Point]:
        records = self.call(
            "Reading", lambda c: c.retrieve(self.collection, list(ids), with_payload=fields, with_vectors=vectors)
        )
        return [point_of(record) for record in records]

    def _vectors(self, ids: set[str]) -> list[Point]:
        return self.retrieve(sorted(ids), fields=False, vectors=True) if ids else []

    def call(self, doing: str, request: Callable[[QdrantClient], T], *, patient: bool | None = None) -> T:
        if self._lock is None:
            raise UsageError("The index is closed.")
        with storage_errors(f"{doing} in {self._root}"):
            return request(self._client)

    def parameters(self, clause: Clause | None, exact: bool) -> None:
        """Local mode has no parameters."""

    def defer(self) -> None:
        """Nothing to do: there is no graph."""

    def optimize(self) -> None:
        """Nothing to do: there is no graph."""

    def facts(self) -> JsonDict:
        engine = f"local mode of qdrant-client {version('qdrant-client')}: exact comparison in Python, no server"
        return {"engine": engine, "bytes": folder.size(self._root)}

    def problems(self) -> Iterator[str]:
        return iter(())

    def close(self) -> None:
        if self._lock is not None:
            self._client.close()
            self._lock.release()
            self._lock = None


def _product(one: Embeddings | None, other: Embeddings) -> float:
    assert one is not None
    return float(one.astype(np.float64) @ other.astype(np.float64))
