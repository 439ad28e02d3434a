"""Several readers next to one writer, and compaction under their feet."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from patsearch.backends.faiss import FaissBackend
from patsearch.backends.planner import Tuning
from patsearch.filters import parse_filter
from patsearch_contract.samples import SPEC, random_drawings, random_filter, random_vectors

COUNT = 300
DRAWINGS, VECTORS = random_drawings(COUNT), random_vectors(COUNT)
# Dies just before, or just behind, the moment at which the new generation begins to count.
KILLED_COMPACTION = """
import os, signal, sys
from patsearch.backends.embedded.manifest import Manifest
from patsearch.backends.faiss import FaissBackend
write = Manifest.write
def killed(self, root):
    if sys.argv[2] == "behind":
        write(self, root)
    os.kill(os.getpid(), signal.SIGKILL)
backend = FaissBackend.open(sys.argv[1], read_only=False)
Manifest.write = killed
backend.compact()
"""


@pytest.fixture
def index(tmp_path: Path) -> Path:
    with FaissBackend.create(tmp_path / "index", SPEC) as backend:
        backend.upsert(DRAWINGS[:200], VECTORS[:200])
    return tmp_path / "index"


def test_a_reader_sees_what_a_writer_commits(index: Path) -> None:
    with FaissBackend.open(index) as reader, FaissBackend.open(index, read_only=False) as writer:
        assert reader.count() == 200
        assert not reader.refresh()
        writer.upsert(DRAWINGS[200:250], VECTORS[200:250])
        assert reader.refresh()
        assert reader.search(VECTORS[240])[0][0].drawing == DRAWINGS[240]
        writer.delete([DRAWINGS[240].id])
        assert DRAWINGS[240] not in [hit.drawing for hit in reader.search(VECTORS[240])[0]]
        changed = replace(DRAWINGS[0], title="entirely new")
        writer.upsert([changed], VECTORS[:1])
        assert [hit.drawing for hit in reader.search(VECTORS[0], where=parse_filter("title~entirely"))[0]] == [changed]
        assert reader.count() == writer.count() == 249


def test_a_scan_keeps_to_the_version_it_began_with(index: Path) -> None:
    with FaissBackend.open(index) as reader, FaissBackend.open(index, read_only=False) as writer:
        scan = reader.scan(batch=10)
        first, _ = next(scan)
        writer.delete([d.id for d in DRAWINGS[:150]])
        writer.compact()
        writer.upsert(DRAWINGS[200:], VECTORS[200:])
        assert reader.count() == 150
        rest = [d for part, _ in scan for d in part]
        assert [d.id for d in [*first, *rest]] == sorted(d.id for d in DRAWINGS[:200])


def test_compaction_frees_the_space_and_readers_follow(index: Path) -> None:
    with FaissBackend.open(index) as reader, FaissBackend.open(index, read_only=False) as writer:
        assert reader.count() == 200
        writer.upsert(DRAWINGS[:100], VECTORS[:100])
        writer.delete([d.id for d in DRAWINGS[150:200]])
        before = writer.search(VECTORS[:5], k=200)
        assert writer.info()["deleted"] == 150
        report = writer.compact()
        assert report["reclaimed"] == 150
        assert report["bytes_after"] < report["bytes_before"]
        info = reader.info()
        assert (info["deleted"], info["drawings"], info["generation"]) == (0, 150, 2)
        assert reader.search(VECTORS[:5], k=200) == writer.search(VECTORS[:5], k=200) == before
        assert [p.name for p in index.iterdir() if p.is_dir()] == ["g000002"]
        assert writer.compact()["reclaimed"] == 0
        assert writer.info()["generation"] == 2


@pytest.mark.parametrize("moment", ["before", "behind"])
def test_a_compaction_that_is_killed_leaves_one_generation_or_the_other(index: Path, moment: str) -> None:
    with FaissBackend.open(index, read_only=False) as writer:
        writer.delete([d.id for d in DRAWINGS[:60]])
    killed = subprocess.run([sys.executable, "-c", KILLED_COMPACTION, str(index), moment], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len([p for p in index.iterdir() if p.is_dir()]) == 2
    for read_only in (True, False):
        with FaissBackend.open(index, read_only=read_only) as backend:
            assert list(backend.ids()) == sorted(d.id for d in DRAWINGS[60:200])
            assert backend.verify() == []
    assert len([p for p in index.iterdir() if p.is_dir()]) == 1


def test_a_compaction_that_fails_leaves_the_index_as_it_was(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with FaissBackend.open(index, read_only=False) as writer:
        writer.delete([d.id for d in DRAWINGS[:60]])
        with monkeypatch.context() as patch:
            patch.setattr("patsearch.backends.faiss.copy_live", fail)
            with pytest.raises(OSError, match="No space"):
                writer.compact()
        assert [p.name for p in index.iterdir() if p.is_dir()] == ["g000001"]
        assert writer.count() == 140
        writer.upsert(DRAWINGS[200:], VECTORS[200:])
        assert writer.compact()["reclaimed"] == 60
        assert writer.count() == 240


def test_readers_in_threads_while_a_writer_writes_and_compacts(index: Path) -> None:
    """Each answer is that of some version: its hits are alive, right and in order."""
    known = {d.id: v for d, v in zip(DRAWINGS, VECTORS, strict=True)}

    with FaissBackend.open(index) as reader, FaissBackend.open(index, read_only=False) as writer:

        def ask(seed: int) -> int:
            rng = np.random.default_rng(seed)
            query = VECTORS[rng.integers(COUNT)]
            where = random_filter(rng, DRAWINGS)
            (hits,) = reader.search(query, k=10, where=where)
            for hit in hits:
                assert where.matches(hit.drawing), f"filter {where}, seed {seed}"
                assert hit.score == pytest.approx(float(known[hit.drawing.id] @ query), abs=1e-5)
            return len(hits)

        with ThreadPoolExecutor(3) as pool:
            answers = [pool.submit(ask, seed) for seed in range(150)]
            for i in range(0, 200, 20):
                writer.delete([d.id for d in DRAWINGS[i : i + 10]])
                writer.upsert(DRAWINGS[i + 100 : i + 120], VECTORS[i + 100 : i + 120])
                if i % 60 == 0:
                    writer.compact()
            assert sum(answer.result() for answer in answers) > 0
        assert list(reader.ids()) == list(writer.ids())


def test_a_folder_without_write_permission_can_be_read(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = index / "g000001"
    for left in folder.glob("catalogue.db-*"):
        left.unlink()
    # As the owner sees it who has no write permission; root may write anywhere, hence a read-only mount.
    done = subprocess.run(["mount", "--bind", "-o", "ro", str(index), str(index)], check=False, capture_output=True)
    if done.returncode:
        pytest.skip("mounting a folder read-only needs the rights of root")
    try:
        with FaissBackend.open(index) as reader:
            assert reader.count(parse_filter("granted>=2000")) > 0
            assert reader.search(VECTORS[3])[0][0].drawing == DRAWINGS[3]
    finally:
        subprocess.run(["umount", "--lazy", str(index)], check=True)


def test_a_writer_and_a_reader_agree_on_the_structure(tmp_path: Path) -> None:
    tuning = Tuning(exact_limit=100)
    with FaissBackend.create(tmp_path / "index", SPEC, tuning=tuning) as writer:
        writer.upsert(DRAWINGS, VECTORS)
        with FaissBackend.open(tmp_path / "index", tuning=tuning) as reader:
            assert reader.info()["engine"] == "exact scan"
            writer.optimize()
            assert reader.info()["engine"].startswith("IVF")
            assert reader.info()["indexed"] == COUNT
