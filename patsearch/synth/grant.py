"""The grant of a synthetic design, as XML of the office's version 4.7.

Numbers start at USD9000001, far above those in use, and the parties call themselves what they are,
so that nothing here can be taken for a real patent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from xml.sax.saxutils import escape

from patsearch.classification import ClassCode
from patsearch.synth.design import GRANT, Design
from patsearch.synth.sheets import DPI, DrawnSheet

FIRST_NUMBER = 9_000_001
FIRST_ISSUE = date(2024, 1, 2)  # a Tuesday, on which the office grants
_OWNER = "patsearch synthetic designs"


@dataclass(frozen=True, slots=True)
class Grant:
    """What the office would say of a design.

    Attributes:
        number: normal form, `USD9000001`.
    """

    number: str
    title: str
    granted: date
    filed: date
    uspc: ClassCode
    locarno: ClassCode

    @property
    def stem(self) -> str:
        """The name of its files: number and day of the issue."""
        return f"{self.number}-{self.granted:%Y%m%d}"


def grant_of(design: Design, week: int) -> Grant:
    """Number, dates and classes; `week` counts the issues from the first."""
    granted = FIRST_ISSUE + timedelta(weeks=week)
    days = int(design.plan.rng(GRANT).integers(240, 1100))
    return Grant(
        number=f"USD{FIRST_NUMBER + design.index}",
        title=design.title,
        granted=granted,
        filed=granted - timedelta(days=days),
        uspc=ClassCode("uspc", design.uspc),
        locarno=ClassCode("locarno", design.family.locarno),
    )


def uspc_field(code: str) -> str:
    """A normal USPC code in the grant's fixed width: `D7/401.2` is `"D 74012"`, `D14/126` `"D14126"`."""
    main, _, sub = code.partition("/")
    whole, _, decimals = sub.partition(".")
    letters = main.rstrip("0123456789")
    return f"{letters}{main[len(letters) :]:>{3 - len(letters)}}{whole:>3}{decimals}"


def captions(design: Design) -> list[str]:
    """One sentence a figure: what the office prints as the description of the drawings."""
    article = _with_article(design.title)
    texts = []
    last = len(design.views) - 1
    for i, view in enumerate(design.views):
        name = view.name if view.name.startswith("another ") else f"{_a(view.name)} {view.name}"
        subject = f"of {article}, showing my new design" if i == 0 else "thereof"
        texts.append(f"{name} {subject}{'.' if i == last else '; and,' if i == last - 1 else ';'}")
    return texts


def grant_xml(design: Design, grant: Grant, sheets: Sequence[DrawnSheet]) -> bytes:
    """The grant's XML, UTF-8, for a design with the front page and its sheets."""
    day, filed = f"{grant.granted:%Y%m%d}", f"{grant.filed:%Y%m%d}"
    title = escape(grant.title)
    pages = [s for s in sheets if s.name != "D00000"]
    drawings = "\n".join(_figure(grant, sheet) for sheet in sheets)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE us-patent-grant SYSTEM "us-patent-grant-v47-2022-02-17.dtd" [ ]>
<us-patent-grant lang="EN" dtd-version="v4.7 2022-02-17" file="{grant.stem}.XML" status="PRODUCTION" \
id="us-patent-grant" country="US" date-produced="{day}" date-publ="{day}">
<us-bibliographic-data-grant>
<publication-reference>
<document-id>
<country>US</country>
<doc-number>{grant.number[2:]}</doc-number>
<kind>S1</kind>
<date>{day}</date>
</document-id>
</publication-reference>
<application-reference appl-type="design">
<document-id>
<country>US</country>
<doc-number>29{900_000 + design.index % 100_000}</doc-number>
<date>{filed}</date>
</document-id>
</application-reference>
<us-application-series-code>29</us-application-series-code>
<us-term-of-grant>
<length-of-grant>15</length-of-grant>
</us-term-of-grant>
<classification-locarno>
<edition>14</edition>
<main-classification>{grant.locarno.code.replace("-", "")}</main-classification>
</classification-locarno>
<classification-national>
<country>US</country>
<main-classification>{uspc_field(grant.uspc.code)}</main-classification>
</classification-national>
<invention-title id="d2e53">{title}</invention-title>
<number-of-claims>1</number-of-claims>
<us-exemplary-claim>1</us-exemplary-claim>
<figures>
<number-of-drawing-sheets>{len(pages)}</number-of-drawing-sheets>
<number-of-figures>{len(design.views)}</number-of-figures>
</figures>
<us-parties>
<us-applicants>
<us-applicant sequence="001" app-type="applicant" designation="us-only" applicant-authority-category="assignee">
<addressbook>
<orgname>{_OWNER}</orgname>
<address>
<city>Nowhere</city>
<country>US</country>
</address>
</addressbook>
<residence>
<country>US</country>
</residence>
</us-applicant>
</us-applicants>
<inventors>
<inventor sequence="001" designation="us-only">
<addressbook>
<last-name>Generator</last-name>
<first-name>Synthetic</first-name>
<address>
<city>Nowhere</city>
<country>US</country>
</address>
</addressbook>
</inventor>
</inventors>
</us-parties>
<assignees>
<assignee>
<addressbook>
<orgname>{_OWNER}</orgname>
<role>02</role>
<address>
<city>Nowhere</city>
<country>US</country>
</address>
</addressbook>
</assignee>
</assignees>
</us-bibliographic-data-grant>
<drawings id="DRAWINGS">
{drawings}
</drawings>
<description id="description">
<?brief-description-of-drawings description="Brief Description of Drawings" end="lead"?>
<description-of-drawings>
{_description(design)}
</description-of-drawings>
<?brief-description-of-drawings description="Brief Description of Drawings" end="tail"?>
</description>
<us-claim-statement>CLAIM</us-claim-statement>
<claims id="claims">
<claim id="CLM-00001" num="00001">
<claim-text>The ornamental design for {escape(_with_article(design.title))}, as shown and described.</claim-text>
</claim>
</claims>
</us-patent-grant>
""".encode()


def _figure(grant: Grant, sheet: DrawnSheet) -> str:
    height, width = (f"{pixels * 25.4 / DPI:.2f}mm" for pixels in sheet.page.shape)
    turned = ' orientation="landscape"' if sheet.turned else ""
    return (
        f'<figure id="Fig-EMI-{sheet.name}" num="{sheet.name[1:]}">\n'
        f'<img id="EMI-{sheet.name}" he="{height}" wi="{width}"{turned} file="{grant.stem}-{sheet.name}.TIF" '
        f'alt="embedded image" img-content="drawing" img-format="tif"/>\n</figure>'
    )


def _description(design: Design) -> str:
    texts = [
        f'<figref idref="DRAWINGS">FIG. {i}</figref> is {escape(text)}' for i, text in enumerate(captions(design), 1)
    ]
    if design.unclaimed:
        texts.append("The broken lines show portions of the article that form no part of the claimed design.")
    return "\n".join(f'<p id="p-{i:04d}" num="{i:04d}">{text}</p>' for i, text in enumerate(texts, 1))


def _a(noun: str) -> str:
    return "an" if noun[0].lower() in "aeio" else "a"


def _with_article(title: str) -> str:
    """ "Bottle" as "a bottle"; "Headphones" stays without an article."""
    first = title.partition(" ")[0]
    phrase = title[0].lower() + title[1:]
    return phrase if first.endswith("s") and not first.endswith("ss") else f"{_a(title)} {phrase}"
