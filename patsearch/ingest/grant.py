"""The XML of a US grant (v4.x, 2005 to today; 2001 to 2004 by `oldgrant`) -> `Patent`.

Every path is anchored at its own node: `main-classification` alone occurs under Locarno, USPC and
cited documents, and the CPC in `us-field-of-classification-search` is what the examiner searched,
not what the patent is classed in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from patsearch.classification import ClassCode, try_code, uspc_from_grant
from patsearch.errors import SourceError
from patsearch.ingest.bibliography import day_of, read_bibliography
from patsearch.ingest.bibliography import text_of as _text
from patsearch.ingest.captions import parse_captions
from patsearch.ingest.grantxml import BIBLIOGRAPHY, read_tree
from patsearch.ingest.oldgrant import is_old, read_old_tree
from patsearch.numbers import normal_number
from patsearch.types import Patent

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_XML = 64 << 20  # bytes; designs take 10 to 90 KB, utility grants mostly less than 1 MB
_PATENT_NUMBER = re.compile(r"US[A-Z]{0,2}\d+")


@dataclass(frozen=True, slots=True)
class Grant:
    """What a grant's XML says.

    Attributes:
        patent: the data, without sheets; what could not be read of them is in its `problems`.
        images: file names of the drawing sheets, in the order of the grant (chemistry and
            mathematics, which are images in the text, are not among them).
    """

    patent: Patent
    images: tuple[str, ...]


def parse_grant(data: bytes) -> Grant:
    """Read a grant's XML.

    Raises:
        SourceError: not XML, not a grant, unsafe, too large, or without a patent number; one line
            without the file's name.
    """
    if len(data) > MAX_XML:
        raise SourceError(f"the XML is larger than the {MAX_XML >> 20} MB allowed")
    root = read_old_tree(data) if is_old(data) else read_tree(data)
    bibliography = root.find(BIBLIOGRAPHY)
    if bibliography is None:
        raise SourceError("the grant has no bibliographic data")
    document = bibliography.find("publication-reference/document-id")
    written = _text(document, "country") + _text(document, "doc-number")
    number = normal_number(written)
    if not _PATENT_NUMBER.fullmatch(number):
        raise SourceError(f"the grant has no patent number (it says {written!r})")
    problems: list[str] = []
    title = _text(bibliography, "invention-title")
    if not title:
        problems.append("the grant has no title")
    count = _text(bibliography, "figures/number-of-figures")
    description = root.find("description/description-of-drawings")
    known, remarks = read_bibliography(bibliography)
    patent = Patent(
        number=number,
        title=title,
        kind=_text(document, "kind"),
        granted=_date(_text(document, "date"), "grant", problems),
        filed=_date(_text(bibliography, "application-reference/document-id/date"), "filing", problems),
        classes=tuple(dict.fromkeys(_classes(bibliography, problems))),
        captions=parse_captions("".join(p.itertext()) for p in description.iter("p"))
        if description is not None
        else (),
        figure_count=int(count) if re.fullmatch(r"\d{1,5}", count) else None,
        problems=tuple(problems),
        remarks=remarks,
        bibliography=known,
    )
    names = (image.get("file") or "" for image in root.iterfind("drawings/figure/img"))
    return Grant(patent, tuple(dict.fromkeys(PurePosixPath(n.replace("\\", "/")).name for n in names if n)))


def _classes(bibliography: Element, problems: list[str]) -> Iterator[ClassCode]:
    """The patent's own classes: Locarno, USPC, CPC, IPC; the main class of each first."""
    found: list[tuple[str, str, ClassCode | None]] = []
    for text in _codes(bibliography, "classification-locarno"):
        found.append(("Locarno", text, try_code("locarno", text)))
    for text in _codes(bibliography, "classification-national"):
        found.append(("US", text, uspc_from_grant(text)))
    for role in ("main-cpc", "further-cpc"):
        for node in bibliography.iterfind(f"classifications-cpc/{role}/classification-cpc"):
            found.append(("CPC", _symbol(node), try_code("cpc", _symbol(node))))
    for node in bibliography.iterfind("classifications-ipcr/classification-ipcr"):
        found.append(("IPC", _symbol(node), try_code("ipc", _symbol(node))))
    for text in _codes(bibliography, "classification-ipc"):  # to edition 7, 2005
        found.append(("IPC", text, _fixed_width_ipc(text)))
    for scheme, text, code in found:
        if code is None:
            problems.append(f"{text!r} is not a {scheme} class")
        else:
            yield code


def _codes(bibliography: Element, scheme: str) -> Iterator[str]:
    for role in ("main-classification", "further-classification"):
        for node in bibliography.iterfind(f"{scheme}/{role}"):
            # Not stripped: the US field is of fixed width, and its blanks count.
            text = "".join(node.itertext()).strip("\r\n\t")
            if text.strip():
                yield text


def _fixed_width_ipc(text: str) -> ClassCode | None:
    """`G06F015/00` and `A47B 1300`: three characters of main group behind the subclass."""
    subclass, group = text.strip()[:4], text.strip()[4:]
    main, slash, subgroup = group.partition("/") if "/" in group else (group[:3], "/", group[3:])
    return try_code("ipc", f"{subclass}{main.strip().lstrip('0') or '0'}{slash}{subgroup.strip()}")


def _symbol(node: Element) -> str:
    section, cls, subclass = (_text(node, tag) for tag in ("section", "class", "subclass"))
    group, subgroup = _text(node, "main-group"), _text(node, "subgroup")
    return f"{section}{cls}{subclass}" + (f"{group}/{subgroup}" if subgroup else group)


def _date(text: str, what: str, problems: list[str]) -> date | None:
    if (day := day_of(text)) is None:
        problems.append(f"{text!r} is not a {what} date" if text else f"the grant has no {what} date")
    return day
