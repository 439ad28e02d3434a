"""Who owns a patent, what it cites, what it goes back to, and how long it lasts: the data that its drawings share.

Sources deliver it with a patent (`Patent.bibliography`), every drawing of the patent has the same one, and filters,
facets and records read it. `bounded` cuts what a hostile file has too much of.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any, Literal, get_args

Citer = Literal["examiner", "applicant", "third party", "other", ""]
CITERS: tuple[Citer, ...] = get_args(Citer)
# One letter for each of them in the stored form; a capital letter is literature that is not a patent.
_LETTERS = dict(zip(CITERS, "eatou", strict=True))
_BY_LETTER: dict[str, Citer] = dict(zip("eatou", CITERS, strict=True))

MOST_PARTIES = 500  # of each kind; about a hundred inventors are the most that were seen
MOST_CITATIONS = 5000
MOST_RELATED = 500
MOST_PROTECTIONS = 300  # countries
LONGEST_TEXT = 300  # characters of a name, or of a reference to literature


@dataclass(frozen=True, slots=True)
class Party:
    """An owner, inventor or agent.

    Attributes:
        name: as printed; given names before family names.
        country: code of the address by WIPO ST.3, "" where it is not known.
    """

    name: str
    country: str = ""


@dataclass(frozen=True, slots=True)
class Citation:
    """One reference.

    Attributes:
        patent: number in normal form; "" for literature.
        by: who named it; "other" is everybody but the examiner in grants before 2012.
        text: of literature, as printed.
    """

    patent: str = ""
    by: Citer = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Related:
    """An earlier document that a patent goes back to.

    Attributes:
        relation: the office's word: "continuation", "division", "us-provisional-application" ...
        number: of the application, as printed: "29736593".
        filed: its date.
        patent: the patent that it became, in normal form; "" where none is named.
    """

    relation: str
    number: str
    filed: date | None = None
    patent: str = ""


@dataclass(frozen=True, slots=True)
class Hague:
    """The international registration that a patent comes from.

    Attributes:
        number: "DM/218234".
    """

    number: str
    filed: date | None = None
    registered: date | None = None
    published: date | None = None


@dataclass(frozen=True, slots=True)
class Protection:
    """Protection in one country, or by one office for several (`EM`).

    Attributes:
        country: code by WIPO ST.3.
        first, last: the days on which it begins and ends, both included; None where that is not known.
        status: the office's word, "" where it says nothing.
        assumed: what the days rest on that the source does not say, as a sentence without an end.
    """

    country: str
    first: date | None = None
    last: date | None = None
    status: str = ""
    assumed: str = ""

    def on(self, day: date) -> bool:
        """Whether it is known to hold on a day."""
        return self.first is not None and self.last is not None and self.first <= day <= self.last


@dataclass(frozen=True, slots=True)
class Bibliography:
    """What a source says about a patent in addition to title, dates and classes.

    Attributes:
        owners: assignees; where none is named, applicants.
        citations: in the order of the source.
        years: the term as printed, counted from the grant.
        extension: days by which the term is extended (US utility patents).
        disclaimer: whether the term ends together with another patent's.
        protections: where the source itself says from when to when, by country; else `patsearch.terms` works it out.
        status: of the patent when the source was written: "granted", "lapsed" ...
        published: the day on which a design was published, where that is another thing than its registration.
    """

    owners: tuple[Party, ...] = ()
    inventors: tuple[Party, ...] = ()
    agents: tuple[Party, ...] = ()
    citations: tuple[Citation, ...] = ()
    related: tuple[Related, ...] = ()
    hague: Hague | None = None
    years: int | None = None
    extension: int | None = None
    disclaimer: bool = False
    protections: tuple[Protection, ...] = ()
    status: str = ""
    published: date | None = None

    @property
    def cites(self) -> tuple[str, ...]:
        """Numbers of the patents cited, each once."""
        return tuple(dict.fromkeys(citation.patent for citation in self.citations if citation.patent))

    @property
    def countries(self) -> tuple[str, ...]:
        """Countries of the owners; of the inventors where no owner's is known."""
        found = [party.country for party in self.owners if party.country]
        return tuple(dict.fromkeys(found or [party.country for party in self.inventors if party.country]))


_NOTHING = Bibliography()
_PARTIES = ("owners", "inventors", "agents")


def bounded(given: Bibliography) -> tuple[Bibliography | None, tuple[str, ...]]:
    """The same within the bounds, with a remark on each thing that was left out; None where there is nothing in it."""
    remarks = []
    changes: dict[str, Any] = {}
    most = dict.fromkeys(_PARTIES, MOST_PARTIES) | {
        "citations": MOST_CITATIONS,
        "related": MOST_RELATED,
        "protections": MOST_PROTECTIONS,
    }
    for name, limit in most.items():
        values = getattr(given, name)
        if len(values) > limit:
            remarks.append(f"more than {limit:,} {name}; the first {limit:,} are read")
        changes[name] = tuple(dict.fromkeys(_short(value) for value in values[:limit]))
    changes["hague"] = _short(given.hague) if given.hague else None
    changes["status"] = given.status[:LONGEST_TEXT]
    kept = replace(given, **changes)
    return (None if kept == _NOTHING else kept), tuple(remarks)


def _short(value: Any) -> Any:
    """A part with its texts cut."""
    texts = {f.name: text for f in fields(value) if isinstance(text := getattr(value, f.name), str)}
    long = {name: text[: LONGEST_TEXT - 1] + "…" for name, text in texts.items() if len(text) > LONGEST_TEXT}
    return replace(value, **long) if long else value


# ---------------------------------------------------------------------- the public form


def public(known: Bibliography) -> dict[str, Any]:
    """As JSON for exports and the API: names as the attributes, days as `2026-11-28`, citations by who named them."""
    return {
        **{name: [{"name": p.name, "country": p.country} for p in getattr(known, name)] for name in _PARTIES},
        "citations": {name: [c.patent for c in found if c.patent] for name, found in _by_citer(known)},
        "literature": {name: [c.text for c in found if c.text] for name, found in _by_citer(known)},
        "related": [
            {"relation": r.relation, "number": r.number, "filed": _day(r.filed) or None, "patent": r.patent or None}
            for r in known.related
        ],
        "hague": {
            "number": known.hague.number,
            **{name: _day(getattr(known.hague, name)) or None for name in ("filed", "registered", "published")},
        }
        if known.hague
        else None,
        "years": known.years,
        "extension": known.extension,
        "disclaimer": known.disclaimer,
        "status": known.status,
        "published": _day(known.published) or None,
    }


def public_protection(one: Protection) -> dict[str, Any]:
    """The same for a span of protection."""
    days = {name: _day(getattr(one, name)) or None for name in ("first", "last")}
    return {"country": one.country, **days, "status": one.status, "assumed": one.assumed}


def _by_citer(known: Bibliography) -> list[tuple[str, list[Citation]]]:
    """Each citer's name in JSON, "unknown" where the source says nothing, and its citations."""
    names = {by: by.replace(" ", "_") or "unknown" for by in CITERS}
    return [(name, [c for c in known.citations if c.by == by]) for by, name in names.items()]


# ---------------------------------------------------------------------- the stored form


def to_text(bibliography: Bibliography | None) -> str:
    """The stored form, compact JSON; "" for none."""
    if bibliography is None:
        return ""
    values: dict[str, Any] = {
        name: [[party.name, party.country] for party in getattr(bibliography, name)] for name in _PARTIES
    }
    values["cited"] = [citation.patent or citation.text for citation in bibliography.citations]
    values["by"] = "".join(_letter(citation) for citation in bibliography.citations)
    values["related"] = [[r.relation, r.number, _day(r.filed), r.patent] for r in bibliography.related]
    if (hague := bibliography.hague) is not None:
        values["hague"] = [hague.number, _day(hague.filed), _day(hague.registered), _day(hague.published)]
    values["protections"] = [
        [p.country, _day(p.first), _day(p.last), p.status, p.assumed] for p in bibliography.protections
    ]
    values["published"] = _day(bibliography.published)
    for name in ("years", "extension", "disclaimer", "status"):
        values[name] = getattr(bibliography, name)
    kept = {name: value for name, value in values.items() if value or (value == 0 and name in ("years", "extension"))}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def from_text(text: str | None) -> Bibliography | None:
    """What `to_text` wrote.

    Raises:
        ValueError, TypeError, KeyError: something else wrote it.
    """
    if not text:
        return None
    values = json.loads(text)
    if not isinstance(values, dict):
        raise ValueError("a bibliography is not an object")
    hague = values.get("hague")
    return Bibliography(
        **{name: tuple(Party(*_texts(pair, 2)) for pair in values.get(name, ())) for name in _PARTIES},
        citations=tuple(_citation(*pair) for pair in zip(values.get("cited", ()), values.get("by", ""), strict=True)),
        related=tuple(_related(*_texts(row, 4)) for row in values.get("related", ())),
        hague=_hague(*_texts(hague, 4)) if hague else None,
        years=_number(values.get("years")),
        extension=_number(values.get("extension")),
        disclaimer=values.get("disclaimer") is True,
        protections=tuple(_protection(*_texts(row, 5)) for row in values.get("protections", ())),
        status=_texts([values.get("status", "")], 1)[0],
        published=_date(_texts([values.get("published", "")], 1)[0]),
    )


def _letter(citation: Citation) -> str:
    letter = _LETTERS[citation.by]
    return letter if citation.patent else letter.upper()


def _citation(what: object, letter: str) -> Citation:
    (text,) = _texts([what], 1)
    by = _BY_LETTER[letter.lower()]
    return Citation(text, by) if letter.islower() else Citation("", by, text)


def _related(relation: str, number: str, filed: str, patent: str) -> Related:
    return Related(relation, number, _date(filed), patent)


def _hague(number: str, filed: str, registered: str, published: str) -> Hague:
    return Hague(number, _date(filed), _date(registered), _date(published))


def _protection(country: str, first: str, last: str, status: str, assumed: str) -> Protection:
    return Protection(country, _date(first), _date(last), status, assumed)


def _texts(row: object, count: int) -> list[str]:
    if not isinstance(row, list) or len(row) != count or not all(isinstance(text, str) for text in row):
        raise ValueError("a bibliography holds what is not a text")
    return row


def _number(value: object) -> int | None:
    if value is not None and type(value) is not int:
        raise ValueError("a bibliography holds what is not a number")
    return value


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""


def _date(text: str) -> date | None:
    return date.fromisoformat(text) if text else None
