"""`patsearch bench` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bench_makers import make_index, use_tiny_encoders

from patsearch.cli import main
from patsearch.encoder import DEFAULT_ENCODER


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    use_tiny_encoders(monkeypatch)
    return make_index(tmp_path / "index")


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(a) for a in ("bench", *arguments)])
    code = stopped.value.code
    return code if isinstance(code, int) else 0


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, Any]:
    assert run(*arguments, "--json") == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_tables(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--dataset", f"index:{index}", "--protocols", "all", "--searches", "5") == 0
    out, err = capsys.readouterr()
    for word in ("map", "hit_rate@1", "recall@10", "ndcg@10", "ann_recall@10", "p95", "with front", "locarno=06"):
        assert word in out
    assert "every drawing is a query" in err
    assert max(len(line) for line in out.splitlines() if "drawings" not in line) <= 80


def test_json(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = run_json(capsys, "-d", f"index:{index}", "--backend", "faiss", "--top-k", "1,10", "--searches", "5")
    assert {"map", "map@10", "hit_rate@1", "hit_rate@10", "recall@10", "mrr", "ndcg@10"} <= document["metrics"].keys()
    assert "hit_rate@5" not in document["metrics"]
    assert document["timings"]["search_p50_ms"] > 0
    assert document["engines"][0]["backend"] == "faiss"
    assert document["dataset"]["protocol"]["text"] == "figures, without front pages"


def test_help_shows_the_commands_and_run_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    text = capsys.readouterr().out
    assert all(f" {name} " in text for name in ("run", "compare", "suite"))
    assert run("--backend", "faiss", "--help") == 0
    assert "--distractors" in capsys.readouterr().out
    assert run("measure") == 2
    assert "measure" in capsys.readouterr().err


def test_settings_of_the_user_are_defaults_of_run(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "patsearch.toml").write_text('encoder = "another"\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert run("-d", f"index:{index}", "--no-engines") == 4  # the index was made with another encoder


def test_the_index_alone_is_the_dataset(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = run_json(capsys, "--index", index, "--no-engines", "--front-pages")
    assert document["dataset"]["queries"] == 48
    assert document["engines"] == []


def test_refined_asking_is_a_column_beside_plain_asking(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = run_json(capsys, "-d", f"index:{index}", "--no-engines", "--rerank", "5,2,0.3,40", "--expand", "1,3")
    first, second, _ = document["evaluations"]
    assert (first["asking"]["rerank"], first["asking"]["expand"]) == ("5,2,0.3,40", "1,3")
    assert (second["asking"]["rerank"], second["asking"]["expand"]) == (None, None)
    assert document["metrics"] == first["metrics"] != second["metrics"]
    assert run("-d", f"index:{index}", "--no-engines", "--rerank", "5,2,0.3") == 0
    assert "rerank 5,2,0.3,200" in capsys.readouterr().out
    for wrong in (["--rerank", "5"], ["--expand", "5"], ["--turn", "45"], ["--mirror"]):
        assert run("-d", f"index:{index}", "--no-engines", *wrong) == 2
        assert capsys.readouterr().out == ""


def test_runs_are_kept_and_compared(index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, page = tmp_path / "out", tmp_path / "page.html"
    assert run("-d", f"index:{index}", "--protocols", "all", "--no-engines", "--out", out, "--html", page) == 0
    assert f"wrote {page}" in capsys.readouterr().err
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    without, with_front = out / "figures-tiny.json", out / "figures-front-pages-tiny.json"
    assert sorted(p.suffix for p in out.iterdir()) == [".json"] * 4 + [".qrels"] * 4 + [".run"] * 4

    same = run_json(capsys, "compare", without, without)
    assert run_json(capsys, "--compare", without, without) == same  # the option that it once was
    assert same["comparable"]
    assert {d["difference"] for d in same["differences"]} == {0}

    other = run_json(capsys, "compare", without, with_front)
    assert not other["comparable"]
    assert any("protocol" in reason for reason in other["reasons"])

    assert run("compare", without, with_front) == 0
    text = capsys.readouterr().out
    assert "Not comparable" in text
    assert "hit_rate@1" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "No dataset given"),
        (("-d", "index:{index}", "--protocols", "some"), "Invalid --protocols 'some': expected one or all."),
        (("-d", "index:{index}", "--top-k", "1,x"), "Invalid --top-k '1,x': expected numbers"),
        (("-d", "index:{index}", "--top-k", "0"), "at least 1"),
        (("-d", "index:{index}", "--baseline"), "Invalid --baseline: an index holds the vectors of one encoder."),
        (("run", "-d", "index:{index}", "--top-k", "0"), "at least 1"),
        (("-d", "index:{index}", "--whole-sheets"), "holds figures"),
        (("-d", "index:{index}", "-f", "colour=red"), "Unknown filter key"),
        (("-d", "index:{index}", "-d", "other"), "Only sources can be joined"),
        (("-d", "index:{index}", "--html", "{index}/no/such/page.html"), "Cannot write"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_code_2(
    index: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert run(*(a.format(index=index) for a in arguments)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1


def test_other_errors_have_their_own_codes(index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-d", "index:/nowhere") == 4
    assert run("-d", f"index:{index}", "--backend", "nosuch") == 7
    assert run("-d", tmp_path / "nothing.tar") == 3
    assert run("compare", tmp_path / "a.json", tmp_path / "b.json") == 3
    assert capsys.readouterr().out == ""


@pytest.mark.data
def test_real_designs(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two weeks of designs, whole sheets, against the shipped encoder: plausible, not exact, values."""
    weeks = [data_dir / "uspto-weekly" / f"I2021{day}.tar" for day in ("0105", "0126")]
    arguments = [part for week in weeks for part in ("-d", str(week))]
    document = run_json(capsys, *arguments, "--whole-sheets", "--protocols", "all", "--searches", "5", "-f", "kind=S1")
    by_protocol = {e["dataset"]["protocol"]["text"]: e for e in document["evaluations"] if not e["baseline"]}
    assert len(by_protocol) == 4
    sheets = by_protocol["whole sheets, with front pages"]
    assert sheets["metrics"]["hit_rate@1"] > 0.6
    assert sheets["dataset"]["queries"] > by_protocol["whole sheets, without front pages"]["dataset"]["queries"]
    assert document["encoder"]["name"] == DEFAULT_ENCODER
    assert any(e["baseline"] for e in document["evaluations"])
