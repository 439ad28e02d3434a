"""The real grants, and a reading of their XML that shares nothing with the package."""

from __future__ import annotations

import io
import re
import tarfile
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from lxml import etree


def real_grants(data_dir: Path) -> Iterator[tuple[str, bytes]]:
    """Name and XML of the 449 grants of one week of 2023 and of the 59 in the weekly archives."""
    for path in sorted((data_dir / "uspto-design-xml-2023").glob("*.XML")):
        yield path.name, path.read_bytes()
    for path in sorted((data_dir / "uspto-weekly").glob("*.tar")):
        with tarfile.open(path) as archive:
            for info in archive:
                content = archive.extractfile(info)
                assert content is not None
                with zipfile.ZipFile(io.BytesIO(content.read())) as grant:
                    (name,) = (n for n in grant.namelist() if n.endswith(".XML"))
                    yield name, grant.read(name)


def independent(data: bytes) -> dict[str, object]:
    """The fields by absolute XPaths with another parser, nothing shared with the package."""
    root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True))
    b = "/us-patent-grant/us-bibliographic-data-grant"

    def all_of(path: str) -> list[str]:
        return [str(text) for text in root.xpath(b + path + "/text()")]

    def cpc(nodes: list[etree._Element]) -> list[str]:
        field = [[n.findtext(t) for t in ("section", "class", "subclass", "main-group", "subgroup")] for n in nodes]
        return [f"{s}{c}{sub}{int(group)}/{subgroup}" for s, c, sub, group, subgroup in field]

    def uspc(text: str) -> str:
        letter, number = text[0:3].replace(" ", "")[0], text[0:3].replace(" ", "")[1:]
        decimals = f".{text[6:]}" if text[6:] else ""
        return f"{letter}{int(number)}/{text[3:6].strip()}{decimals}"

    locarno = all_of("/classification-locarno/main-classification")
    locarno += all_of("/classification-locarno/further-classification")
    national = all_of("/classification-national/main-classification")
    national += all_of("/classification-national/further-classification")
    cpcs = root.xpath(b + "/classifications-cpc/main-cpc/classification-cpc")
    cpcs += root.xpath(b + "/classifications-cpc/further-cpc/classification-cpc")
    (doc,) = all_of("/publication-reference/document-id/doc-number")
    (granted,) = all_of("/publication-reference/document-id/date")
    (filed,) = all_of("/application-reference/document-id/date")
    return {
        "number": "US" + re.sub(r"^(\D*)0*", r"\1", doc),
        "kind": all_of("/publication-reference/document-id/kind")[0],
        "title": " ".join(str(root.xpath(f"string({b}/invention-title)")).split()),
        "granted": datetime.strptime(granted, "%Y%m%d").date(),
        "filed": datetime.strptime(filed, "%Y%m%d").date(),
        "locarno": [f"{text[:2]}-{text[2:]}" for text in locarno],
        "uspc": [uspc(text) for text in national],
        "cpc": cpc(cpcs),
        "ipc": cpc(root.xpath(b + "/classifications-ipcr/classification-ipcr")),
        "figures": int(all_of("/figures/number-of-figures")[0]),
        "images": [str(file) for file in root.xpath("/us-patent-grant/drawings/figure/img/@file")],
    }


def independent_bibliography(data: bytes) -> dict[str, object]:
    """Parties, citations, earlier documents, Hague data and term, by absolute XPaths with another parser."""
    root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True))
    b = "/us-patent-grant/us-bibliographic-data-grant"

    def words(node: etree._Element, path: str) -> str:
        return " ".join(str(node.xpath(f"string({path})")).split())

    def parties(path: str) -> list[tuple[str, str]]:
        found = []
        for node in root.xpath(b + path):
            organisation = words(node, ".//orgname")
            person = f"{words(node, './/first-name')} {words(node, './/last-name')}".strip()
            country = words(node, ".//address/country") or words(node, "residence/country")
            found.append((organisation or person, "" if country == "unknown" else country))
        return found

    def cited(by: str) -> list[str]:
        nodes = root.xpath(f"{b}/us-references-cited/us-citation[category='cited by {by}']/patcit/document-id")
        return [bare(words(n, "country"), words(n, "doc-number")) for n in nodes]

    def literature(by: str) -> list[str]:
        nodes = root.xpath(f"{b}/us-references-cited/us-citation[category='cited by {by}']/nplcit")
        return [words(node, "othercit") for node in nodes]

    def related() -> list[tuple[str, str, str]]:
        found = []
        for node in root.xpath(b + "/us-related-documents/*"):
            document = "relation/parent-doc/document-id" if node.find("relation") is not None else "document-id"
            date = words(node, "relation/parent-doc/international-filing-date/date") or words(node, f"{document}/date")
            found.append((node.tag, words(node, f"{document}/doc-number"), date))
        for node in root.xpath(b + "/pct-or-regional-filing-data/document-id"):
            found.append(("pct-application", words(node, "doc-number"), words(node, "date")))
        return found

    return {
        "owners": parties("/assignees/assignee") or parties("/us-parties/us-applicants/us-applicant"),
        "inventors": parties("/us-parties/inventors/inventor"),
        "agents": parties("/us-parties/agents/agent"),
        "examiner": cited("examiner"),
        "applicant": cited("applicant"),
        "examiner's literature": literature("examiner"),
        "applicant's literature": literature("applicant"),
        "related": related(),
        "hague": words(root, f"{b}/hague-agreement-data/international-registration-number"),
        "registered": words(root, f"{b}/hague-agreement-data/international-registration-date/date"),
        "years": words(root, f"{b}/us-term-of-grant/length-of-grant"),
        "extension": words(root, f"{b}/us-term-of-grant/us-term-extension"),
        "disclaimer": bool(root.xpath(b + "/us-term-of-grant/disclaimer")),
    }


def bare(country: str, number: str) -> str:
    """Country and number without signs, leading zeros and a letter at the end, which may be a kind: for comparing.

    The place of a design within a registration has four digits, as in WOD210769-0005, which grants cite with three.
    """
    number = re.sub(r"(?<=\d)-(\d{2,3})$", lambda place: place[1].zfill(4), number)
    found = re.fullmatch(r"([A-Z]*)0*(.*?)[A-Z]?", re.sub(r"[^0-9A-Z]", "", (country + number).upper()))
    assert found
    return found[1] + found[2]
