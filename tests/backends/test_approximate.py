"""Approximate search finds what exact search finds, also where a filter goes with the content."""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from patsearch.backends.base import Embeddings, IndexSpec
from patsearch.backends.faiss import FaissBackend
from patsearch.backends.planner import Tuning
from patsearch.classification import ClassCode
from patsearch.files import sealed
from patsearch.filters import Filter, parse_filter
from patsearch.types import Drawing

ROWS, DIM, CLUSTERS, K = 20_000, 48, 80, 10
SPEC = IndexSpec("clusters", "00" * 32, DIM)
TUNING = Tuning(exact_limit=5_000, flat_matches=100, scan_matches=1_000, scan_share=0.0, nprobe=16)
RNG_SEED = 11
faiss: Any = import_module("faiss")


def clustered(rng: np.random.Generator, centres: Embeddings, labels: np.ndarray) -> Embeddings:
    x = centres[labels] + 0.7 * rng.normal(size=(len(labels), DIM)) / np.sqrt(DIM) * np.sqrt(2)
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True), dtype=np.float32)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FaissBackend, Embeddings]]:
    """20,000 drawings in 80 clusters, a US class each; queries from all clusters."""
    rng = np.random.default_rng(RNG_SEED)
    centres = rng.normal(size=(CLUSTERS, DIM))
    centres = (centres / np.linalg.norm(centres, axis=1, keepdims=True)).astype(np.float32)
    labels = rng.integers(0, CLUSTERS, ROWS)
    vectors = clustered(rng, centres, labels)
    drawings = [
        Drawing(
            f"d{i:05d}", f"USD{i // 5}", kind=f"R{rng.integers(0, 10)}", classes=(ClassCode("uspc", f"{label + 1}"),)
        )
        for i, label in enumerate(labels.tolist())
    ]
    with FaissBackend.create(tmp_path_factory.mktemp("approximate") / "index", SPEC, tuning=TUNING) as backend:
        backend.upsert(drawings[: ROWS - 500], vectors[: ROWS - 500])
        backend.optimize()
        backend.upsert(drawings[ROWS - 500 :], vectors[ROWS - 500 :])
        backend.delete([d.id for d in drawings[100:200]])
        assert backend.info()["indexed"] == ROWS - 500
        yield backend, clustered(rng, centres, np.arange(CLUSTERS))


def recall(backend: FaissBackend, queries: Embeddings, where: Filter | None) -> float:
    found = backend.search(queries, k=K, where=where)
    truth = backend.search(queries, k=K, where=where, exact=True)
    overlap = [
        len({h.drawing.id for h in a} & {h.drawing.id for h in b}) / len(b) for a, b in zip(found, truth, strict=True)
    ]
    return float(np.mean(overlap))


FILTERS = {
    "unfiltered": None,
    "random 10 %, codes": "kind=R3",
    "random 50 %, lists": "kind=R0,R1,R2,R3,R4",
    "class 1 cluster": "uspc=7",
    "class 10 %": "uspc=" + ",".join(str(c) for c in range(1, 9)),
    "class 50 %, lists": "uspc=" + ",".join(str(c) for c in range(1, 41)),
    "class all but one": "uspc!=7",
    "class and random": "uspc=1,2,3,4,5,6,7,8,9,10,11,12 and kind!=R3",
}


@pytest.mark.parametrize("name", FILTERS)
def test_recall_holds_whatever_the_filter_selects(world: tuple[FaissBackend, Embeddings], name: str) -> None:
    backend, queries = world
    text = FILTERS[name]
    assert recall(backend, queries, parse_filter(text) if text else None) >= 0.98


def test_a_filter_that_excludes_the_surroundings_of_the_query(world: tuple[FaissBackend, Embeddings]) -> None:
    """The best that remain lie anywhere: visiting the nearest lists only, many are missed."""
    backend, queries = world
    text = FILTERS["class 50 %, lists"]
    assert text
    where, outside = parse_filter(text), queries[40:]
    assert recall(backend, outside, where) >= 0.98
    with FaissBackend.open(backend.location, tuning=replace(TUNING, sigmas=-100)) as careless:
        assert recall(careless, outside, where) < 0.95


def test_one_list_is_not_enough(world: tuple[FaissBackend, Embeddings]) -> None:
    """That the recall above is earned: the queries are not so easy that anything would do."""
    backend, queries = world
    with FaissBackend.open(backend.location, tuning=replace(TUNING, sigmas=-100, nprobe=1)) as careless:
        assert recall(careless, queries, None) < 0.9


def test_newer_rows_are_found_and_dead_ones_are_not(world: tuple[FaissBackend, Embeddings]) -> None:
    backend, _ = world
    newest = backend.get([f"d{i:05d}" for i in range(ROWS - 50, ROWS)])
    for drawing, vector in newest.values():
        assert backend.search(vector, k=1)[0][0].drawing == drawing
    hits = backend.search(np.stack([v for _, v in newest.values()]), k=200)
    assert not {h.drawing.id for line in hits for h in line} & {f"d{i:05d}" for i in range(100, 200)}


def stranger(kind: str, vectors: Embeddings) -> bytes:
    """A structure that FAISS reads, but that is not one of patsearch's."""
    index = faiss.index_factory(DIM, kind, faiss.METRIC_INNER_PRODUCT)
    index.train(vectors)
    index.add(vectors)
    return bytes(faiss.serialize_index(index))


@pytest.mark.parametrize(
    "change",
    ["Flat", "IVF4,Flat", "HNSW8", "IVF4_HNSW,SQ8", {"spread": 10**400}, {"spread": math.inf}, {"spread": "1"},
     {"file": "x" * 5000}, {"file": "../index.json"}, {"file": 5}, {"rows": 10**18}, {"rows": -1}, {"bytes": "1"},
     [1 << 40], [1 << 33]],
    ids=str,
)  # fmt: skip
def test_a_structure_of_a_stranger_is_passed_over(tmp_path: Path, change: str | dict[str, Any] | list[int]) -> None:
    """With the right checksums: searches are exact, and nothing ends in a traceback or takes all memory."""
    rng = np.random.default_rng(3)
    vectors = clustered(rng, rng.normal(size=(4, DIM)).astype(np.float32), rng.integers(0, 4, 400))
    drawings = [Drawing(f"d{i}", "USD1") for i in range(400)]
    tuning = Tuning(exact_limit=100)
    with FaissBackend.create(tmp_path / "i", SPEC, tuning=tuning) as backend:
        backend.upsert(drawings, vectors)
        backend.optimize()
    (pointer,) = tmp_path.rglob("approximate.json")
    (structure,) = tmp_path.rglob("approximate-*.faiss")
    fields = json.loads(pointer.read_text())
    del fields["sum"]
    if isinstance(change, dict):
        fields |= change
    elif isinstance(change, str):
        structure.write_bytes(stranger(change, vectors))
    else:
        index = faiss.read_index(str(structure))
        sizes = b"".join(struct.pack("<Q", index.invlists.list_size(number)) for number in range(index.nlist))
        structure.write_bytes(structure.read_bytes().replace(sizes, struct.pack("<Q", change[0]) + sizes[8:], 1))
    data = structure.read_bytes()
    if not isinstance(change, dict):
        fields |= {"bytes": len(data), "crc": zlib.crc32(data)}
    pointer.write_text(json.dumps(sealed(fields)))
    with FaissBackend.open(tmp_path / "i", tuning=tuning) as backend:
        assert backend.info()["engine"] == "exact scan"
        assert backend.search(vectors[5], k=1)[0][0].drawing == drawings[5]
        backend.verify()


def test_a_damaged_structure_is_passed_over_and_made_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(4, DIM)).astype(np.float32)
    vectors = clustered(rng, centres, rng.integers(0, 4, 400))
    drawings = [Drawing(f"d{i}", "USD1") for i in range(400)]
    tuning = Tuning(exact_limit=100)
    with FaissBackend.create(tmp_path / "i", SPEC, tuning=tuning) as backend:
        backend.upsert(drawings, vectors)
        backend.optimize()
    folder = tmp_path / "i" / "g000001"
    (structure,) = folder.glob("approximate-*.faiss")
    for damage in (b"x" * structure.stat().st_size, b""):
        structure.write_bytes(damage)
        with FaissBackend.open(tmp_path / "i", tuning=tuning) as backend:
            assert backend.info()["engine"] == "exact scan"
            assert backend.search(vectors[5], k=1)[0][0].drawing == drawings[5]
        assert "not usable" in caplog.text
    for name in ("approximate.json", structure.name):
        (folder / name).unlink()
        with FaissBackend.open(tmp_path / "i", read_only=False, tuning=tuning) as backend:
            assert backend.search(vectors[5], k=1)[0][0].drawing == drawings[5]
            backend.optimize()
            assert backend.info()["indexed"] == 400
            assert backend.verify() == []
        (structure,) = folder.glob("approximate-*.faiss")
