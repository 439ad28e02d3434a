"""Grants of 2001 to 2004 (DTD 2.4 and 2.5, `PATDOC`) as the tree of a grant of today.

Half of these files are SGML: elements without content have no end, and characters are named (`&mdash;`) by a DTD that
is not there. So they are read as marked-up text, element by element. Nothing that they declare is resolved: an entity
with a notation is the name of a picture's file, and any other is left as it is written.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from itertools import islice
from xml.etree.ElementTree import Element, SubElement

from patsearch.bibliography import MOST_CITATIONS
from patsearch.errors import SourceError
from patsearch.ingest.oldbibliography import add_bibliography

_ROOT = re.compile(rb"<PATDOC[\s>]")
_HEAD = 4096  # bytes in which a file of this kind names its root; entities of pictures come before it
_PARTS = ("SDOBI", "DRWDESC", "SDODR")  # of a grant; claims and the rest of the description are passed over
_TOKEN = re.compile(r"<(?P<end>/?)(?P<name>[A-Za-z][\w.-]*)(?P<attributes>[^<>]*)>|(?P<text>[^<]+)")
_FILE = re.compile(r'\bFILE\s*=\s*"([^"]*)"', re.IGNORECASE)
_PICTURE = re.compile(r'<!ENTITY\s+([^\s%]+)\s+(?:SYSTEM|PUBLIC\s+"[^"]*")\s+"([^"]*)"\s+NDATA\s', re.IGNORECASE)
_CHARACTERS = "<![CDATA["
_ASIDES = {"<!--": "-->", "<?": ">", _CHARACTERS: "]]>"}  # how they begin and end
_ASIDE = re.compile("|".join(map(re.escape, _ASIDES)))
_MOST_ELEMENTS = 300_000
_DEEPEST = 200
_MOST_PIECES = 10_000
_CITATION_ENDS = re.compile(r"</B56[12]\s*>")
_CITATIONS_END = "</B560"


def is_old(data: bytes) -> bool:
    """Whether a file is a grant of these years."""
    head = data[:_HEAD]
    return b"<!DOCTYPE PATDOC" in head or bool(_ROOT.search(head))


def read_old_tree(data: bytes) -> Element:
    """The root of a grant, with the elements that a grant of version 4 has for the same.

    Raises:
        SourceError: more than one grant, or beyond the bounds; one line without the file's name.
    """
    if len(_ROOT.findall(data)) > 1:
        raise SourceError("the file holds more than one grant, as the full-text files without drawings do")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    parts = {name: _part(text, name) for name in _PARTS}
    return _new_tree(parts["SDOBI"], parts["DRWDESC"], parts["SDODR"], dict(_PICTURE.findall(text)))


def _part(text: str, name: str) -> Element:
    """The first element of a name, with what is in it; empty where there is none."""
    root = Element(name)
    start = re.search(rf"<{name}[\s>]", text)
    if start is None:
        return root
    end = text.find(f"</{name}", start.start())
    text = _without_remarks(_without_more_citations(text[start.start() : end if end >= 0 else len(text)]))
    path, elements = [root], 0
    words: list[str] = []  # since the last tag; more than one where "<" is a character of the text
    for token in _TOKEN.finditer(text):
        here = path[-1]
        if token["text"]:
            words.append(token["text"])
            if len(words) > _MOST_PIECES:
                raise SourceError("the file is not marked up as a grant is")
            continue
        _add_text(here, words)
        if token["end"]:
            # Elements that were not ended are those within the one that is.
            names = [element.tag for element in path]
            if token["name"] in names[1:]:
                del path[len(names) - 1 - names[::-1].index(token["name"]) :]
        elif token["name"] != name:
            elements += 1
            if elements > _MOST_ELEMENTS or len(path) > _DEEPEST:
                raise SourceError("the file has more elements than a grant can have")
            element = SubElement(here, token["name"])
            if found := _FILE.search(token["attributes"]):
                element.set("FILE", html.unescape(found[1]))
            if not (token["attributes"].endswith("/") or token["name"] == "EMI"):
                path.append(element)
    _add_text(path[-1], words)
    return root


def _without_more_citations(text: str) -> str:
    """The text with as many citations as a bibliography may have, and one more, which shows that there are more."""
    ends = islice(_CITATION_ENDS.finditer(text), MOST_CITATIONS, None)
    if (last := next(ends, None)) is None:
        return text
    end = text.find(_CITATIONS_END, last.end())
    return text[: last.end()] + (text[end:] if end >= 0 else "")


def _without_remarks(text: str) -> str:
    """A text without comments and instructions to programs; what is marked as characters alone, as such."""
    kept, at = [], 0
    while begins := _ASIDE.search(text, at):
        ends = text.find(_ASIDES[begins[0]], begins.end())
        if ends < 0:
            break
        kept.append(text[at : begins.start()])
        if begins[0] == _CHARACTERS:
            kept.append(html.escape(text[begins.end() : ends], quote=False))
        at = ends + len(_ASIDES[begins[0]])
    return "".join([*kept, text[at:]]) if kept else text


def _add_text(element: Element, words: list[str]) -> None:
    """Put text at the end of what an element holds; the list is empty then."""
    if not words:
        return
    text = html.unescape("".join(words))
    words.clear()
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text


def _new_tree(data: Element, drawings: Element, sheets: Element, pictures: dict[str, str]) -> Element:
    root = Element("us-patent-grant")
    new = SubElement(root, "us-bibliographic-data-grant")
    number = _text(data, "B100/B110/DNUM")
    document = SubElement(SubElement(new, "publication-reference"), "document-id")
    for name, text in (
        ("country", _text(data, "B100/B190") or "US"),
        ("doc-number", number),
        ("kind", _text(data, "B100/B130")),
        ("date", _text(data, "B100/B140/DATE")),
    ):
        SubElement(document, name).text = text
    filed = SubElement(SubElement(new, "application-reference"), "document-id")
    SubElement(filed, "date").text = _text(data, "B200/B220/DATE")
    # Designs have Locarno classes where others have those of the IPC.
    international = "classification-locarno" if number.strip().upper().startswith("D") else "classification-ipc"
    for scheme, group, main in (("classification-national", "B520", "B521"), (international, "B510", "B511")):
        node = SubElement(new, scheme)
        for name in (main, f"{main[:-1]}2"):
            role = "main-classification" if name == main else "further-classification"
            for code in _texts(data, f"B500/{group}/{name}"):
                SubElement(node, role).text = code
    SubElement(new, "invention-title").text = _text(data, "B500/B540")
    SubElement(SubElement(new, "figures"), "number-of-figures").text = _text(data, "B500/B590/B596").strip()
    add_bibliography(new, data)
    description = SubElement(SubElement(root, "description"), "description-of-drawings")
    for paragraph in _texts(drawings, ".//PARA"):
        SubElement(description, "p").text = paragraph
    figures = SubElement(SubElement(root, "drawings"), "figure")
    for sheet in sheets.iter("EMI"):
        file = sheet.get("FILE", "")
        SubElement(figures, "img").set("file", pictures.get(file, file))
    return root


def _texts(root: Element, path: str) -> Iterator[str]:
    return ("".join(node.itertext()) for node in root.iterfind(path))


def _text(root: Element, path: str) -> str:
    return next(_texts(root, path), "")
