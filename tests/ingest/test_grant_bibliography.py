"""The bibliography of grants: every party and citation of the real ones by an independent reading, and each version."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from real_grants import bare, independent_bibliography, real_grants

from patsearch.bibliography import (
    LONGEST_TEXT,
    MOST_CITATIONS,
    MOST_PARTIES,
    Bibliography,
    Citation,
    Hague,
    Party,
    Related,
    from_text,
    to_text,
)
from patsearch.errors import SourceError
from patsearch.ingest.grant import parse_grant


def read(data: bytes | str) -> Bibliography:
    found = parse_grant(data.encode() if isinstance(data, str) else data).patent.bibliography
    assert found is not None
    return found


def comparable(found: Bibliography) -> dict[str, object]:
    def cited(by: str) -> list[str]:
        return [bare("", c.patent) for c in found.citations if c.by == by and c.patent]

    def literature(by: str) -> list[str]:
        return [c.text for c in found.citations if c.by == by and c.text]

    def day(value: date | None) -> str:
        return f"{value:%Y%m%d}" if value else ""

    return {
        "owners": [(p.name, p.country) for p in found.owners],
        "inventors": [(p.name, p.country) for p in found.inventors],
        "agents": [(p.name, p.country) for p in found.agents],
        "examiner": cited("examiner"),
        "applicant": cited("applicant"),
        "examiner's literature": literature("examiner"),
        "applicant's literature": literature("applicant"),
        "related": [(r.relation, r.number, day(r.filed)) for r in found.related],
        "hague": found.hague.number if found.hague else "",
        "registered": day(found.hague.registered) if found.hague else "",
        "years": "" if found.years is None else str(found.years),
        "extension": "" if found.extension is None else str(found.extension),
        "disclaimer": found.disclaimer,
    }


def once(value: object) -> object:
    """A list with each entry once, cut as `bounded` cuts."""
    if not isinstance(value, list):
        return value
    cut = [v if not isinstance(v, str) or len(v) <= LONGEST_TEXT else v[: LONGEST_TEXT - 1] + "…" for v in value]
    return list(dict.fromkeys(cut))


@pytest.mark.data
def test_the_bibliography_of_every_real_grant(data_dir: Path) -> None:
    designs = examiners = applicants = 0
    for name, data in real_grants(data_dir):
        patent = parse_grant(data).patent
        assert patent.bibliography is not None
        expected = {key: once(value) for key, value in independent_bibliography(data).items()}
        assert comparable(patent.bibliography) == expected, name
        assert from_text(to_text(patent.bibliography)) == patent.bibliography
        assert patent.remarks == ()
        if patent.number.startswith("USD"):
            designs += 1
            by = [c.by for c in patent.bibliography.citations if c.patent.startswith("USD")]
            examiners += by.count("examiner")
            applicants += by.count("applicant")
    assert designs == 499
    assert (examiners, applicants) == (7770, 5685)  # as were counted in the XML before this was written


HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<us-patent-grant country="US"><us-bibliographic-data-grant>
<publication-reference><document-id><country>US</country><doc-number>D0900001</doc-number><kind>S1</kind>
<date>20201027</date></document-id></publication-reference>
<application-reference><document-id><date>20190405</date></document-id></application-reference>
<invention-title>Chair</invention-title>
"""
END = "</us-bibliographic-data-grant></us-patent-grant>"
LATE = f"""{HEAD}
<us-term-of-grant><length-of-grant>15</length-of-grant><us-term-extension>0</us-term-extension>
<disclaimer><text>This patent is subject to a terminal disclaimer.</text></disclaimer></us-term-of-grant>
<us-references-cited>
<us-citation><patcit num="1"><document-id><country>US</country><doc-number>D235908</doc-number><kind>S</kind>
<name>Rosenwach</name><date>19750700</date></document-id></patcit><category>cited by examiner</category>
<classification-national><country>US</country><main-classification>D 6335</main-classification>
</classification-national></us-citation>
<us-citation><patcit num="2"><document-id><country>EM</country><doc-number>007323019-0001</doc-number>
</document-id></patcit><category>cited by applicant</category></us-citation>
<us-citation><patcit num="3"><document-id><country>US</country><doc-number>2004/0040082</doc-number><kind>A1</kind>
</document-id></patcit><category>cited by third party</category></us-citation>
<us-citation><nplcit num="4"><othercit>A <i>catalogue</i> of
 chairs</othercit></nplcit><category>cited by examiner</category></us-citation>
<us-citation><patcit num="5"><document-id><country>GB</country><doc-number>2071234</doc-number></document-id></patcit>
<category>imported from a related application</category></us-citation>
<us-citation><nplcit num="6"><othercit> </othercit></nplcit><category>cited by examiner</category></us-citation>
</us-references-cited>
<us-related-documents>
<division><relation><parent-doc><document-id><country>US</country><doc-number>29736593</doc-number>
<date>20200529</date></document-id><parent-grant-document><document-id><country>US</country>
<doc-number>D0886311</doc-number></document-id></parent-grant-document></parent-doc>
<child-doc><document-id><country>US</country><doc-number>29000002</doc-number></document-id></child-doc></relation>
</division>
<us-provisional-application><document-id><country>US</country><doc-number>63547158</doc-number><date>20191303</date>
</document-id></us-provisional-application></us-related-documents>
<us-parties><us-applicants>
<us-applicant app-type="applicant" applicant-authority-category="assignee"><addressbook><orgname>Made Up &amp; Sons
 Ltd.</orgname><address><city>Oslo</city><country>NO</country></address></addressbook>
<residence><country>NO</country></residence></us-applicant>
</us-applicants><inventors>
<inventor><addressbook><last-name>Möller</last-name><first-name>Ada B.</first-name><suffix>Jr.</suffix><address>
<country>DE</country></address></addressbook></inventor>
<inventor><addressbook><last-name>Sukarno</last-name></addressbook></inventor>
</inventors><agents><agent><addressbook><orgname>Reader &amp; Co.</orgname><address><country>unknown</country></address>
</addressbook></agent></agents></us-parties>
<hague-agreement-data><international-filing-date><date>20190401</date></international-filing-date>
<international-registration-date><date>20190401</date></international-registration-date>
<international-registration-number>DM/218234</international-registration-number></hague-agreement-data>
{END}"""


def test_a_grant_of_today() -> None:
    assert read(LATE) == Bibliography(
        owners=(Party("Made Up & Sons Ltd.", "NO"),),
        inventors=(Party("Ada B. Möller Jr.", "DE"), Party("Sukarno")),
        agents=(Party("Reader & Co."),),
        citations=(
            Citation("USD235908", "examiner"),
            Citation("EM7323019-0001", "applicant"),
            Citation("US20040040082", "third party"),
            Citation("", "examiner", "A catalogue of chairs"),
            Citation("GB2071234", "other"),
        ),
        related=(
            Related("division", "29736593", date(2020, 5, 29), "USD886311"),
            Related("us-provisional-application", "63547158", None),
        ),
        hague=Hague("DM/218234", date(2019, 4, 1), date(2019, 4, 1), None),
        years=15,
        extension=0,
        disclaimer=True,
        status="granted",
    )
    assert read(LATE).cites == ("USD235908", "EM7323019-0001", "US20040040082", "GB2071234")
    assert read(LATE).countries == ("NO",)


def test_the_assignee_owns_it_where_one_is_named() -> None:
    assigned = "<assignees><assignee><orgname>Other AG</orgname><role>03</role></assignee></assignees>"
    found = read(LATE.replace(END, assigned + END))
    assert found.owners == (Party("Other AG"),)
    assert found.countries == ("DE",)  # of the inventors, as no owner's is known


def test_a_grant_of_2008() -> None:
    """Until 2012 the inventors were the applicants, and other names were in use."""
    found = read(f"""{HEAD}
<us-term-of-grant><length-of-grant>14</length-of-grant></us-term-of-grant>
<references-cited><citation><patcit num="1"><document-id><country>US</country><doc-number>2131457</doc-number>
</document-id></patcit><category>cited by other</category></citation>
<citation><patcit num="2"><document-id><country>US</country><doc-number>D164485</doc-number></document-id></patcit>
</citation></references-cited>
<parties><applicants><applicant sequence="001" app-type="applicant-inventor"><addressbook><last-name>Kim</last-name>
<first-name>Park</first-name><address><country>KR</country></address></addressbook></applicant>
<applicant sequence="002" app-type="applicant"><addressbook><last-name>Heir</last-name></addressbook></applicant>
</applicants><agents><agent><addressbook><last-name>Lee</last-name></addressbook></agent></agents></parties>
<related-documents><continuation><relation><parent-doc><document-id><country>US</country>
<doc-number>29000001</doc-number><date>20070102</date></document-id></parent-doc></relation></continuation>
</related-documents>{END}""")
    assert found.inventors == (Party("Park Kim", "KR"),)
    assert found.owners == (Party("Park Kim", "KR"), Party("Heir"))
    assert found.agents == (Party("Lee"),)
    assert found.citations == (Citation("US2131457", "other"), Citation("USD164485", ""))
    assert found.related == (Related("continuation", "29000001", date(2007, 1, 2)),)
    assert found.years == 14


CITATION = (
    "<us-citation><patcit><document-id><country>US</country><doc-number>D{}</doc-number></document-id></patcit>"
    "<category>cited by examiner</category><classification-national><country>US</country></classification-national>"
    "</us-citation>"
)


def test_a_hundred_thousand_citations_are_bounded() -> None:
    many = "".join(CITATION.format(100_000 + number) for number in range(100_000))
    patent = parse_grant(f"{HEAD}<us-references-cited>{many}</us-references-cited>{END}".encode()).patent
    assert patent.bibliography is not None
    assert len(patent.bibliography.citations) == MOST_CITATIONS
    assert patent.bibliography.citations[0] == Citation("USD100000", "examiner")
    assert patent.remarks == ("more than 5,000 citations; the first 5,000 are read",)
    assert patent.problems == ()
    exactly = "".join(CITATION.format(100_000 + number) for number in range(MOST_CITATIONS))
    assert parse_grant(f"{HEAD}<us-references-cited>{exactly}</us-references-cited>{END}".encode()).patent.remarks == ()


def test_long_lists_and_names_are_cut() -> None:
    inventors = "".join(
        f"<inventor><addressbook><last-name>{n}{'x' * 1000}</last-name></addressbook></inventor>" for n in range(600)
    )
    grant = f"{HEAD}<us-parties><inventors>{inventors}</inventors></us-parties>{END}"
    patent = parse_grant(grant.encode()).patent
    assert patent.bibliography is not None
    assert len(patent.bibliography.inventors) == MOST_PARTIES
    assert {len(party.name) for party in patent.bibliography.inventors} == {LONGEST_TEXT}
    assert patent.remarks == ("more than 500 inventors; the first 500 are read",)


@pytest.mark.parametrize(
    "text",
    [
        '["USD1"]',
        '{"owners":[["x"]]}',
        '{"owners":"ab"}',
        '{"cited":["a"],"by":""}',
        '{"cited":["a"],"by":"z"}',
        '{"years":"x"}',
        '{"related":[["a","b","never",""]]}',
        "{",
    ],
)
def test_what_something_else_wrote_is_refused(text: str) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        from_text(text)


def test_the_stored_form_is_exact() -> None:
    for found in (read(LATE), Bibliography(years=0), Bibliography(extension=0), Bibliography(status="lapsed")):
        assert from_text(to_text(found)) == found
    assert (to_text(None), from_text(""), from_text(None)) == ("", None, None)


def test_numbers_that_are_none() -> None:
    for years in ("x", "-1", "١٥", "999999"):
        assert read(LATE.replace("length-of-grant>15<", f"length-of-grant>{years}<")).years is None
    with pytest.raises(SourceError):
        parse_grant(LATE.replace("<us-parties>", "<us-parties>" + "<a>" * 300).encode())
