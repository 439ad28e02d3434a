"""The bibliography of a grant of 2001 to 2004, by the codes of ST.32, as the elements that later versions have."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement

from patsearch.ingest.bibliography import text_of

_CITED_BY = {"CITED-BY-EXAMINER": "cited by examiner", "CITED-BY-OTHER": "cited by other"}
# What is the earlier document of what: the office's codes (ST.32) and its words of later years.
_RELATIONS = {
    "B610": "addition",
    "B620": "division",
    "B631": "continuation",
    "B632": "continuation-in-part",
    "B633": "continuing-reissue",
    "B640": "reissue",
    "B641US": "us-divisional-reissue",
    "B645": "reexamination",
    "B646US": "reexamination",
    "B650": "related-publication",
    "B660": "substitution",
    "B680US": "us-provisional-application",
}


def add_bibliography(new: Element, data: Element) -> None:
    """Add the parties, citations, earlier documents and term of an old grant to the bibliographic node of a new one.

    Args:
        new: `us-bibliographic-data-grant`.
        data: `SDOBI`.
    """
    parties = SubElement(new, "us-parties")
    for path, where, name in (
        ("B700/B720/B721", SubElement(parties, "inventors"), "inventor"),
        ("B700/B740/B741", SubElement(parties, "agents"), "agent"),
        ("B700/B730/B731", SubElement(new, "assignees"), "assignee"),
    ):
        for party in data.iterfind(f"{path}/PARTY-US"):
            _add_party(SubElement(where, name), party)
    if not data.findall("B700/B730/B731"):  # then the inventors own it
        applicants = SubElement(parties, "us-applicants")
        for party in data.iterfind("B700/B720/B721/PARTY-US"):
            _add_party(SubElement(applicants, "us-applicant"), party)
    cited = SubElement(new, "us-references-cited")
    for old in data.iterfind("B500/B560/*"):
        citation = SubElement(cited, "us-citation")
        if (document := old.find("PCIT/DOC")) is not None:
            _add_document(SubElement(citation, "patcit"), document)
        else:
            SubElement(SubElement(citation, "nplcit"), "othercit").text = text_of(old, "NCIT")
        by = next((words for name, words in _CITED_BY.items() if old.find(f".//{name}") is not None), "")
        SubElement(citation, "category").text = by
    related = SubElement(new, "us-related-documents")
    for old in data.iterfind("B600//*"):
        if (relation := _RELATIONS.get(old.tag)) is not None:
            _add_related(SubElement(related, relation), old)
    pct = data.find("B800/B860/B861/DOC")
    if pct is not None:
        _add_document(SubElement(new, "pct-or-regional-filing-data"), pct)
    term = SubElement(new, "us-term-of-grant")
    # Files of SGML do not end B473US, which is empty.
    SubElement(term, "length-of-grant").text = text_of(data, "B400/B472//B474")
    SubElement(term, "us-term-extension").text = text_of(data, "B400/B472//B474US")
    if any(data.find(f"B400/B472/{name}") is not None for name in ("B473", "B473US")):
        SubElement(term, "disclaimer")


def _add_party(new: Element, party: Element) -> None:
    book = SubElement(new, "addressbook")
    for name, path in (("first-name", "NAM/FNM"), ("last-name", "NAM/SNM"), ("orgname", "NAM/ONM")):
        SubElement(book, name).text = text_of(party, path)
    # An address in the United States has a state and no country.
    country = text_of(party, "ADR/CTRY") or ("US" if text_of(party, "ADR/STATE") else "")
    SubElement(SubElement(book, "address"), "country").text = country


def _add_document(new: Element, old: Element) -> None:
    document = SubElement(new, "document-id")
    SubElement(document, "country").text = text_of(old, "CTRY") or "US"
    SubElement(document, "doc-number").text = text_of(old, "DNUM")
    SubElement(document, "date").text = text_of(old, "DATE")


def _add_related(new: Element, old: Element) -> None:
    for parent in old.iterfind("PARENT-US"):
        new_parent = SubElement(SubElement(new, "relation"), "parent-doc")
        for document in parent.iterfind("PDOC/DOC"):
            _add_document(new_parent, document)
        for document in parent.iterfind("PPUB/DOC"):
            _add_document(SubElement(new_parent, "parent-grant-document"), document)
    for document in old.iterfind("DOC"):
        _add_document(new, document)
