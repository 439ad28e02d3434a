"""The harness that measures engines: it must notice what an engine gets wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench_makers import DIM, make_collection
from fake_qdrant import FakeServer

from patsearch.backends.base import Backend, Embeddings, IndexSpec
from patsearch.errors import UsageError
from patsearch.evaluation.backends import built_backend, choose_filters, load_backend, measure_backend
from patsearch.evaluation.collection import Collection
from patsearch.evaluation.ranking import score_block
from patsearch.filters import Filter, parse_filter
from patsearch.types import Drawing, Hit

SPEC = IndexSpec("tiny", "0" * 64, DIM)


class Sloppy(Backend):
    """An exact scan in memory that overlooks some drawings."""

    def __init__(self, collection: Collection, overlooks: frozenset[str] = frozenset()) -> None:
        self.name, self.spec, self.read_only = "sloppy", SPEC, True
        self.collection, self.overlooks = collection, overlooks
        self.asked: list[int] = []

    def _search(self, queries: Embeddings, k: int, where: Filter, exact: bool) -> list[list[Hit]]:
        self.asked.append(k)
        answers = []
        for scores in score_block(queries, self.collection.vectors):
            hits = [
                Hit(d, float(s))
                for d, s in zip(self.collection.drawings, scores, strict=True)
                if where.matches(d) and d.id not in self.overlooks
            ]
            answers.append(sorted(hits, key=lambda h: (-h.score, h.drawing.id))[:k])
        return answers

    def count(self, where: Filter | None = None) -> int:
        return len(self.collection)

    def info(self) -> dict[str, Any]:
        return {"bytes": 1000 * len(self.collection), "engine": "list"}

    def close(self) -> None:
        pass

    def scan(
        self, where: Filter | None = None, *, batch: int = 1024
    ) -> Iterator[tuple[list[Drawing], Embeddings]]:  # pragma: no cover - never called
        raise NotImplementedError

    def _upsert(self, drawings: Sequence[Drawing], embeddings: Embeddings) -> None:
        raise NotImplementedError

    def _delete(self, ids: Sequence[str]) -> int:
        raise NotImplementedError

    def get(self, ids: Sequence[str]) -> dict[str, tuple[Drawing, Embeddings]]:
        raise NotImplementedError

    @classmethod
    def create(cls, location: Any, spec: IndexSpec, **options: Any) -> Any:
        raise NotImplementedError

    @classmethod
    def open(cls, location: Any, *, read_only: bool = True, **options: Any) -> Any:
        raise NotImplementedError


def test_an_engine_that_is_right_has_full_recall_with_and_without_filters() -> None:
    collection = make_collection()
    filters = [parse_filter("locarno=06"), parse_filter("granted<=2021-03-31"), parse_filter("kind=B2")]
    figures = measure_backend(
        "sloppy", Sloppy(collection), collection, np.arange(len(collection)), filters=filters, ks=(3, 10), searches=20
    )
    everything, by_class, by_date, nothing = figures.series
    assert everything.ann_recall == by_class.ann_recall == by_date.ann_recall == {3: 1.0, 10: 1.0}
    assert (everything.matches, by_class.matches, by_date.matches, nothing.matches) == (48, 16, 12, 0)
    assert np.isnan(nothing.ann_recall[3])  # nothing to find, nothing missed
    assert everything.filter == ""
    assert by_class.filter == "locarno=06"
    assert 0 < everything.p50_ms <= everything.p95_ms <= everything.p99_ms
    assert everything.searches == 20
    assert figures.bytes_per_vector == 1000
    assert figures.upserts_per_second is None


def test_what_an_engine_overlooks_is_noticed() -> None:
    collection = make_collection()
    overlooked = frozenset(d.id for d in collection.drawings[::2])
    figures = measure_backend(
        "sloppy", Sloppy(collection, overlooked), collection, np.arange(len(collection)), ks=(len(collection) - 1,)
    )
    # The query requests all 47 others: an odd query is itself among the 24 seen, an even one is not.
    assert figures.series[0].ann_recall[47] == pytest.approx((23 / 47 + 24 / 47) / 2)


def test_the_query_itself_proves_nothing() -> None:
    collection = make_collection()
    # Finds nothing but the query: one drawing is left, and it is the query's own.
    only = frozenset(d.id for d in collection.drawings[1:])
    figures = measure_backend("sloppy", Sloppy(collection, only), collection, np.array([0]), ks=(10,), searches=1)
    assert figures.series[0].ann_recall == {10: 0.0}


def test_timed_searches_ask_for_the_smallest_k() -> None:
    backend = Sloppy(make_collection())
    measure_backend("sloppy", backend, backend.collection, np.arange(48), ks=(5, 20), searches=4)
    assert backend.asked == [21] * 4 + [5] * 4 + [5] * 4  # recall, warm-up, timed


def test_a_fresh_index_on_the_real_backend(tmp_path: Path) -> None:
    collection = make_collection()
    with built_backend("faiss", SPEC, collection) as (backend, rate):
        figures = measure_backend(
            "faiss", backend, collection, np.arange(48), filters=choose_filters(collection), upserts_per_second=rate
        )
    assert all(series.ann_recall[10] == 1.0 for series in figures.series)
    assert figures.upserts_per_second == rate > 0
    assert figures.bytes_per_vector > 4 * DIM
    assert len(figures.series) > 1


def test_filters_are_chosen_by_share() -> None:
    collection = make_collection(patents=24)
    texts = [str(f) for f in choose_filters(collection, shares=(0.1, 0.33))]
    # Three Locarno classes with a third each; two patents a month, from January on.
    assert texts[0] == "locarno=06"
    assert texts[1:] == ["granted<=2021-01-05", "granted<=2021-04-05"]
    matches = [sum(f.matches(d) for d in collection.drawings) for f in choose_filters(collection, shares=(0.1, 0.33))]
    assert matches == [32, 8, 32]


def test_no_filter_where_the_data_have_none() -> None:
    bare = [Drawing(id=str(i), patent=str(i)) for i in range(4)]
    assert choose_filters(Collection(tuple(bare), np.eye(4, dtype=np.float32))) == []


@pytest.mark.parametrize("name", ["faiss", "qdrant"])
def test_an_engine_s_own_precision_is_that_of_the_exact_answers(name: str) -> None:
    collection = make_collection()
    with built_backend(name, SPEC, collection) as (backend, _):
        figures = measure_backend(name, backend, collection, np.arange(48), searches=48, clients=(1, 3))
    ranks = []
    for row, drawing in enumerate(collection.drawings):
        scores = collection.vectors @ collection.vectors[row]
        order = [i for i in sorted(range(len(scores)), key=lambda i: -scores[i]) if i != row]
        hits = [rank for rank, i in enumerate(order, 1) if collection.drawings[i].patent == drawing.patent]
        ranks.append(sum(n / rank for n, rank in enumerate(hits, 1)) / len(hits))
    assert figures.depth == 100
    assert figures.exact_map == pytest.approx(np.mean(ranks), abs=1e-6)
    assert figures.map == pytest.approx(figures.exact_map, abs=1e-6)
    assert figures.per_second_by_clients.keys() == {1, 3}
    assert figures.to_json()["queries_per_second_by_clients"].keys() == {"1", "3"}


def test_an_engine_that_misses_has_less_precision() -> None:
    collection = make_collection()
    backend = Sloppy(collection, frozenset(d.id for d in collection.drawings[::2]))
    figures = measure_backend("sloppy", backend, collection, np.arange(48), searches=48)
    assert figures.map < figures.exact_map


def test_an_index_on_a_server_is_deleted_afterwards() -> None:
    collection = make_collection()
    with FakeServer() as server:
        with built_backend(f"qdrant={server.url}", SPEC, collection) as (backend, _):
            assert backend.count() == len(collection)
            assert len(server.local.get_collections().collections) == 1
        assert server.local.get_collections().collections == []


def test_a_server_for_an_engine_without_one() -> None:
    with pytest.raises(UsageError, match="'faiss' has no server"):
        load_backend("faiss=http://localhost:6333")
