"""Saved searches and `patsearch watch`."""

from __future__ import annotations

import json
import math
import shutil
from base64 import b64encode
from pathlib import Path

import numpy as np
import pytest
from makers import draw_design, week

from patsearch.cli import main
from patsearch.errors import EncoderMismatch, InputError
from patsearch.record import SavedSearch


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    return int(stop.value.code or 0)


def vector(number: float) -> str:
    """A query's vector of 512 times this number, as the file holds it."""
    return b64encode(np.full(512, number, "<f4").tobytes()).decode()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an index of four designs, and a search saved in it."""
    folder = tmp_path_factory.mktemp("saved")
    week(folder / "w1", range(4))
    draw_design(2, 0).save(folder / "asked.png")
    assert run("ingest", folder / "w1", "--index", folder / "index", "--workers", 1) == 0
    assert run("query", folder / "asked.png", "--index", folder / "index", "--save", folder / "shoe.json") == 0
    return folder


@pytest.fixture
def saved(original: Path, tmp_path: Path) -> Path:
    """The saved search, in a copy of that folder for one test."""
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    return tmp_path / "shoe.json"


def test_no_news_then_news_then_none(saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    watch = ("watch", saved, "--index", tmp_path / "index", "--out", tmp_path / "news", "--json")
    capsys.readouterr()
    assert run(*watch) == 0
    assert json.loads(capsys.readouterr().out)["searches"][0]["new"] == []
    assert not list((tmp_path / "news").iterdir())
    week(tmp_path / "w2", range(4, 6))
    assert run("ingest", tmp_path / "w2", "--index", tmp_path / "index", "--workers", 1) == 0
    capsys.readouterr()
    assert run(*watch, "--keep") == 10
    capsys.readouterr()
    assert run(*watch) == 10
    (search,) = json.loads(capsys.readouterr().out)["searches"]
    assert {hit["patent"] for hit in search["new"]} == {"USD900004", "USD900005"}
    page = (tmp_path / "news" / "shoe.html").read_text(encoding="utf-8")
    assert "USD900004" in page
    assert "USD900002" not in page
    assert run(*watch) == 0


def test_the_search_is_the_same_one(saved: Path, original: Path, tmp_path: Path) -> None:
    loaded = SavedSearch.load(saved)
    loaded.save(tmp_path / "copy.json")
    assert SavedSearch.load(tmp_path / "copy.json") == loaded
    assert loaded.shown == {f"USD90000{n}" for n in range(4)}
    assert [p.name for p in loaded.question().pictures] == [str(original / "asked.png")]
    assert loaded.question().pictures[0].png.startswith(b"\x89PNG")


def test_options_and_filter_are_kept(saved: Path, tmp_path: Path) -> None:
    index, file = tmp_path / "index", tmp_path / "more.json"
    given = ("--filter", "cpc=D14", "--filter", "granted>=2015", "--top", 3, "--rotations", "--rerank", "7,2,0.5")
    assert run("query", tmp_path / "asked.png", "--index", index, *given, "--save", file) == 0
    loaded = SavedSearch.load(file)
    assert "granted>=2015" in loaded.where
    assert (loaded.options.top, loaded.options.rotations) == (3, True)
    assert loaded.options.rerank is not None
    assert len(loaded.query().vectors) == 4
    assert run("watch", file, "--index", index) == 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"format": 1', '"format": 2'),
        lambda text: text.replace('"name"', '"nome"', 1),
        lambda text: json.dumps(json.loads(text) | {"vectors": "%%%"}),
        lambda text: json.dumps(json.loads(text) | {"vectors": ""}),
        lambda text: json.dumps(json.loads(text) | {"picture": [0, 5]}),
        lambda text: json.dumps(json.loads(text) | {"pictures": [{"name": "x", "png": "%"}]}),
        lambda text: json.dumps(json.loads(text) | {"options": {"top": "many"}}),
        lambda text: json.dumps(json.loads(text) | {"picture": [30_000_000]}),
        lambda text: json.dumps(json.loads(text) | {"picture": [10**12]}),
        lambda text: json.dumps(json.loads(text) | {"picture": [-1]}),
        lambda text: json.dumps(json.loads(text) | {"picture": [True]}),
        lambda text: json.dumps(json.loads(text) | {"picture": ["0"]}),
        lambda text: json.dumps(json.loads(text) | {"options": {"min_score": math.nan}}),
        lambda text: json.dumps(json.loads(text) | {"options": {"min_score": math.inf}}),
        lambda text: json.dumps(json.loads(text) | {"options": {"top": 10_001}}),
        lambda text: json.dumps(json.loads(text) | {"options": {"max_per_class": 10**9}}),
        lambda text: json.dumps(json.loads(text) | {"options": {"crop": [0, 0, 10**9, 1]}}),
        lambda text: json.dumps(json.loads(text) | {"options": {"rerank": {"k1": 10**9, "k2": 1}}}),
        lambda text: json.dumps(json.loads(text) | {"options": {"rerank": {"weight": math.nan}}}),
        lambda text: json.dumps(json.loads(text) | {"options": {"rerank": {"candidates": 10**9}}}),
        lambda text: json.dumps(json.loads(text) | {"options": {"expansion": {"count": 10**9}}}),
        lambda text: json.dumps(json.loads(text) | {"options": {"expansion": {"alpha": math.nan}}}),
        lambda text: json.dumps(json.loads(text) | {"vectors": vector(math.nan)}),
        lambda text: json.dumps(json.loads(text) | {"vectors": vector(1e30)}),
        lambda text: json.dumps(json.loads(text) | {"vectors": vector(0.0)}),
        lambda text: json.dumps(json.loads(text) | {"shown": ["x" * 201]}),
        lambda text: json.dumps(json.loads(text) | {"encoder": "x" * 5000}),
        lambda text: "[" * 200_000,
        lambda text: '{"format": ' + "9" * 5000 + "}",
    ],
)
def test_a_damaged_file_is_told(saved: Path, damage: object) -> None:
    assert callable(damage)
    saved.write_text(damage(saved.read_text()))
    with pytest.raises(InputError, match="is not a saved search"):
        SavedSearch.load(saved)


@pytest.mark.parametrize("part", ["shown", "picture", "pictures", "options"])
def test_millions_of_parts_are_told_before_they_are_read(saved: Path, part: str) -> None:
    whole = json.loads(saved.read_text())
    saved.write_text(json.dumps(whole | {part: [1] * 300_000}))
    with pytest.raises(InputError, match="too many parts"):
        SavedSearch.load(saved)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs a file without an end")
def test_an_endless_file_is_told() -> None:
    with pytest.raises(InputError, match="too large for a saved search"):
        SavedSearch.load(Path("/dev/zero"))


def test_a_missing_one_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("watch", tmp_path / "none.json", "--index", tmp_path) == 3
    assert "Cannot read the saved search" in capsys.readouterr().err


def test_another_encoder_is_refused(saved: Path, tmp_path: Path) -> None:
    from patsearch.engine import open_index

    other = SavedSearch.load(saved).model_copy(update={"encoder_sha256": "0" * 64})
    with open_index(tmp_path / "index") as engine, pytest.raises(EncoderMismatch, match="save that search"):
        other.rerun(engine)


def test_a_folder_that_is_not_there(saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("query", tmp_path / "asked.png", "--index", tmp_path / "index")
    assert run(*asked, "--save", tmp_path / "no" / "x.json") == 8
    assert f"Writing {tmp_path}" in capsys.readouterr().err
