"""An index folder whose drawings and vectors lie on a server: a second folder joins, wrong encoders are refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fake_qdrant import FakeServer
from makers import week

from patsearch.backends.qdrant.backend import QdrantBackend
from patsearch.encoder import load_encoder
from patsearch.engine import create_index, open_index
from patsearch.errors import EncoderMismatch, IndexLocked, UsageError
from patsearch.ingest import IngestOptions, ingest
from patsearch.ingest.reading import in_shard


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as server:
        yield server


def test_the_same_answers_as_the_embedded_backend(tmp_path: Path, server: FakeServer) -> None:
    source = week(tmp_path / "w", range(5))
    ingest([source], tmp_path / "local", IngestOptions(workers=1))
    ingest([source], tmp_path / "remote", IngestOptions(workers=1, url=server.url))
    with open_index(tmp_path / "local") as local, open_index(tmp_path / "remote") as remote:
        assert remote.manifest.location == f"{server.url}#remote"
        assert remote.verify() == local.verify() == []
        assert remote.fingerprint() == local.fingerprint()
        for number in ("USD900001", "USD900003"):
            for k, where in ((3, None), (50, "uspc=D2"), (2, "granted>=2020")):
                mine = local.search(like=number, k=k, where=where)
                yours = remote.search(like=number, k=k, where=where)
                assert [h.patent for h in mine] == [h.patent for h in yours]
                np.testing.assert_allclose([h.score for h in mine], [h.score for h in yours], atol=1e-5)


def test_two_machines_fill_one_server(tmp_path: Path, server: FakeServer) -> None:
    source = week(tmp_path / "w", range(8))
    reports = [
        ingest([source], tmp_path / f"part{i}", IngestOptions(workers=1, url=f"{server.url}#all", shard=(i, 3)))
        for i in (1, 2, 3)
    ]
    assert sum(report.patents for report in reports) == 8
    assert all(0 < report.patents < 8 for report in reports)
    assert all(report.skipped["of another shard"] == 8 - report.patents for report in reports)
    with open_index(tmp_path / "part2") as engine:
        assert engine.backend.patents() == 8
        assert engine.verify() == []  # patents of the others do not count as damage
    again = ingest([source], tmp_path / "part1", IngestOptions(workers=1, shard=(1, 3)))
    assert again.patents == 0
    with open_index(tmp_path / "part1") as engine:
        assert engine.backend.count() == 16


@pytest.mark.parametrize("key", ["USD0907292", "USD900001-20210105", "chairs/17"])
def test_a_patent_is_in_one_shard(key: str) -> None:
    parts = [i for i in range(1, 8) if in_shard(key, (i, 7))]
    assert len(parts) == 1
    assert in_shard(f"{key}-20220301", (parts[0], 7)) is in_shard(f"{key}-20230301", (parts[0], 7))
    assert in_shard(key, None)


def test_shards_are_about_equal() -> None:
    sizes = [sum(in_shard(f"USD{900000 + n}-20210105", (i, 4)) for n in range(2000)) for i in range(1, 5)]
    assert sum(sizes) == 2000
    assert min(sizes) > 400


def test_another_encoder_is_refused(tmp_path: Path, server: FakeServer) -> None:
    first, second = load_encoder("lite0-drawings"), load_encoder("ri-lbp")
    create_index(tmp_path / "one", first, backend="qdrant", url=f"{server.url}#shared").close()
    with pytest.raises(EncoderMismatch, match=r"lite0-drawings.*another collection"):
        create_index(tmp_path / "two", second, backend="qdrant", url=f"{server.url}#shared")
    with create_index(tmp_path / "next", second, backend="qdrant", url=f"{server.url}#next") as engine:
        assert isinstance(engine.backend, QdrantBackend)
        engine.backend.publish("shared")
    with pytest.raises(EncoderMismatch, match=r"now holds.*Use the index folder"):
        open_index(tmp_path / "one")


def test_one_writer_a_folder(tmp_path: Path, server: FakeServer) -> None:
    encoder = load_encoder()
    with (
        create_index(tmp_path / "one", encoder, backend="qdrant", url=server.url),
        pytest.raises(IndexLocked, match="is writing"),
    ):
        open_index(tmp_path / "one", read_only=False)
    open_index(tmp_path / "one", read_only=False).close()


def test_a_url_for_a_backend_without_servers(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'faiss' has no server.*--backend qdrant"):
        create_index(tmp_path / "one", load_encoder(), backend="faiss", url="http://localhost:6333")
    assert not (tmp_path / "one").exists()


def test_another_url_than_the_index_s_own(tmp_path: Path, server: FakeServer) -> None:
    source = week(tmp_path / "w", range(1))
    options = IngestOptions(workers=1, url=server.url)
    ingest([source], tmp_path / "one", options)
    with pytest.raises(UsageError, match="keeps its vectors at"):
        ingest([source], tmp_path / "one", dataclasses.replace(options, url="http://elsewhere:6333"))
