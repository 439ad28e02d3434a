"""Ingest end to end on small archives: idempotent, incremental, resumable, honest about failures."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from makers import add_member, draw_design, grant_xml, grant_zip, week
from PIL import Image
from waiting import wait_until

from patsearch.engine import Journal, open_index
from patsearch.engine.manifest import read_manifest, write_manifest
from patsearch.errors import EncoderMismatch, IndexLocked, PatsearchError, SourceError, UsageError
from patsearch.ingest import IngestOptions, ingest

ONE = IngestOptions(workers=1)


def contents(index: Path) -> dict[str, tuple[object, bytes]]:
    """Everything that an index holds, for comparing two: drawing id -> payload and vector."""
    with open_index(index) as engine:
        return {
            d.id: (d, np.round(v, 5).tobytes())
            for drawings, vectors in engine.backend.scan()
            for d, v in zip(drawings, vectors, strict=True)
        }


def test_a_week_is_taken_in_with_its_data(tmp_path: Path) -> None:
    report = ingest([week(tmp_path / "w", range(4))], tmp_path / "index", ONE)
    assert (report.patents, report.drawings, report.sheets, report.exit_code) == (4, 8, 12, 0)
    with open_index(tmp_path / "index") as engine:
        assert engine.verify() == []
        drawings, vectors = engine.drawings_of("D900,002")
        assert [d.id for d in drawings] == ["USD900002-D00001-1", "USD900002-D00002-1"]
        assert drawings[0].title == "Shoe"
        assert drawings[0].codes("uspc") == ["D2/947"]
        assert drawings[0].codes("locarno") == ["02-04"]
        assert (str(drawings[0].granted), str(drawings[0].filed)) == ("2021-01-05", "2019-04-05")
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
        # The front page is there to be shown, not to be found.
        assert engine.thumbnails.get("USD900002-D00000")
        assert engine.backend.get(["USD900002-D00000"]) == {}


def test_the_same_archive_again_adds_nothing_and_a_new_week_adds_itself(tmp_path: Path) -> None:
    folder = tmp_path / "weeks"
    week(folder, range(3))
    first = ingest([folder], tmp_path / "index", ONE)
    before = contents(tmp_path / "index")
    again = ingest([folder], tmp_path / "index", ONE)
    assert (again.patents, again.skipped) == (0, {"already in the index": 3})
    assert contents(tmp_path / "index") == before
    week(folder, range(3, 5), date="20210112")
    more = ingest([folder], tmp_path / "index", ONE)
    assert (first.patents, more.patents, more.skipped["already in the index"]) == (3, 2, 3)
    assert len(contents(tmp_path / "index")) == 10


def test_a_corrected_grant_replaces_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "grants"
    folder.mkdir()
    name, data = grant_zip(1, sheets=3)
    (folder / name).write_bytes(data)
    ingest([folder], tmp_path / "index", ONE)
    (folder / name).write_bytes(grant_zip(1, sheets=2, title="Corrected")[1])
    report = ingest([folder], tmp_path / "index", ONE)
    assert (report.patents, report.removed) == (1, 1)
    with open_index(tmp_path / "index") as engine:
        drawings, _ = engine.drawings_of("USD900001")
        assert {d.title for d in drawings} == {"Corrected"}
        assert len(drawings) == 2
        assert engine.verify() == []


def test_deleted_patents_stay_away_until_asked_for(tmp_path: Path) -> None:
    path = week(tmp_path / "w", range(3))
    ingest([path], tmp_path / "index", ONE)
    with open_index(tmp_path / "index", read_only=False) as engine:
        assert engine.delete([d.id for d in engine.drawings_of("USD900001")[0]]) == 2
        assert engine.verify() == []
    assert ingest([path], tmp_path / "index", ONE).patents == 0
    again = ingest([path], tmp_path / "index", IngestOptions(workers=1, again=True))
    assert again.patents == 3
    assert len(contents(tmp_path / "index")) == 6


def test_two_workers_give_the_same_index_as_one(tmp_path: Path) -> None:
    path = week(tmp_path / "w", range(5))
    ingest([path], tmp_path / "one", ONE)
    ingest([path], tmp_path / "two", IngestOptions(workers=2))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    with open_index(tmp_path / "one") as one, open_index(tmp_path / "two") as two:
        assert one.fingerprint() == two.fingerprint()


def test_bad_files_are_reported_and_the_rest_is_taken_in(tmp_path: Path) -> None:
    path = tmp_path / "I20210105.tar"
    name, good = grant_zip(1)
    with tarfile.open(path, "w") as archive:
        add_member(archive, f"I20210105/DESIGN/{name}", good)
        add_member(archive, "I20210105/DESIGN/USD0900002-20210105.ZIP", good[: len(good) // 2])
        add_member(archive, "I20210105/DESIGN/USD0900003-20210105.ZIP", b"not a zip at all")
        name, data = grant_zip(4)
        add_member(archive, f"I20210105/DESIGN/{name}", data)
    report = ingest([path], tmp_path / "index", ONE)
    assert report.patents == 2
    assert report.exit_code == 9
    assert {problem.where.split(": ")[1].split("-")[0] for problem in report.failed} == {"USD0900002", "USD0900003"}
    saved = json.loads(next((tmp_path / "index" / "reports").glob("*.json")).read_text())
    assert len(saved["failed"]) == 2
    # A second run tries the failed ones again, and says so again.
    assert len(ingest([path], tmp_path / "index", ONE).failed) == 2


def test_what_is_read_again_with_the_same_outcome_is_not_added_again(tmp_path: Path) -> None:
    name, good = grant_zip(1)
    with zipfile.ZipFile(io.BytesIO(good)) as whole:
        members = {member: whole.read(member) for member in whole.namelist()}
    broken = next(member for member in sorted(members) if member.endswith("D00002.TIF"))

    def write(data: bytes) -> Path:
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for member, content in members.items():
                archive.writestr(member, data if member == broken else content)
        return tmp_path / name

    first = ingest([write(b"damaged")], tmp_path / "index", ONE)
    assert (first.patents, first.exit_code, len(first.failed)) == (1, 9, 1)
    again = ingest([tmp_path / name], tmp_path / "index", ONE)
    assert (again.patents, again.drawings, again.exit_code) == (0, 0, 9)
    assert again.skipped == {"read again, with the same outcome": 1}
    repaired = ingest([write(members[broken])], tmp_path / "index", ONE)
    assert (repaired.patents, repaired.exit_code) == (1, 0)
    assert ingest([tmp_path / name], tmp_path / "index", IngestOptions(workers=1, again=True)).patents == 1


def test_what_has_no_drawings_is_not_added(tmp_path: Path) -> None:
    """Texts whose sheets are elsewhere, grants that have none, front pages alone, pictures that show nothing."""
    folder = tmp_path / "w"
    folder.mkdir()
    (name, data), stem = grant_zip(1), "USD0900001-20210105"
    xml = grant_xml("D0900001", title="Chair", date="20210105", locarno="0601", uspc="D 6334", sheets=2)
    (folder / f"{stem}.XML").write_bytes(xml)
    named = b"<drawings><figure><img file='USD0900002-20210105-D00001.TIF'/></figure></drawings></us-patent-grant>"
    text = xml.replace(b"D0900001", b"D0900002").replace(b"</us-patent-grant>", named)
    (folder / "USD0900002-20210105.XML").write_bytes(text)
    with zipfile.ZipFile(io.BytesIO(data)) as whole, zipfile.ZipFile(folder / name.replace("1-", "3-"), "w") as front:
        for member in whole.namelist():
            content = whole.read(member).replace(b"D0900001", b"D0900003")
            if member.endswith((".XML", "D00000.TIF")):
                front.writestr(member.replace("D0900001", "D0900003"), content)
    Image.new("L", (200, 200)).save(folder / "black.png")
    report = ingest([folder], tmp_path / "index", ONE)
    assert (report.patents, report.drawings, report.exit_code) == (0, 0, 9)
    assert [str(problem).partition(": ")[2] for problem in report.failed] == [
        "USD0900002-20210105: 1 of 1 sheets are missing: USD0900002-20210105-D00001.TIF",
        "black: black: black shows nothing: it is all black. Check the file, or the crop.",
    ]
    skipped = {"without drawings": 1, "without drawings but the front page's (--front-pages)": 1}
    assert report.skipped == skipped
    again = ingest([folder], tmp_path / "index", ONE)
    assert (again.patents, again.skipped["without drawings"]) == (0, 2)


def test_a_script_without_a_main_guard_gets_one_error(tmp_path: Path) -> None:
    week(tmp_path / "w", range(1))
    call = "from patsearch.ingest import IngestOptions, ingest\n{}ingest(['w'], 'index', IngestOptions(workers=1))\n"
    (tmp_path / "script.py").write_text(call.format("if True: "), encoding="utf-8")
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr.count("Traceback") == 1
    assert "script.py, line 2: worker processes would run this script again" in done.stderr
    assert "if __name__" in done.stderr
    assert not (tmp_path / "index").exists()
    (tmp_path / "script.py").write_text(call.format("if __name__ == '__main__': "), encoding="utf-8")
    subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, check=True)
    assert (tmp_path / "index").exists()


def test_nothing_to_ingest_leaves_no_index(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError):
        ingest([tmp_path / "empty"], tmp_path / "index", ONE)
    assert not (tmp_path / "index").exists()


def test_options_that_contradict_the_index_are_refused(tmp_path: Path) -> None:
    path = week(tmp_path / "w", range(1))
    ingest([path], tmp_path / "index", ONE)
    with pytest.raises(UsageError, match="holds figures"):
        ingest([path], tmp_path / "index", IngestOptions(workers=1, whole_sheets=True))
    manifest = read_manifest(tmp_path / "index")
    other = replace(manifest, spec=replace(manifest.spec, encoder_sha256="0" * 64))
    write_manifest(tmp_path / "index", other)
    with pytest.raises(EncoderMismatch, match="was made with the encoder"):
        ingest([path], tmp_path / "index", ONE)


def test_a_second_writer_is_told_who_writes(tmp_path: Path) -> None:
    path = week(tmp_path / "w", range(1))
    ingest([path], tmp_path / "index", ONE)
    with open_index(tmp_path / "index", read_only=False), pytest.raises(IndexLocked):
        ingest([path], tmp_path / "index", ONE)


def test_a_folder_that_is_something_else_is_left_alone(tmp_path: Path) -> None:
    path = week(tmp_path / "w", range(1))
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(UsageError, match="is not an index"):
        ingest([path], tmp_path / "thesis", ONE)
    assert [p.name for p in (tmp_path / "thesis").iterdir()] == ["chapter.txt"]


@pytest.mark.slow
def test_killed_and_resumed(tmp_path: Path) -> None:
    """kill -9 between two commits and in the middle of one, twice each, then a run to the end."""
    path = week(tmp_path / "w", range(24))
    ingest([path], tmp_path / "calm", ONE)
    index = tmp_path / "killed"
    # A commit for every two patents: the kills have many to fall between and into.
    command = [sys.executable, "-m", "patsearch", "ingest", str(path), "--index", str(index),
               "--workers", "1", "--commit-every", "2"]  # fmt: skip
    for patents, inside in ((2, False), (6, True), (10, False), (14, True)):
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
        wait_until(partial(_journal_holds, index, patents), process)
        if inside:  # the vectors of the next commit are there, its line in the journal not yet
            wait_until(partial(_vectors_grew, index, _vector_bytes(index)), process)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=120)
        assert process.returncode == -signal.SIGKILL
        assert _units(index) < 24
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert contents(index) == contents(tmp_path / "calm")
    with open_index(index) as engine, open_index(tmp_path / "calm") as calm:
        assert engine.verify() == []
        assert engine.fingerprint() == calm.fingerprint()
        sketch = draw_design(7, 0)
        found = [(h.patent, round(h.score, 4)) for h in engine.search(sketch, k=5)]
        assert found == [(h.patent, round(h.score, 4)) for h in calm.search(sketch, k=5)]
        assert found[0][0] == "USD900007"


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_finished(tmp_path: Path) -> None:
    path = week(tmp_path / "w", range(40))
    index = tmp_path / "index"
    command = [sys.executable, "-m", "patsearch", "ingest", str(path), "--index", str(index),
               "--workers", "1", "--commit-every", "4", "--json"]  # fmt: skip
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    # Wait for the first commit: then it is well under way.
    wait_until(partial(_journal_holds, index, 1), process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    report = json.loads(out)
    assert report["interrupted"] is True
    assert 0 < report["patents"] < 40
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["skipped"] == {"already in the index": report["patents"]}
    with open_index(index) as engine:
        assert engine.verify() == []
        assert engine.backend.count() == 80


def _journal_holds(index: Path, patents: int) -> bool:
    return index.exists() and _units(index) >= patents


def _vector_bytes(index: Path) -> int:
    return sum(path.stat().st_size for path in index.rglob("vectors-*.f32"))


def _vectors_grew(index: Path, before: int) -> bool:
    return _vector_bytes(index) > before


def _units(index: Path) -> int:
    journal = Journal(index, read_only=True)
    try:
        return sum(journal.counts().values())
    except PatsearchError:  # caught in the middle of being made
        return 0
    finally:
        journal.close()


def test_each_page_of_a_file_is_a_sheet(tmp_path: Path) -> None:
    folder = tmp_path / "drawings"
    folder.mkdir()
    pages = [draw_design(n, 0).convert("1") for n in range(3)]
    pages[0].save(folder / "chair.tif", save_all=True, append_images=pages[1:], compression="group4")
    report = ingest([folder], tmp_path / "index", ONE)
    assert (report.patents, report.sheets, report.drawings, report.failed) == (1, 3, 3, [])
    with open_index(tmp_path / "index") as engine:
        for page in (None, 1, 2, 3):
            best = engine.search(folder / "chair.tif", k=1, drawings=True, page=page)[0]
            assert best.score > 0.999
            sheets = ["chair", "chair-page2", "chair-page3"]  # all are searched where none is chosen
            assert best.drawing.sheet in (sheets if page is None else sheets[page - 1 : page])
