"""Notices of an office apply by their day: in whatever order, twice, or after a kill, the index ends the same."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from register_makers import design, packed, picture, st86, three_weeks

from patsearch.engine import open_index
from patsearch.ingest import IngestOptions, IngestReport, ingest

ONE = IngestOptions(workers=1)


def contents(index: Path) -> tuple[dict[str, tuple[object, bytes]], list[str], str]:
    """Drawings with their vectors, ids of the thumbnails, and the journal's digest."""
    with open_index(index) as engine:
        assert engine.verify() == []
        drawings = {
            d.id: (d, np.round(v, 5).tobytes())
            for batch, vectors in engine.backend.scan()
            for d, v in zip(batch, vectors, strict=True)
        }
        return drawings, [name for name, _ in engine.thumbnails.items()], engine.journal.digest()


def run(index: Path, *sources: Path) -> list[IngestReport]:
    return [ingest([source], index, ONE) for source in sources]


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return three_weeks(tmp_path_factory.mktemp("weeks"))


@pytest.fixture(scope="module")
def at_once(weeks: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    index = tmp_path_factory.mktemp("at-once") / "index"
    report = ingest([weeks[0].parent], index, ONE)
    assert report.failed == []
    return index


def test_the_latest_notice_counts(at_once: Path) -> None:
    with open_index(at_once) as engine:
        drawings, _ = engine.drawings_of("FR20211234-0001")
        assert engine.drawings_of("FR20211234-0002")[0] == []
        assert [(d.sheet, d.figure, d.view, d.source) for d in drawings] == [
            ("614463", "1", "Vue 1", "FR_FRNEWST86_2021-14.zip"),
            ("614464", "2", "Vue 2", "FR_FRNEWST86_2021-14.zip"),
            ("614480", "3", "Vue 3", "FR_FRAMDST86_2021-20.zip"),
        ]
        assert {d.title for d in drawings} == {"Fauteuil"}
        assert {d.values("owner") for d in drawings} == {("Sièges SA",)}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_any_order_ends_the_same(order: tuple[int, ...], weeks: list[Path], at_once: Path, tmp_path: Path) -> None:
    run(tmp_path / "index", *(weeks[place] for place in order))
    assert contents(tmp_path / "index") == contents(at_once)
    again = run(tmp_path / "index", *(weeks[place] for place in reversed(order)), weeks[0].parent)
    assert [report.patents for report in again] == [0, 0, 0, 0]
    assert [report.failed for report in again] == [[], [], [], []]
    assert contents(tmp_path / "index") == contents(at_once)
