"""Keys and tokens of a Qdrant server, and what each may do. The real client against `tests/fake_qdrant.py`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fake_qdrant import FakeServer

from patsearch.backends.qdrant.backend import QdrantBackend
from patsearch.errors import BackendError, UsageError
from patsearch_contract.samples import SPEC, random_drawings, random_vectors

KEY = "PATSEARCH_QDRANT_API_KEY"
COLLECTION = "designs.sample.5a5a5a5a.1"
DRAWINGS, VECTORS = random_drawings(20, seed=23), random_vectors(20, seed=23)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    monkeypatch.setenv(KEY, "right")
    with FakeServer() as server:
        server.key = "right"
        with QdrantBackend.create(f"{server.url}#designs", SPEC) as backend:
            backend.upsert(DRAWINGS, VECTORS)
        yield server


def refused(error: pytest.ExceptionInfo[BackendError], *words: str) -> None:
    text = str(error.value)
    assert "\n" not in text
    for word in (*words, KEY):
        assert word in text, text


# ---------------------------------------------------------------------- what the key looks like


@pytest.mark.parametrize("key", ["right\n", " right\r\n", "\tright "])
def test_a_line_feed_is_stripped(server: FakeServer, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv(KEY, key)
    with QdrantBackend.open(f"{server.url}#designs") as backend:
        assert backend.count() == 20


@pytest.mark.parametrize("grpc", ["no", "yes"])
@pytest.mark.parametrize("key", ["schl\u00fcssel", "\u201cright\u201d", "ri\nght", "right\x00".replace("\x00", "\x7f")])
def test_what_cannot_be_a_key(server: FakeServer, monkeypatch: pytest.MonkeyPatch, key: str, grpc: str) -> None:
    monkeypatch.setenv(KEY, key)
    with pytest.raises(UsageError) as caught:
        QdrantBackend.open(f"{server.url}?grpc={grpc}#designs")
    assert str(caught.value).startswith(f"The key in {KEY} has characters that are not printable ASCII")
    assert key not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_key_of_blanks_is_none(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, " \n")
    with pytest.raises(BackendError) as caught:
        QdrantBackend.open(f"{server.url}#designs")
    refused(caught, "needs an API key")


# ---------------------------------------------------------------------- what it may do


@pytest.mark.parametrize("allowed", ["*", COLLECTION])
def test_a_key_that_may_only_read(server: FakeServer, allowed: str) -> None:
    server.token = (allowed, False)
    with QdrantBackend.open(f"{server.url}#designs", read_only=False) as backend:
        assert backend.search(VECTORS[0], k=1)[0][0].drawing == DRAWINGS[0]
        for act in (
            lambda: backend.upsert(DRAWINGS, VECTORS),
            lambda: backend.delete([DRAWINGS[0].id]),
        ):
            with pytest.raises(BackendError) as caught:
                act()
            refused(caught, "this key may only read", "one that may write")
        with pytest.raises(BackendError) as caught:
            backend.optimize()
        refused(caught, "may only read" if allowed == "*" else "may not make or change collections")
        assert backend.count() == 20


def test_a_key_that_may_only_read_makes_no_collection(server: FakeServer) -> None:
    server.token = ("*", False)
    with pytest.raises(BackendError) as caught:
        QdrantBackend.create(f"{server.url}#other", SPEC)
    refused(caught, "this key may only read")


def test_a_token_that_names_the_collection_behind_the_alias(server: FakeServer) -> None:
    server.token = (COLLECTION, True)
    with QdrantBackend.open(f"{server.url}#designs", read_only=False) as backend:
        assert backend.info()["collection"] == COLLECTION
        backend.upsert(DRAWINGS[:3], VECTORS[:3])
        assert backend.count() == 20
        assert backend.verify() == []
        with pytest.raises(BackendError) as caught:
            backend.publish("shown")
        refused(caught, "may not make or change collections")


def test_a_token_that_may_not_configure_loads(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("patsearch.backends.qdrant.backend._BULK", 5)
    with QdrantBackend.open(f"{server.url}#designs", read_only=False) as backend:
        backend.optimize()
    server.token = (COLLECTION, True)
    with QdrantBackend.open(f"{server.url}#designs", read_only=False) as backend:
        backend.upsert(DRAWINGS, VECTORS)  # more than is loaded without putting off the graph
        backend.optimize()
        assert server.thresholds[COLLECTION] > 0


def test_the_alias_has_moved_away_from_what_the_token_names(server: FakeServer) -> None:
    with QdrantBackend.create(f"{server.url}#next", type(SPEC)("other", "7b" * 32, SPEC.dim)) as backend:
        backend.publish("designs")
    server.token = (COLLECTION, True)
    with pytest.raises(BackendError) as caught:
        QdrantBackend.open(f"{server.url}#designs")
    refused(caught, "does not allow it")


def test_an_alias_that_another_encoder_has_now(server: FakeServer) -> None:
    """The token names the old collection, whose name begins so; the alias names another one."""
    other = type(SPEC)("other", "7b" * 32, SPEC.dim)
    with QdrantBackend.create(f"{server.url}#next", other) as backend:
        backend.publish("designs")
        collection = backend.info()["collection"]
    server.token = (collection, False)
    with QdrantBackend.open(f"{server.url}#designs") as backend:
        assert backend.spec == other


def test_a_token_for_something_else(server: FakeServer) -> None:
    server.token = ("theirs", True)
    with pytest.raises(BackendError) as caught:
        QdrantBackend.open(f"{server.url}#designs")
    refused(
        caught, "does not allow it", "Access to collection designs is required", "names the collection, or its alias"
    )
