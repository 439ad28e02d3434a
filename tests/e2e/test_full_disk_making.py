"""Commands that make folders, reports and encoders, on a disk that is full.

Exit code 8 in one line, what was there before is whole, and the same command succeeds once there is space.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from fake_qdrant import FakeServer
from full_disk import Full, names_in, run
from makers import draw_design, week
from training_makers import make_cache, make_recipe
from web_makers import served

from patsearch.engine import open_index
from patsearch.engine.engine import create_from_spec
from patsearch.training.recipes import to_toml
from patsearch.web.settings import ServerSettings
from patsearch_contract.samples import SPEC


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands read: an index, a training cache with its recipe, and a trained encoder."""
    folder = tmp_path_factory.mktemp("making")
    assert run("ingest", week(folder / "w", range(4)), "--index", folder / "index", "--workers", 1, "--quiet") == 0
    draw_design(2, 0).save(folder / "query.png")
    make_cache(folder / "cache")
    (folder / "tiny.toml").write_text(to_toml(make_recipe()))
    train = ["train", folder / "tiny.toml", "--data", folder / "cache", "--threads", 1, "--quiet"]
    assert run(*train, "--out", folder / "run") == 0
    return folder


def filled(words: list[str], **places: object) -> list[str]:
    """The words of a command with the names of places replaced."""
    for name, place in places.items():
        words = [word.replace(name, str(place)) for word in words]
    return words


SYNTH = ["synth", "--out", "OUT", "--designs", "2", "--processes", "1", "--size", "400", "--quiet", "--layout"]
BENCH = ["bench", "run", "--no-baseline", "--quiet"]
TRAIN = ["train", "MADE/tiny.toml", "--data", "MADE/cache", "--threads", "1", "--quiet"]
SUITE = ["bench", "suite", "seed", "--rows", "ri-lbp", "--size", "32", "--quiet"]
FOLDERS = {
    "synth, uspto": [*SYNTH, "uspto"],
    "synth, deeppatent": [*SYNTH, "deeppatent"],
    "synth, images": [*SYNTH, "images"],
    "demo": ["demo", "--out", "OUT", "--designs", "10"],
    "bench --index": [*BENCH, "--dataset", "MADE/w", "--index", "OUT", "--workers", "1"],
    "reencode": ["index", "reencode", "MADE/index", "MADE/w", "--out", "OUT", "--encoder", "ri-lbp:", "--workers", "1"],
    "train": [*TRAIN, "--out", "OUT"],
    "bench suite": [*SUITE, "--dataset", "MADE/cache", "--out", "OUT"],
}


@pytest.mark.parametrize("disk", ["mount"], indirect=True)
@pytest.mark.parametrize("command", [pytest.param(c, marks=pytest.mark.slow if c == "demo" else ()) for c in FOLDERS])
def test_a_folder(disk: tuple[Path, Full], made: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    folder, full = disk
    words = filled(FOLDERS[command], MADE=made, OUT=folder / "a" / "out")
    capsys.readouterr()
    with full():
        assert run(*words) == 8
        (*_, line) = capsys.readouterr().err.splitlines()
        assert line.startswith("patsearch: ")
    assert run(*words) == 0


FILES = {
    "bench --out": [*BENCH, "--index", "MADE/index", "--out", "OUT"],
    "bench --html": [*BENCH, "--index", "MADE/index", "--html", "OUT/page.html"],
    "train --show-batch": [*TRAIN, "--show-batch", "OUT/batch.png"],
    "export of an encoder": ["encoder", "export", "MADE/run/best", "--out", "OUT", "--threads", "1"],
    "query --url": ["query", "MADE/query.png", "--url", "URL", "--html", "OUT/page.html", "--save", "OUT/saved.json"],
}


@pytest.mark.parametrize("command", [pytest.param(c, marks=pytest.mark.slow if "export" in c else ()) for c in FILES])
def test_files_stay_as_they_were(
    disk: tuple[Path, Full],
    made: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    folder, full = disk
    out = folder / "out"
    out.mkdir()
    with served(ServerSettings(made / "index", workers=1)) if "URL" in FILES[command] else nullcontext() as address:
        words = filled(FILES[command], MADE=made, OUT=out, URL="http://{}:{}".format(*address or ("", "")))
        assert run(*words) in (0, 10)
        before = {path.name: path.read_bytes() for path in out.iterdir()}
        assert before
        capsys.readouterr()
        with full():
            assert run(*words) == 8
            (*_, line) = capsys.readouterr().err.splitlines()
            assert line.startswith("patsearch: ")
        assert {path.name: path.read_bytes() for path in out.iterdir()} == before


CHANGES = {
    "ingest more": ["ingest", "MORE", "--index", "INDEX", "--workers", "1", "--quiet"],
    "delete": ["index", "delete", "INDEX", "--patent", "D900001", "--yes"],
    "compact": ["index", "compact", "INDEX"],
}


@pytest.mark.parametrize("command", CHANGES)
def test_an_index_stays_sound(
    disk: tuple[Path, Full], made: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    folder, full = disk
    index = Path(shutil.copytree(made / "index", folder / "index"))
    assert run("index", "delete", index, "--patent", "D900003", "--yes") == 0
    more = week(folder / "more", range(4, 6), date="20210112")
    words = filled(CHANGES[command], INDEX=index, MORE=more)
    with open_index(index) as engine:
        before = engine.backend.count()
    capsys.readouterr()
    with full():
        assert run(*words) in (0, 8)  # what frees space may need none
        assert len(capsys.readouterr().err.splitlines()) <= 1
        with open_index(index) as engine:
            assert engine.verify() == []
            if command != "delete":
                assert engine.backend.count() == before
    assert run(*words) == 0
    with open_index(index) as engine:
        assert engine.verify() == []
        assert engine.backend.count() == {"ingest more": before + 4, "delete": before - 2, "compact": before}[command]


def test_an_address_stays_as_it_was(disk: tuple[Path, Full], capsys: pytest.CaptureFixture[str]) -> None:
    folder, full = disk
    with FakeServer() as server:
        with create_from_spec(folder / "index", SPEC, backend="qdrant", url=server.url):
            pass
        before, names = (folder / "index" / "index.json").read_bytes(), names_in(folder)
        other = f"{server.url}?attempts=1#index"
        with full():
            assert run("index", "relocate", folder / "index", other) == 8
            assert len(capsys.readouterr().err.splitlines()) == 1
        assert (folder / "index" / "index.json").read_bytes() == before
        assert names_in(folder) == names
        assert run("index", "relocate", folder / "index", other) == 0


def test_settings_that_cannot_be_kept(disk: tuple[Path, Full], made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of the servers that were named stays whole; a search on one of them does not need it."""
    from patsearch.servers import remember

    folder, full = disk
    monkeypatch.setattr("click.get_app_dir", lambda _: str(folder / "config"))
    remember("http://one:6333")
    before = (folder / "config" / "servers").read_bytes()
    with full():
        remember(f"http://{'t' * 60}:6333")
    assert (folder / "config" / "servers").read_bytes() == before
    assert names_in(folder / "config") == ["servers"]
