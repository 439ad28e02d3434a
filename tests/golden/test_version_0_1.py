"""What version 0.1.0 wrote still opens, can be encoded again, and no JSON name that scripts rely on is missing.

The files in `version-0.1.0` were written by that version: an index of five designs, answers to queries of it, a saved
search and a run. Its encoder was another one, so that its index is read, checked and copied as it is, refuses pictures
with a way out, and answers once it is encoded again. A new field may join an answer; none may leave it or change its
type.
"""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from patsearch.cli import main
from patsearch.encoder import DEFAULT_ENCODER, load_encoder
from patsearch.engine import open_index

OLD = Path(__file__).parent / "version-0.1.0"
OLD_ENCODER: dict[str, Any] = {
    "sha256": "f5f23445a3ee72a5c492fe3da8a28cf746afd88330ac3627dc5b9b3a16000515",
    "dim": 1536,
}
QUERY = OLD / "query.png"
# Wording, clocks, sizes and addresses: only their types are compared. So are scores, which were of different things in
# different modes, and what another encoder changes: fingerprints, and the order in a run.
FREE = {
    "bytes", "bytes_per_vector", "checked", "cpu_ms_per_drawing", "cpu_seconds", "created", "drawings_per_second",
    "environment", "fingerprint", "generation", "hint", "limits", "link", "map_ties", "message", "notes", "notices",
    "p50_ms",
    "p95_ms", "p99_ms", "patsearch", "path", "per_second", "queries_per_second", "queries_per_second_by_clients",
    "ranking_seconds", "score", "seconds", "skipped", "started", "time", "timings", "top", "version",
}  # fmt: skip
# The shipped encoder is in 8 bits: other processors round differently (docs of the encoder).
TOLERANCE = 1e-4 if platform.machine().lower() in ("x86_64", "amd64") else 2e-2


def differences(old: Any, new: Any, where: str = "") -> Iterator[str]:
    """Every place where the new answer lacks what the old one has, or says something else."""
    free = where.rpartition(".")[2] in FREE
    if isinstance(old, dict):
        if not isinstance(new, dict):
            yield f"{where}: {type(new).__name__} instead of an object"
            return
        for name, value in old.items():
            if name not in new:
                if not free:
                    yield f"{where}.{name} is missing"
            elif not free:
                yield from differences(value, new[name], f"{where}.{name}")
    elif isinstance(old, list):
        if not isinstance(new, list):
            yield f"{where}: {type(new).__name__} instead of a list"
        elif not free and len(old) != len(new):
            yield f"{where}: {len(new)} values instead of {len(old)}"
        elif not free:
            for place, (before, now) in enumerate(zip(old, new, strict=True)):
                yield from differences(before, now, f"{where}[{place}]")
    elif isinstance(old, bool) or old is None or isinstance(old, str):
        if type(old) is not type(new) or (not free and old != new):
            yield f"{where}: {new!r} instead of {old!r}"
    elif isinstance(new, bool) or not isinstance(new, int | float):
        yield f"{where}: {new!r} is not a number"
    elif not free and new != pytest.approx(old, abs=TOLERANCE):
        yield f"{where}: {new!r} instead of {old!r}"


def golden(name: str) -> Any:
    """An answer of that version, with the facts of the present encoder."""
    text, card = (OLD / name).read_text(encoding="utf-8"), load_encoder(DEFAULT_ENCODER, threads=1).card
    text = text.replace(OLD_ENCODER["sha256"], card.sha256)
    return json.loads(text.replace(f'"dim": {OLD_ENCODER["dim"]}', f'"dim": {card.dim}'))


def unordered(answer: Any) -> Any:
    """An answer whose hits and drawings stand in the order of their numbers: another encoder has another order."""
    hits = []
    for hit in sorted(answer["hits"], key=lambda hit: str(hit["patent"])):
        drawings = sorted(hit["drawings"], key=lambda drawing: str(drawing["id"]))
        assert hit["drawing"] in hit["drawings"]
        hits.append(hit | {"rank": 0, "drawings": drawings, "drawing": drawings[0]})
    return answer | {"hits": hits}


def shape_of(value: Any) -> Any:
    """The names in an answer, and the types of their values."""
    if isinstance(value, dict):
        return {name: shape_of(part) for name, part in value.items()}
    return [shape_of(part) for part in value[:1]] if isinstance(value, list) else type(value).__name__


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A copy of the index: readers leave the original as it is, writers must not touch it."""
    return Path(shutil.copytree(OLD / "index", tmp_path / "old"))


@pytest.fixture(scope="module")
def encoded_again(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index once more, encoded by the present encoder."""
    from makers import week

    folder = tmp_path_factory.mktemp("again")
    shutil.copytree(OLD / "index", folder / "old")
    source = week(folder / "w", range(5))
    with pytest.raises(SystemExit) as stop:
        main(["index", "reencode", str(folder / "old"), str(source), "--out", str(folder / "new"), "--json"])
    assert not stop.value.code
    return folder / "new"


@pytest.fixture
def index(encoded_again: Path, tmp_path: Path) -> Path:
    """A copy of that, under the name of the old one."""
    return Path(shutil.copytree(encoded_again, tmp_path / "index-0.1.0"))


def run(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> Any:
    """The JSON that a command prints."""
    with pytest.raises(SystemExit) as stop:
        main([*(str(a) for a in arguments), "--json"])
    assert int(stop.value.code or 0) == code
    return json.loads(capsys.readouterr().out)


def test_the_comparison_finds_what_differs() -> None:
    old = {"a": 1, "b": [{"c": "x"}], "time": "then", "d": None, "e": True}
    assert not list(differences(old, old | {"more": 1, "time": "now"}))
    assert list(differences(old, {**old, "b": [{"d": "x"}]})) == [".b[0].c is missing"]
    assert next(differences(old, {**old, "a": "1", "time": 3, "e": 1})) == ".a: '1' is not a number"
    assert len(list(differences(old, {**old, "a": 2, "time": 3, "e": 1, "d": 0, "b": []}))) == 5


# Version 0.1 compared the drawing style too, unless it was told not to.
QUERIES = {
    "query": "query.png --top 5 --style 1",
    "shape": "query.png --top 3 --shape --filter uspc=D2",
    "like": "--like D900001 --style 1",
    "refined": "query.png --style 1 --top 4 --drawings --rotations --expand 3,3 --rerank 5,2,0.3 --min-score 0.2"
    " --relevant USD900001-D00001-1 --irrelevant USD900003-D00001-1",
}


@pytest.mark.parametrize("name", QUERIES)
def test_queries_answer_the_same(
    index: Path, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(OLD)  # a picture is called in the answer as it was given
    answer = run(capsys, "query", *QUERIES[name].split(), "--index", index)
    before, now = unordered(golden(f"{name}.json")), unordered(answer)
    if name == "refined":  # four drawings of ten: another encoder finds others
        before, now = (found | {"hits": [shape_of(hit) for hit in found["hits"]]} for found in (before, now))
    assert not list(differences(before, now))


@pytest.mark.parametrize("name", QUERIES)
def test_an_index_of_an_earlier_encoder_says_what_to_do(
    old: Path, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(OLD)
    with pytest.raises(SystemExit) as stop:
        main(["query", *QUERIES[name].split(), "--index", str(old)])
    assert stop.value.code == 4
    said = capsys.readouterr().err
    assert "made with an earlier 'lite0-drawings'" in said
    assert "patsearch index reencode" in said


def test_index_info(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = json.loads((OLD / "info.json").read_text(encoding="utf-8"))
    assert not list(differences(before, run(capsys, "index", "info", old)))


def test_the_index_is_sound_and_can_be_added_to(old: Path) -> None:
    with open_index(old, read_only=False) as engine:
        assert engine.verify() == []
        drawings, vectors = engine.drawings_of("D900002")
        engine.add(drawings, vectors)
        assert engine.backend.count() == 10
    with open_index(old) as engine:
        assert engine.verify() == []


def test_the_same_archive_adds_nothing(index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from makers import week

    answer = run(capsys, "ingest", week(tmp_path / "w", range(5)), "--index", index, "--workers", 1)
    assert (answer["patents"], sum(answer["skipped"].values())) == (0, 5)
    assert not list(differences(golden("ingest.json"), answer | {"sources": ["w"]}))


@pytest.mark.slow
def test_bench(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the dataset's name is the folder's, as it was given
    answer = run(capsys, "bench", "--index", index.name, "--out", tmp_path / "runs", "--style", 1, "--quiet")
    # Newer versions measure by shape too, as a second evaluation and a second run file.
    assert [evaluation["asking"]["shape"] for evaluation in answer["evaluations"]] == [False, True]
    answer["evaluations"].pop()
    assert not list(differences(golden("bench.json"), answer))
    assert set(golden("bench.json")["timings"]) <= set(answer["timings"])
    (new,) = (tmp_path / "runs").glob("*-style_1.json")
    assert not list(differences(golden("run.json"), json.loads(new.read_text(encoding="utf-8"))))
    comparison = run(capsys, "bench", "--compare", OLD / "run.json", new)
    assert comparison["comparable"]


def test_a_saved_search_of_an_earlier_encoder_says_what_to_do(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "saved.json"
    shutil.copy(OLD / "saved.json", saved)
    before = saved.read_bytes()
    with pytest.raises(SystemExit) as stop:
        main(["watch", str(saved), "--index", str(index)])
    assert stop.value.code == 4
    said = capsys.readouterr().err
    assert "was saved with" in said
    assert "Search with the pictures again, and save that search." in said
    assert saved.read_bytes() == before


def test_a_saved_search_has_the_names_of_then(index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved = tmp_path / "saved.json"
    words = "--filter granted=2021 --top 3 --min-score 0.1 --style 1 --rerank 20,6,0.3,200".split()
    run(capsys, "query", QUERY, "--index", index, *words, "--save", saved)
    before, after = golden("saved.json"), json.loads(saved.read_text(encoding="utf-8"))
    free = {"vectors", "shown", "asked", "pictures"}
    then, now = (
        {name: shape_of(value) if name in free else value for name, value in fields.items()}
        for fields in (before, after)
    )
    assert not list(differences(then, now))
    # Two of its three results were not shown yet: they are new.
    saved.write_text(json.dumps(after | {"shown": after["shown"][:1]}), encoding="utf-8")
    answer = run(capsys, "watch", saved, "--index", index, code=10)
    assert sorted(hit["patent"] for hit in answer["searches"][0]["new"]) == sorted(after["shown"][1:])


def test_the_server(index: Path) -> None:
    pytest.importorskip("fastapi", reason="needs patsearch[web]")
    from fastapi.testclient import TestClient

    from patsearch.web.app import create_app
    from patsearch.web.settings import ServerSettings

    with TestClient(create_app(ServerSettings(index, workers=1)), base_url="http://127.0.0.1:8765") as client:
        files = [("image", ("query.png", QUERY.read_bytes()))]
        answer = client.post("/api/v1/search", files=files, data={"top": "5", "style": "1"})
        assert not list(differences(unordered(golden("search.json")), unordered(answer.json())))
        for address, name in (("facets", "facets"), ("index", "server-index"), ("patents/D900002", "patent")):
            now = client.get(f"/api/v1/{address}").json()
            for main in [main for tree in now.get("classes", {}).values() for main in tree if name == "facets"]:
                for subclass in main["children"]:
                    assert subclass["title"]
                    subclass["title"] = None  # 0.1 had none
            assert not list(differences(golden(f"{name}.json"), now))
