"""`patsearch index` on a terminal and in scripts."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from makers import week

from patsearch.cli import main
from patsearch.engine import open_index

DESIGNS = 4


def run(*arguments: object) -> int:
    """Exit code of the command line, in this process."""
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    return int(stop.value.code or 0)


def ask(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert run("index", *arguments, "--json") == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("index")
    week(folder / "w", range(DESIGNS))
    assert run("ingest", folder / "w", "--index", folder / "index", "--workers", 1) == 0
    return folder / "index"


@pytest.fixture
def index(ingested: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ingested, tmp_path / "index"))


def test_info_has_the_names_that_scripts_rely_on(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = ask(capsys, "info", index)
    assert facts["patents"] == DESIGNS
    assert facts["drawings"] >= DESIGNS
    assert facts["backend"] == "faiss"
    assert facts["bytes"] > 0
    assert facts["encoder"]["name"]
    assert len(facts["encoder"]["sha256"]) == 64
    assert run("index", "info", index) == 0
    assert "exact scan" in capsys.readouterr().out


def test_verify_says_whether_all_is_well(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(capsys, "verify", index) == {"ok": True, "problems": [], "unfinished": []}
    (vectors,) = index.rglob("vectors-*.f32")
    data = bytearray(vectors.read_bytes())
    data[100] ^= 1
    vectors.write_bytes(data)
    assert run("index", "verify", index) == 4
    printed = capsys.readouterr()
    assert "checksum" in printed.out
    assert "problems found" in printed.err
    assert run("index", "verify", index, "--json") == 4
    assert len(json.loads(capsys.readouterr().out)["problems"]) == 1


def test_delete_by_patent_filter_and_id_then_compact(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_index(index) as engine:
        ids = list(engine.backend.ids())
    of_first = [i for i in ids if i.startswith("USD900000-")]
    tried = ask(capsys, "delete", index, "--patent", "D900,000", "--dry-run")
    assert tried == {"deleted": 0, "matched": len(of_first), "ids": of_first, "warnings": []}
    assert ask(capsys, "info", index)["drawings"] == len(ids)

    assert ask(capsys, "delete", index, "--patent", "D900,000", "--id", of_first[0])["deleted"] == len(of_first)
    shoe = ask(capsys, "delete", index, "--filter", "title~shoe")["ids"]
    assert shoe
    assert all(i.startswith("USD900002-") for i in shoe)
    left = [i for i in ids if i not in {*of_first, *shoe}]
    assert ask(capsys, "delete", index, "--id", left[0], "--id", "not there")["deleted"] == 1
    assert ask(capsys, "info", index)["drawings"] == len(left) - 1

    assert ask(capsys, "compact", index)["reclaimed"] == len(ids) - len(left) + 1
    assert ask(capsys, "verify", index)["ok"]
    with open_index(index) as engine:
        assert list(engine.backend.ids()) == left[1:]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "code"), [("n\n", 1), ("\n", 1), ("", 130), ("y\n", 0)])
def test_delete_asks_on_a_terminal(
    index: Path, answer: str, code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ask(capsys, "info", index)["drawings"]
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert run("index", "delete", index, "--patent", "D900,000") == code
    printed = capsys.readouterr()
    assert f"drawings from {index}? [y/N]" in printed.err + printed.out
    gone = before - ask(capsys, "info", index)["drawings"]
    assert gone == (0 if code else 2)


def test_delete_does_not_ask_scripts(
    index: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    assert run("index", "delete", index, "--patent", "D900,000", "--yes") == 0
    assert "?" not in capsys.readouterr().err
    assert ask(capsys, "delete", index, "--patent", "D900,001")["deleted"] == 2


def test_delete_of_all_but_something_that_is_not_there(
    index: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    count = ask(capsys, "info", index)["drawings"]
    assert ask(capsys, "delete", index, "--filter", "patent!=D900,000", "--dry-run")["matched"] == count - 2
    missing = ("delete", index, "--filter", "patent!=D999,999")
    warned = ask(capsys, *missing, "--dry-run")["warnings"]
    assert warned == ["No drawing of this index matches patent=D999,999: it excludes nothing."]
    for options in ([], ["--json"]):
        assert run("index", *missing, *options) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert f"excludes nothing in {index}: {count} drawings would be deleted" in printed.err
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    assert run("index", *missing) == 1
    assert "excludes nothing" in capsys.readouterr().err
    assert ask(capsys, "info", index)["drawings"] == count
    assert ask(capsys, *missing, "--yes")["deleted"] == count


def test_delete_needs_to_know_what(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("index", "delete", index) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "--filter" in printed.err


def test_export_gives_back_every_drawing_and_every_bit(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert ask(capsys, "export", index, out)["drawings"] == ask(capsys, "info", index)["drawings"]
    lines = [json.loads(line) for line in (out / "drawings.jsonl").read_text(encoding="utf-8").splitlines()]
    vectors = np.load(out / "vectors.npy", allow_pickle=False)
    assert vectors.dtype == np.float32
    assert len(vectors) == len(lines)
    with open_index(index) as engine:
        stored = engine.backend.get([line["id"] for line in lines])
        about = json.loads((out / "index.json").read_text())
        assert about["encoder_sha256"] == engine.spec.encoder_sha256
    assert [line["id"] for line in lines] == sorted(stored)
    for line, vector in zip(lines, vectors, strict=True):
        drawing, kept = stored[line["id"]]
        np.testing.assert_array_equal(vector, kept)
        assert (line["patent"], line["title"], line["classes"]) == (
            drawing.patent,
            drawing.title,
            drawing.classes_json(),
        )
        assert line["granted"] == "2021-01-05"
    assert run("index", "export", index, out) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["index", "out"]
    capsys.readouterr()
    assert ask(capsys, "export", index, tmp_path / "few", "--filter", "title~shoe")["drawings"] < len(lines)


def test_no_index_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["info"], ["verify"], ["compact"], ["delete", "--id", "x"]):
        assert run("index", command[0], tmp_path / "nothing", *command[1:]) == 4
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.count("\n") == 1
