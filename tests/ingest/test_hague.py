"""International registrations: exact values, protection by design and country, events in any order."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import date
from pathlib import Path
from xml.dom import minidom

import pytest
from register_makers import bulletins, event, hague, hague_design, picture, unpacked

from patsearch.bibliography import Party, Protection
from patsearch.engine import open_index
from patsearch.filters import parse_filter
from patsearch.ingest import IngestOptions, add_bibliographies, ingest
from patsearch.ingest.events import Base, Event, protections
from patsearch.ingest.sources import Problem, open_source
from patsearch.ingest.sources.designs import DesignUnit, RegistrationUnit

ONE = IngestOptions(workers=1)
FIRST, LAST, RENEWED = date(2021, 7, 1), date(2026, 7, 1), date(2031, 7, 1)


def texts(file: Path, name: str) -> list[str]:
    """The texts of elements, read by other means than the source's."""
    nodes = minidom.parse(str(file)).getElementsByTagNameNS("*", name)
    return [" ".join(part.data.split()) for node in nodes for part in node.childNodes if isinstance(part, minidom.Text)]


def test_a_registration_of_two_designs(tmp_path: Path) -> None:
    folder = bulletins(tmp_path)[0]
    one, two = open_source(folder).units()
    assert isinstance(one, DesignUnit)
    assert isinstance(two, DesignUnit)
    file = folder / "hague_20220107.xml"
    assert texts(file, "InternationalRegistrationNumber") == ["DM/218234"]
    assert [one.key, two.key] == [f"WODM218234-{int(place):04d}" for place in texts(file, "DesignIdentifier")]
    patent = one.load()
    assert patent.title == texts(file, "DesignTitle")[0] == "Chair"
    assert [code.code for code in patent.classes] == ["06-01"]
    assert patent.granted == FIRST
    # By rank, not as they are written; the legend in English.
    assert [(s.name, s.figure, s.view) for s in patent.sheets] == [("1_1", "1.1", "view 1"), ("1_2", "1.2", "view 2")]
    assert [sheet.data for sheet in patent.sheets] == [picture(0), picture(1)]
    known = patent.bibliography
    assert known
    assert (known.owners, known.inventors) == ((Party("Stuhl AG", "CH"),), (Party("Eva Frei"),))
    assert known.hague
    assert (known.hague.number, known.hague.registered, known.hague.published) == ("DM/218234", FIRST, date(2022, 1, 7))
    assert known.protections == tuple(Protection(c, FIRST, LAST, "registered") for c in ("EM", "US", "JP"))


@pytest.mark.parametrize("backend", ["faiss", "qdrant"])
def test_protection_is_by_design_and_country(backend: str, tmp_path: Path) -> None:
    if backend == "qdrant":
        pytest.importorskip("qdrant_client", reason="needs patsearch[qdrant]")
    bulletins(tmp_path / "b")
    report = ingest([tmp_path / "b"], tmp_path / "index", replace(ONE, backend=backend))
    assert (report.failed, report.patents, report.drawings) == ([], 2, 3)
    with open_index(tmp_path / "index") as engine:
        first, second = (engine.drawings_of(f"DM/218234-{place}")[0][0] for place in (1, 2))
        assert first.protections == (
            Protection("EM", FIRST, date(2027, 2, 3), "renounced"),
            Protection("US", FIRST, RENEWED, "protection granted"),  # a refusal that a grant followed
            Protection("JP", FIRST, RENEWED, "registered"),
        )
        assert second.protections == (
            Protection("EM", FIRST, RENEWED, "registered"),
            Protection("US", FIRST, RENEWED, "protection granted"),
            Protection("JP", FIRST, None, "refused"),
        )
        found = {
            text: {d.patent for b in engine.backend.payloads(parse_filter(text)) for d in b}
            for text in ("inforce=2030-01-01", "inforce=2030-01-01 DE", "inforce=2030-01-01 JP", "office=WO")
        }
    both = {"WODM218234-0001", "WODM218234-0002"}
    assert found == {
        "inforce=2030-01-01": both,
        "inforce=2030-01-01 DE": {"WODM218234-0002"},
        "inforce=2030-01-01 JP": {"WODM218234-0001"},
        "office=WO": both,
    }


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_any_order_ends_the_same(order: tuple[int, ...], tmp_path: Path) -> None:
    files = bulletins(tmp_path / "b")
    ingest([tmp_path / "b"], tmp_path / "at-once", ONE)
    for place in (*order, *order):
        assert ingest([files[place]], tmp_path / "index", ONE).failed == []
    with open_index(tmp_path / "index") as engine, open_index(tmp_path / "at-once") as other:
        assert [d for b, _ in engine.backend.scan() for d in b] == [d for b, _ in other.backend.scan() for d in b]
        assert engine.journal.digest() == other.journal.digest()
        assert engine.verify() == []


BASE = Base(("US", "JP"), FIRST, LAST)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], (LAST, "registered")),
        ([Event("2022-03-01", "refusal", countries=("US",))], (None, "refused")),
        # On one day, the grant comes after the refusal.
        ([Event("2022-03-01", "grant"), Event("2022-03-01", "refusal")], (LAST, "protection granted")),
        ([Event("2022-03-01", "grant"), Event("2022-04-01", "refusal")], (None, "refused")),
        ([Event("2022-03-01", "refusal", countries=("JP",))], (LAST, "registered")),
        ([Event("2022-03-01", "refusal", designs=(2, 3))], (LAST, "registered")),
        ([Event("2022-03-01", "invalidation", designs=(1,))], (date(2022, 3, 1), "invalidated")),
        ([Event("2030-03-01", "renunciation")], (LAST, "renounced")),
        ([Event("2026-03-01", "renewal", expires="2031-07-01")], (RENEWED, "registered")),
        ([Event("", "limitation", countries=("US",))], (None, "limited")),
    ],
)
def test_what_events_leave(events: list[Event], expected: tuple[date | None, str]) -> None:
    for given in itertools.permutations(events):
        protection = protections(BASE, given, 1)[0]
        assert (protection.country, protection.last, protection.status) == ("US", *expected)


def test_what_is_not_a_registration_is_one_line(tmp_path: Path) -> None:
    good = hague(hague_design(1, ["1_1.png"]))
    unpacked(
        tmp_path,
        {
            "a.xml": hague(hague_design(1, ["1_1.png"]), number="XY 12"),
            "b.xml": hague(events="<HagueCorrection/>"),
            "c.xml": hague("<Design><DesignIdentifier>1</DesignIdentifier></Design>", number="DM/100001"),
            "d.xml": good[: len(good) // 2],
            "e.xml": good,
            "1_1.png": picture(1),
        },
    )
    found = list(open_source(tmp_path).units())
    assert [(Path(p.where).name, p.reason) for p in found if isinstance(p, Problem)][:3] == [
        ("a.xml", "'XY 12' is not the number of an international registration; left out"),
        ("b.xml", "the transaction of DM/218234 has neither a registration nor an event; left out"),
        ("c.xml", "the registration DM/100001 names no designs with views; left out"),
    ]
    (cut,) = [p for p in found if isinstance(p, Problem)][3:]
    assert (Path(cut.where).name, "what came before was read" in cut.reason) == ("d.xml", True)
    assert [u.key for u in found if isinstance(u, DesignUnit)] == ["WODM218234-0001"]


def test_events_are_of_the_office_that_tells_them(tmp_path: Path) -> None:
    text = hague(
        events=event("HagueRefusal", "US", "JP", office="US", DecisionDate="2022-03-01")
        + event("HagueLimitation", "JP", designs=["DM/218234-2"], InternationalRecordingDate="2022-05-01")
    )
    unpacked(tmp_path, {"a.xml": text})
    (unit,) = open_source(tmp_path).units()
    assert isinstance(unit, RegistrationUnit)
    assert unit.events == (
        Event("2022-03-01", "refusal", countries=("US",)),
        Event("2022-05-01", "limitation", designs=(2,), countries=("JP",)),
    )


def test_bibliographies_alone_know_the_events_and_the_order(tmp_path: Path) -> None:
    """`--bibliography-only` describes with the protection that is left, and passes over older notices."""
    new, refused, later = bulletins(tmp_path / "b")
    for source in (new, refused, later):
        ingest([source], tmp_path / "index", ONE)
    with open_index(tmp_path / "index") as engine:
        before = [d for b, _ in engine.backend.scan() for d in b]
    again = add_bibliographies([new], tmp_path / "index", IngestOptions(workers=1, again=True))
    assert again.patents == 2
    with open_index(tmp_path / "index") as engine:
        assert [d for b, _ in engine.backend.scan() for d in b] == before
    older = hague(hague_design(2, ["2_1.png"]), published="2021-12-24").replace("Stuhl AG", "Sitz AG")
    newer = hague(hague_design(2, ["2_1.png"]), published="2022-02-01").replace("Stuhl AG", "Bank AG")
    for name, text, owner in (("older", older, "Stuhl AG"), ("newer", newer, "Bank AG")):
        unpacked(tmp_path / name, {"a.xml": text, "2_1.png": picture(2)})
        add_bibliographies([tmp_path / name], tmp_path / "index", ONE)
        with open_index(tmp_path / "index") as engine:
            (drawing,), _ = engine.drawings_of("DM/218234-2")
        assert (drawing.values("owner"), drawing.protections) == ((owner,), before[-1].protections)
