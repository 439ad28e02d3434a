"""The embedded backend keeps every promise of the contract, by exact search and by approximate search."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from patsearch.backends.base import Backend, Embeddings
from patsearch.backends.faiss import FaissBackend
from patsearch.backends.planner import Tuning
from patsearch.types import Drawing
from patsearch_contract import BackendContract, Store
from patsearch_contract.samples import random_drawings, random_vectors


class TestExact(BackendContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return Store(FaissBackend, tmp_path / "index")

    @pytest.fixture(scope="class")
    @classmethod
    def shared_store(cls, tmp_path_factory: pytest.TempPathFactory) -> Store:
        return Store(FaissBackend, tmp_path_factory.mktemp("shared") / "index")


class TestCodes(BackendContract):
    """Filtered searches compare compressed vectors; some rows are newer than the structure, some dead in it."""

    tuning = Tuning(exact_limit=100, flat_matches=3, nprobe=1000)

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return Store(FaissBackend, tmp_path / "index", {"tuning": self.tuning})

    @pytest.fixture(scope="class")
    @classmethod
    def shared_store(cls, tmp_path_factory: pytest.TempPathFactory) -> Store:
        return Store(FaissBackend, tmp_path_factory.mktemp("shared") / "index", {"tuning": cls.tuning})

    @classmethod
    def fill(cls, backend: Backend) -> tuple[list[Drawing], Embeddings]:
        drawings, vectors = random_drawings(300, seed=1), random_vectors(320, seed=1)
        backend.upsert(drawings[:280], vectors[:280])
        backend.optimize()
        assert backend.info()["indexed"] == 280
        backend.upsert(drawings[:20], vectors[300:])
        backend.delete([d.id for d in drawings[20:30]])
        backend.upsert(drawings[280:], vectors[280:300])
        assert backend.info()["indexed"] == 280
        return drawings[:20] + drawings[30:], np.concatenate([vectors[300:], vectors[30:300]])


class TestProbes(TestCodes):
    """As above, through the inverted lists: every list is visited, so that nothing may be missed."""

    tuning = Tuning(exact_limit=100, flat_matches=3, scan_matches=3, scan_share=0.0, nprobe=1000)
