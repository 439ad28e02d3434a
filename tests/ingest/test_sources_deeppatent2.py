"""DeepPatent2: years of sheets with a list of figures each, whose text is not to be trusted."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from makers import draw_design

from patsearch.errors import SourceError
from patsearch.ingest.sources import Problem, SourceOptions, Unit, jsonstream, open_source
from patsearch.ingest.sources.jsonstream import objects, read_object

KEY = "USD0836880-20190101"


def figure(number: int, sheet: int, key: str = KEY, **changes: Any) -> dict[str, Any]:
    """A figure as the dataset's paper lists its fields (table 4)."""
    return {
        "id": number,
        "patentID": key,
        "patentdate": "2019-01-01",
        "figid": str(number),
        "caption": f"FIG. {number} is a front perspective view of a pet treat according to the new design;",
        "object": "Pet treat",
        "aspect": "front perspective view",
        "figure_file": f"{key}-D{sheet:05d}.png",
        "subfigure_file": f"{key}-D{sheet:05d}_{number}.png",
        "object_title": "Pet treat",
        "x_figure": 614,
        "y_figure": 91,
        "w_figure": 969,
        "h_figure": 2740,
        "W_label": 0.0439147,
    } | changes


def year(root: Path, figures: list[dict[str, Any]], files: list[str], name: str = "2019") -> Path:
    """A year's folder with its list and images."""
    folder = root / name
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        draw_design(len(file), 0, (90, 120)).save(folder / file)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"segmentation_{name}.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return folder


def listed(path: Path, **options: Any) -> tuple[list[Unit], list[Problem]]:
    source = open_source(path, options=SourceOptions(**options))
    assert source.name == "deeppatent2"
    found = list(source.units())
    units = [unit for unit in found if isinstance(unit, Unit)]
    return units, [problem for problem in found if isinstance(problem, Problem)]


def test_a_year_is_read_from_its_original_sheets(tmp_path: Path) -> None:
    figures = [figure(1, 1), figure(2, 1, aspect="rear view", object="Treat for größere pets"), figure(10, 2)]
    other = "USD0900001-20190108"
    figures.insert(1, figure(1, 1, other, object="", aspect="", patentdate="no day", object_title="Chair"))
    files = [f"Original/{KEY}-D00001.png", f"Original/{KEY}-D00002.png", f"Original/{other}-D00001.png"]
    folder = year(tmp_path, figures, [*files, f"Segmented/{KEY}-D00001_1.png"])
    for path in (folder, tmp_path, folder / "segmentation_2019.json"):
        units, problems = listed(path)
        assert problems == []
        assert [unit.key for unit in units] == [KEY, other]
        assert open_source(path).total() == 2
    patent = units[0].load()
    assert (patent.number, patent.title, patent.granted) == ("USD836880", "Pet treat", date(2019, 1, 1))
    assert [sheet.name for sheet in patent.sheets] == ["D00001", "D00002"]
    assert patent.sheets[1].data == (folder / files[1]).read_bytes()
    assert [(caption.figure, caption.view) for caption in patent.captions] == [
        ("1", "front perspective view of Pet treat"),
        ("2", "rear view of Treat for größere pets"),
        ("10", "front perspective view of Pet treat"),
    ]
    chair = units[1].load()
    assert (chair.title, chair.granted) == ("Chair", date(2019, 1, 8))
    assert chair.captions[0].view.startswith("FIG. 1 is a front perspective view")


def test_cut_figures_stand_in_for_a_missing_sheet_and_the_rest_is_reported(tmp_path: Path) -> None:
    figures = [figure(1, 1), figure(2, 1), figure(3, 2), figure(4, 3)]
    files = [f"Segmented/{KEY}-D00001_1.png", f"Segmented/{KEY}-D00001_2.png", f"Original/{KEY}/{KEY}-D00002.png"]
    folder = year(tmp_path, figures, files)
    units, problems = listed(folder)
    assert [sheet.name for sheet in units[0].load().sheets] == ["D00001_1", "D00001_2", "D00002"]
    assert [problem.reason for problem in problems] == [f"1 listed files are missing, for example {KEY}-D00003.png"]


@pytest.mark.parametrize(
    "hostile",
    [
        "../../secret/{key}-D00001.png",
        "/etc/{key}-D00001.png",
        "..\\\\{key}-D00001.png",
        "{key}-D00001.png/../../{key}-D00001.png",
        "{key}-D00001.sh",
        "USD0000001-20190101-D00001.png",
        "{key}-\x00.png",
    ],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, hostile: str) -> None:
    name = hostile.format(key=KEY)
    bad = figure(1, 1, figure_file=name, subfigure_file=name)
    folder = year(tmp_path, [bad, figure(2, 2)], [f"Original/{KEY}-D00002.png", f"../secret/{KEY}-D00001.png"])
    units, _ = listed(folder)
    patent = units[0].load()
    assert [sheet.name for sheet in patent.sheets] == ["D00002"]
    assert any("not an image of this patent" in text for text in patent.problems)
    alone = year(tmp_path / "alone", [bad], [])
    units, problems = listed(alone)
    assert units == []
    assert "not an image of this patent" in problems[0].reason


def test_text_that_is_no_figure_is_reported(tmp_path: Path) -> None:
    odd = [{}, figure(1, 1, key="D836880"), {"patentID": ["x"]}, figure(1, 1, figid=None, object=7, aspect={"a": 1})]
    units, problems = listed(year(tmp_path, odd, [f"Original/{KEY}-D00001.png"]))
    assert [unit.key for unit in units] == [KEY]
    assert units[0].load().captions == ()
    assert "3 figures name no patent" in problems[0].reason
    empty = year(tmp_path / "empty", [], [])
    assert "no segmentation_" in listed(empty)[1][0].reason


def test_a_list_cut_short_gives_what_came_before(tmp_path: Path) -> None:
    folder = year(tmp_path, [figure(1, 1), figure(2, 2)], [f"Original/{KEY}-D0000{n}.png" for n in (1, 2)])
    path = folder / "segmentation_2019.json"
    path.write_bytes(path.read_bytes()[:-60])
    units, problems = listed(folder)
    assert [sheet.name for sheet in units[0].load().sheets] == ["D00001"]
    assert "malformed from byte" in problems[0].reason


def test_a_table_adds_classes(tmp_path: Path) -> None:
    folder = year(tmp_path, [figure(1, 1)], [f"Original/{KEY}-D00001.png"])
    table = tmp_path / "metadata.csv"
    table.write_text("patent,title,locarno\nUSD836880,Snack,01-04\n")
    patent = listed(folder, metadata=table)[0][0].load()
    assert (patent.title, patent.classes[0].code, patent.granted) == ("Snack", "01-04", date(2019, 1, 1))
    assert patent.captions[0].view == "front perspective view of Pet treat"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    values=st.lists(st.dictionaries(st.text(max_size=8), VALUES, max_size=4), max_size=6),
    chunk=st.integers(9, 300),
    form=st.sampled_from(["array", "pretty", "lines"]),
    ascii_only=st.booleans(),
)
def test_objects_are_those_of_the_json_module_with_any_chunks(
    values: list[dict[str, Any]], chunk: int, form: str, ascii_only: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "objects.json"
    if form == "lines":
        text = "\n".join(json.dumps(value, ensure_ascii=ascii_only) for value in values)
    else:
        text = json.dumps(values, ensure_ascii=ascii_only, indent=2 if form == "pretty" else None)
    path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonstream, "_CHUNK", chunk)
        spans = [span for span, _ in objects(path)]
    with path.open("rb") as file:
        assert [read_object(file, span) for span in spans] == values


@pytest.mark.parametrize("text", ["[1, 2]", "hello", '[{"a": 1}] {"b": 2}', '[[{"a": 1}]]', '[{"a": 1}', '{"a": '])
def test_what_is_no_list_of_objects_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "list.json"
    path.write_text(text)
    with pytest.raises(SourceError, match=r"list\.json: "):
        list(objects(path))


def test_one_endless_object_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    with path.open("w") as file:
        file.write('[{"a": "')
        for _ in range(64):
            file.write("x" * (1 << 20))
    with pytest.raises(SourceError, match="malformed from byte 1 on"):
        list(objects(path))
    path.write_text("[" + '{"a":' * 50_000)
    with pytest.raises(SourceError, match="malformed"):
        list(objects(path))
