"""gRPC to a Qdrant server: restarts, and what is said. The real client against `tests/fake_qdrant_grpc.py`."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest
from fake_qdrant import FakeServer
from fake_qdrant_grpc import FakeGrpc

from patsearch.backends.qdrant.backend import QdrantBackend
from patsearch.errors import BackendError
from patsearch.filters import parse_filter
from patsearch_contract.samples import SPEC, random_drawings, random_vectors

DRAWINGS, VECTORS = random_drawings(40, seed=25), random_vectors(40, seed=25)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as server:
        with QdrantBackend.create(f"{server.url}#designs", SPEC) as backend:
            backend.upsert(DRAWINGS, VECTORS)
        yield server


@pytest.fixture
def wire(server: FakeServer) -> Iterator[FakeGrpc]:
    with FakeGrpc(server) as wire:
        yield wire


def test_searches_by_grpc_are_those_by_rest(server: FakeServer, wire: FakeGrpc) -> None:
    where = parse_filter(["granted>=2010", "title~a"])
    with (
        QdrantBackend.open(f"{server.url}#designs") as rest,
        QdrantBackend.open(f"{server.url}?grpc=yes&grpc_port={wire.port}#designs") as grpc,
    ):
        for options in ({}, {"where": where}, {"exact": True}):
            mine, yours = (one.search(VECTORS[:3], k=9, **options) for one in (grpc, rest))
            assert [[hit.drawing for hit in hits] for hits in mine] == [[hit.drawing for hit in hits] for hits in yours]
            for some, others in zip(mine, yours, strict=True):
                np.testing.assert_allclose([h.score for h in some], [h.score for h in others], atol=1e-5)
        assert grpc.count() == 40
    assert wire.calls.count("QueryBatch") == 3


def test_a_restart_is_ridden_out(server: FakeServer, wire: FakeGrpc, monkeypatch: pytest.MonkeyPatch) -> None:
    """The channel must try again as soon as the attempts do; by default it waits up to two minutes."""
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        time.sleep(0.3)
        if len(pauses) == 5:
            wire.start()

    monkeypatch.setattr("patsearch.backends.qdrant.connection.sleep", pause)
    address = f"{server.url}?grpc=yes&grpc_port={wire.port}&attempts=9#designs"
    with QdrantBackend.open(address, read_only=False) as backend:
        assert backend.count() == 40
        wire.stop()
        assert backend.count() == 40
    assert len(pauses) >= 5


def test_nobody_at_the_port(server: FakeServer, wire: FakeGrpc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("patsearch.backends.qdrant.connection.sleep", lambda _: None)
    address = f"{server.url}?grpc=yes&grpc_port={wire.port}&attempts=2#designs"
    wire.stop()
    with pytest.raises(BackendError) as caught:
        QdrantBackend.open(address)
    text = str(caught.value)
    assert text.startswith(f"No server answers at {server.url}, gRPC port {wire.port} (")
    assert "docker compose up" in text
    assert "\n" not in text
    wire.start()
