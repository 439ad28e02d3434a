"""The XML of a US grant (v4.x, 2005 to today) -> `Patent`.

Every path is anchored at its own node: `main-classification` alone occurs under Locarno, USPC and
cited documents, and the CPC in `us-field-of-classification-search` is what the examiner searched,
not what the patent is classed in.

The text is read as a stream that keeps the bibliographic data, the list of drawings and their brief
description, and drops claims and description, which make up nine tenths of a utility grant. The
DOCTYPE with which every real file begins is accepted and its DTD never fetched; a file that
declares entities is refused, since grants have none and entity bombs are made of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse

from patsearch.classification import ClassCode, try_code, uspc_from_grant
from patsearch.errors import SourceError
from patsearch.ingest.captions import parse_captions
from patsearch.numbers import normal_number
from patsearch.types import Patent

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_XML = 64 << 20  # bytes; designs take 10 to 90 KB, utility grants mostly less than 1 MB
_ROOT = "us-patent-grant"
_BIBLIOGRAPHY = "us-bibliographic-data-grant"
_KEPT = {("drawings",), (_BIBLIOGRAPHY,), ("description", "description-of-drawings")}
_PATENT_NUMBER = re.compile(r"US[A-Z]{0,2}\d+")
_DEEPEST = 200
_MOST_KEPT = 300_000  # elements; a grant that cites 5,000 documents keeps about 60,000
_CONCATENATED = "junk after document element"


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
    root = _parse(data)
    bibliography = root.find(_BIBLIOGRAPHY)
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
    )
    names = (image.get("file") or "" for image in root.iterfind("drawings/figure/img"))
    return Grant(patent, tuple(dict.fromkeys(PurePosixPath(n.replace("\\", "/")).name for n in names if n)))


def _parse(data: bytes) -> Element:
    """The root, with nothing below it but what `parse_grant` reads."""
    if len(data) > MAX_XML:
        raise SourceError(f"the XML is larger than the {MAX_XML >> 20} MB allowed")
    path: list[Element] = []
    root: Element | None = None
    kept = 0
    try:
        for event, element in iterparse(BytesIO(data), events=("start", "end"), forbid_external=True):
            if event == "start":
                if not path and element.tag != _ROOT:
                    raise SourceError(f"the XML is a <{element.tag}>, not a <{_ROOT}>")
                if len(path) > _DEEPEST:
                    raise SourceError("the XML is nested too deeply for a grant")
                root = element if root is None else root
                path.append(element)
                continue
            path.pop()
            if path and not _kept(path, element):
                path[-1].remove(element)
                continue
            kept += 1
            if kept > _MOST_KEPT:
                raise SourceError("the XML has more elements than a grant can have")
    except DefusedXmlException as error:
        raise SourceError(f"the XML is not safe to read ({type(error).__name__})") from error
    except ParseError as error:
        if _CONCATENATED in str(error):
            raise SourceError(
                "the XML holds more than one document, as the full-text files without drawings do"
            ) from None
        raise SourceError(f"the XML is damaged ({error})") from error
    except (ValueError, LookupError) as error:
        raise SourceError(f"the XML is in no readable encoding ({error})") from error
    if root is None:
        raise SourceError("the XML is empty")
    return root


def _kept(path: list[Element], element: Element) -> bool:
    tags = (*(e.tag for e in path[1:3]), element.tag)
    return tags == ("description",) or any(tags[: len(kept)] == kept for kept in _KEPT)


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
    for scheme, text, code in found:
        if code is None:
            problems.append(f"{text!r} is no {scheme} class")
        else:
            yield code


def _codes(bibliography: Element, scheme: str) -> Iterator[str]:
    for role in ("main-classification", "further-classification"):
        for node in bibliography.iterfind(f"{scheme}/{role}"):
            # Not stripped: the US field is of fixed width, and its blanks count.
            text = "".join(node.itertext()).strip("\r\n\t")
            if text.strip():
                yield text


def _symbol(node: Element) -> str:
    section, cls, subclass = (_text(node, tag) for tag in ("section", "class", "subclass"))
    group, subgroup = _text(node, "main-group"), _text(node, "subgroup")
    return f"{section}{cls}{subclass}" + (f"{group}/{subgroup}" if subgroup else group)


def _text(node: Element | None, path: str) -> str:
    """All text below the first element at a path, markup dropped, blanks collapsed."""
    found = None if node is None else node.find(path)
    return "" if found is None else " ".join("".join(found.itertext()).split())


def _date(text: str, what: str, problems: list[str]) -> date | None:
    try:
        if re.fullmatch(r"\d{8}", text):
            return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        pass
    problems.append(f"{text!r} is no {what} date" if text else f"the grant has no {what} date")
    return None
