"""How a patent's bibliography is written as JSON, in records, exports and answers, and read back."""

from __future__ import annotations

import json
from datetime import date

from patsearch.backends.export import drawing_json
from patsearch.bibliography import Bibliography, Citation, Hague, Party, Protection, Related
from patsearch.engine.wire import HitAnswer, PatentAnswer
from patsearch.record.describe import citations, owners, term
from patsearch.types import Drawing, Hit, PatentHit

KNOWN = Bibliography(
    owners=(Party("Made Up & Sons", "NO"),),
    inventors=(Party("Ada Möller", "DE"), Party("Made Up & Sons", "NO")),
    agents=(Party("Reader & Co."),),
    citations=(
        Citation("USD235908", "examiner"),
        Citation("USD235909", "examiner"),
        Citation("EM0012345670001", "applicant"),
        Citation("", "examiner", "A catalogue"),
        Citation("GB2071234", ""),
        Citation("GB2071235", "third party"),
    ),
    related=(Related("division", "29736593", date(2020, 5, 29), "USD886311"), Related("pct-application", "PCT/X")),
    hague=Hague("DM/218234", date(2016, 1, 5)),
    years=15,
    status="granted",
)
DRAWING = Drawing("x", "USD900000", title="Chair", granted=date(2017, 3, 7), filed=date(2016, 1, 5), bibliography=KNOWN)
TERM = {"country": "US", "first": "2017-03-07", "last": "2032-03-07", "status": "granted", "assumed": ""}
CITED = {
    "examiner": ["USD235908", "USD235909"],
    "applicant": ["EM0012345670001"],
    "third_party": ["GB2071235"],
    "other": [],
    "unknown": ["GB2071234"],
}


def test_the_answer_of_a_patent() -> None:
    answer = PatentAnswer.of([DRAWING]).model_dump(mode="json")
    assert answer["owners"] == [{"name": "Made Up & Sons", "country": "NO"}]
    assert [one["name"] for one in answer["inventors"]] == ["Ada Möller", "Made Up & Sons"]
    assert answer["agents"] == [{"name": "Reader & Co.", "country": ""}]
    assert (answer["office"], answer["status"], answer["expires"]) == ("US", "granted", "2032-03-07")
    assert answer["term"] == [TERM]
    assert answer["citations"] == CITED
    assert answer["literature"]["examiner"] == ["A catalogue"]
    assert answer["citation_counts"] == {"examiner": 2, "applicant": 1, "third_party": 1, "unknown": 1}
    assert answer["related"] == [
        {"relation": "division", "number": "29736593", "filed": "2020-05-29", "patent": "USD886311"},
        {"relation": "pct-application", "number": "PCT/X", "filed": None, "patent": None},
    ]
    assert answer["hague"] == {"number": "DM/218234", "filed": "2016-01-05", "registered": None, "published": None}


def test_without_a_bibliography_the_fields_are_empty() -> None:
    answer = PatentAnswer.of([Drawing("x", "chair 12")]).model_dump(mode="json")
    assert (answer["owners"], answer["term"], answer["expires"], answer["citations"]) == ([], [], None, {})
    assert answer["hague"] is None


def test_a_hit_has_all_but_the_citations() -> None:
    hit = PatentHit(1, "USD900000", 0.5, (Hit(DRAWING, 0.5),))
    answer = HitAnswer.of(hit).model_dump(mode="json")
    assert answer["citation_counts"]["examiner"] == 2
    assert "citations" not in answer
    read = HitAnswer.model_validate(answer).hit().drawing
    assert read.bibliography is not None
    assert (read.bibliography.owners, read.bibliography.inventors) == (KNOWN.owners, KNOWN.inventors)
    assert (read.expires, read.protections) == (DRAWING.expires, DRAWING.protections)
    old = {name: value for name, value in answer.items() if name not in HitAnswer.model_fields or name in (
        "rank", "patent", "score", "title", "kind", "granted", "filed", "link", "classes", "class_titles", "drawing",
        "drawings")}  # fmt: skip
    assert HitAnswer.model_validate(old).hit().drawing.values("owner") == ()


def test_an_export_has_all_of_it() -> None:
    line = json.loads(json.dumps(drawing_json(DRAWING)))
    assert line["bibliography"]["citations"] == CITED
    assert line["bibliography"]["years"] == 15
    assert line["term"] == [TERM]
    assert drawing_json(Drawing("x", "y"))["bibliography"] is None


def test_a_record_says_it_in_words() -> None:
    assert owners(DRAWING) == "owner: Made Up & Sons (NO); inventor: Ada Möller (DE)"
    assert term(DRAWING) == "in force: US 2017-03-07 to 2032-03-07"
    assert citations(DRAWING) == "cites 5 patents (2 by the examiner, 1 by the applicant, 2 by others)"
    many = Bibliography(
        inventors=tuple(Party(f"Inventor {n}") for n in range(7)),
        protections=(Protection("DE", date(2020, 1, 1), None, "", "fees"), Protection("JP", None, None, "refused")),
        status="lapsed",
    )
    drawing = Drawing("x", "WODM218234", bibliography=many)
    assert owners(drawing) == ("inventors: Inventor 0, Inventor 1, Inventor 2, Inventor 3, Inventor 4 and 2 more")
    assert term(drawing) == "in force: DE 2020-01-01 to ?; status: lapsed; fees"
    assert (owners(Drawing("x", "y")), term(Drawing("x", "y")), citations(Drawing("x", "y"))) == ("", "", "")
