"""Points on a server, by qdrant-client."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time
from typing import Any, Self, TypeVar, assert_never

from qdrant_client import QdrantClient, models

from patsearch.backends.base import Embeddings, IndexSpec
from patsearch.backends.qdrant import collections
from patsearch.backends.qdrant import points as tuning
from patsearch.backends.qdrant.address import Address
from patsearch.backends.qdrant.clauses import All, AnyOf, Begins, Between, Clause, Either, Inside, Missing, Not
from patsearch.backends.qdrant.connection import Client, Connection, sleep
from patsearch.backends.qdrant.limits import pages
from patsearch.backends.qdrant.payload import INDEXED, INDEXED_SINCE, VECTOR, Point
from patsearch.backends.qdrant.points import Found, Points, point_of, selected
from patsearch.backends.qdrant.troubles import AccessError, LimitError, RequestTooLargeError
from patsearch.backends.qdrant.wire import Asked
from patsearch.errors import BackendError, UsageError
from patsearch.types import JsonDict

T = TypeVar("T")

_QUERIES = 16  # a request
_DISTINCT = 100_000  # values requested at once; for more, all points are read
_COUNTED = 1000  # points read at once where they are only counted
_POLL = 0.5  # seconds between two looks at the optimizer
_EARLY = date(1, 1, 1)


class RemotePoints(Points):
    """Points on a server.

    The collection behind the alias is looked up once, when it is opened: after a switch, who searched the
    old one continues to do so.
    """

    shared = True

    def __init__(self, connection: Connection, collection: str, spec: IndexSpec) -> None:
        """Use `create` or `open`."""
        self.connection = connection
        self.collection = collection
        self.spec = spec
        self.limits = collections.limits_of(connection, collection)
        self._closed = False

    @classmethod
    def create(cls, address: Address, spec: IndexSpec) -> Self:
        """Make an empty collection."""
        connection = Connection(address)
        try:
            return cls(connection, collections.create(connection, spec), spec)
        except BaseException:
            connection.close()
            raise

    @classmethod
    def open(cls, address: Address, *, patient: bool = True) -> Self:
        """Open a collection by its alias or its name; `patient` as of `Connection`."""
        connection = Connection(address, patient=patient)
        try:
            collection = collections.find(connection, address.collection)
            return cls(connection, collection, collections.spec_of(connection, collection))
        except BaseException:
            connection.close()
            raise

    def call(self, doing: str, request: Callable[[QdrantClient], T], *, patient: bool | None = None) -> T:
        if self._closed:
            raise UsageError("The index is closed.")
        return self.connection.call(doing, request, patient=patient)

    def ask(self, doing: str, request: Callable[[Client], T], *, patient: bool | None = None) -> T:
        """As `call`, with the clients for what has to be quick."""
        if self._closed:
            raise UsageError("The index is closed.")
        return self.connection.ask(doing, request, patient=patient)

    def _kept(self, act: Callable[[], T]) -> T:
        """Do it within the limits, which may have been set or lowered since they were read."""
        try:
            return act()
        except LimitError:
            before, self.limits = self.limits, collections.limits_of(self.connection, self.collection)
            if self.limits == before:
                raise
            return act()

    def parameters(self, clause: Clause | None, exact: bool) -> models.SearchParams | None:
        if exact:
            if not self.limits.exact:
                raise LimitError(
                    f"The collection {self.collection} at {self.connection.url} allows no exact search "
                    "(strict mode, search_allow_exact).",
                    hint="Search without --exact, or have it allowed.",
                )
            return models.SearchParams(exact=True, quantization=models.QuantizationSearchParams(ignore=True))
        oversampling = min(tuning.OVERSAMPLING, self.limits.oversampling)
        rescored = models.QuantizationSearchParams(rescore=True, oversampling=oversampling)
        return models.SearchParams(hnsw_ef=min(tuning.ef_search(clause), self.limits.ef), quantization=rescored)

    def add_indexes(self) -> None:
        there = (self._info().payload_schema or {}).keys()
        missing = {field: kind for field, kind in INDEXED_SINCE.items() if field not in there}
        collections.add_indexes(self.connection, self.collection, missing)

    def upsert(self, points: Sequence[Point]) -> None:
        """Store, then look whether all of it is there: an acknowledgement alone is not taken for it."""
        left = list(points)
        for _ in range(self.connection.address.attempts):
            self._kept(lambda some=left: self._send_pages(some))  # type: ignore[misc]
            stamps = {p.id: p.payload.get("stamp") for p in self._stamps(left)}
            left = [point for point in left if stamps.get(point.id) != point.payload["stamp"]]
            if not left:
                return
        raise BackendError(
            f"The server at {self.connection.url} says that it stored {len(points)} drawings, "
            f"but {len(left)} of them are missing.",
            hint="Look at its log, its disk and the state of its shards; then run the same command again.",
        )

    def _send_pages(self, points: list[Point]) -> None:
        for part in pages(points, self.limits.upsert):
            self._send(list(part))

    def _send(self, points: list[Point]) -> None:
        batch = [models.PointStruct(id=p.id, vector={VECTOR: _list(p.vector)}, payload=p.payload) for p in points]
        try:
            self.call(f"Storing {len(points)} drawings", lambda c: c.upsert(self.collection, batch, wait=True))
        except RequestTooLargeError as error:
            if len(points) == 1:
                raise BackendError(
                    f"The server at {self.connection.url} refuses a request with one drawing as too large.",
                    hint="Raise max_request_size_mb there, or the limit of the proxy before it.",
                ) from error
            middle = len(points) // 2
            self._send(points[:middle])
            self._send(points[middle:])

    def _stamps(self, points: list[Point]) -> list[Point]:
        return self.retrieve([point.id for point in points], fields=["stamp"], vectors=False)

    def delete(self, ids: Sequence[str]) -> None:
        self.call(f"Deleting {len(ids)} drawings", lambda c: c.delete(self.collection, list(ids), wait=True))

    def retrieve(
        self, ids: Sequence[str], *, fields: Sequence[str] | bool, vectors: bool, patient: bool | None = None
    ) -> list[Point]:
        wanted = selected(fields)

        def read() -> list[Point]:
            found: list[Point] = []
            for part in pages(ids, self.limits.query):
                found += self._read(part, wanted, vectors, patient)
            return found

        return self._kept(read)

    def _read(self, ids: Sequence[str], fields: Any, vectors: bool, patient: bool | None) -> list[Point]:
        return self.ask(
            "Reading", lambda c: c.reading.retrieve(self.collection, ids, fields, vectors=vectors), patient=patient
        )

    def search(self, queries: Embeddings, limit: int, clause: Clause | None, exact: bool) -> list[list[Found]]:
        return self._kept(lambda: self._search(queries, limit, clause, exact))

    def _search(self, queries: Embeddings, limit: int, clause: Clause | None, exact: bool) -> list[list[Found]]:
        wanted, parameters = _filter(clause), self.parameters(clause, exact)
        found: list[dict[str, Found]] = [{} for _ in queries]
        for offset in range(0, limit, self.limits.query):
            size = min(self.limits.query, limit - offset)
            # A query that has found less than a page holds has found everything.
            left = [row for row, hits in enumerate(found) if len(hits) >= offset]
            for rows in pages(left, min(_QUERIES, self.limits.queries)):
                answers = self._answers(queries[list(rows)], Asked(size, wanted, parameters, offset))
                for row, hits in zip(rows, answers, strict=True):
                    for hit in hits:
                        # Between two pages of an approximate search, a point may move from one into the other.
                        found[row].setdefault(hit.id, hit)
        return [list(hits.values()) for hits in found]

    def groups(
        self, query: Embeddings, limit: int, size: int, clause: Clause | None, exact: bool
    ) -> list[list[Found]] | None:
        return self._kept(lambda: self._groups(query, limit, size, clause, exact))

    def _groups(
        self, query: Embeddings, limit: int, size: int, clause: Clause | None, exact: bool
    ) -> list[list[Found]] | None:
        if limit * size > self.limits.query:
            return None  # they have no pages; points do
        wanted, parameters = _filter(clause), self.parameters(clause, exact)
        asked = Asked(limit, wanted, parameters, group_size=size)
        return self.ask("Searching", lambda c: c.searching.groups(self.collection, query, asked))

    def _answers(self, queries: Embeddings, asked: Asked) -> list[list[Found]]:
        return self.ask("Searching", lambda c: c.searching.search(self.collection, list(queries), asked))

    def count(self, clause: Clause | None) -> int:
        return self._kept(lambda: self._count(clause))

    def _count(self, clause: Clause | None) -> int:
        if not self.limits.exact:  # holds for counts too
            return sum(len(part) for part in self.scroll(clause, batch=_COUNTED, fields=False, vectors=False))
        wanted = _filter(clause)
        return self.call("Counting", lambda c: c.count(self.collection, wanted, exact=True)).count

    def distinct(self, field: str, clause: Clause | None) -> int:
        return self._kept(lambda: self._distinct(field, clause))

    def _distinct(self, field: str, clause: Clause | None) -> int:
        limit = self._count(clause)
        if not limit:
            return 0
        if self.limits.exact and limit <= min(_DISTINCT, self.limits.query):
            wanted = _filter(clause)
            facet = self.call(
                "Counting",
                lambda c: c.facet(self.collection, field, facet_filter=wanted, limit=limit, exact=True),
            )
            return len(facet.hits)
        parts = self.scroll(clause, batch=_COUNTED, fields=[field], vectors=False)
        return len({point.payload[field] for part in parts for point in part if field in point.payload})

    def scroll(
        self, clause: Clause | None, *, batch: int, fields: Sequence[str] | bool, vectors: bool
    ) -> Iterator[list[Point]]:
        wanted, selector, following = _filter(clause), selected(fields), None
        while True:
            records, following = self._kept(
                lambda start=following: self.call(  # type: ignore[misc]
                    "Reading",
                    lambda c: c.scroll(
                        self.collection, scroll_filter=wanted, limit=min(batch, self.limits.query), offset=start,
                        with_payload=selector, with_vectors=vectors,
                    ),
                    patient=True,
                )
            )  # fmt: skip
            if records:
                yield [point_of(record) for record in records]
            if following is None:
                return

    def defer(self) -> None:
        with suppress(AccessError):  # a token that writes points, but may not configure: the graph grows meanwhile
            self._set_threshold(0)

    def optimize(self) -> None:
        info = self._info()
        self._let_one_of_two_count(info)
        if info.config.optimizer_config.indexing_threshold == 0:
            self._set_threshold(tuning.INDEXING_KB)
        quiet = 0
        while quiet < 2:  # the optimizer takes a moment to notice that there is work
            info = self._info()
            if isinstance(info.optimizer_status, models.OptimizersStatusOneOf1):
                text = info.optimizer_status.error
                raise BackendError(
                    f"The server's optimizer has stopped in {self.collection}: {text}.",
                    hint="Searches stay right but slow; see the server's log, its memory and disk.",
                )
            # Grey: it continues with the next write, which does not concern us.
            quiet = 0 if info.status == models.CollectionStatus.YELLOW else quiet + 1
            if quiet < 2:
                sleep(_POLL)

    def facts(self) -> JsonDict:
        info, address = self._info(), self.connection.address
        params, points = info.config.params, info.points_count or 0
        copies = params.replication_factor or 1
        return {
            "engine": f"Qdrant server {self.connection.version}",
            "bytes": tuning.estimated_bytes(points, self.spec.dim) * copies,
            "bytes_are": tuning.BYTES_ARE,
            "memory": tuning.estimated_memory(points, self.spec.dim) * copies,
            "memory_is": tuning.MEMORY_IS,
            "server": self.connection.url,
            **({"servers": ", ".join(address.urls)} if len(address.urls) > 1 else {}),
            "alias": address.collection,
            "collection": self.collection,
            "status": str(info.status.value),
            "indexed": info.indexed_vectors_count or 0,
            "segments": info.segments_count,
            "shards": params.shard_number or 1,
            "replicas": copies,
            "copies_a_write_needs": params.write_consistency_factor or 1,
            **({"limits": kept} if (kept := self.limits.to_json()) else {}),
            "graph": "deferred: index compact builds it"
            if info.config.optimizer_config.indexing_threshold == 0
            else "kept up to date by the server",
        }

    def problems(self) -> Iterator[str]:
        info = self._info()
        if info.status == models.CollectionStatus.RED:
            yield f"the server says that the collection {self.collection} is in trouble (status red)"
        if isinstance(info.optimizer_status, models.OptimizersStatusOneOf1):
            yield f"the server's optimizer has stopped: {info.optimizer_status.error}"
        missing = sorted(INDEXED.keys() - (info.payload_schema or {}).keys())
        if missing:
            yield f"payload fields without their index: {', '.join(missing)}"

    def publish(self, alias: str) -> str | None:
        return collections.switch(self.connection, alias, self.collection)

    def drop(self) -> None:
        collections.drop(self.connection, self.collection)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.connection.close()

    def _let_one_of_two_count(self, info: models.CollectionInfo) -> None:
        """Mend a collection with two copies that an earlier version made: its writes needed both."""
        params = info.config.params
        if (params.replication_factor, params.write_consistency_factor) == (2, 2):
            one = models.CollectionParamsDiff(write_consistency_factor=collections.copies_needed(2))
            with suppress(AccessError):
                self.call("Configuring", lambda c: c.update_collection(self.collection, collection_params=one))

    def _info(self) -> models.CollectionInfo:
        return self.call("Looking", lambda c: c.get_collection(self.collection))

    def _set_threshold(self, kilobytes: int) -> None:
        config = models.OptimizersConfigDiff(indexing_threshold=kilobytes)
        self.call("Configuring", lambda c: c.update_collection(self.collection, optimizers_config=config))


def _filter(clause: Clause | None) -> models.Filter | None:
    return None if clause is None else models.Filter(must=[_condition(clause)])


def _condition(clause: Clause) -> Any:
    match clause:
        case AnyOf(field, values):
            return models.FieldCondition(key=field, match=models.MatchAny(any=list(values)))
        case Begins(field, prefix):
            return models.FieldCondition(key=field, match=models.MatchPrefix(prefix=prefix))
        case Between(field, first, last):
            # Without any bound, a range would also match drawings without the field.
            bounds = models.DatetimeRange(gte=_midnight(first or _EARLY), lte=_midnight(last) if last else None)
            return models.FieldCondition(key=field, range=bounds)
        case Missing(field):
            return models.IsEmptyCondition(is_empty=models.PayloadField(key=field))
        case Inside(field, of):
            return models.NestedCondition(nested=models.Nested(key=field, filter=models.Filter(must=[_condition(of)])))
        case All(of):
            return models.Filter(must=[_condition(one) for one in of])
        case Either(of):
            return models.Filter(should=[_condition(one) for one in of])
        case Not(of):
            return models.Filter(must_not=[_condition(of)])
        case _:
            assert_never(clause)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _list(vector: Embeddings | None) -> list[float]:
    values: list[float] = [] if vector is None else vector.tolist()
    return values
