"""Designs in WIPO ST.86, as INPI, OEPM, DPMA and EUIPO publish them -> notices.

Names are local (`xmlstream`): some offices put the elements into other namespaces, such as that of trade marks.
A multiple registration is one design after the other: each has its number, the registration's with its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

from patsearch.bibliography import Bibliography, Party, Related, bounded
from patsearch.classification import ClassCode, try_code
from patsearch.ingest.notices import Deed, Notice, View
from patsearch.ingest.sources.folders import parse_day
from patsearch.ingest.sources.imagefiles import sheet_names
from patsearch.ingest.sources.xmlstream import child_text, first_text, in_english, text_in
from patsearch.numbers import design_number
from patsearch.terms import registered
from patsearch.types import Patent

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

RECORDS = frozenset({"DesignApplication", "Design"})  # a design by itself, where no application is around it
# What is read outside the records: what the transaction does.
HEAD = frozenset({"TransactionCode"})
_LONGEST_TITLE = 1000
_WITH_PLACE = re.compile(r"^(?P<registration>.*\d.*?)\s*[-_]\s*(?P<place>\d{1,4})$")
_EUIPO = re.compile(r"\d{9}-\d{4}", re.ASCII)
_OFFICES = {"EU": "EM", "OHIM": "EM", "EUIPO": "EM", "OAMI": "EM", "WIPO": "WO", "IB": "WO"}
_FILE_DEEDS: tuple[tuple[str, Deed], ...] = (("FRDEL", "deleted"), ("FRAMD", "amended"), ("FRNEW", "new"))
_DELETED, _AMENDED = ("delete", "remove"), ("update", "amend", "modif", "correct", "change")
_COUNTRY = re.compile(r"[A-Z]{2}")
_NAMES = ("OrganizationName", "FreeFormatName", "FreeFormatNameLine", "NameLine")
_COUNTRIES = ("AddressCountryCode", "FormattedAddressCountryCode", "AddressState", "ApplicantNationalityCode")
# Days after which something happens, or that are not of this design.
_OTHER_DAYS = ("expiry", "priority", "deferment", "exhibition", "destruction", "termination")


def notices(application: Element, file: str, code: str) -> Iterator[Notice | str]:
    """The designs of an application, or why one is left out.

    Args:
        application: or a design by itself.
        file: the name of the file, which shows at INPI what the notice does.
        code: of the transaction.
    """
    if application.tag == "Design":
        designs = [application]
    else:
        designs = application.findall("DesignDetails/Design") or application.findall("Design")
    office = _office(application, file)
    number = child_text(application, "DesignApplicationNumber")
    if not office:
        yield f"the application {number[:40]!r} does not say of which office it is; left out"
        return
    if not designs:
        yield f"the application {number[:40]!r} names no designs; left out"
    for place, design in enumerate(designs, start=1):
        deed = _deed(application, design, file, code)
        try:
            patent = _patent(application, design, office, place if len(designs) > 1 else None)
        except ValueError as error:
            yield f"a design of the application {number[:40]!r} {error}; left out"
            continue
        yield Notice(patent, deed, _day_of(application, design), None if deed == "deleted" else _views(design, office))


def _office(application: Element, file: str) -> str:
    code = child_text(application, "RegistrationOfficeCode").upper() or file[:2].upper() * file.startswith(
        tuple(f"FR_{name}" for name, _ in _FILE_DEEDS)
    )
    code = _OFFICES.get(code, code)
    if not code and any(map(_is_of_euipo, application.iter())):
        code = "EM"
    return code if _COUNTRY.fullmatch(code) else ""


def _is_of_euipo(node: Element) -> bool:
    return node.tag == "DesignURI" or (node.tag == "DesignIdentifier" and bool(_EUIPO.fullmatch(text_in(node))))


def _deed(application: Element, design: Element, file: str, code: str) -> Deed:
    said = " ".join([design.get("operationCode", ""), application.get("operationCode", "")]).lower()
    if any(word in said for word in _DELETED):
        return "deleted"
    if any(word in said for word in _AMENDED):
        return "amended"
    if said.strip():
        return "new"
    name = file.upper()
    for part, deed in _FILE_DEEDS:
        if part in name:
            return deed
    return "deleted" if any(word in code.lower() for word in _DELETED) else "new"


def _day_of(application: Element, design: Element) -> date | None:
    """The last day that is named in the past tense: what a notice that is not dated is as old as."""
    days = [
        day
        for node in (application, design)
        for one in (node.iter() if node is design else list(node))
        if one.tag.endswith("Date") and not one.tag.lower().startswith(_OTHER_DAYS) and (day := _day(text_in(one)))
    ]
    return max(days, default=None)


def _day(text: str) -> date | None:
    return parse_day(text[:10]) or parse_day(text) if text else None


# ---------------------------------------------------------------------- number and data


def _patent(application: Element, design: Element, office: str, place: int | None) -> Patent:
    """Raises ValueError, with what is wrong: there is no number."""
    filed = _day(first_text(application, "DesignApplicationDate", "ApplicationDate"))
    published = min(
        filter(None, map(_day, _texts(design, "PublicationDetails/Publication/PublicationDate"))), default=None
    )
    granted = _day(child_text(design, "RegistrationDate")) or published
    status = first_text(design, "DesignCurrentStatusCode", "DE_ST86Extension/DesignStatus")
    years = child_text(design, "DE_ST86Extension/TermProtectionObtained")
    protection = registered(
        office,
        granted=granted,
        filed=filed,
        expires=_day(first_text(design, "ExpiryDate", "DE_ST86Extension/ExpiryDate")),
        years=int(years) if re.fullmatch(r"\d{1,2}", years, re.ASCII) else None,
        over=_day(child_text(design, "DE_ST86Extension/CancellationDate")),
        status=status,
    )
    known, remarks = bounded(
        Bibliography(
            owners=tuple(_parties(application, design, "Applicant") or _parties(application, design, "Holder")),
            inventors=tuple(_parties(application, design, "Designer")),
            agents=tuple(_parties(application, design, "Representative")),
            related=tuple(_priorities(application, design)),
            protections=(protection,) if protection else (),
            status=status,
            published=published,
        )
    )
    return Patent(
        number=_number(application, design, office, place),
        title=_title(design),
        granted=granted,
        filed=filed,
        classes=tuple(dict.fromkeys(_classes(design))),
        remarks=remarks,
        bibliography=known,
    )


def _number(application: Element, design: Element, office: str, place: int | None) -> str:
    identifier = first_text(design, "DesignIdentifier", "DesignURI").rstrip("/").rpartition("/")[2]
    registration = child_text(design, "RegistrationNumber") or child_text(application, "DesignApplicationNumber")
    reference = child_text(design, "DesignReference")
    index = int(reference) if re.fullmatch(r"\d{1,4}", reference, re.ASCII) else place
    for text in (identifier, registration):
        if found := _WITH_PLACE.match(text):
            # INPI and OEPM repeat the reference in the number.
            return design_number(office, found["registration"], int(found["place"]))
    if not any(map(str.isdigit, registration)):
        registration = identifier
    if not any(map(str.isdigit, registration)):
        raise ValueError("has no number")
    return design_number(office, registration[:100], index)


def _title(design: Element) -> str:
    title = in_english(design.iter("DesignTitle")) or in_english(design.iter("ProductDescription"))
    return title[:_LONGEST_TITLE]


def _classes(design: Element) -> Iterator[ClassCode]:
    for product in design.iterfind("IndicationProductDetails/IndicationProduct"):
        kind = child_text(product, "ClassificationKindCode").lower()
        if kind and "locarno" not in kind:
            continue
        for node in product.iter("ClassNumber"):
            text = re.sub(r"\s*([-.])\s*", r"\1", text_in(node))
            # 08-00 is the class without a subclass.
            if code := try_code("locarno", text) or try_code("locarno", re.sub(r"[-.]?00$", "", text)):
                yield code


def _parties(application: Element, design: Element, kind: str) -> list[Party]:
    """Of the design; where it names none, of its application."""
    for node in (design, application):
        found = [_party(one) for one in node.iterfind(f"{kind}Details/{kind}")]
        if named := [party for party in found if party]:
            return named
    return []


def _party(node: Element) -> Party | None:
    given = [next(map(text_in, node.iter(tag)), "") for tag in ("FirstName", "MiddleName", "LastName")]
    name = next(filter(None, (next(map(text_in, node.iter(tag)), "") for tag in _NAMES)), "") or " ".join(
        filter(None, given)
    )
    codes = (next(map(text_in, node.iter(tag)), "").upper() for tag in _COUNTRIES)
    return Party(name, next(filter(_COUNTRY.fullmatch, codes), "")) if name else None


def _priorities(application: Element, design: Element) -> Iterator[Related]:
    for node in (design, application):
        for one in node.iterfind("PriorityDetails/Priority"):
            if number := child_text(one, "PriorityNumber"):
                country = child_text(one, "PriorityCountryCode")
                yield Related("priority", f"{country} {number}".strip(), _day(child_text(one, "PriorityDate")))


def _texts(node: Element, path: str) -> Iterator[str]:
    return (text for found in node.iterfind(path) if (text := text_in(found)))


# ---------------------------------------------------------------------- views


def _views(design: Element, office: str) -> tuple[View, ...] | None:
    """The pictures in the office's order; None where the notice has no part for them."""
    sheets = design.findall("DesignRepresentationSheetDetails")
    if not sheets:
        return None
    found: dict[str, tuple[int, tuple[str, ...], str, str]] = {}
    nodes = [node for sheet in sheets for node in sheet.iter("View")]
    for position, node in enumerate(nodes or [n for s in sheets for n in s.iter("DesignRepresentationSheet")]):
        file = first_text(node, "ViewFilename", "RepresentationSheetFilename")
        number = child_text(node, "ViewNumber")
        if office == "FR" and number.isdecimal():
            number = number.lstrip("0") or "0"
        # At INPI, the picture's file is called by the number, whatever the file name says.
        names = [number, file] if office == "FR" else [file, "" if file else number]
        files = tuple(dict.fromkeys(name for name in names if name and len(name) <= 300))
        order = child_text(node, "ViewSequenceNumber") or ("" if office == "FR" else number)
        place = int(order) if re.fullmatch(r"\d{1,9}", order, re.ASCII) else position
        if files and files[0] not in found:
            found[files[0]] = (place, files, order, in_english(node.iter("ViewTitle")))
    ordered = sorted(found.values(), key=lambda view: view[0])
    stems = [re.split(r"[/\\]", files[0])[-1] for _, files, _, _ in ordered]
    names = sheet_names([re.sub(r"-{2,}", "-", re.sub(r"\.\w{3,4}$", "", stem)) for stem in stems])
    return tuple(
        View(name, files, figure[:20], title[:_LONGEST_TITLE])
        for name, (_, files, figure, title) in zip(names, ordered, strict=True)
    )
