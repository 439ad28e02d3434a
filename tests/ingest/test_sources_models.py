"""3D models as a source: each is a patent with the views of a design patent."""

from __future__ import annotations

from pathlib import Path

import pytest
from makers import draw_design
from model_makers import box, glb, joined, obj, stl, stool

from patsearch.engine import open_index
from patsearch.errors import SourceError
from patsearch.ingest import IngestOptions, ingest
from patsearch.ingest.sources import Problem, Unit, open_source
from patsearch.types import Patent

VIEWS = ["perspective view", "front view", "back view", "left side view", "right side view", "top view", "bottom view"]
TABLE = joined([box(3, 2, 0.2, (0, 0, 1.2)), *(box(0.3, 0.3, 1.2, (x, y, 0)) for x in (0, 2.7) for y in (0, 1.7))])


def load(path: Path) -> Patent:
    (unit,) = open_source(path).units()
    assert isinstance(unit, Unit)
    return unit.load()


def test_a_model_has_its_views_as_sheets(tmp_path: Path) -> None:
    (tmp_path / "USD0900001.stl").write_bytes(stl(stool()))
    patent = load(tmp_path)
    assert (patent.number, patent.problems) == ("USD900001", ())
    assert [sheet.name for sheet in patent.sheets] == [view.replace(" ", "-") for view in VIEWS]
    assert [caption.view for caption in patent.captions] == VIEWS


def test_several_models_of_a_folder_named_like_a_patent(tmp_path: Path) -> None:
    folder = tmp_path / "USD900001"
    folder.mkdir()
    (folder / "open.glb").write_bytes(glb(stool()))
    (folder / "shut.obj").write_bytes(obj(stool()))
    (folder / "spare.stl").write_bytes(b"solid cut\nfacet")
    patent = load(tmp_path)
    assert [sheet.name for sheet in patent.sheets][6:8] == ["open-bottom-view", "shut-perspective-view"]
    assert len(patent.problems) == 1
    assert "spare.stl is a damaged STL file" in patent.problems[0]


def test_ingested_and_found(tmp_path: Path) -> None:
    folder, index = tmp_path / "models", tmp_path / "index"
    folder.mkdir()
    (folder / "stool.obj").write_bytes(obj(stool()))
    (folder / "table.stl").write_bytes(stl(TABLE))
    draw_design(1, 0).save(folder / "USD900009.png")
    report = ingest([folder], index, IngestOptions(workers=1))
    assert (report.patents, report.drawings, report.failed) == (3, 15, [])
    (tmp_path / "asked.glb").write_bytes(glb(stool()))
    with open_index(index) as engine:
        hits = engine.search(tmp_path / "asked.glb")
        assert hits[0].patent == "stool"
        assert {hit.drawing.view for hit in hits if hit.patent == "stool"} <= set(VIEWS)
        assert engine.search(stl(TABLE))[0].patent == "table"


@pytest.mark.parametrize("data", [b"solid cut\nfacet", stl(box(0, 1, 0)), bytes(10)])
def test_what_cannot_be_drawn_is_one_line(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "USD900001.stl").write_bytes(data)
    with pytest.raises(SourceError, match=r"USD900001.stl") as found:
        load(tmp_path)
    assert "\n" not in str(found.value)


def test_the_same_patent_twice_is_said(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "USD900001.stl").write_bytes(stl(stool()))
    problems = [found for found in open_source(tmp_path).units() if isinstance(found, Problem)]
    assert [problem.reason for problem in problems] == ["another folder has files of the same patent; left out"]
