"""Bibliographies into an index that has the drawings: nothing is encoded, and a stopped run resumes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from commands import run_here
from makers import draw_design, grant_xml, week

from patsearch.engine import Entry, Journal, open_index
from patsearch.errors import EncoderMismatch, IndexNotFound, StorageError, UsageError
from patsearch.filters import parse_filter
from patsearch.ingest import IngestOptions, Progress, add_bibliographies, ingest, worker

ONE = IngestOptions(workers=1)
OLD = Path(__file__).parents[1] / "golden" / "version-0.1.0" / "index"
PARTIES = """<us-references-cited><us-citation><patcit><document-id><country>US</country>
<doc-number>D0900001</doc-number></document-id></patcit><category>cited by examiner</category></us-citation>
</us-references-cited>
<us-parties><inventors><inventor><addressbook><last-name>Möller</last-name><first-name>Ada</first-name></addressbook>
</inventor></inventors></us-parties>
<assignees><assignee><addressbook><orgname>{owner}</orgname><address><country>NO</country></address></addressbook>
</assignee></assignees></us-bibliographic-data-grant>"""


def grants(folder: Path, seeds: Iterable[int], *, owner: str = "Made Up &amp; Sons") -> Path:
    """Grants as XML without drawings, of the patents of `makers.week` and with parties."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        number = f"D{900000 + seed:07d}"
        xml = grant_xml(number, title="Chair", date="20210105", locarno="0601", uspc="D 6334", sheets=0).decode()
        text = xml.replace("</us-bibliographic-data-grant>", PARTIES.format(owner=owner))
        (folder / f"US{number}-20210105.XML").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """Six designs whose source knew no parties."""
    ingest([week(tmp_path / "w", range(6))], tmp_path / "index", ONE)
    return tmp_path / "index"


def counts(index: Path, *filters: str) -> list[int]:
    with open_index(index) as engine:
        return [engine.backend.count(parse_filter(text)) for text in filters]


def test_bibliographies_are_added_without_encoding(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "encode", None)
    before = (index / "faiss" / "g000001" / "vectors-00000.f32").read_bytes()
    with open_index(index) as engine:
        old = engine.fingerprint()
    report = add_bibliographies([grants(tmp_path / "grants", range(4, 9))], index, ONE)
    assert (report.patents, report.drawings, report.exit_code) == (2, 0, 0)
    assert report.skipped == {"not in the index": 3}
    assert (index / "faiss" / "g000001" / "vectors-00000.f32").read_bytes() == before
    asked = ("owner~made sons", "inventor~moller", "cites=D900001", "citedby=D900004", "citedby!=D900004", "country=NO")
    assert counts(index, *asked) == [4, 4, 4, 2, 10, 4]
    with open_index(index) as engine:
        assert engine.fingerprint() != old
        assert engine.verify() == []
        assert engine.journal.counts() == {"done": 6}
        assert engine.info()["lacking"] == {"owner": 8, "inventor": 8, "cites": 8, "inforce": 0}
    again = add_bibliographies([tmp_path / "grants"], index, ONE)
    assert (again.patents, again.skipped["described already, by the same source"]) == (0, 2)
    assert ingest([tmp_path / "w"], index, ONE).skipped == {"already in the index": 6}
    renewed = add_bibliographies([grants(tmp_path / "later", [4], owner="Buyer AG")], index, ONE)
    assert renewed.patents == 1
    assert counts(index, "owner~made sons", "owner=buyer ag") == [2, 2]


def test_an_index_of_version_0_1(tmp_path: Path) -> None:
    index = Path(shutil.copytree(OLD, tmp_path / "index"))
    archive = week(tmp_path / "w", range(5))
    with pytest.raises(EncoderMismatch, match="an earlier 'lite0-drawings'"):
        ingest([archive], index, ONE)  # what it has needs no encoder
    assert add_bibliographies([grants(tmp_path / "g", range(5))], index, ONE).patents == 5
    assert counts(index, "owner~made", "inforce=2026-11-28") == [10, 10]
    with open_index(index) as engine:
        assert engine.verify() == []


def test_drawings_of_another_source_are_described(tmp_path: Path) -> None:
    """Pictures in folders that are called as their patents, described by grants."""
    for seed in range(2):
        (folder := tmp_path / "pictures" / f"USD{900000 + seed}").mkdir(parents=True)
        draw_design(seed, 0).save(folder / "1.png")
    ingest([tmp_path / "pictures"], tmp_path / "index", ONE)
    report = add_bibliographies([grants(tmp_path / "grants", range(1))], tmp_path / "index", ONE)
    assert report.patents == 1
    asked = ("owner~made", "title~chair", "uspc=D6", "granted=2021-01-05", "inforce=2026-11-28")
    assert counts(tmp_path / "index", *asked) == [1, 1, 1, 1, 1]
    with open_index(tmp_path / "index") as engine:
        assert engine.journal.counts() == {"described": 1, "done": 2}
        assert engine.verify() == []
    assert ingest([tmp_path / "pictures"], tmp_path / "index", ONE).skipped == {"already in the index": 2}
    # The same grants with their drawings are ingested as ever.
    archive = week(tmp_path / "w", range(1))
    assert ingest([archive], tmp_path / "index", ONE).patents == 1


def test_a_run_that_fails_before_its_journal_resumes(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grants(tmp_path / "grants", range(6))

    def full(self: Journal, entries: Iterable[Entry], **_: object) -> None:
        raise StorageError("full")

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "put", full)
        with pytest.raises(StorageError):
            add_bibliographies([tmp_path / "grants"], index, ONE)
    assert counts(index, "owner~made") == [12]  # which does no harm
    assert add_bibliographies([tmp_path / "grants"], index, ONE).patents == 6
    with open_index(index) as engine:
        assert engine.verify() == []


def test_a_stopped_run_keeps_what_is_done_and_resumes(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patsearch.ingest.bibliographies._COMMIT", 2)
    grants(tmp_path / "grants", range(6))

    def stop(progress: Progress) -> None:
        if progress.done == 4:
            raise KeyboardInterrupt

    report = add_bibliographies([tmp_path / "grants"], index, ONE, on_progress=stop)
    assert report.interrupted
    assert report.exit_code == 130
    first = report.patents
    assert 2 <= first <= 4
    report = add_bibliographies([tmp_path / "grants"], index, ONE)
    assert (report.patents, report.skipped["described already, by the same source"]) == (6 - first, first)
    assert counts(index, "owner~made") == [12]


def test_bad_grants_cost_nothing_but_themselves(index: Path, tmp_path: Path) -> None:
    folder = grants(tmp_path / "grants", range(3))
    (folder / "USD0900001-20210105.XML").write_bytes(b"<us-patent-grant><a>" * 300)
    report = add_bibliographies([folder], index, ONE)
    assert (report.patents, len(report.failed), report.exit_code) == (2, 1, 9)
    assert "nested too deeply" in report.failed[0].reason or "damaged" in report.failed[0].reason
    empty = add_bibliographies([week(tmp_path / "v", range(3, 5), date="20220104")], index, ONE)
    assert empty.patents == 2  # a grant says at least that it was granted


@pytest.mark.parametrize("name", ["encoder", "backend", "url", "whole_sheets", "front_pages"])
def test_options_of_a_new_index_are_refused(index: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"does not go with --{name.replace('_', '-')}"):
        add_bibliographies([grants(tmp_path / "g", [0])], index, IngestOptions(workers=1, **{name: "x"}))  # type: ignore[arg-type]


def test_there_has_to_be_an_index_and_a_source(index: Path, tmp_path: Path) -> None:
    with pytest.raises(IndexNotFound):
        add_bibliographies([grants(tmp_path / "g", [0])], tmp_path / "none", ONE)
    assert not (tmp_path / "none").exists()
    with pytest.raises(UsageError, match="No sources"):
        add_bibliographies([], index, ONE)


def test_only_a_shard(index: Path, tmp_path: Path) -> None:
    grants(tmp_path / "g", range(6))
    parts = [
        add_bibliographies([tmp_path / "g"], index, IngestOptions(workers=1, shard=(part, 2))).patents
        for part in (1, 2)
    ]
    assert sum(parts) == 6
    assert counts(index, "owner~made") == [12]


def test_the_command(index: Path, tmp_path: Path) -> None:
    grants(tmp_path / "g", range(3))
    words = ["ingest", "--bibliography-only", tmp_path / "g", "--index", index, "--workers", 1]
    done = run_here(words)
    assert done.returncode == 0
    assert done.stderr.startswith("Described 3 patents of the index in")
    answer = json.loads(run_here([*words, "--json"]).stdout)
    assert (answer["patents"], answer["skipped"]) == (0, {"described already, by the same source": 3})
    with open_index(index) as engine:
        drawings, vectors = engine.drawings_of("D900000")
        assert np.isfinite(vectors).all()
        assert drawings[0].values("owner") == ("Made Up & Sons",)
