"""Titles, names and messages of strangers on a terminal, in CSV, JSON and records: shown, never obeyed."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from makers import draw_design, week

from patsearch.cli import main
from patsearch.client import Client
from patsearch.engine import open_index
from patsearch.errors import BackendError
from patsearch.files import printable
from patsearch.ingest import IngestOptions, ingest
from patsearch.text import visible, visible_json
from patsearch.web.telemetry import JsonFormatter

LINK, CLEAR, TITLE = "\x1b]8;;http://evil.example\x1b\\", "\x1b[2J\x1b[H", "\x1b]0;owned\x07"
HOSTILE = f"{LINK}chair{CLEAR}{TITLE}\x9b31m\u202eriahc\u2066\x7f\r\nUSD000001 forged\t[bold]x[/bold]"
FORMULA = "=cmd|' /C calc'!A0"
DANGEROUS = [chr(n) for n in (*range(9), *range(11, 32), *range(127, 160), 0x200E, 0x200F, 0x061C)] + [
    *"\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index whose titles, captions and kinds are hostile, and a picture."""
    folder = tmp_path_factory.mktemp("hostile")
    draw_design(1, 0).save(folder / "q.png")
    ingest([week(folder / "w", range(2))], folder / "index", IngestOptions(workers=1))
    with open_index(folder / "index", read_only=False) as engine:
        for number, title in (("USD900000", FORMULA), ("USD900001", HOSTILE)):
            drawings, vectors = engine.drawings_of(number)
            engine.add([replace(d, title=title, kind=title[:8], view=title, figure="@1") for d in drawings], vectors)
    return folder


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    return int(stop.value.code or 0)


def safe(text: str) -> bool:
    return not any(letter in text.replace("\r\n", "\n").replace("\t", "") for letter in DANGEROUS)


def test_the_table_shows_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("query", folder / "q.png", "--index", folder / "index") == 0
    out = capsys.readouterr().out
    assert safe(out)
    assert "chair" in out
    assert "\\x1b" in out
    assert not any(line.startswith("USD000001") for line in out.splitlines())


def test_csv_has_neither_controls_nor_formulas(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for option, title in (("--csv", f"'{FORMULA}"), ("--csv-raw", FORMULA)):
        assert run("query", folder / "q.png", "--index", folder / "index", option) == 0
        out = capsys.readouterr().out
        assert safe(out)
        rows = {row["patent"]: row for row in csv.DictReader(io.StringIO(out))}
        assert rows["USD900000"]["title"] == title
        assert rows["USD900000"]["figure"] == ("'@1" if option == "--csv" else "@1")
        assert rows["USD900001"]["title"] == visible(HOSTILE)
        assert float(rows["USD900000"]["score"]) < 1  # a number has no apostrophe, whatever its sign


def test_json_and_records_say_what_the_title_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = folder / "r.html"
    assert run("query", folder / "q.png", "--index", folder / "index", "--json", "--html", page) == 0
    out = capsys.readouterr().out
    assert safe(out)
    assert HOSTILE in [hit["title"] for hit in json.loads(out)["hits"]]
    assert safe(page.read_text(encoding="utf-8"))


def test_watch_and_errors_show_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved = folder / "s.json"
    assert run("query", folder / "q.png", "--index", folder / "index", "--save", saved) == 0
    saved.write_text(json.dumps(json.loads(saved.read_text()) | {"name": HOSTILE, "shown": []}))
    capsys.readouterr()
    assert run("watch", saved, "--index", folder / "index", "--keep") == 10
    out = capsys.readouterr().out
    assert safe(out)
    assert len(out.splitlines()) == 3
    assert run("query", folder / f"{HOSTILE[:40].replace('/', '_')}.png", "--index", folder / "index") != 0
    assert run("query", "--like", HOSTILE, "--index", folder / "index") != 0
    assert safe(capsys.readouterr().err)


def test_what_a_server_says_is_shown_too(folder: Path, capsys: pytest.CaptureFixture[str],
                                         monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    error = {"error": {"kind": HOSTILE, "message": HOSTILE, "hint": HOSTILE}}
    server = httpx.MockTransport(lambda _: httpx.Response(400, json=error))
    monkeypatch.setattr("patsearch.client.connect", lambda url, token: Client(url, token=token, transport=server))
    assert run("query", folder / "q.png", "--url", "http://localhost") == 2
    err = capsys.readouterr().err
    assert safe(err)
    assert err.count("\n") == 1
    for warnings in (5, [5]):
        strange = httpx.MockTransport(lambda _, w=warnings: httpx.Response(200, json={"hits": [], "warnings": w}))
        with Client("http://localhost", transport=strange) as client, pytest.raises(BackendError):
            client.search(b"")


def test_the_log_of_the_server_too() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "request", None, None)
    record.fields = {"path": HOSTILE}
    line = JsonFormatter().format(record)
    assert safe(line)
    assert json.loads(line)["path"] == HOSTILE


def test_bytes_of_a_name_are_shown_as_elsewhere() -> None:
    assert visible("caf\udce9.png") == printable(os.fsdecode(b"caf\xe9.png")) == r"caf\xe9.png"
    assert visible("\ud800\udcff") == r"\ud800\xff"


@given(st.text())
def test_nothing_else_is_changed(text: str) -> None:
    shown = visible(text)
    assert safe(shown)
    assert json.loads(visible_json(json.dumps(text, ensure_ascii=False))) == text
    if text.isprintable():
        assert shown == text
