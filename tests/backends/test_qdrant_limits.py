"""The limits of strict mode are kept by everything. The real client against `tests/fake_qdrant.py`, which refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_qdrant import FakeServer, Json, Status

from patsearch.backends.copy import copy
from patsearch.backends.faiss import FaissBackend
from patsearch.backends.qdrant.backend import QdrantBackend
from patsearch.errors import BackendError
from patsearch.filters import Filter, parse_filter
from patsearch_contract import BackendContract, Filled, Store
from patsearch_contract.samples import SPEC, random_drawings, random_vectors

DRAWINGS, VECTORS = random_drawings(150, seed=24), random_vectors(150, seed=24)
TIGHT: Json = {
    "max_query_limit": 7,
    "upsert_max_batchsize": 30,
    "search_max_batchsize": 2,
    "search_max_hnsw_ef": 64,
    "search_max_oversampling": 1.5,
}
ROOMY = TIGHT | {"max_query_limit": 90}  # with fewer, the contract takes minutes


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as server:
        yield server


@pytest.fixture
def backend(server: FakeServer) -> Iterator[QdrantBackend]:
    server.strict = TIGHT | {"search_allow_exact": False}
    with QdrantBackend.create(f"{server.url}?attempts=1#designs", SPEC) as backend:
        backend.upsert(DRAWINGS, VECTORS)
        yield backend


class TestContract(BackendContract):
    """The whole contract under limits that little fits into at once."""

    @pytest.fixture
    def store(self, server: FakeServer) -> Store:
        server.strict = ROOMY
        return Store(QdrantBackend, f"{server.url}#designs")

    @pytest.fixture(scope="class")
    @classmethod
    def shared_store(cls) -> Iterator[Store]:
        with FakeServer() as server:
            server.strict = ROOMY
            yield Store(QdrantBackend, f"{server.url}#designs")

    @pytest.mark.parametrize("seed", range(1))
    def test_filters_mean_what_matches_says(self, stored: Filled, seed: int) -> None:
        super().test_filters_mean_what_matches_says(stored, seed)


def test_searches_in_pages_find_the_same(backend: QdrantBackend, server: FakeServer) -> None:
    strict = backend.search(VECTORS[:5], k=40), backend.search(VECTORS[:5], k=150)
    server.strict = {}
    with QdrantBackend.open(f"{server.url}#designs") as free:
        assert strict == (free.search(VECTORS[:5], k=40), free.search(VECTORS[:5], k=150))


def test_counts_and_patents(backend: QdrantBackend) -> None:
    where = parse_filter("granted>=2015")
    assert backend.count() == 150
    assert backend.count(where) == sum(where.matches(d) for d in DRAWINGS) > 0
    assert backend.patents() == len({d.patent for d in DRAWINGS})
    assert backend.patents(where) == len({d.patent for d in DRAWINGS if where.matches(d)})


def test_groups_that_are_too_large_are_left_to_the_points(backend: QdrantBackend) -> None:
    assert backend.search_groups(VECTORS[0], k=3, size=3, where=Filter(), exact=False) is None
    groups = backend.search_groups(VECTORS[0], k=3, size=2, where=Filter(), exact=False)
    assert groups is not None
    assert len(groups) == 3


def test_info_verify_copy_and_delete(backend: QdrantBackend, server: FakeServer, tmp_path: Path) -> None:
    assert backend.verify() == []
    assert backend.info()["limits"] == TIGHT | {"search_allow_exact": False}
    with FaissBackend.create(tmp_path / "index", SPEC) as other:
        assert copy(backend, other).copied == 150
        assert copy(other, backend).already == 150
    assert backend.delete([d.id for d in DRAWINGS[:50]]) == 50
    assert backend.count() == 100


def test_exact_searches_that_are_not_allowed(backend: QdrantBackend) -> None:
    with pytest.raises(BackendError, match=r"allows no exact search.*search_allow_exact.*without --exact") as caught:
        backend.search(VECTORS[0], exact=True)
    assert "\n" not in str(caught.value)


def test_limits_that_are_set_while_an_index_is_open(server: FakeServer) -> None:
    with QdrantBackend.create(f"{server.url}#designs", SPEC) as backend:
        assert "limits" not in backend.info()
        server.strict = TIGHT | {"search_allow_exact": False}
        backend.upsert(DRAWINGS, VECTORS)
        assert backend.count() == 150
        assert len(backend.search(VECTORS[0], k=150)[0]) == 150
        assert backend.patents() == len({d.patent for d in DRAWINGS})
        assert backend.verify() == []


def test_a_limit_that_cannot_be_kept_is_said(backend: QdrantBackend, server: FakeServer) -> None:
    reason = "Forbidden: Filter condition limit reached (4 > 1). Help: Reduce the amount of conditions of your filter."
    server.trouble("POST", "/query/batch", Status(403, reason), times=9)
    with pytest.raises(BackendError, match=r"limit reached \(4 > 1\).*clusters\.md, strict mode"):
        backend.search(VECTORS[0])
    assert server.seen("POST", "/query/batch") == 1


def test_a_strict_mode_that_is_off_limits_nothing(server: FakeServer) -> None:
    server.strict = {"enabled": False, "note": 1}
    with QdrantBackend.create(f"{server.url}#designs", SPEC) as backend:
        assert "limits" not in backend.info()
