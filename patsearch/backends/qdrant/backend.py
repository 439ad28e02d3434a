"""The backend `qdrant`: drawings as points of a server's collection, or of Qdrant in this process."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import numpy as np

from patsearch.backends.base import Embeddings, IndexSpec, Location, ServerBackend
from patsearch.backends.qdrant import folder
from patsearch.backends.qdrant.address import is_address, parse_address, require_name, with_collection
from patsearch.backends.qdrant.clauses import Clause, lacking, translate
from patsearch.backends.qdrant.payload import GROUP, Point, point_id, to_drawing, to_point
from patsearch.backends.qdrant.points import Found, Points
from patsearch.errors import IndexDamaged, PluginError
from patsearch.filters import Filter
from patsearch.types import Drawing, Hit, JsonDict

_WRITE = 256  # points a request
_READ = 512
_IDS = 1000  # the limit of servers in strict mode
_BULK = 20_000  # after this many points, the graph is built once at the end
_TIES = 16_384  # equal scores that are put in the order of their ids, at most
_NORM = 1e-3


class QdrantBackend(ServerBackend):
    """An index on Qdrant. The location is a folder or an address (`patsearch.backends.qdrant.address`)."""

    name = "qdrant"

    def __init__(self, points: Points, *, read_only: bool) -> None:
        """Use `create` or `open`."""
        self.spec = points.spec
        self.read_only = read_only
        self.shared = points.shared
        self._points = points
        self._written = 0

    @classmethod
    def create(cls, location: Location, spec: IndexSpec) -> Self:
        """Make an empty index and open it for writing.

        Raises:
            UsageError: the location has an index already.
            BackendError: the server cannot be reached, is too old, or refuses.
        """
        place = str(location)
        if is_address(place):
            return cls(_part("remote").RemotePoints.create(parse_address(place), spec), read_only=False)
        return cls(_part("edge").EdgePoints.create(Path(place), spec), read_only=False)

    @classmethod
    def open(cls, location: Location, *, read_only: bool = True) -> Self:
        """Open an index; errors as in `Backend.open`, and BackendError where a server does not answer."""
        place = str(location)
        if is_address(place):
            # Who only reads is mostly somebody who waits for an answer; who writes is a load.
            points: Points = _part("remote").RemotePoints.open(parse_address(place), patient=not read_only)
        else:
            points = _part("edge").EdgePoints.open(Path(place), folder.read(Path(place)))
        if not read_only:
            try:
                points.add_indexes()
            except BaseException:
                points.close()
                raise
        return cls(points, read_only=read_only)

    @classmethod
    def on_server(cls, url: str, name: str) -> str:
        location = with_collection(url, name)
        parse_address(location)
        return location

    # ------------------------------------------------------------------ writing

    def _upsert(self, drawings: Sequence[Drawing], embeddings: Embeddings) -> None:
        points = [to_point(drawing, vector) for drawing, vector in zip(drawings, embeddings, strict=True)]
        if self._written <= _BULK < self._written + len(points):
            self._points.defer()
        self._written += len(points)
        for start in range(0, len(points), _WRITE):
            self._points.upsert(points[start : start + _WRITE])

    def _delete(self, ids: Sequence[str]) -> int:
        removed = 0
        for start in range(0, len(ids), _IDS):
            wanted = [point_id(id_) for id_ in ids[start : start + _IDS]]
            there = [point.id for point in self._points.retrieve(wanted, fields=False, vectors=False)]
            if there:
                self._points.delete(there)
            removed += len(there)
        return removed

    def optimize(self) -> None:
        """Build the graph where it is missing, and wait for it."""
        self._require_writable()
        self._points.optimize()
        self._written = 0

    def compact(self) -> JsonDict:
        """Let Qdrant free what it can and bring its graph up to date."""
        self._require_writable()
        before = int(self._points.facts()["bytes"])
        self.optimize()
        return {"reclaimed": 0, "bytes_before": before, "bytes_after": int(self._points.facts()["bytes"])}

    def publish(self, alias: str) -> str | None:
        self._require_writable()
        require_name(alias)
        return self._points.publish(alias)

    def drop(self) -> None:
        self._require_writable()
        self._points.drop()
        self.close()

    def close(self) -> None:
        self._points.close()

    # ------------------------------------------------------------------ reading

    def count(self, where: Filter | None = None) -> int:
        clause = translate(self.resolved(where))
        return 0 if clause is False else self._points.count(_clause(clause))

    def lacking(self, fields: Sequence[str]) -> int:
        return self._points.count(lacking(fields))

    def patents(self, where: Filter | None = None) -> int:
        clause = translate(self.resolved(where))
        return 0 if clause is False else self._points.distinct(GROUP, _clause(clause))

    def get(self, ids: Sequence[str]) -> dict[str, tuple[Drawing, Embeddings]]:
        return self._get(ids)

    def _get(self, ids: Sequence[str], patient: bool | None = None) -> dict[str, tuple[Drawing, Embeddings]]:
        wanted = {point_id(id_): id_ for id_ in ids}
        found: dict[str, tuple[Drawing, Embeddings]] = {}
        keys = list(wanted)
        for start in range(0, len(keys), _READ):
            part = keys[start : start + _READ]
            for point in self._points.retrieve(part, fields=True, vectors=True, patient=patient):
                found[wanted[point.id]] = _drawing(point.id, point.payload), _vector(point)
        return {id_: found[id_] for id_ in dict.fromkeys(ids) if id_ in found}

    def ids(self, where: Filter | None = None) -> Iterator[str]:
        clause = translate(self.resolved(where))
        if clause is False:
            return
        # Points are in the order of their UUIDs: only the ids are held and sorted here.
        found: list[str] = []
        for part in self._points.scroll(_clause(clause), batch=_IDS, fields=["id"], vectors=False):
            found += [point.payload["id"] for point in part if "id" in point.payload]
        yield from sorted(found)

    def scan(self, where: Filter | None = None, *, batch: int = 1024) -> Iterator[tuple[list[Drawing], Embeddings]]:
        pending: list[str] = []
        for id_ in self.ids(where):
            pending.append(id_)
            if len(pending) == batch:
                yield from self._batch(pending)
                pending = []
        yield from self._batch(pending)

    def _batch(self, ids: list[str]) -> Iterator[tuple[list[Drawing], Embeddings]]:
        found = self._get(ids, patient=True)
        if found:
            yield [drawing for drawing, _ in found.values()], np.stack([vector for _, vector in found.values()])

    def _search(self, queries: Embeddings, k: int, where: Filter, exact: bool) -> list[list[Hit]]:
        clause = translate(self.resolved(where))
        if clause is False:
            return [[] for _ in queries]
        limit = k + 1  # one more shows whether a tie was cut through
        answers = self._points.search(queries, limit, _clause(clause), exact)
        return [
            _ranked(self._whole_ties(query, answer, k, _clause(clause), exact), k)
            for query, answer in zip(queries, answers, strict=True)
        ]

    def _whole_ties(
        self, query: Embeddings, answer: list[Found], k: int, clause: Clause | None, exact: bool
    ) -> list[Found]:
        """The answer, deepened while the k-th score continues after its end: Qdrant orders ties differently."""
        limit = k + 1
        while len(answer) == limit and answer[-1].score == answer[k - 1].score and limit < _TIES:
            limit *= 4
            (answer,) = self._points.search(query[None, :], limit, clause, exact)
        return answer

    def search_groups(
        self, query: Embeddings, *, k: int, size: int, where: Filter, exact: bool
    ) -> list[list[Hit]] | None:
        clause = translate(self.resolved(where))
        if clause is False:
            return []
        groups = self._points.groups(query, k, size, _clause(clause), exact)
        return None if groups is None else [_ranked(group, size) for group in groups]

    # ------------------------------------------------------------------ looking

    def info(self) -> JsonDict:
        return {
            "patents": self.patents(),
            "drawings": self.count(),
            **self._points.facts(),
            "dim": self.spec.dim,
        }

    def verify(self) -> list[str]:
        """Reads everything: payloads, ids, lengths of vectors; and what Qdrant itself reports."""
        problems = list(self._points.problems())
        for part in self._points.scroll(None, batch=_READ, fields=True, vectors=True):
            for point in part:
                problems += _wrong(point, self.spec.dim)
        return problems


def _part(module: str) -> Any:
    """A module that needs qdrant-client or qdrant-edge-py."""
    try:
        return import_module(f"patsearch.backends.qdrant.{module}")
    except ImportError as error:
        extra = "qdrant-edge" if module == "edge" else "qdrant"
        raise PluginError(
            f"The backend 'qdrant' does not load: {error}.",
            hint=f"Install what it needs: pip install 'patsearch[{extra}]'.",
        ) from error


def _clause(clause: Clause | bool) -> Clause | None:
    return None if isinstance(clause, bool) else clause


def _drawing(key: str, payload: JsonDict) -> Drawing:
    try:
        return to_drawing(payload)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise IndexDamaged(
            f"The point {key} holds no drawing of patsearch: {error!r}.",
            hint="Something else writes to this collection; run patsearch index verify.",
        ) from error


def _vector(point: Point) -> Embeddings:
    if point.vector is None:
        raise IndexDamaged(f"The point {point.id} has no vector.", hint="Run patsearch index verify.")
    return point.vector


def _ranked(found: list[Found], k: int) -> list[Hit]:
    best = heapq.nsmallest(k, found, key=lambda f: (-f.score, str(f.payload.get("id"))))
    return [Hit(_drawing(f.id, f.payload), min(1.0, max(-1.0, f.score))) for f in best]


def _wrong(point: Point, dim: int) -> Iterator[str]:
    try:
        drawing = to_drawing(point.payload)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        yield f"point {point.id}: no drawing of patsearch ({error!r})"
        return
    if point_id(drawing.id) != point.id:
        yield f"point {point.id}: holds the drawing {drawing.id}, which belongs elsewhere"
    if point.vector is None or point.vector.shape != (dim,):
        yield f"drawing {drawing.id}: no vector of {dim} numbers"
    elif not abs(float(np.linalg.norm(point.vector)) - 1.0) < _NORM:
        yield f"drawing {drawing.id}: the vector is not of unit length"
