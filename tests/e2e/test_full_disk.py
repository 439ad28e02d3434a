"""A disk that is full: searching continues, every output is as it was before, and the exit code is 8.

What other commands make, and cannot make on such a disk, is in `test_full_disk_making.py`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from full_disk import Full, names_in, run
from index_makers import Writer, look, make_index
from makers import draw_design, week

from patsearch.engine import open_index


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("full")
    assert run("ingest", week(folder / "w", range(5)), "--index", folder / "index", "--workers", 1) == 0
    draw_design(2, 0).save(folder / "query.png")
    assert run("query", folder / "query.png", "--index", folder / "index", "--save", folder / "saved.json") == 0
    assert run("index", "snapshot", folder / "index", folder / "snap.tar") == 0
    return folder


# ---------------------------------------------------------------------- reading


def test_searching_goes_on(disk: tuple[Path, Full], ingested: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, full = disk
    index = Path(shutil.copytree(ingested / "index", folder / "index"))
    assert run("index", "delete", index, "--patent", "D900003", "--yes") == 0
    commands: list[list[Any]] = [
        ["query", ingested / "query.png", "--index", index],
        ["query", "--like", "D900001", "--index", index],
        ["index", "info", index],
        ["index", "verify", index],
        ["watch", ingested / "saved.json", "--index", index, "--keep"],
    ]

    def answers() -> list[Any]:
        found = []
        for command in commands:
            capsys.readouterr()
            code = run(*command, "--json")
            text = re.sub(r'"(time|seconds|checked|bytes|searched_at)": [^,}\n]*', "", capsys.readouterr().out)
            found.append((code, text))
        return found

    before = answers()
    for left in (*index.rglob("*-shm"), *index.rglob("*-wal")):
        left.unlink()
    with full():
        assert answers() == before
    assert [code for code, _ in before] == [0] * len(commands)


@pytest.mark.parametrize("shared", [True, False])
def test_what_a_killed_writer_left_is_read(disk: tuple[Path, Full], shared: bool) -> None:
    folder, full = disk
    index = make_index(folder / "index", 100)
    Writer(index, "add", "killed").close()
    if not shared:
        for left in index.rglob("*-shm"):
            left.unlink()
    with full(), open_index(index) as engine:
        assert look(engine)["count"] == 180
        assert engine.verify() == []


# ---------------------------------------------------------------------- writing

SINGLE = {
    "--html": ["query", "QUERY", "--index", "INDEX", "--html", "OUT"],
    "--pdf": ["query", "QUERY", "--index", "INDEX", "--pdf", "OUT"],
    "--save": ["query", "QUERY", "--index", "INDEX", "--save", "OUT"],
}


@pytest.mark.parametrize("command", SINGLE)
def test_an_output_stays_as_it_was(
    disk: tuple[Path, Full], ingested: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    folder, full = disk
    places = {"QUERY": ingested / "query.png", "INDEX": ingested / "index"}

    def write(out: Path) -> int:
        return run(*({**places, "OUT": out}.get(word, word) for word in SINGLE[command]))

    out = folder / "out"
    assert write(out) == 0
    before, names = out.read_bytes(), names_in(folder)
    out.chmod(0o640)
    capsys.readouterr()
    with full():
        for target in (out, folder / "new"):
            assert write(target) == 8
            assert len(capsys.readouterr().err.splitlines()) == 1
    assert out.read_bytes() == before
    assert names_in(folder) == names
    assert write(out) == 0
    assert out.stat().st_mode & 0o777 == 0o640
    (folder / "link").symlink_to(out)
    assert write(folder / "link") == 0
    assert (folder / "link").is_symlink()


WHOLE = {
    "snapshot": ["index", "snapshot", "INDEX", "OUT"],
    "restore": ["index", "restore", "SNAPSHOT", "OUT"],
    "export": ["index", "export", "INDEX", "OUT"],
    "copy": ["index", "copy", "--from", "faiss:INDEX", "--to", "faiss:OUT"],
    "ingest": ["ingest", "WEEK", "--index", "OUT", "--workers", "1"],
}


@pytest.mark.parametrize("command", WHOLE)
def test_what_is_made_is_made_whole_or_not_at_all(
    disk: tuple[Path, Full], ingested: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    folder, full = disk
    index = Path(shutil.copytree(ingested / "index", folder / "index"))
    places = {"INDEX": index, "SNAPSHOT": ingested / "snap.tar", "WEEK": ingested / "w", "OUT": folder / "a" / "out"}

    def filled(word: str) -> str:
        for name, path in places.items():
            word = word.replace(name, str(path))
        return word

    names = names_in(folder)
    capsys.readouterr()
    with full():
        assert run(*map(filled, WHOLE[command])) == 8
        assert len(capsys.readouterr().err.splitlines()) == 1
        if command not in ("copy", "ingest"):  # these resume
            assert names_in(folder) == names
    (folder / "a").mkdir(exist_ok=True)
    assert run(*map(filled, WHOLE[command])) == 0
    with open_index(index) as engine:
        assert engine.verify() == []


def test_watch_and_bench(disk: tuple[Path, Full], ingested: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, full = disk
    saved = json.loads((ingested / "saved.json").read_text())
    (folder / "saved.json").write_text(json.dumps(saved | {"shown": []}))
    bench = ["bench", "run", "--index", ingested / "index", "--no-baseline", "--quiet"]
    assert run(*bench, "--html", folder / "b.html") in (0, 10)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    (folder / "pages").mkdir()
    with full():
        assert run("watch", folder / "saved.json", "--index", ingested / "index", "--out", folder / "pages") == 8
        assert run(*bench, "--html", folder / "b.html") == 8
        assert run("watch", folder / "saved.json", "--index", ingested / "index") == 8
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    assert list((folder / "pages").iterdir()) == []


# ---------------------------------------------------------------------- standard output


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", [["index", "info", "INDEX", "--json"], ["index", "info", "INDEX"],
                                   *(["query", "QUERY", "--index", "INDEX", *more] for more in
                                     (["--json"], ["--csv"], ["--csv-raw"], []))])  # fmt: skip
def test_standard_output_that_is_full(ingested: Path, words: list[str]) -> None:
    places = {"QUERY": ingested / "query.png", "INDEX": ingested / "index"}
    command = [sys.executable, "-m", "patsearch", *(str(places.get(word, word)) for word in words)]
    with Path("/dev/full").open("w") as out:
        done = subprocess.run(command, check=False, stdout=out, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 8
    assert done.stderr.startswith("patsearch: No space left on device")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("more", [["--json"], []])
def test_standard_output_that_nobody_reads(ingested: Path, more: list[str]) -> None:
    command = [sys.executable, "-m", "patsearch", "index", "info", str(ingested / "index"), *more]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, check=False, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_output_that_is_not_a_file(ingested: Path, tmp_path: Path) -> None:
    """A device or a pipe is written to, and stays what it is."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        assert run("query", ingested / "query.png", "--index", ingested / "index", "--html", pipe) == 0
        assert reader.communicate()[0].startswith(b"<!")
    assert pipe.is_fifo()
