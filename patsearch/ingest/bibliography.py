"""The bibliography of a US grant: parties, citations, earlier documents, Hague data, term.

Versions differ in their names alone: `us-parties` and `us-references-cited` were `parties` and `references-cited`
before 2013, when the inventors were the applicants. Grants of 2001 to 2004 have been brought into this shape
(`oldbibliography`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

from patsearch.bibliography import Bibliography, Citation, Citer, Hague, Party, Related, bounded
from patsearch.ingest.grantxml import CITATIONS
from patsearch.numbers import normal_number

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_APPLICANTS = ("us-parties/us-applicants/us-applicant", "parties/applicants/applicant")
_INVENTORS = ("us-parties/inventors/inventor", "parties/inventors/inventor")
_AGENTS = ("us-parties/agents/agent", "parties/agents/agent")
_ASSIGNEES = ("assignees/assignee",)
_INVENTOR_TOO = "applicant-inventor"
_RELATED = ("us-related-documents", "related-documents")
# The international application of a national stage: the term counts from it.
PCT = "pct-application"
_TERMS = ("us-term-of-grant", "term-of-grant")
_COUNTRY = re.compile(r"[A-Z]{2}")
_CITERS: tuple[Citer, ...] = ("examiner", "applicant", "third party")


def read_bibliography(grant: Element) -> tuple[Bibliography | None, tuple[str, ...]]:
    """What the bibliographic node of a grant says of it, within bounds; and remarks on what was left out."""
    applicants = list(_parties(grant, _APPLICANTS))
    inventors = list(_parties(grant, _INVENTORS))
    if not inventors:
        inventors = [party for kind, party in _with_kind(grant, _APPLICANTS) if kind == _INVENTOR_TOO]
    term = next(filter(None, (_find(grant, name) for name in _TERMS)), None)
    return bounded(
        Bibliography(
            owners=tuple(_parties(grant, _ASSIGNEES)) or tuple(applicants),
            inventors=tuple(inventors),
            agents=tuple(_parties(grant, _AGENTS)),
            citations=tuple(_citations(grant)),
            related=tuple(_related(grant)),
            hague=_hague(_find(grant, "hague-agreement-data")),
            years=_number(text_of(term, "length-of-grant")),
            extension=_number(text_of(term, "us-term-extension")),
            disclaimer=_find(term, "disclaimer") is not None,
            status="granted",
        )
    )


def text_of(node: Element | None, path: str) -> str:
    """All text below the first element at a path, markup dropped, blanks collapsed."""
    found = None if node is None else node.find(path)
    return "" if found is None else _text(found)


def day_of(text: str) -> date | None:
    """`20210105`; None for what is not a day, such as `20210100`, a month."""
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:])) if re.fullmatch(r"\d{8}", text, re.ASCII) else None
    except ValueError:
        return None


# ---------------------------------------------------------------------- parties


def _parties(grant: Element, paths: tuple[str, ...]) -> Iterator[Party]:
    return (party for _, party in _with_kind(grant, paths))


def _with_kind(grant: Element, paths: tuple[str, ...]) -> Iterator[tuple[str, Party]]:
    """The parties at any of the paths, and what kind of applicant each is."""
    for path in paths:
        for node in grant.iterfind(path):
            book = node.find("addressbook")
            # Some assignees have their name without an address around it.
            named = node if book is None else book
            given = [text_of(named, part) for part in ("first-name", "middle-name", "last-name", "suffix")]
            name = text_of(named, "orgname") or text_of(named, "name") or " ".join(filter(None, given))
            if name:
                yield node.get("app-type", ""), Party(name, _country(named, node))


def _country(named: Element, node: Element) -> str:
    """Of the address, or of the residence; agents have "unknown"."""
    for where, path in ((named, "address/country"), (node, "residence/country")):
        if _COUNTRY.fullmatch(code := text_of(where, path).upper()):
            return code
    return ""


# ---------------------------------------------------------------------- other documents


def _citations(grant: Element) -> Iterator[Citation]:
    for name in CITATIONS:
        for node in grant.iterfind(f"{name}/*"):
            by = _citer(text_of(node, "category"))
            document = node.find("patcit/document-id")
            if document is not None and (number := _number_of(document)):
                yield Citation(number, by)
            elif text := text_of(node, "nplcit/othercit") or text_of(node, "nplcit"):
                yield Citation("", by, text)


def _citer(category: str) -> Citer:
    """`cited by examiner` -> "examiner"; "other" for all but these, and "" where nothing is said."""
    return next((citer for citer in _CITERS if citer in category.lower()), "other" if category else "")


def _number_of(document: Element | None) -> str:
    number = text_of(document, "doc-number")
    return normal_number(text_of(document, "country") + number) if number else ""


def _related(grant: Element) -> Iterator[Related]:
    for name in _RELATED:
        for node in grant.iterfind(f"{name}/*"):
            parents = node.findall("relation/parent-doc")
            for parent in parents or [node]:
                document = parent.find("document-id")
                filed = day_of(text_of(parent, "international-filing-date/date")) or day_of(text_of(document, "date"))
                number = text_of(document, "doc-number")
                patent = _number_of(parent.find("parent-grant-document/document-id"))
                if number or patent:
                    yield Related(str(node.tag), number, filed, patent)
    pct = grant.find("pct-or-regional-filing-data/document-id")
    if number := text_of(pct, "doc-number"):
        yield Related(PCT, number, day_of(text_of(pct, "date")))


def _hague(node: Element | None) -> Hague | None:
    number = text_of(node, "international-registration-number")
    if not number:
        return None
    filed, registered, published = (
        day_of(text_of(node, f"international-{what}/date"))
        for what in ("filing-date", "registration-date", "registration-publication-date")
    )
    return Hague(number, filed, registered, published)


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,5}", text, re.ASCII) else None


def _find(node: Element | None, path: str) -> Element | None:
    return None if node is None else node.find(path)


def _text(node: Element) -> str:
    return " ".join("".join(node.itertext()).split())
