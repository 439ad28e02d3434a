"""Names and terminals that are not in UTF-8, readers that go away, outputs that are written whole or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from makers import draw_design

from patsearch.errors import StorageError
from patsearch.files import write_output
from patsearch.ingest import IngestOptions, ingest
from patsearch.ingest.sources import SourceOptions

TITLE = "椅子 الكرسي 효자 🪑"
NAME = os.fsdecode(b"caf\xe9.png")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streams")
    (folder / "drawings").mkdir()
    for n in range(2):
        draw_design(n, 0).save(folder / "drawings" / f"D90000{n}.png")
    (folder / "titles.csv").write_text(f"patent,title\nD900000,{TITLE}\n", encoding="utf-8")
    options = IngestOptions(workers=1, source=SourceOptions(metadata=folder / "titles.csv"))
    assert ingest([folder / "drawings"], folder / "index", options).exit_code == 0
    draw_design(0, 0).save(folder / NAME)
    return folder


def run(
    folder: Path, *arguments: str, encoding: str = "utf-8", **options: object
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "patsearch", *arguments]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    return subprocess.run(command, cwd=folder, env=environment, check=False, **({"capture_output": True} | options))  # type: ignore[call-overload,no-any-return]


@pytest.mark.skipif(sys.platform == "darwin", reason="the file system takes UTF-8 alone")
def test_a_name_that_is_not_utf8(folder: Path) -> None:
    outputs = ["--html", "h.html", "--save", os.fsdecode(b"s\xe9.json")]
    done = run(folder, "query", NAME, "--index", "index", "--json", *outputs)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["query"]["pictures"] == ["caf\\xe9.png"]
    assert "caf\\xe9.png" in (folder / "h.html").read_text(encoding="utf-8")
    assert run(folder, "watch", os.fsdecode(b"s\xe9.json"), "--index", "index").returncode == 0
    source = folder / os.fsdecode(b"src\xe9")
    source.mkdir()
    draw_design(3, 0).save(source / NAME)
    report = ingest([source], folder / "other", IngestOptions(workers=1))
    assert (report.patents, report.exit_code) == (1, 0)
    refused = run(folder, "ingest", "drawings", "--index", os.fsdecode(b"ix\xe9"))
    assert refused.returncode == 2
    assert refused.stderr.count(b"\n") == 1
    assert b"A name is not in UTF-8" in refused.stderr


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_data_are_utf8_whatever_the_terminal_is(folder: Path, encoding: str) -> None:
    picture = ("query", "drawings/D900000.png", "--index", "index")
    done = run(folder, *picture, "--json", encoding=encoding)
    assert json.loads(done.stdout.decode())["hits"][0]["title"] == TITLE
    assert TITLE in run(folder, *picture, "--csv", encoding=encoding).stdout.decode()
    table = run(folder, *picture, encoding=encoding)
    assert table.returncode == 0, table.stderr
    assert "USD900000" in table.stdout.decode(encoding, errors="replace")


@pytest.mark.skipif(os.name == "nt", reason="a shell's pipes")
@pytest.mark.parametrize(
    "arguments",
    [
        ("query", "drawings/D900000.png", "--index", "index", "--json"),
        ("query", "drawings/D900000.png", "--index", "index"),
        ("query", "drawings/D900000.png", "--index", "index", "--csv"),
        ("index", "info", "index"),
        ("--help",),
    ],
)
def test_a_reader_that_goes_away_is_not_an_error(folder: Path, arguments: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)
    done = run(folder, *arguments, capture_output=False, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert done.returncode in (0, 141)
    assert done.stderr == b""


@pytest.mark.skipif(os.name == "nt", reason="a shell's streams")
def test_closed_streams(folder: Path) -> None:
    asked = ("query", "-", "--index", "index")
    done = run(folder, *asked, preexec_fn=lambda: os.close(0))
    assert done.returncode == 2
    assert done.stderr == b"patsearch: Standard input is closed. Send a picture: patsearch query - < drawing.png.\n"
    done = run(folder, "index", "info", "index", preexec_fn=lambda: os.close(1))
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("option", ["--html", "--pdf"])
def test_an_output_that_fails_leaves_the_file(
    folder: Path, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from patsearch import record
    from patsearch.cli import main

    def broken(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(record, "render_page", broken)
    monkeypatch.setattr(record, "render_pdf", broken)
    (tmp_path / "out").write_text("before")
    with pytest.raises(SystemExit) as ended:
        main(["query", str(folder / "drawings" / "D900000.png"), "--index", str(folder / "index"), option,
              str(tmp_path / "out")])  # fmt: skip
    assert ended.value.code == 8
    assert (tmp_path / "out").read_text() == "before"


def test_outputs_go_where_links_lead_and_into_devices(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    write_output(tmp_path / "link", "ä\udce9")
    assert (tmp_path / "target").read_bytes() == "ä\\udce9".encode()
    assert (tmp_path / "link").is_symlink()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "target"]
    write_output(Path(os.devnull), b"x")
    assert not Path(os.devnull).is_file()


def test_a_file_that_cannot_be_written_is_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("before")
    with pytest.raises(StorageError, match="below"):
        write_output(tmp_path / "file" / "below", b"x")
    assert (tmp_path / "file").read_text() == "before"
