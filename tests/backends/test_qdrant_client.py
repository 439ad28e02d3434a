"""The same promises through qdrant-client: its local mode, and a server where PATSEARCH_QDRANT_URL names one.

PATSEARCH_QDRANT_URL=http://localhost:6333 python -m pytest -m server
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import local_qdrant
import pytest
from local_qdrant import LocalBackend

from patsearch.backends.base import Backend
from patsearch.backends.qdrant.backend import QdrantBackend
from patsearch.errors import IndexNotFound
from patsearch_contract import BackendContract, Filled, Store
from patsearch_contract.samples import random_drawings, random_vectors

SERVER = "PATSEARCH_QDRANT_URL"


class TestLocalMode(BackendContract):
    @pytest.fixture
    def store(self, quick_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
        monkeypatch.setenv("PYTHONPATH", str(Path(local_qdrant.__file__).parent))  # one test opens it in a process
        return Store(LocalBackend, quick_path / "index")

    @pytest.fixture(scope="class")
    @classmethod
    def shared_store(cls, quick_class_path: Path) -> Store:
        return Store(LocalBackend, quick_class_path / "index")

    @pytest.mark.parametrize("seed", range(12))
    def test_filters_mean_what_matches_says(self, stored: Filled, seed: int) -> None:
        super().test_filters_mean_what_matches_says(stored, seed)

    def test_says_what_it_is(self, backend: Backend) -> None:
        assert backend.info()["engine"].startswith("local mode of qdrant-client")
        assert "exact" in backend.info()["engine"]


@pytest.mark.server
class TestServer(BackendContract):
    options = ""

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        with self.collection() as store:
            yield store

    @pytest.fixture(scope="class")
    @classmethod
    def shared_store(cls) -> Iterator[Store]:
        with cls.collection() as store:
            yield store

    @classmethod
    @contextmanager
    def collection(cls) -> Iterator[Store]:
        """A collection that is dropped in the end."""
        url = os.environ.get(SERVER)
        if not url:
            pytest.skip(f"no server: {SERVER} names none")
        location = f"{url}{cls.options}#test-{uuid.uuid4().hex[:12]}"
        yield Store(QdrantBackend, location)
        drop(location)

    def test_optimizing_waits_for_the_graph(self, backend: Backend) -> None:
        drawings, vectors = random_drawings(500), random_vectors(500)
        backend.upsert(drawings, vectors)
        assert "deferred" in backend.info()["graph"]
        backend.optimize()
        assert "kept up to date" in backend.info()["graph"]
        assert backend.info()["status"] == "green"


@pytest.mark.server
class TestServerByGrpc(TestServer):
    options = "?grpc=yes"


def drop(location: str) -> None:
    """Delete the collection of a test."""
    try:
        with QdrantBackend.open(location, read_only=False) as backend:
            backend.drop()
    except IndexNotFound:
        pass
