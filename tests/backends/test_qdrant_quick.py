"""Searches and reads that go around qdrant-client: the same answers, and what goes wrong is said the same way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fake_qdrant import FakeServer, Garbage, Status
from fake_qdrant_grpc import FakeGrpc
from qdrant_client.qdrant_remote import QdrantRemote

from patsearch.backends.qdrant.backend import QdrantBackend
from patsearch.errors import BackendError
from patsearch.filters import Filter
from patsearch_contract.samples import SPEC, random_drawings, random_vectors

DRAWINGS, VECTORS = random_drawings(30, seed=26), random_vectors(30, seed=26)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as server:
        with QdrantBackend.create(f"{server.url}#designs", SPEC) as backend:
            backend.upsert(DRAWINGS, VECTORS)
        yield server


@pytest.fixture
def backend(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[QdrantBackend]:
    monkeypatch.setattr("patsearch.backends.qdrant.connection.sleep", lambda _: None)
    with QdrantBackend.open(f"{server.url}#designs") as backend:
        yield backend


def test_the_general_client_has_no_part_in_it(backend: QdrantBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: Any, **__: Any) -> None:
        raise AssertionError("copies and checks every number")

    for name in ("query_batch_points", "query_points_groups", "query_points", "retrieve"):
        monkeypatch.setattr(QdrantRemote, name, slow)  # the fake server has the same client's local mode behind it
    assert backend.search(VECTORS[0], k=1)[0][0].drawing == DRAWINGS[0]
    groups = backend.search_groups(VECTORS[0], k=2, size=2, where=Filter(), exact=False)
    assert groups is not None
    assert groups[0][0].drawing == DRAWINGS[0]
    drawing, vector = backend.get([DRAWINGS[3].id])[DRAWINGS[3].id]
    assert drawing == DRAWINGS[3]
    assert vector.dtype == np.float32
    np.testing.assert_allclose(vector, VECTORS[3], atol=1e-6)


def test_nor_by_grpc(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeGrpc(server) as wire:
        where = f"{server.url}?grpc=yes&grpc_port={wire.port}#designs"
        with QdrantBackend.open(where) as backend, monkeypatch.context() as patch:
            patch.setattr(QdrantRemote, "query_batch_points", None)
            assert backend.search(VECTORS[0], k=1)[0][0].drawing == DRAWINGS[0]


@pytest.mark.parametrize("path", ["/query/batch", "/query/groups", "/points"])
@pytest.mark.parametrize("trouble", [Garbage(), Status(200, "no result")], ids=str)
def test_an_answer_that_is_not_qdrant_s(
    backend: QdrantBackend, server: FakeServer, path: str, trouble: Garbage | Status
) -> None:
    server.trouble("POST", path, trouble, times=9)
    with pytest.raises(BackendError, match="is not a Qdrant server") as caught:
        act(backend, path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["/query/batch", "/query/groups", "/points"])
def test_a_server_that_is_busy_says_for_how_long(
    server: FakeServer, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("patsearch.backends.qdrant.connection.sleep", waits.append)
    with QdrantBackend.open(f"{server.url}#designs") as backend:
        server.trouble("POST", path, Status(429, headers={"Retry-After": "7"}))
        act(backend, path)
    assert len(waits) == 1
    assert waits[0] >= 7


def act(backend: QdrantBackend, path: str) -> object:
    """Send a request to that path."""
    if path == "/points":
        return backend.get([DRAWINGS[0].id])
    if path == "/query/groups":
        return backend.search_groups(VECTORS[0], k=2, size=2, where=Filter(), exact=False)
    return backend.search(VECTORS[0])
