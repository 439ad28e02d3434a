"""Qdrant in this process, by qdrant-edge-py.

Segments, write-ahead log, graph and 8-bit codes are those of the server. Only one process at a time can have an
index open, readers included. New points are compared exactly until `optimize`.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self, assert_never

import qdrant_edge as edge

from patsearch.backends.base import Embeddings, IndexSpec
from patsearch.backends.qdrant import folder
from patsearch.backends.qdrant import points as tuning
from patsearch.backends.qdrant.clauses import All, AnyOf, Begins, Between, Clause, Either, Inside, Missing, Not
from patsearch.backends.qdrant.payload import INDEXED, INDEXED_SINCE, VECTOR, Point, moment
from patsearch.backends.qdrant.points import Found, Points, found_of, point_of, selected
from patsearch.errors import BackendError, IndexDamaged, StorageError, UsageError
from patsearch.files import storage_errors, sync_file, sync_folder
from patsearch.lock import WriterLock
from patsearch.types import JsonDict

ENGINE = "Qdrant's engine in this process (qdrant-edge-py {version})"
_SHARD = "shard"
_QUERIES = 64  # planned together
_FLUSH = 20_000  # changes between two flushes: what the log repeats at most after a power cut
_FULL = ("No space left", "os error 28", "StorageFull", "Read-only file system", "Permission denied")


class EdgePoints(Points):
    """The points in a folder."""

    def __init__(self, root: Path, spec: IndexSpec, shard: edge.EdgeShard, lock: WriterLock) -> None:
        """Use `create` or `open`."""
        self.spec = spec
        self._root = root
        self._lock = lock
        self._open: edge.EdgeShard | None = shard
        self._mutex = threading.RLock()
        self._unflushed = 0

    @classmethod
    def create(cls, root: Path, spec: IndexSpec) -> Self:
        """Make an empty index; what an interrupted attempt left is removed."""
        with storage_errors(f"Creating {root}"):
            root.mkdir(parents=True, exist_ok=True)
        lock = folder.lock(root)
        try:
            folder.require_none(root)
            with storage_errors(f"Creating {root}"):
                shutil.rmtree(root / _SHARD, ignore_errors=True)
            with _errors(f"Creating {root}"):
                shard = edge.EdgeShard.create(str(root / _SHARD), _config(spec))
                for field, kind in (INDEXED | INDEXED_SINCE).items():
                    shard.update(edge.UpdateOperation.create_field_index(field, _index(kind)))
                shard.flush()
            folder.write(root, spec)
            return cls(root, spec, shard, lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open(cls, root: Path, spec: IndexSpec) -> Self:
        """Open what `create` made."""
        lock = folder.lock(root)
        try:
            try:
                with _errors(f"Opening {root}"):
                    shard = edge.EdgeShard.load(str(root / _SHARD))
            except BackendError as error:
                raise IndexDamaged(error.message, hint="Restore the index from a copy, or ingest again.") from error
            return cls(root, spec, shard, lock)
        except BaseException:
            lock.release()
            raise

    # ------------------------------------------------------------------ writing

    def add_indexes(self) -> None:
        with self._shard("Making an index") as shard:
            there = shard.info().payload_schema.keys()
            missing = {field: kind for field, kind in INDEXED_SINCE.items() if field not in there}
            for field, kind in missing.items():
                shard.update(edge.UpdateOperation.create_field_index(field, _index(kind)))
            if missing:
                shard.flush()

    def upsert(self, points: Sequence[Point]) -> None:
        batch = [edge.Point(p.id, {VECTOR: [] if p.vector is None else p.vector.tolist()}, p.payload) for p in points]
        with self._shard("Storing") as shard:
            shard.update(edge.UpdateOperation.upsert_points(batch))
        self._make_durable(len(batch))

    def delete(self, ids: Sequence[str]) -> None:
        with self._shard("Deleting") as shard:
            shard.update(edge.UpdateOperation.delete_points(list(ids)))
        self._make_durable(len(ids))

    def _make_durable(self, changes: int) -> None:
        """Make the write-ahead log survive a power cut (kill -9 it survives anyway); now and then, write it off.

        A flush writes every file of every segment, which takes a quarter of a second on a slow disk.
        """
        with storage_errors(f"Writing in {self._root}"):
            _sync_log(self._root / _SHARD / "wal")
        self._unflushed += changes
        if self._unflushed >= _FLUSH:
            self._unflushed = 0
            with self._shard("Storing") as shard:
                shard.flush()

    def defer(self) -> None:
        """Nothing to do: no graph is built before `optimize`."""

    def optimize(self) -> None:
        with self._shard("Optimizing") as shard:
            shard.optimize()
            shard.flush()

    # ------------------------------------------------------------------ reading

    def retrieve(
        self,
        ids: Sequence[str],
        *,
        fields: Sequence[str] | bool,
        vectors: bool,
        patient: bool | None = None,  # noqa: ARG002  nothing here has to be waited for
    ) -> list[Point]:
        with self._shard("Reading") as shard:
            records = shard.retrieve(list(ids), with_payload=selected(fields), with_vector=vectors)
        return [point_of(record) for record in records]

    def search(self, queries: Embeddings, limit: int, clause: Clause | None, exact: bool) -> list[list[Found]]:
        wanted, parameters = _filter(clause), _parameters(clause, exact)
        found: list[list[Found]] = []
        for start in range(0, len(queries), _QUERIES):
            requests = [
                edge.QueryRequest(
                    limit=limit,
                    query=edge.Query.Nearest(query.tolist(), using=VECTOR),
                    filter=wanted,
                    with_payload=True,
                    params=parameters,
                )
                for query in queries[start : start + _QUERIES]
            ]
            with self._shard("Searching") as shard:
                answers = shard.query_batch(edge.QueryBatchRequest(requests))
            found += [[found_of(hit) for hit in answer] for answer in answers]
        return found

    def groups(self, query: Embeddings, limit: int, size: int, clause: Clause | None, exact: bool) -> None:
        """Qdrant Edge cannot group."""

    def count(self, clause: Clause | None) -> int:
        with self._shard("Counting") as shard:
            return shard.count(edge.CountRequest(exact=True, filter=_filter(clause)))

    def distinct(self, field: str, clause: Clause | None) -> int:
        limit = self.count(clause)
        if not limit:
            return 0
        with self._shard("Counting") as shard:
            request = edge.FacetRequest(field, limit=limit, exact=True, filter=_filter(clause))
            return len(shard.facet(request).hits)

    def scroll(
        self, clause: Clause | None, *, batch: int, fields: Sequence[str] | bool, vectors: bool
    ) -> Iterator[list[Point]]:
        following: Any = None
        while True:
            request = edge.ScrollRequest(
                offset=following,
                limit=batch,
                filter=_filter(clause),
                with_payload=selected(fields),
                with_vector=vectors,
            )
            with self._shard("Reading") as shard:
                records, following = shard.scroll(request)
            if records:
                yield [point_of(record) for record in records]
            if following is None:
                return

    # ------------------------------------------------------------------ upkeep

    def facts(self) -> JsonDict:
        from importlib.metadata import version

        with self._shard("Reading") as shard:
            info = shard.info()
        return {
            "engine": ENGINE.format(version=version("qdrant-edge-py")),
            "bytes": folder.size(self._root),
            "indexed": info.indexed_vectors_count,
            "segments": info.segments_count,
        }

    def problems(self) -> Iterator[str]:
        with self._shard("Reading") as shard:
            missing = sorted(INDEXED.keys() - shard.info().payload_schema.keys())
        if missing:
            yield f"payload fields without their index: {', '.join(missing)}"

    def close(self) -> None:
        with self._mutex:
            if self._open is not None:
                self._open.close()
                self._open = None
                self._lock.release()

    @contextmanager
    def _shard(self, doing: str) -> Iterator[edge.EdgeShard]:
        # Held only to look: Qdrant serves several threads at once, and `close` does not wait for them.
        with self._mutex:
            shard = self._open
        if shard is None:
            raise UsageError("The index is closed.")
        with _errors(f"{doing} in {self._root}"):
            yield shard


@contextmanager
def _errors(doing: str) -> Iterator[None]:
    """Qdrant Edge raises bare Exception: only its text shows the cause."""
    try:
        yield
    except Exception as error:
        text = " ".join(str(error).split())
        if any(sign in text for sign in _FULL):
            raise StorageError(
                f"{doing}: {text}.", hint="Free some space or check the permissions; what was stored before is intact."
            ) from error
        if type(error) is not Exception:
            raise
        raise BackendError(f"{doing}: {text}.", hint="Run patsearch index verify.") from error


def _sync_log(log: Path) -> None:
    """Make the log's files durable; Qdrant renames them as they fill, in a separate thread."""
    names: set[Path] = set()
    while (found := set(log.iterdir())) != names:
        names = found
        for path in names:
            with suppress(FileNotFoundError):
                sync_file(path)
    sync_folder(log)


def _config(spec: IndexSpec) -> edge.EdgeConfig:
    return edge.EdgeConfig(
        vectors={VECTOR: edge.EdgeVectorParams(size=spec.dim, distance=edge.Distance.Cosine, memory=edge.Memory.Cold)},
        hnsw_config=edge.HnswIndexConfig(
            m=tuning.HNSW_M, ef_construct=tuning.EF_CONSTRUCT, full_scan_threshold=tuning.FULL_SCAN_KB
        ),
        quantization_config=edge.ScalarQuantizationConfig(
            edge.ScalarType.Int8, quantile=tuning.INT8_QUANTILE, memory=edge.Memory.Pinned
        ),
        optimizers=edge.EdgeOptimizersConfig(indexing_threshold=tuning.INDEXING_KB),
        payload_memory=edge.Memory.Cold,
        wal_enabled=True,
    )


def _index(kind: str) -> Any:
    match kind:
        case "datetime":
            return edge.PayloadSchemaType.Datetime
        case "words":
            return edge.KeywordIndexParams(prefix=True)
        case _:
            return edge.PayloadSchemaType.Keyword


def _parameters(clause: Clause | None, exact: bool) -> edge.SearchParams:
    if exact:
        return edge.SearchParams(exact=True, quantization=edge.QuantizationSearchParams(ignore=True))
    return edge.SearchParams(
        hnsw_ef=tuning.ef_search(clause),
        quantization=edge.QuantizationSearchParams(rescore=True, oversampling=tuning.OVERSAMPLING),
    )


def _filter(clause: Clause | None) -> edge.Filter | None:
    return None if clause is None else edge.Filter(must=[_condition(clause)])


def _condition(clause: Clause) -> Any:
    match clause:
        case AnyOf(field, values):
            return edge.FieldCondition(field, match=edge.MatchAny(list(values)))
        case Begins(field, prefix):
            return edge.FieldCondition(field, match=edge.MatchPrefix(prefix))
        case Between(field, first, last):
            # Without any bound Qdrant would match everything, also where the field is missing.
            low = "0001-01-01T00:00:00Z" if first is None else moment(first)
            high = None if last is None else moment(last)
            return edge.FieldCondition(field, range=edge.RangeDateTime(gte=low, lte=high))
        case Missing(field):
            return edge.IsEmptyCondition(field)
        case Inside(field, of):
            return edge.NestedCondition(field, edge.Filter(must=[_condition(of)]))
        case All(of):
            return edge.Filter(must=[_condition(one) for one in of])
        case Either(of):
            return edge.Filter(should=[_condition(one) for one in of])
        case Not(of):
            return edge.Filter(must_not=[_condition(of)])
        case _:
            assert_never(clause)
