"""`patsearch index reencode`: the same patents by another encoder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from makers import week

from patsearch.cli import main
from patsearch.encoder import DEFAULT_ENCODER
from patsearch.engine import open_index
from patsearch.errors import UsageError
from patsearch.ingest import IngestOptions, ingest
from patsearch.ingest.reencode import reencode

OPTIONS = IngestOptions(workers=1)


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    return int(stop.value.code or 0)


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("archives")
    return week(folder / "a", range(3)), week(folder / "b", range(3, 5), date="20210112")


@pytest.fixture
def old(archives: tuple[Path, Path], tmp_path: Path) -> Path:
    """Three patents by another encoder: one has been deleted, one has another title than its archive."""
    index = tmp_path / "old"
    ingest(archives[:1], index, replace(OPTIONS, encoder="ri-lbp"))
    with open_index(index, read_only=False) as engine:
        engine.delete([drawing.id for drawing in engine.drawings_of("USD900000")[0]])
        drawings, vectors = engine.drawings_of("USD900001")
        engine.add([replace(drawing, title="From a table") for drawing in drawings], vectors)
    return index


def test_the_same_patents_have_the_vectors_of_the_other_encoder(
    archives: tuple[Path, Path], old: Path, tmp_path: Path
) -> None:
    new = tmp_path / "new"
    for _ in range(2):  # the same command again changes nothing
        report = reencode(old, archives, new, options=OPTIONS)
        assert (report.patents, report.missing, report.exit_code) == (2, (), 0)
        with open_index(old) as before, open_index(new) as after:
            assert (before.spec.encoder, after.spec.encoder) == ("ri-lbp", DEFAULT_ENCODER)
            assert after.verify() == []
            assert report.drawings == after.backend.count() == before.backend.count()
            for number in ("USD900001", "USD900002"):
                assert after.drawings_of(number)[0] == before.drawings_of(number)[0]
            assert after.drawings_of("USD900001")[0][0].title == "From a table"
            assert not after.drawings_of("USD900000")[0]
            assert after.search((), like="USD900001", k=1)[0].patent == "USD900002"


def test_patents_that_no_source_has_are_named(
    archives: tuple[Path, Path], old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("index", "reencode", old, archives[1], "--out", tmp_path / "new", "--workers", 1, "--quiet")
    assert run(*command) == 9
    assert "no source has 2 of the patents: USD900001, USD900002" in capsys.readouterr().err
    assert run(*command, "--json") == 9
    answer = json.loads(capsys.readouterr().out)
    assert (answer["patents"], answer["missing"]) == (0, ["USD900001", "USD900002"])


def test_what_cannot_be_done_says_so(archives: tuple[Path, Path], old: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is the index itself"):
        reencode(old, archives, old)
    with pytest.raises(UsageError, match="vectors of 'ri-lbp' already"):
        reencode(old, archives, tmp_path / "new", encoder="ri-lbp")
    assert not (tmp_path / "new").exists()
