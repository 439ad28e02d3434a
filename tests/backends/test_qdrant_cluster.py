"""What a cluster changes: copies, and which loss stops what. The real client against `tests/fake_qdrant.py`."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from contextvars import copy_context

import pytest
from fake_qdrant import Cut, FakeServer, Hang, Status

from patsearch.backends.qdrant.address import parse_address
from patsearch.backends.qdrant.backend import QdrantBackend
from patsearch.deadline import set_deadline
from patsearch.errors import BackendError, UsageError
from patsearch_contract.samples import SPEC, random_drawings, random_vectors

DRAWINGS, VECTORS = random_drawings(60, seed=22), random_vectors(60, seed=22)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as server:
        yield server


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited between attempts; none is really waited."""
    waited: list[float] = []
    for module in ("connection", "collections", "remote"):
        monkeypatch.setattr(f"patsearch.backends.qdrant.{module}.sleep", waited.append)
    return waited


# ---------------------------------------------------------------------- copies


@pytest.mark.parametrize(("replicas", "needed"), [(1, None), (2, 1), (3, 2), (4, 3), (5, 3)])
def test_how_many_copies_a_write_needs(server: FakeServer, replicas: int, needed: int | None) -> None:
    with QdrantBackend.create(f"{server.url}?replicas={replicas}#designs", SPEC) as backend:
        assert server.copies[backend.info()["collection"]].get("write_consistency_factor") == needed
        assert backend.info()["replicas"] == replicas
        assert backend.info()["copies_a_write_needs"] == (needed or 1)


def test_two_copies_of_an_earlier_version_are_mended(server: FakeServer) -> None:
    with QdrantBackend.create(f"{server.url}?replicas=2#designs", SPEC) as backend:
        settings = server.copies[backend.info()["collection"]]
        settings["write_consistency_factor"] = 2
        backend.compact()
        assert settings["write_consistency_factor"] == 1
        settings |= {"replication_factor": 3, "write_consistency_factor": 2}
        backend.compact()
        assert settings["write_consistency_factor"] == 2  # of three: a majority, as it should be


# ---------------------------------------------------------------------- sizes


def test_sizes_say_what_was_measured(server: FakeServer) -> None:
    with QdrantBackend.create(f"{server.url}?replicas=2#designs", SPEC) as backend:
        backend.upsert(DRAWINGS, VECTORS)
        info = backend.info()
    assert info["bytes"] == 2 * 60 * (6 * SPEC.dim + 2048)
    assert "5,120 bytes a drawing of 512 numbers" in info["bytes_are"]
    assert info["memory"] == 2 * 60 * (SPEC.dim + 313)
    assert info["memory_is"].startswith("calculated")


# ---------------------------------------------------------------------- names


@pytest.mark.parametrize("alias", ["", "a b", "a/b", "designs\n", "x" * 101, "a#b"])
def test_a_name_that_no_address_can_hold_is_not_published(server: FakeServer, alias: str) -> None:
    with QdrantBackend.create(f"{server.url}#designs", SPEC) as backend:
        with pytest.raises(UsageError, match=r"no address can hold it.*letters, digits") as caught:
            backend.publish(alias)
        assert "\n" not in str(caught.value)
        assert [a.alias_name for a in server.local.get_aliases().aliases] == ["designs"]


def test_an_address_with_a_line_feed_behind_the_name(server: FakeServer) -> None:
    with pytest.raises(UsageError, match="names no collection"):
        QdrantBackend.open(f"{server.url}#designs%0A")


# ---------------------------------------------------------------------- several addresses


@pytest.fixture
def dead() -> Iterator[str]:
    """HOST:PORT where nothing listens, and nothing else will."""
    with closing(socket.socket()) as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{reserved.getsockname()[1]}"


def place(server: FakeServer) -> str:
    return server.url.removeprefix("http://")


def test_nodes_are_tried_in_turn_and_remembered(server: FakeServer, dead: str, waits: list[float]) -> None:
    address = f"http://{dead},{place(server)}?replicas=2#designs"
    with QdrantBackend.create(address, SPEC) as backend:
        backend.upsert(DRAWINGS, VECTORS)
    with QdrantBackend.open(address) as backend:
        assert backend.count() == 60
        assert backend.search(VECTORS[0], k=1)[0][0].drawing == DRAWINGS[0]
        info = backend.info()
    assert (info["server"], info["servers"]) == (server.url, f"http://{dead}, {server.url}")
    assert waits == []  # the next one is tried at once


def test_a_node_that_goes_down_is_left(server: FakeServer, waits: list[float]) -> None:
    with FakeServer() as other:
        other.local, own = server.local, other.local  # two nodes of one cluster
        other.thresholds, other.schemas, other.copies = server.thresholds, server.schemas, server.copies
        with QdrantBackend.create(f"http://{place(server)},{place(other)}#designs", SPEC) as backend:
            server.trouble("PUT", "/points", Cut(after=True), times=100)
            server.trouble("POST", "/query/batch", Status(503), times=100)
            backend.upsert(DRAWINGS, VECTORS)
            asked = len(server.requests)
            assert backend.search(VECTORS[0], k=1)[0][0].drawing == DRAWINGS[0]
            assert backend.verify() == []
            assert len(server.requests) == asked  # no request goes there any more
        other.local = own
    assert waits == []


def test_a_node_of_an_old_version_is_refused_when_its_turn_comes(server: FakeServer, dead: str) -> None:
    server.version = "1.18.0"
    with pytest.raises(BackendError, match=r"is version 1\.18\.0"):
        QdrantBackend.open(f"http://{dead},{place(server)}#designs")


def test_all_nodes_down(dead: str, waits: list[float]) -> None:
    with pytest.raises(BackendError) as caught:
        QdrantBackend.open(f"http://{dead},127.0.0.1:9?attempts=2#designs", read_only=False)
    text = str(caught.value)
    assert "No server answers" in text
    assert f"tried: http://{dead}, http://127.0.0.1:9" in text
    assert "\n" not in text
    assert len(waits) == 1  # after each has been tried


def test_a_query_gives_up_sooner_than_a_load(server: FakeServer, dead: str, waits: list[float]) -> None:
    with pytest.raises(BackendError, match="No server answers"):
        QdrantBackend.open(f"http://{dead}#designs")
    assert len(waits) == 2
    assert sum(waits) < 1
    waits.clear()
    with pytest.raises(BackendError, match="No server answers"):
        QdrantBackend.open(f"http://{dead}#designs", read_only=False)
    assert len(waits) == 5
    waits.clear()
    QdrantBackend.create(f"{server.url}#designs", SPEC).close()
    with QdrantBackend.open(f"{server.url}#designs") as backend:
        server.trouble("POST", "/points/scroll", Status(503), times=5)
        assert backend.verify() == []  # who reads everything waits
        assert len(waits) == 5


def test_a_query_that_was_not_answered_in_time_is_not_repeated(server: FakeServer) -> None:
    QdrantBackend.create(f"{server.url}#designs", SPEC).close()
    with QdrantBackend.open(f"{server.url}?timeout=1#designs") as backend:
        server.trouble("POST", "/query/batch", Hang(1.2), times=9)
        with pytest.raises(BackendError, match="no answer within 1 s"):
            backend.search(VECTORS[0])
        assert server.seen("POST", "/query/batch") == 1


def test_a_request_whose_time_is_over_is_not_repeated(server: FakeServer, waits: list[float]) -> None:
    with QdrantBackend.create(f"{server.url}#designs", SPEC) as backend:
        server.trouble("POST", "/points/count", Status(503), times=9)

        def in_a_hurry() -> None:
            set_deadline(0.05)
            backend.count()

        with pytest.raises(BackendError, match="answers 503"):
            copy_context().run(in_a_hurry)
    assert waits == []


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("http://a:6333,#x", "is not a host"),
        ("http://a:6333,b:x#x", "is not the address"),
        ("http://a:6333,http://b:6333#x", "is not a host"),
        ("http://a,me:secret@b#x", "must not hold a password"),
        ("http://" + ",".join(f"n{i}" for i in range(33)) + "#x", "more than 32 servers"),
        ("http://a:6333,b:6333", "names no collection"),
    ],
)
def test_several_addresses_that_are_none(location: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        QdrantBackend.open(location)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_ports_and_paths_of_several_addresses() -> None:
    assert parse_address("http://a,[::1]:7000,a:6333/q?timeout=9#x").urls == ("http://a:6333/q", "http://[::1]:7000/q")
    assert parse_address("https://a,b#x").urls == ("https://a:443", "https://b:443")
