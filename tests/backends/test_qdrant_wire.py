"""The real client over real sockets against a fake server that fails on order: nothing is lost, nothing doubled.

The fake (`tests/fake_qdrant.py`) has qdrant-client's local mode behind it. It is not a Qdrant server; what needs one
bears the mark `server`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from fake_qdrant import Cut, FakeServer, ForgetHalf, Garbage, Hang, Status

from patsearch.backends.base import Backend, IndexSpec
from patsearch.backends.qdrant.address import Address
from patsearch.backends.qdrant.backend import QdrantBackend
from patsearch.backends.qdrant.payload import INDEXED, INDEXED_SINCE
from patsearch.errors import (
    BackendError,
    EncoderMismatch,
    IndexNotFound,
    PatsearchError,
    StorageError,
    UsageError,
)
from patsearch.filters import Filter
from patsearch_contract import BackendContract, Filled, Store
from patsearch_contract.samples import SPEC, random_drawings, random_vectors

DRAWINGS, VECTORS = random_drawings(300, seed=21), random_vectors(300, seed=21)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as server:
        yield server


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited between attempts; none is really waited."""
    waited: list[float] = []
    for module in ("connection", "collections", "remote"):
        monkeypatch.setattr(f"patsearch.backends.qdrant.{module}.sleep", waited.append)
    return waited


@pytest.fixture
def backend(server: FakeServer, waits: list[float]) -> Iterator[Backend]:
    with QdrantBackend.create(f"{server.url}?attempts=3#designs", SPEC) as backend:
        yield backend


class TestContract(BackendContract):
    """The whole contract over HTTP: what is sent, and what is made of the answers."""

    @pytest.fixture
    def store(self, server: FakeServer, waits: list[float]) -> Store:
        return Store(QdrantBackend, f"{server.url}#designs")

    @pytest.fixture(scope="class")
    @classmethod
    def shared_store(cls) -> Iterator[Store]:
        with FakeServer() as server:
            yield Store(QdrantBackend, f"{server.url}#designs")

    @pytest.mark.parametrize("seed", range(6))
    def test_filters_mean_what_matches_says(self, stored: Filled, seed: int) -> None:
        super().test_filters_mean_what_matches_says(stored, seed)


# ---------------------------------------------------------------------- nothing lost, nothing doubled


@pytest.mark.parametrize(
    "trouble",
    [
        Status(503), Status(502), Status(429), Status(429, headers={"Retry-After": "7"}), Cut(), Cut(after=True),
        ForgetHalf(),
    ],
    ids=str,
)  # fmt: skip
def test_a_load_gets_over_it(backend: Backend, server: FakeServer, waits: list[float], trouble: Status) -> None:
    server.trouble("PUT", "/points", trouble, times=2)
    backend.upsert(DRAWINGS, VECTORS)
    assert list(backend.ids()) == sorted(d.id for d in DRAWINGS)
    assert backend.verify() == []
    found = backend.get([d.id for d in DRAWINGS])
    for drawing, vector in zip(DRAWINGS, VECTORS, strict=True):
        assert found[drawing.id][0] == drawing
        np.testing.assert_allclose(found[drawing.id][1], vector, atol=1e-6)
    if not isinstance(trouble, ForgetHalf):
        assert len(waits) == 2
        assert waits == sorted(waits)  # longer each time
    if trouble == Status(429, headers={"Retry-After": "7"}):
        assert min(waits) >= 7  # what the server asks for


def test_an_update_that_was_forgotten_is_noticed(backend: Backend, server: FakeServer) -> None:
    backend.upsert(DRAWINGS, VECTORS)
    server.trouble("PUT", "/points", ForgetHalf())
    renewed = VECTORS[::-1].copy()
    backend.upsert(DRAWINGS, renewed)
    found = backend.get([d.id for d in DRAWINGS])
    np.testing.assert_allclose([found[d.id][1] for d in DRAWINGS], renewed, atol=1e-6)


def test_a_slow_answer_is_asked_for_again(server: FakeServer, waits: list[float]) -> None:
    with QdrantBackend.create(f"{server.url}?timeout=1&attempts=2#designs", SPEC) as backend:
        server.trouble("PUT", "/points", Hang(1.3))
        backend.upsert(DRAWINGS[:10], VECTORS[:10])
        assert backend.count() == 10
        assert len(waits) == 1


def test_a_load_that_fails_keeps_what_was_acknowledged(backend: Backend, server: FakeServer) -> None:
    backend.upsert(DRAWINGS[:100], VECTORS[:100])
    server.trouble("PUT", "/points", Cut(), times=100)
    with pytest.raises(BackendError, match=r"the connection was cut.*the same command resumes from there"):
        backend.upsert(DRAWINGS, VECTORS)
    assert backend.count() == 100


def test_and_a_second_run_completes_it(server: FakeServer, waits: list[float]) -> None:
    with QdrantBackend.create(f"{server.url}?attempts=1#designs", SPEC) as backend:
        server.trouble("PUT", "/points", Cut(after=True))
        with pytest.raises(BackendError):
            backend.upsert(DRAWINGS, VECTORS)
    with QdrantBackend.open(f"{server.url}#designs", read_only=False) as backend:
        backend.upsert(DRAWINGS, VECTORS)
        assert list(backend.ids()) == sorted(d.id for d in DRAWINGS)


def test_a_server_that_always_forgets_is_found_out(backend: Backend, server: FakeServer) -> None:
    server.trouble("PUT", "/points", ForgetHalf(), times=100)
    with pytest.raises(BackendError, match="says that it stored 256 drawings, but 32 of them are missing"):
        backend.upsert(DRAWINGS, VECTORS)


def test_requests_are_halved_until_they_fit(backend: Backend, server: FakeServer) -> None:
    server.largest = 40_000
    backend.upsert(DRAWINGS, VECTORS)
    assert backend.count() == 300
    server.largest = 500
    with pytest.raises(BackendError, match=r"one drawing as too large.*max_request_size_mb"):
        backend.upsert(DRAWINGS[:4], VECTORS[:4])


def test_searches_are_tried_again_too(backend: Backend, server: FakeServer, waits: list[float]) -> None:
    backend.upsert(DRAWINGS, VECTORS)
    right = backend.search(VECTORS[:3], k=5)
    server.trouble("POST", "/query/batch", Cut(after=True), times=2)
    assert backend.search(VECTORS[:3], k=5) == right
    assert len(waits) == 2


# ---------------------------------------------------------------------- one line that says what to do


def check(error: PatsearchError, *words: str) -> None:
    text = str(error)
    assert "\n" not in text
    for word in words:
        assert word in text, text


def test_nobody_there(waits: list[float]) -> None:
    with pytest.raises(BackendError) as caught:
        QdrantBackend.open("http://127.0.0.1:9?attempts=3#designs")
    check(caught.value, "No server answers at http://127.0.0.1:9", "docker compose up", "--url")
    assert len(waits) == 2


def test_somebody_else_there(server: FakeServer, waits: list[float]) -> None:
    server.trouble("GET", "/", Garbage())
    with pytest.raises(BackendError) as caught:
        QdrantBackend.open(f"{server.url}#designs")
    check(caught.value, "not a Qdrant server", "6333")
    server.title = "something else"
    with pytest.raises(BackendError, match="not a Qdrant server"):
        QdrantBackend.open(f"{server.url}#designs")


def test_a_key_is_wanted(server: FakeServer, waits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PATSEARCH_QDRANT_API_KEY", raising=False)
    server.key = "right"
    with pytest.raises(BackendError) as caught:
        QdrantBackend.create(f"{server.url}#designs", SPEC)
    check(caught.value, "needs an API key", "PATSEARCH_QDRANT_API_KEY")
    monkeypatch.setenv("PATSEARCH_QDRANT_API_KEY", "wrong")
    with pytest.raises(BackendError) as caught:
        QdrantBackend.create(f"{server.url}#designs", SPEC)
    check(caught.value, "refuses the API key", "PATSEARCH_QDRANT_API_KEY")
    assert "wrong" not in str(caught.value).replace("wrong key", "")
    monkeypatch.setenv("PATSEARCH_QDRANT_API_KEY", "right")
    QdrantBackend.create(f"{server.url}#designs", SPEC).close()
    assert waits == []  # no second try makes a wrong key right


@pytest.mark.parametrize("version", ["1.9.2", "1.18.9", "0.11.0"])
def test_too_old(server: FakeServer, waits: list[float], version: str) -> None:
    server.version = version
    with pytest.raises(BackendError) as caught:
        QdrantBackend.open(f"{server.url}#designs")
    check(caught.value, f"is version {version}", "1.19", "Upgrade the server")


def test_newer_is_fine(server: FakeServer, waits: list[float]) -> None:
    server.version = "2.0.0-dev"
    with QdrantBackend.create(f"{server.url}#designs", SPEC) as backend:
        assert backend.count() == 0


def test_no_such_collection(backend: Backend, server: FakeServer) -> None:
    with pytest.raises(IndexNotFound) as caught:
        QdrantBackend.open(f"{server.url}#other")
    check(caught.value, "No collection 'other'", "Aliases there: designs", "Ingest")


def test_a_collection_that_vanishes(backend: Backend, server: FakeServer) -> None:
    for collection in server.local.get_collections().collections:
        server.local.delete_collection(collection.name)
    for act in (lambda: backend.search(VECTORS[:1]), lambda: backend.upsert(DRAWINGS, VECTORS), backend.count):
        with pytest.raises(IndexNotFound) as caught:
            act()
        check(caught.value, "ingest into it again")


def test_a_stranger_s_collection(server: FakeServer, waits: list[float]) -> None:
    server.local.create_collection("theirs", vectors_config={})
    server.thresholds["theirs"], server.schemas["theirs"] = 0, {}
    with pytest.raises(UsageError) as caught:
        QdrantBackend.open(f"{server.url}#theirs")
    check(caught.value, "not made by patsearch", "Name another collection")


@pytest.mark.parametrize(
    "trouble",
    [
        Status(507, "Insufficient Storage"),
        Status(500, "Service internal error: No space left on device: WAL buffer size exceeds available disk space"),
    ],
    ids=lambda t: str(t.code),
)
def test_disk_full(backend: Backend, server: FakeServer, waits: list[float], trouble: Status) -> None:
    backend.upsert(DRAWINGS[:50], VECTORS[:50])
    server.trouble("PUT", "/points", trouble, times=100)
    with pytest.raises(StorageError) as caught:
        backend.upsert(DRAWINGS, VECTORS)
    check(caught.value, "no disk space left", "Free or add space", "resumes from there")
    assert waits == []
    assert backend.count() == 50


def test_wrong_dimension_at_the_server(backend: Backend, server: FakeServer) -> None:
    reason = "Wrong input: Vector dimension error: expected dim: 32, got 33"
    server.trouble("PUT", "/points", Status(400, reason))
    with pytest.raises(EncoderMismatch) as caught:
        backend.upsert(DRAWINGS, VECTORS)
    check(caught.value, "expected dim: 32", "encoder")


def test_strict_mode_is_told_as_it_is(backend: Backend, server: FakeServer) -> None:
    server.trouble("POST", "/query/batch", Status(403, "Forbidden: Limit exceeded. Help: Reduce it (strict mode)."))
    with pytest.raises(BackendError) as caught:
        backend.search(VECTORS[:1])
    check(caught.value, "Limit exceeded", "strict mode")


def test_gives_up_on_a_server_that_stays_busy(backend: Backend, server: FakeServer) -> None:
    server.trouble("POST", "/points/count", Status(503, "overloaded"), times=100)
    with pytest.raises(BackendError) as caught:
        backend.count()
    check(caught.value, "answers 503 (overloaded)", "log")
    assert server.seen("POST", "/points/count") == 3


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("ftp://host#x", "is not the address"),
        ("http://#x", "is not the address"),
        ("http://host:port#x", "is not the address"),
        ("http://host:6333", "names no collection"),
        ("http://host#a/b", "names no collection"),
        ("http://me:secret@host#x", "PATSEARCH_QDRANT_API_KEY"),
        ("http://host?colour=red#x", "option colour=red"),
        ("http://host?timeout=0#x", "option timeout=0"),
    ],
)
def test_an_address_that_is_none(location: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        QdrantBackend.open(location)
    check(caught.value, words)
    assert "secret" not in str(caught.value)


# ---------------------------------------------------------------------- collections and aliases


def test_the_collection_is_named_by_encoder_and_version(backend: Backend, server: FakeServer) -> None:
    (alias,) = server.local.get_aliases().aliases
    assert (alias.alias_name, alias.collection_name) == ("designs", "designs.sample.5a5a5a5a.1")
    assert backend.info()["collection"] == alias.collection_name


def test_another_encoder_comes_without_downtime(backend: Backend, server: FakeServer) -> None:
    backend.upsert(DRAWINGS, VECTORS)
    other = IndexSpec("other", "7b" * 32, 16)
    with QdrantBackend.create(f"{server.url}#designs-next", other) as following:
        following.upsert(DRAWINGS[:20], random_vectors(20, dim=16))
        assert following.publish("designs") == "designs.sample.5a5a5a5a.1"
    # An index that is open keeps the old one; opening it now gives the new one.
    assert backend.search(VECTORS[0], k=1)[0][0].drawing == DRAWINGS[0]
    with QdrantBackend.open(f"{server.url}#designs") as now:
        assert now.spec == other
        assert now.count() == 20


def test_what_a_killed_creation_left_is_not_used(server: FakeServer, waits: list[float]) -> None:
    server.trouble("POST", "/collections/aliases", Status(400, "killed here"))
    with pytest.raises(BackendError, match="killed here"):
        QdrantBackend.create(f"{server.url}#designs", SPEC)
    with QdrantBackend.create(f"{server.url}#designs", SPEC) as backend:
        assert backend.info()["collection"] == "designs.sample.5a5a5a5a.2"


def test_two_workers_make_one_collection(server: FakeServer, waits: list[float]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def make(_: int) -> bool:
        try:
            QdrantBackend.create(f"{server.url}#designs", SPEC).close()
        except UsageError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(make, range(4)))
    assert sum(made) >= 1
    assert [a.alias_name for a in server.local.get_aliases().aliases] == ["designs"]


def test_a_large_load_defers_the_graph(backend: Backend, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("patsearch.backends.qdrant.backend._BULK", 100)
    (name,) = server.thresholds
    assert server.thresholds[name] == 0  # a new collection: nothing to build yet
    assert "deferred" in backend.info()["graph"]
    backend.optimize()
    assert server.thresholds[name] > 0
    backend.upsert(DRAWINGS[:50], VECTORS[:50])
    assert server.thresholds[name] > 0
    backend.upsert(DRAWINGS[50:], VECTORS[50:])
    assert server.thresholds[name] == 0
    backend.optimize()
    assert server.thresholds[name] > 0


def test_every_field_that_is_filtered_has_its_index_before_any_point(backend: Backend, server: FakeServer) -> None:
    backend.upsert(DRAWINGS[:1], VECTORS[:1])
    first_point = server.requests.index(("PUT", "/collections/designs.sample.5a5a5a5a.1/points"))
    indexes = [i for i, (method, path) in enumerate(server.requests) if method == "PUT" and path.endswith("/index")]
    assert len(indexes) == len(INDEXED) + len(INDEXED_SINCE) == 26
    assert max(indexes) < first_point
    assert backend.verify() == []


def test_grouping_is_the_server_s(backend: QdrantBackend, server: FakeServer) -> None:
    backend.upsert(DRAWINGS, VECTORS)
    groups = backend.search_groups(VECTORS[0], k=5, size=3, where=Filter(), exact=False)
    assert groups is not None
    assert server.seen("POST", "/query/groups") == 1
    assert len({group[0].drawing.patent for group in groups}) == len(groups) == 5
    best = [group[0].score for group in groups]
    assert best == sorted(best, reverse=True)
    scores: dict[str, float] = {}
    for hit in backend.search(VECTORS[0], k=300)[0]:
        scores.setdefault(hit.drawing.patent, hit.score)
    np.testing.assert_allclose(best, sorted(scores.values(), reverse=True)[:5], atol=1e-5)


def test_the_key_never_lands_in_a_location(server: FakeServer) -> None:
    assert "api" not in Address.__slots__


def test_nothing_of_qdrant_is_loaded_before_it_is_needed() -> None:
    code = (
        "import sys\nfrom patsearch.backends.qdrant.backend import QdrantBackend\n"
        "print([m for m in ('qdrant_client', 'qdrant_edge', 'grpc', 'httpx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
