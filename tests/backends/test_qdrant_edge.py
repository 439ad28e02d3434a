"""Qdrant's own engine, in this process, keeps every promise of the contract."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from patsearch.backends.base import Backend, Embeddings
from patsearch.backends.qdrant.backend import QdrantBackend
from patsearch.errors import IndexDamaged, IndexLocked, IndexVersionError, UsageError
from patsearch.filters import Filter, parse_filter
from patsearch.types import Drawing
from patsearch_contract import BackendContract, Filled, Store
from patsearch_contract.samples import SPEC, nearest, random_drawings, random_vectors

# Says each batch that was acknowledged, until it is killed.
_LOADER = """
import sys
from patsearch.backends.qdrant.backend import QdrantBackend
from patsearch_contract.samples import random_drawings, random_vectors
drawings, vectors = random_drawings(5000, seed=6), random_vectors(5000, seed=6)
with QdrantBackend.open(sys.argv[1], read_only=False) as backend:
    for start in range(0, 5000, 40):
        backend.upsert(drawings[start : start + 40], vectors[start : start + 40])
        print(start + 40, flush=True)
"""


class TestEngine(BackendContract):
    @pytest.fixture
    def store(self, quick_path: Path) -> Store:
        return Store(QdrantBackend, quick_path / "index")

    @pytest.fixture(scope="class")
    @classmethod
    def shared_store(cls, quick_class_path: Path) -> Store:
        return Store(QdrantBackend, quick_class_path / "index")


class TestOptimized(BackendContract):
    """With a graph and 8-bit codes over half of the points; the promises do not depend on it."""

    @pytest.fixture
    def store(self, quick_path: Path, early_graph: None) -> Store:
        return Store(QdrantBackend, quick_path / "index")

    @pytest.fixture(scope="class")
    @classmethod
    def shared_store(cls, quick_class_path: Path, early_graph: None) -> Store:
        return Store(QdrantBackend, quick_class_path / "index")

    @pytest.fixture(scope="class")
    @classmethod
    def early_graph(cls) -> Iterator[None]:
        """A graph from the first kilobyte on."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("patsearch.backends.qdrant.points.INDEXING_KB", 1)
            yield

    @classmethod
    def fill(cls, backend: Backend) -> tuple[list[Drawing], Embeddings]:
        drawings, vectors = random_drawings(300, seed=1), random_vectors(320, seed=1)
        backend.upsert(drawings[:200], vectors[:200])
        backend.optimize()
        assert backend.info()["indexed"] > 0
        backend.upsert(drawings[:20], vectors[300:])
        backend.delete([d.id for d in drawings[20:30]])
        backend.upsert(drawings[200:], vectors[200:300])
        return drawings[:20] + drawings[30:], np.concatenate([vectors[300:], vectors[30:300]])

    @pytest.mark.parametrize("seed", range(8))
    def test_filters_mean_what_matches_says(self, stored: Filled, seed: int) -> None:
        super().test_filters_mean_what_matches_says(stored, seed)


@pytest.fixture
def store(quick_path: Path) -> Iterator[Backend]:
    with QdrantBackend.create(quick_path / "index", SPEC) as backend:
        yield backend


def test_killed_while_loading(quick_path: Path) -> None:
    """kill -9 in mid-load: what was acknowledged is there, the rest comes with a second run, nothing twice."""
    QdrantBackend.create(quick_path / "index", SPEC).close()
    command = [sys.executable, "-c", _LOADER, str(quick_path / "index")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as loader:
        assert loader.stdout is not None
        acknowledged = [int(next(loader.stdout)) for _ in range(20)][-1]
        os.kill(loader.pid, signal.SIGKILL)
        acknowledged = max([acknowledged, *map(int, loader.stdout.read().split())])
    assert loader.returncode == -signal.SIGKILL
    drawings, vectors = random_drawings(5000, seed=6)[:2000], random_vectors(5000, seed=6)[:2000]
    with QdrantBackend.open(quick_path / "index", read_only=False) as backend:
        assert backend.verify() == []
        found = backend.get([d.id for d in drawings[:acknowledged]])
        assert len(found) == acknowledged
        for drawing, vector in zip(drawings, vectors, strict=True):
            if drawing.id in found:
                np.testing.assert_allclose(found[drawing.id][1], vector, atol=1e-6)
        backend.upsert(drawings, vectors)
        assert backend.count() >= 2000
        assert len(list(backend.ids())) == len(set(backend.ids())) == backend.count()


def test_one_process_at_a_time(store: Backend, quick_path: Path) -> None:
    with pytest.raises(IndexLocked, match=f"Process {os.getpid()} has open.*Only one process at a time"):
        QdrantBackend.open(quick_path / "index")


def test_says_what_it_is(store: Backend) -> None:
    info = store.info()
    assert "qdrant-edge-py" in info["engine"]
    assert "in this process" in info["engine"]


def test_closed_is_closed(store: Backend) -> None:
    store.close()
    with pytest.raises(UsageError, match="closed"):
        store.count()


def test_an_index_of_the_future_is_refused(quick_path: Path) -> None:
    QdrantBackend.create(quick_path / "index", SPEC).close()
    about = quick_path / "index" / "index.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "format": 99}))
    with pytest.raises(IndexVersionError, match="Upgrade"):
        QdrantBackend.open(quick_path / "index")
    about.write_text("{")
    with pytest.raises(IndexDamaged, match="is not valid"):
        QdrantBackend.open(quick_path / "index")


def test_a_damaged_shard_is_named(quick_path: Path) -> None:
    with QdrantBackend.create(quick_path / "index", SPEC) as backend:
        backend.upsert(random_drawings(5), random_vectors(5))
    for path in (quick_path / "index" / "shard").rglob("segment.json"):
        path.write_text("{")
    (quick_path / "index" / "shard" / "edge_config.json").write_text("{")
    with pytest.raises(IndexDamaged, match="Restore"):
        QdrantBackend.open(quick_path / "index")


def test_a_large_index_is_searched_well(quick_path: Path) -> None:
    """Graph and codes over 2,500 points: nearly all of the exact answers, filtered or not."""
    drawings, vectors = random_drawings(2500, seed=3), random_vectors(2500, seed=3, dim=64)
    spec = type(SPEC)("sample", SPEC.encoder_sha256, 64)
    queries = random_vectors(30, seed=4, dim=64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("patsearch.backends.qdrant.points.INDEXING_KB", 100)
        patch.setattr("patsearch.backends.qdrant.points.FULL_SCAN_KB", 10)
        with QdrantBackend.create(quick_path / "index", spec) as backend:
            backend.upsert(drawings, vectors)
            backend.optimize()
            assert backend.info()["indexed"] >= 2000
            for where in (Filter(), parse_filter("uspc=D14"), parse_filter("granted>=2010")):
                found = backend.search(queries, k=10, where=where)
                shares = []
                for query, hits in zip(queries, found, strict=True):
                    scores = nearest(query, drawings, vectors, where)
                    right = set(sorted(scores, key=lambda i: (-scores[i], i))[:10])
                    shares.append(len({hit.drawing.id for hit in hits} & right) / len(right))
                assert np.mean(shares) > 0.95
