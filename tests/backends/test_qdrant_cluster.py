"""What a cluster changes: copies, and which loss stops what. The real client against `tests/fake_qdrant.py`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fake_qdrant import FakeServer

from patsearch.backends.qdrant.backend import QdrantBackend
from patsearch.errors import UsageError
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
