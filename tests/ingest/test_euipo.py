"""Answers of the EUIPO's API with pictures and models: exact values, any wrapping, damage said in one line."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from model_makers import stl, stool
from register_makers import EUIPO_DESIGN, euipo, picture, unpacked

from patsearch.bibliography import Party, Protection, Related
from patsearch.classification import ClassCode
from patsearch.engine import open_index
from patsearch.ingest import IngestOptions, ingest
from patsearch.ingest.sources import Problem, open_source
from patsearch.ingest.sources.designs import DesignUnit

PICTURES = {"004247823-0007/1.png": picture(1), "004247823-0007_2.png": picture(2)}


def units(path: Path) -> tuple[list[DesignUnit], list[Problem]]:
    found = list(open_source(path).units())
    return [u for u in found if isinstance(u, DesignUnit)], [p for p in found if isinstance(p, Problem)]


def test_a_design(tmp_path: Path) -> None:
    unpacked(tmp_path, {"designs.json": euipo(), **PICTURES})
    (unit,), problems = units(tmp_path)
    patent = unit.load()
    assert problems == []
    assert (patent.number, patent.title) == ("EM4247823-0007", "Handles; Knobs")
    assert (patent.filed, patent.granted) == (date(2017, 8, 29), date(2017, 8, 30))
    assert patent.classes == (ClassCode("locarno", "08-06"), ClassCode("locarno", "08"))
    assert [(s.name, s.figure, s.data) for s in patent.sheets] == [
        ("view-1", "1", picture(1)),
        ("view-2", "2", picture(2)),
    ]
    assert patent.remarks == ("films are not read: 1",)
    known = patent.bibliography
    assert known
    assert (known.owners, known.inventors, known.agents) == (
        (Party("Griff GmbH", "DE"),), (Party("Eva Frei"),), (Party("Kanzlei Ω"),),
    )  # fmt: skip
    assert known.related == (Related("priority", "US 29/1", date(2017, 3, 1)),)
    status = "Registered and fully published"
    assert known.protections == (Protection("EM", date(2017, 8, 30), date(2027, 8, 29), status),)


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda one, two: json.dumps([one, two]),
        lambda one, two: json.dumps({"content": [one, two]}),
        lambda one, two: json.dumps(one) + "\n" + json.dumps(two) + "\n",
        lambda one, two: "\ufeff" + json.dumps([one, two]),
        lambda one, two: json.dumps([{"content": [one]}, two]),
    ],
)
def test_any_wrapping(wrapped: Any, tmp_path: Path) -> None:
    two = EUIPO_DESIGN | {"designNumber": "004247823-0008", "views": []}
    unpacked(tmp_path, {"a.json": wrapped(EUIPO_DESIGN, two), **PICTURES})
    found, problems = units(tmp_path)
    assert ([unit.key for unit in found], problems) == (["EM4247823-0007", "EM4247823-0008"], [])


def test_a_view_is_not_the_picture_of_another_design(tmp_path: Path) -> None:
    other = EUIPO_DESIGN | {"designNumber": "004247823-0009"}
    unpacked(tmp_path, {"a.json": json.dumps([EUIPO_DESIGN, other]), **PICTURES})
    found, _ = units(tmp_path)
    assert {unit.key: len(unit.pictures) for unit in found} == {"EM4247823-0007": 2, "EM4247823-0009": 0}


def test_a_model_instead_of_pictures(tmp_path: Path) -> None:
    pytest.importorskip("trimesh", reason="needs patsearch[models]")
    record = EUIPO_DESIGN | {"views": [], "model": {"modelFormat": "STL"}}
    folder = unpacked(tmp_path / "designs", {"a.json": json.dumps(record), "004247823-0007.stl": stl(stool())})
    (unit,), problems = units(folder)
    patent = unit.load()
    assert problems == []
    assert len(patent.sheets) == 7
    assert [sheet.view for sheet in patent.sheets][:2] == ["perspective view", "front view"]


@pytest.mark.parametrize(
    ("text", "keys", "reason"),
    [
        (json.dumps([EUIPO_DESIGN, EUIPO_DESIGN])[:-20], ["EM4247823-0007"], "the JSON is damaged"),
        ('{"designNumber": "1-1", "x": ' + "[" * 100_000, [], "the JSON is damaged"),
        (json.dumps([EUIPO_DESIGN | {"designNumber": "x" * 500}]), [], "is not the number of a design; left out"),
        (
            json.dumps([EUIPO_DESIGN | {"designNumber": 7}, EUIPO_DESIGN]),
            ["EM4247823-0007"],
            "is not the number of a design",
        ),
        ('[{"designNumber": "\udcff"}]', [], "not in UTF-8 (byte 19)"),
    ],
)
def test_damage_is_one_line(text: str, keys: list[str], reason: str, tmp_path: Path) -> None:
    unpacked(tmp_path, PICTURES)
    (tmp_path / "a.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    found, problems = units(tmp_path)
    assert [unit.key for unit in found] == keys
    said = [p for p in problems if Path(p.where).name == "a.json"]
    assert len(said) == 1
    assert reason in said[0].reason
    assert "\n" not in said[0].reason
    assert len(said[0].reason) < 300


@pytest.mark.parametrize("field", [name for name in EUIPO_DESIGN if name != "designNumber"])
@pytest.mark.parametrize("value", [None, 7, "x", [], {}, [[]], [None], {"en": ["Handle"]}, "x" * 100_000])
def test_any_value_in_any_field(field: str, value: object, tmp_path: Path) -> None:
    unpacked(tmp_path, {"a.json": json.dumps([EUIPO_DESIGN | {field: value}]), **PICTURES})
    (unit,), _ = units(tmp_path)
    assert unit.key == "EM4247823-0007"
    assert len(unit.patent.title) <= 1000


def test_halves_of_characters_are_stored_as_question_marks(tmp_path: Path) -> None:
    text = euipo(verbalElement="a\ud800b\0", designers=[{"name": "\udfff"}])
    unpacked(tmp_path / "d", {"a.json": text, **PICTURES})
    assert ingest([tmp_path / "d"], tmp_path / "index", IngestOptions(workers=1)).failed == []
    with open_index(tmp_path / "index") as engine:
        (drawing, *_), _ = engine.drawings_of("EM 004247823-0007")
    assert (drawing.title, drawing.values("inventor")) == ("a?b\0", ("?",))
