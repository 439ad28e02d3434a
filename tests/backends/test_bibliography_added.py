"""Indexes that were made before bibliographies were stored: they answer, say what they lack, and take it in later."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from local_qdrant import LocalBackend

from patsearch.backends.base import Backend
from patsearch.backends.copy import copy
from patsearch.backends.faiss import FaissBackend
from patsearch.backends.qdrant.backend import QdrantBackend
from patsearch.backends.qdrant.payload import INDEXED_SINCE, to_point
from patsearch.bibliography import Bibliography, Citation, Party
from patsearch.classification import ClassCode
from patsearch.engine.warnings import filter_warnings
from patsearch.filters import parse_filter
from patsearch.types import Drawing, Patent
from patsearch_contract.samples import SPEC, random_drawings, random_vectors

OLD = Path(__file__).parents[1] / "golden" / "version-0.1.0" / "index" / "faiss"
KNOWN = Bibliography(
    owners=(Party("Made Up, Inc.", "NO"),), citations=(Citation("USD900003", "examiner"),), years=15, status="granted"
)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A copy of an index that version 0.1.0 wrote: five designs of 5 January 2021, with two drawings each."""
    return Path(shutil.copytree(OLD, tmp_path / "faiss"))


def test_an_old_index_is_filtered_by_what_follows_from_its_data(old: Path) -> None:
    with FaissBackend.open(old) as backend:
        assert backend.count() == 10
        for text, count in {
            "office=US": 10,
            "office!=US": 0,
            "office=DE": 0,
            "inforce=2021-01-04": 0,
            "inforce=2021-01-05": 10,
            "inforce=2026-11-28 US": 10,
            "inforce=2026-11-28 DE": 0,
            "expires=2036-01-05": 10,
            "expires<2036-01-05": 0,
            "owner~made": 0,
            "owner!~made": 10,
            "citedby=D900001": 0,
        }.items():
            where = parse_filter(text)
            assert backend.count(where) == count, text
            if "citedby" not in text:
                assert sum(where.matches(d) for part in backend.payloads() for d in part) == count, text
        for field in ("owner", "inventor", "agent", "country", "status", "cites"):
            assert backend.lacking([field]) == 10
        assert [backend.lacking([field]) for field in ("office", "expires", "inforce")] == [0, 0, 0]
        (said,) = filter_warnings(backend, parse_filter("owner~made"))
        assert said == (
            "No drawing of this index has a named owner: owner~made selects nothing "
            "(patsearch ingest --bibliography-only SOURCE adds what a source has)."
        )
        assert backend.verify() == []


def test_a_bibliography_is_added_to_an_old_index(old: Path) -> None:
    with FaissBackend.open(old) as reader, FaissBackend.open(old, read_only=False) as writer:
        assert reader.count(parse_filter("owner~made")) == 0
        vectors = (old / "g000001" / "vectors-00000.f32").read_bytes()
        known = Patent("USD900001", kind="XX", filed=date(2015, 5, 12), bibliography=KNOWN)
        assert writer.amend([known, Patent("USD1", bibliography=KNOWN)]) == {"USD900001"}
        assert (old / "g000001" / "vectors-00000.f32").read_bytes() == vectors
        for backend in (writer, reader):  # the reader was open all the time
            for text, count in {
                "owner~made": 2,
                "owner~made and kind=S1": 2,  # which it had
                "cites=D900003": 2,
                "citedby=D900001": 2,
                "citedby=D900001 and patent=D900003": 2,
                "country=NO": 2,
                "inforce=2026-11-28": 10,
                "expires=2036": 10,
            }.items():
                assert backend.count(parse_filter(text)) == count, text
            assert backend.lacking(["owner"]) == 8
            assert backend.verify() == []
        assert writer.compact()["reclaimed"] == 0
        assert writer.count(parse_filter("owner~made and inforce=2026-11-28")) == 2
        assert writer.verify() == []
    with FaissBackend.open(old) as reader:
        assert reader.count(parse_filter("owner~made")) == 2


def test_a_newer_bibliography_replaces_the_older(tmp_path: Path) -> None:
    drawing = Drawing("a", "USD900001", granted=date(2021, 1, 5), bibliography=KNOWN)
    with FaissBackend.create(tmp_path / "index", SPEC) as backend:
        backend.upsert([drawing], random_vectors(1))
        sold = Patent("USD900001", bibliography=Bibliography(owners=(Party("Buyer AG", "CH"),), years=14))
        assert backend.count(parse_filter("expires=2036")) == 1
        backend.amend([sold])
        old = "owner~made country=NO cites=D900003 status=granted expires=2036".split()
        new = ["owner~buyer", "country=CH", "expires=2035"]
        assert [text for text in old + new if backend.count(parse_filter(text))] == new
        backend.amend([Patent("USD900001", title="Lamp", classes=(ClassCode("uspc", "D26/24"),))])
        assert backend.count(parse_filter("owner~buyer and title~lamp and uspc=D26")) == 1
        assert backend.verify() == []


def test_facts_that_become_the_same(tmp_path: Path) -> None:
    """Half of a patent's drawings have a title, the others get it: afterwards they share their facts."""
    drawings = [Drawing(f"d{n}", "USD900001", title="Lamp" if n % 2 else "") for n in range(6)]
    vectors = random_vectors(6)
    with FaissBackend.create(tmp_path / "index", SPEC) as backend:
        backend.upsert(drawings, vectors)
        backend.delete(["d5"])
        assert backend.amend([Patent("USD900001", title="Lamp")]) == {"USD900001"}
        found = backend.get([d.id for d in drawings])
        assert {d for d, _ in found.values()} == {replace(d, title="Lamp") for d in drawings[:5]}
        assert all((vector == vectors[int(id_[1:])]).all() for id_, (_, vector) in found.items())
        assert backend.verify() == []


def test_a_deleted_patent_is_passed_over(tmp_path: Path) -> None:
    with FaissBackend.create(tmp_path / "index", SPEC) as backend:
        backend.upsert([Drawing("a", "USD900001")], random_vectors(1))
        backend.delete(["a"])
        assert backend.amend([Patent("USD900001", bibliography=KNOWN)]) == set()


@pytest.mark.parametrize("table", ["facts", "terms", "postings"])
def test_a_changed_bibliography_is_found_as_damage(tmp_path: Path, table: str) -> None:
    drawing = Drawing("a", "USD900001", granted=date(2021, 1, 5), bibliography=KNOWN)
    with FaissBackend.create(tmp_path / "index", SPEC) as backend:
        backend.upsert([drawing], random_vectors(1))
    changes = {
        "facts": "UPDATE facts SET bibliography = replace(bibliography, 'Made', 'Mode')",
        "terms": "UPDATE terms SET text = 'mode up inc' WHERE field = 'owner'",
        "postings": "DELETE FROM postings WHERE term = (SELECT id FROM terms WHERE field = 'inforce')",
    }
    with closing(sqlite3.connect(tmp_path / "index" / "g000001" / "catalogue.db")) as database, database:
        database.execute(changes[table])
    with FaissBackend.open(tmp_path / "index") as backend:
        assert backend.verify()


@pytest.fixture
def before(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Points and indexes as they were made before there were bibliographies."""
    since = {field.partition("[]")[0] for field in INDEXED_SINCE} | {"bibliography"}

    def point_of(*given: Any) -> Any:
        point = to_point(*given)
        return replace(point, payload={k: v for k, v in point.payload.items() if k not in since})

    monkeypatch.setattr("patsearch.backends.qdrant.backend.to_point", point_of)
    monkeypatch.setattr("patsearch.backends.qdrant.edge.INDEXED_SINCE", {})
    return monkeypatch


@pytest.mark.parametrize("kind", [QdrantBackend, LocalBackend])
def test_an_old_collection(quick_path: Path, before: pytest.MonkeyPatch, kind: type[Backend]) -> None:
    drawings, vectors = random_drawings(20, seed=4), random_vectors(20, seed=4)
    with kind.create(quick_path / "index", SPEC) as backend:
        backend.upsert(drawings, vectors)
    before.undo()
    with kind.open(quick_path / "index") as backend:
        assert backend.count(parse_filter("owner~nike")) == backend.count(parse_filter("inforce=2010-01-01")) == 0
        assert backend.count(parse_filter("owner!~nike")) == backend.lacking(["owner"]) == 20
        assert backend.lacking(["inforce"]) == backend.lacking(["office"]) == 20
        assert backend.count(parse_filter("granted>=2000")) == sum(d.granted is not None for d in drawings)
        assert backend.verify() == []
    with kind.open(quick_path / "index", read_only=False) as backend:
        known = {d.patent: d.bibliography for d in drawings}
        stored = [Patent(number, bibliography=bibliography) for number, bibliography in known.items()]
        assert backend.amend(stored) == known.keys()
        wanted = [replace(d, bibliography=known[d.patent]) for d in drawings]
        for text in ("owner~nike", "inforce=2010-01-01", "country!=US", "cites=D900000"):
            where = parse_filter(text)
            assert backend.count(where) == sum(where.matches(d) for d in wanted), text
        assert backend.verify() == []


def test_a_bibliography_goes_along_with_a_copy(quick_path: Path) -> None:
    drawings, vectors = random_drawings(40, seed=8), random_vectors(40, seed=8)
    with (
        FaissBackend.create(quick_path / "a", SPEC) as first,
        QdrantBackend.create(quick_path / "b", SPEC) as second,
        FaissBackend.create(quick_path / "c", SPEC) as third,
    ):
        first.upsert(drawings, vectors)
        copy(first, second)
        copy(second, third)
        assert {i: d for i, (d, _) in third.get([d.id for d in drawings]).items()} == {d.id: d for d in drawings}
