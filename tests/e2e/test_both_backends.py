"""Real drawings on both backends: the same answers under random filters, and the same precision.

50 designs and 9 utility patents of 2021 among 544 single figures of 2007. Qdrant is its engine in this process;
with PATSEARCH_QDRANT_URL, a server too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from local_qdrant import LocalBackend

from patsearch.backends import Backend, as_server, create_backend
from patsearch.backends.copy import copy
from patsearch.engine import open_index
from patsearch.evaluation.backends import measure_backend
from patsearch.evaluation.collection import Collection
from patsearch.filters import Filter, parse_filter
from patsearch.ingest import IngestOptions, ingest
from patsearch_contract.samples import random_filter

pytestmark = [pytest.mark.data, pytest.mark.slow]
TOP, QUERIES = 20, 200


@pytest.fixture(scope="module")
def collection(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Backend, Collection]]:
    index = tmp_path_factory.mktemp("both") / "index"
    ingest([data_dir / "uspto-weekly", data_dir / "single-figures-2007"], index, IngestOptions())
    with open_index(index) as engine:
        yield engine.backend, Collection.read(engine.backend)


@pytest.fixture(scope="module")
def others(
    collection: tuple[Backend, Collection], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Backend]]:
    source, _ = collection
    folder = tmp_path_factory.mktemp("qdrant")
    made = {"engine": create_backend("qdrant", folder / "engine", source.spec)}
    made["client"] = LocalBackend.create(folder / "client", source.spec)
    if url := os.environ.get("PATSEARCH_QDRANT_URL"):
        made["server"] = create_backend("qdrant", f"{url}#test-both-{os.getpid()}", source.spec)
    for backend in made.values():
        report = copy(source, backend)
        assert report.copied == report.total == source.count()
        assert copy(source, backend).already == report.total  # the payloads and vectors are the same
    yield made
    for name, backend in made.items():
        as_server(backend).drop() if name == "server" else backend.close()


def wheres(drawings: Collection) -> list[Filter]:
    """Random filters, half of them by the classes and years that these drawings have."""
    rng = np.random.default_rng(2021)
    codes = sorted({f"{c.scheme}={a}" for d in drawings.drawings for c in d.classes for a in c.ancestors})
    dates = sorted({d.granted for d in drawings.drawings if d.granted})
    made = [Filter(), *(random_filter(rng, drawings.drawings) for _ in range(QUERIES // 4))]
    for _ in range(QUERIES // 4):
        made.append(parse_filter(str(rng.choice(codes))))
        made.append(parse_filter(f"granted{rng.choice(['<=', '>=', '!='])}{dates[int(rng.integers(len(dates)))]}"))
    return made


def test_the_same_top_20(collection: tuple[Backend, Collection], others: dict[str, Backend]) -> None:
    source, drawings = collection
    assert source.patents() >= 600
    rng = np.random.default_rng(7)
    filters = wheres(drawings)
    answered = 0
    for number in range(QUERIES):
        row, where = int(rng.integers(len(drawings))), filters[number % len(filters)]
        (mine,) = source.search(drawings.vectors[row], k=TOP, where=where)
        answered += bool(mine)
        for name, backend in others.items():
            label = f"{name}, query {drawings.drawings[row].id}, filter {str(where)!r}"
            (yours,) = backend.search(drawings.vectors[row], k=TOP, where=where)
            np.testing.assert_allclose([h.score for h in yours], [h.score for h in mine], atol=1e-4, err_msg=label)
            last = min((h.score for h in mine), default=0.0) + 1e-4
            assert {h.drawing.id for h in yours if h.score > last} <= {h.drawing.id for h in mine}, label
            assert {h.drawing.id for h in mine if h.score > last} <= {h.drawing.id for h in yours}, label
    assert answered > QUERIES / 2


def test_the_same_precision(collection: tuple[Backend, Collection], others: dict[str, Backend]) -> None:
    source, drawings = collection
    several = [
        row
        for row, d in enumerate(drawings.drawings)
        if not d.front_page and sum(o.patent == d.patent for o in drawings.drawings[max(0, row - 2) : row + 3]) > 1
    ]
    rows = np.array(several, dtype=np.int64)
    ks = (10, len(drawings))
    reference = measure_backend("faiss", source, drawings, rows, ks=ks, searches=150)
    assert 0.3 < reference.map < 0.9
    for name, backend in others.items():
        found = measure_backend(name, backend, drawings, rows, ks=ks, searches=150)
        assert abs(found.map - reference.map) < 0.002, name
        print(f"mAP {name} {found.map:.6f}, faiss {reference.map:.6f}, exact {reference.exact_map:.6f}")
