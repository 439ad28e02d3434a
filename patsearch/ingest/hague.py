"""International registrations of the Hague Express bulletin, in WIPO ST.96 version 4 -> notices and events.

The schema has many optional parts, and no bulletin is public: elements are looked for by their local names, wherever
they are in a registration.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

from patsearch.bibliography import Bibliography, Hague, Party, bounded
from patsearch.classification import ClassCode, try_code
from patsearch.ingest.events import Base, Event, Kind, protections
from patsearch.ingest.notices import Happened, Notice, View
from patsearch.ingest.sources.folders import parse_day
from patsearch.ingest.sources.imagefiles import sheet_names
from patsearch.ingest.sources.xmlstream import in_english, text_in
from patsearch.numbers import design_number, registration_of
from patsearch.terms import RENEWALS, after_years
from patsearch.types import Patent

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

RECORD = "HagueExpressTransaction"
_EVENTS: dict[str, Kind] = {
    "HagueRenewal": "renewal",
    "HagueRefusal": "refusal",
    "HagueGrantProtection": "grant",
    "HagueRefusalWithdrawal": "grant",
    "HagueRenunciation": "renunciation",
    "HagueLimitation": "limitation",
    "HagueInvalidation": "invalidation",
}
_DAYS = ("DecisionEffectiveDate", "DecisionDate", "RenewalDate", "EffectiveDate", "InternationalRecordingDate")
_NUMBER = re.compile(r"^D?M?\s*/?\s*(\d{4,7})$")
_COUNTRY = re.compile(r"[A-Z]{2}")
_FIRST_YEARS = 5
_MOST_DESIGNS = 100
_TITLES = ("DesignTitle", "IndicationProductText", "ProductIndicationText", "ProductTitle", "ProductDescriptionText")
_LONGEST_TITLE = 1000


def read(transaction: Element) -> Iterator[Notice | Happened | str]:
    """The designs and events of a transaction, or why it is left out."""
    written = _first(transaction, "InternationalRegistrationNumber")
    found = _NUMBER.match(written.upper())
    if not found:
        yield f"{written[:40]!r} is not the number of an international registration; left out"
        return
    digits = f"DM{found[1]}"
    published = _day(_child(transaction, "PublicationDate"))
    if events := tuple(_events(transaction, published)):
        yield Happened(registration_of(design_number("WO", digits, None)), events)
    registration = transaction.find("HagueCurrent/HagueRegistration")
    if registration is None:
        if not events:
            yield f"the transaction of {written[:40]} has neither a registration nor an event; left out"
        return
    designs = [node for node in registration.iter() if node.tag.endswith("Design") and node.find("ViewBag") is not None]
    if not designs:
        yield f"the registration {written[:40]} names no designs with views; left out"
    for place, design in enumerate(designs[:_MOST_DESIGNS], start=1):
        identifier = _child(design, "DesignIdentifier") or _child(design, "DesignNumber")
        number = re.search(r"(\d{1,3})$", identifier, re.ASCII)
        index = int(number[1]) if number else place
        yield _notice(registration, design, design_number("WO", digits, index), published)
    if len(designs) > _MOST_DESIGNS:
        yield f"the registration {written[:40]} has {len(designs)} designs; the first {_MOST_DESIGNS} are read"


def _notice(registration: Element, design: Element, number: str, published: date | None) -> Notice:
    registered = _day(_first(registration, "InternationalRegistrationDate") or _child(registration, "RegistrationDate"))
    filed = _day(_first(registration, "InternationalFilingDate") or _first(registration, "ApplicationDate"))
    base = _base(registration, design, registered)
    index = int(number.rpartition("-")[2])
    known, remarks = bounded(
        Bibliography(
            owners=tuple(_parties(registration, design, "Holder")),
            inventors=tuple(_parties(registration, design, "Designer")),
            agents=tuple(_parties(registration, design, "Representative")),
            hague=Hague(registration_of(number).replace("WODM", "DM/"), filed, registered, published),
            protections=protections(base, (), index),
            status="registered",
            published=published,
        )
    )
    patent = Patent(
        number=number,
        title=_title(design) or _title(registration),
        granted=registered,
        filed=filed,
        classes=tuple(dict.fromkeys(_classes(design) or _classes(registration))),
        remarks=remarks,
        bibliography=known,
    )
    return Notice(patent, dated=published or registered, views=_views(design), base=base)


def _base(registration: Element, design: Element, registered: date | None) -> Base:
    """Designations are of the design where it has its own."""
    countries = _countries(design) or _countries(registration)
    last, assumed = _day(_child(registration, "ExpiryDate") or _first(registration, "ExpiryDate")), ""
    if last is None and registered:
        last, assumed = after_years(registered, _FIRST_YEARS), RENEWALS
    return Base(countries, registered, last, assumed)


def _events(transaction: Element, published: date | None) -> Iterator[Event]:
    for node in transaction.iter():
        if (kind := _EVENTS.get(node.tag)) is None:
            continue
        office = _first(node, "RecordNotifyingOfficeCode").upper()
        countries = (office,) if _COUNTRY.fullmatch(office) and office not in ("IB", "WO") else _countries(node)
        day = next(filter(None, (_day(_first(node, name)) for name in _DAYS)), published)
        expires = _day(_first(node, "ExpiryDate")) if kind == "renewal" else None
        yield Event(
            day.isoformat() if day else "",
            kind,
            _affected(node),
            tuple(sorted(countries)),
            expires.isoformat() if expires else "",
        )


def _affected(node: Element) -> tuple[int, ...]:
    """Places of the designs that an event names; none for all."""
    if any(text_in(one).lower() != "false" for one in node.iter("AllDesignsIndicator")):
        return ()
    texts = [text_in(one) for bag in node.iter("DesignIdentifierBag") for one in bag.iter("DesignIdentifier")]
    found = (re.search(r"(\d{1,3})$", text, re.ASCII) for text in texts)
    return tuple(sorted({int(place[1]) for place in found if place}))


def _countries(node: Element) -> tuple[str, ...]:
    codes = (
        text_in(one).upper() for bag in node.iter("DesignatedCountryBag") for one in bag.iter("DesignatedCountryCode")
    )
    return tuple(dict.fromkeys(code for code in codes if _COUNTRY.fullmatch(code)))


def _parties(registration: Element, design: Element, kind: str) -> list[Party]:
    for where in (design, registration):
        found = [_party(node) for bag in where.iter(f"{kind}Bag") for node in bag.iterfind(kind)]
        if named := [party for party in found if party]:
            return named
    return []


def _party(node: Element) -> Party | None:
    whole = next(
        filter(None, (_first(node, tag) for tag in ("OrganizationStandardName", "OrganizationName", "PersonFullName"))),
        "",
    )
    given = " ".join(filter(None, (_first(node, tag) for tag in ("FirstName", "MiddleName", "LastName"))))
    name = whole or given or _first(node, "EntityName")
    codes = (_first(node, tag).upper() for tag in ("CountryCode", "AddressCountryCode", "NationalityCode"))
    return Party(name, next(filter(_COUNTRY.fullmatch, codes), "")) if name else None


def _title(node: Element) -> str:
    return next(filter(None, (in_english(node.iter(tag)) for tag in _TITLES)), "")[:_LONGEST_TITLE]


def _classes(node: Element) -> list[ClassCode]:
    leaves = (
        one
        for one in node.iter()
        if len(one) == 0 and ("Locarno" in one.tag or one.tag in ("ClassNumber", "ClassCode"))
    )
    texts = (re.sub(r"\s*([-.])\s*", r"\1", text_in(one)) for one in leaves)
    return [
        code
        for text in texts
        if (code := try_code("locarno", text) or try_code("locarno", re.sub(r"[-.]?00$", "", text)))
    ]


def _views(design: Element) -> tuple[View, ...]:
    found: dict[str, tuple[int, str, str]] = {}
    for position, node in enumerate(n for bag in design.iter("ViewBag") for n in bag.iterfind("View")):
        file, rank = _first(node, "FileName"), _first(node, "ViewIdentifier")
        # The rank is the number behind the design's: 1.2 is the second view of the first design.
        last = re.search(r"(\d{1,4})$", rank, re.ASCII)
        legend = in_english(one for bag in node.iter("ViewTypeTextBag") for one in bag)
        title = legend or _first(node, "ViewTypeCategory").lower()
        if file and len(file) <= 300:
            found.setdefault(file, (int(last[1]) if last else position, rank[:20], title[:_LONGEST_TITLE]))
    ordered = sorted(found.items(), key=lambda view: view[1][0])
    stems = [re.sub(r"\.\w{3,4}$", "", re.split(r"[/\\]", file)[-1]) for file, _ in ordered]
    names = sheet_names([re.sub(r"-{2,}", "-", stem) for stem in stems])
    return tuple(
        View(name, (file,), rank, title) for name, (file, (_, rank, title)) in zip(names, ordered, strict=True)
    )


def _first(node: Element, name: str) -> str:
    """The text of the first element of a name, anywhere below."""
    return next((text for one in node.iter(name) if (text := text_in(one))), "")


def _child(node: Element, name: str) -> str:
    found = node.find(name)
    return "" if found is None else text_in(found)


def _day(text: str) -> date | None:
    return parse_day(text[:10]) or parse_day(text) if text else None
