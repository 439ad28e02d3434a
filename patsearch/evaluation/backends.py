"""What a backend does with a collection: how much it misses, how fast it answers, how big it is.

`ann_recall@k` compares the backend's own answers with the exact ones over the same drawings: it
says what approximation costs, not whether the exact answer is good. Searches are timed one at a time,
as a user waits for them, after a warm-up.
"""

from __future__ import annotations

import math
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from patsearch.backends.base import Backend, IndexSpec, as_server, on_server
from patsearch.evaluation.collection import Collection
from patsearch.evaluation.metrics import ann_recall_at_k, average_precision, mean
from patsearch.evaluation.ranking import DEFAULT_BLOCK_BYTES, Vectors, best_positions, score_block
from patsearch.filters import Filter, parse_filter
from patsearch.plugins import load
from patsearch.types import JsonDict

_UPSERT = 1024
_WARM_UP = 10
_SHARES = (0.001, 0.01, 0.1, 0.5)  # selectivities worth looking at


@dataclass(frozen=True, slots=True)
class SearchFigures:
    """One series of searches.

    Attributes:
        filter: the filter's text, empty for none.
        matches: drawings that pass it.
        ann_recall: k -> share of the exact first k that was found, mean over the searches.
        p50_ms, p95_ms, p99_ms: wall time of one search of one vector, in milliseconds.
        queries_per_second: searches per second, one after another.
        searches: number of timed searches.
    """

    filter: str
    matches: int
    ann_recall: dict[int, float]
    p50_ms: float
    p95_ms: float
    p99_ms: float
    queries_per_second: float
    searches: int

    def to_json(self) -> JsonDict:
        return asdict(self) | {"ann_recall": {f"ann_recall@{k}": value for k, value in self.ann_recall.items()}}


@dataclass(frozen=True, slots=True)
class BackendFigures:
    """One backend's measurements.

    Attributes:
        backend: its name.
        engine: what answers searches, in the backend's own words.
        vectors: drawings stored.
        bytes_per_vector: bytes on disk of the whole index, payloads included, per drawing.
        upserts_per_second: drawings stored per second; None for an existing index.
        depth: places that `map` and `exact_map` look at, the largest k of ann_recall.
        map: mean average precision of the backend's own answers without a filter, drawings of the same patent being
            relevant; NaN where no query has another drawing of its patent.
        exact_map: that of the exact answers to the same queries.
        per_second_by_clients: number of clients -> searches per second of all of them at once, in threads of
            one process; empty where it was not measured.
        series: without a filter first, then with.
    """

    backend: str
    engine: str
    vectors: int
    bytes_per_vector: float
    upserts_per_second: float | None
    depth: int
    map: float
    exact_map: float
    per_second_by_clients: dict[int, float] = field(default_factory=dict)
    series: tuple[SearchFigures, ...] = field(default_factory=tuple)

    def summary(self) -> str:
        """Size, rates and precision in one line."""
        parts = [f"{self.backend} ({self.engine}): {self.vectors:,} drawings"]
        parts.append(f"{self.bytes_per_vector:,.0f} bytes on disk each")
        if self.upserts_per_second is not None:
            parts.append(f"{self.upserts_per_second:,.0f} stored per second")
        parts.append(f"mAP@{self.depth} of its answers {self.map:.3f}, of the exact ones {self.exact_map:.3f}")
        if rates := ", ".join(f"{rate:,.0f} with {n}" for n, rate in self.per_second_by_clients.items()):
            parts.append(f"searches per second by number of clients: {rates}")
        return "; ".join(parts)

    def to_json(self) -> JsonDict:
        return {
            "backend": self.backend,
            "engine": self.engine,
            "vectors": self.vectors,
            "bytes_per_vector": self.bytes_per_vector,
            "upserts_per_second": self.upserts_per_second,
            f"map@{self.depth}": self.map,
            f"exact_map@{self.depth}": self.exact_map,
            "queries_per_second_by_clients": {str(n): rate for n, rate in self.per_second_by_clients.items()},
            "searches": [series.to_json() for series in self.series],
        }


@contextmanager
def built_backend(name: str, spec: IndexSpec, collection: Collection) -> Iterator[tuple[Backend, float]]:
    """A fresh index on a backend, and the drawings stored per second; it is deleted afterwards.

    The time includes making them durable and building the search structure. The index is opened
    again for searching, as a user's is.

    Args:
        name: `faiss`, `qdrant`: in a temporary folder; `qdrant=http://host:6333`: on a server.
    """
    kind, url = load_backend(name)
    with TemporaryDirectory(prefix="patsearch-bench-") as folder:
        unique = f"patsearch-bench-{uuid.uuid4().hex[:12]}"
        location = on_server(kind, url, unique) if url else str(Path(folder) / kind.name)
        start = time.perf_counter()
        with kind.create(location, spec) as writer:
            for begin in range(0, len(collection), _UPSERT):
                part = slice(begin, begin + _UPSERT)
                writer.upsert(collection.drawings[part], collection.vectors[part])
            writer.optimize()
        rate = len(collection) / (time.perf_counter() - start)
        try:
            with kind.open(location, read_only=True) as reader:
                yield reader, rate
        finally:
            if url:
                as_server(kind.open(location, read_only=False)).drop()


def load_backend(name: str) -> tuple[type[Backend], str]:
    """The backend of `faiss` or `qdrant=URL`, and the address of the server, empty for none.

    Raises:
        PluginError: no backend has this name.
        UsageError: it does not run on servers, or the address is not valid.
    """
    plugin, _, url = name.partition("=")
    kind: type[Backend] = load("backend", plugin)
    if url:
        on_server(kind, url, "x")
    return kind, url


def measure_backend(
    name: str,
    backend: Backend,
    collection: Collection,
    queries: NDArray[np.int64],
    *,
    filters: Sequence[Filter] = (),
    ks: Sequence[int] = (10, 100),
    searches: int = 200,
    upserts_per_second: float | None = None,
    clients: Sequence[int] = (),
) -> BackendFigures:
    """Search a backend with stored drawings, each left out of its own answer.

    Args:
        backend: holds exactly the drawings of `collection`.
        queries: rows of the collection to search with; a sample of `searches` is drawn.
        filters: each is measured in addition to no filter.
        ks: the k of ann_recall@k; the timed searches return the smallest.
        clients: numbers of clients to search with at once, without a filter.
    """
    rng = np.random.default_rng(0)
    rows = np.sort(rng.choice(queries, size=min(searches, len(queries)), replace=False))
    wheres = (Filter(), *filters)
    decided = [where.among(collection.drawings) for where in wheres]
    passing = [np.array([where.matches(d) for d in collection.drawings], dtype=bool) for where in decided]
    exact = _exact(collection, rows, passing, max(ks))
    series, precisions = [], (math.nan, math.nan)
    for where, mask, answers in zip(wheres, passing, exact, strict=True):
        found = _answers(backend, collection, rows, where, max(ks))
        recalls = {
            k: mean(np.array([ann_recall_at_k(*pair, k) for pair in zip(found, answers, strict=True)])) for k in ks
        }
        if not where:
            precisions = _precision(collection, rows, found), _precision(collection, rows, answers)
        times = _times(backend, collection.vectors[rows], where, min(ks))
        series.append(_figures(where, int(mask.sum()), recalls, times))
    info = backend.info()
    return BackendFigures(
        backend=name,
        engine=str(info.get("engine", "")),
        vectors=len(collection),
        bytes_per_vector=int(info["bytes"]) / max(1, len(collection)),
        upserts_per_second=upserts_per_second,
        depth=max(ks),
        map=precisions[0],
        exact_map=precisions[1],
        per_second_by_clients={n: _at_once(backend, collection.vectors[rows], n, min(ks)) for n in clients},
        series=tuple(series),
    )


def _exact(
    collection: Collection, rows: NDArray[np.int64], passing: Sequence[NDArray[np.bool_]], k: int
) -> list[list[list[str]]]:
    """For each filter and each row the ids of the exact first k, the row itself left out."""
    answers: list[list[list[str]]] = [[] for _ in passing]
    block = max(1, DEFAULT_BLOCK_BYTES // (4 * max(1, len(collection))))
    for start in range(0, len(rows), block):
        part = rows[start : start + block]
        for row, scores in zip(part, score_block(collection.vectors[part], collection.vectors), strict=True):
            scores[row] = -np.inf
            for mask, found in zip(passing, answers, strict=True):
                masked = np.where(mask, scores, np.float32(-np.inf))
                best = best_positions(masked, min(k, int(mask.sum()) - int(mask[row])))
                found.append([collection.drawings[int(position)].id for position in best])
    return answers


def _answers(
    backend: Backend, collection: Collection, rows: NDArray[np.int64], where: Filter, k: int
) -> list[list[str]]:
    """For each row the ids of the backend's first k, the row itself left out."""
    answers = []
    for row in rows:
        # One more than needed: the query finds itself, which proves nothing.
        hits = backend.search(collection.vectors[row], k=k + 1, where=where)[0]
        itself = collection.drawings[int(row)].id
        answers.append([hit.drawing.id for hit in hits if hit.drawing.id != itself])
    return answers


def _precision(collection: Collection, rows: NDArray[np.int64], answers: Sequence[Sequence[str]]) -> float:
    """Mean average precision of the answers: drawings of the query's own patent are relevant."""
    patent = {drawing.id: drawing.patent for drawing in collection.drawings}
    sizes = Counter(patent.values())
    values = []
    for row, found in zip(rows, answers, strict=True):
        own = collection.drawings[int(row)].patent
        ranks = np.array([rank for rank, id_ in enumerate(found, start=1) if patent[id_] == own], dtype=np.int64)
        values.append(average_precision(ranks, relevant=sizes[own] - 1))
    return mean(np.array(values))


def _at_once(backend: Backend, vectors: Vectors, clients: int, k: int) -> float:
    """Searches per second of N threads together."""
    with ThreadPoolExecutor(clients) as pool:
        start = time.perf_counter()
        list(pool.map(lambda vector: backend.search(vector, k=k), vectors))
        return len(vectors) / (time.perf_counter() - start)


def _times(backend: Backend, vectors: Vectors, where: Filter, k: int) -> NDArray[np.float64]:
    """(Q,) seconds of wall time of each search, alone, after a warm-up."""
    for vector in vectors[:_WARM_UP]:
        backend.search(vector, k=k, where=where)
    times = np.empty(len(vectors))
    for number, vector in enumerate(vectors):
        start = time.perf_counter()
        backend.search(vector, k=k, where=where)
        times[number] = time.perf_counter() - start
    return times


def _figures(where: Filter, matches: int, recalls: dict[int, float], times: NDArray[np.float64]) -> SearchFigures:
    p50, p95, p99 = np.percentile(times * 1000, [50, 95, 99]) if len(times) else (math.nan,) * 3
    return SearchFigures(
        filter=str(where),
        matches=matches,
        ann_recall=recalls,
        p50_ms=float(p50),
        p95_ms=float(p95),
        p99_ms=float(p99),
        queries_per_second=float(len(times) / times.sum()) if len(times) else math.nan,
        searches=len(times),
    )


def choose_filters(collection: Collection, shares: Sequence[float] = _SHARES) -> list[Filter]:
    """Filters by class and by date that let about these shares of the drawings through.

    Taken from the data: the class code, and the grant date as an upper bound, whose share is the
    closest by ratio. A share that no filter comes within a factor of 2 of is left out.
    """
    total = len(collection)
    codes: Counter[str] = Counter()
    for drawing in collection.drawings:
        codes.update({f"{c.scheme}={a}" for c in drawing.classes for a in c.ancestors})
    dates = sorted(d.granted for d in collection.drawings if d.granted)
    until = {f"granted<={day.isoformat()}": place for place, day in enumerate(dates, start=1)}
    chosen: dict[str, None] = {}
    for counts in (codes, until):
        for share in shares:
            near = sorted(counts, key=lambda text: (abs(math.log(counts[text] / (share * total))), text))
            if near and 0.5 < counts[near[0]] / (share * total) < 2:
                chosen[near[0]] = None
    return [parse_filter(text) for text in chosen]
