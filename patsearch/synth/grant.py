"""The grant of a synthetic design, as XML of the office's version 4.7.

Numbers start at USD9000001, far above those in use, and the parties call themselves what they are,
so that nothing here can be taken for a real patent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from string import Template
from xml.sax.saxutils import escape

from patsearch.classification import ClassCode
from patsearch.synth.design import GRANT, Design
from patsearch.synth.sheets import DPI, DrawnSheet

FIRST_NUMBER = 9_000_001
FIRST_ISSUE = date(2024, 1, 2)  # a Tuesday, on which the office grants
_OWNER = "patsearch synthetic designs"


@dataclass(frozen=True, slots=True)
class Grant:
    """What the office would publish about a design.

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
    return (
        _template()
        .substitute(
            stem=grant.stem,
            granted=f"{grant.granted:%Y%m%d}",
            filed=f"{grant.filed:%Y%m%d}",
            number=grant.number[2:],
            application=900_000 + design.index % 100_000,
            locarno=grant.locarno.code.replace("-", ""),
            uspc=uspc_field(grant.uspc.code),
            title=escape(grant.title),
            article=escape(_with_article(design.title)),
            sheets=sum(sheet.name != "D00000" for sheet in sheets),
            figures=len(design.views),
            owner=_OWNER,
            drawings="\n".join(_figure(grant, sheet) for sheet in sheets),
            description=_description(design),
        )
        .encode()
    )


@cache
def _template() -> Template:
    return Template(files("patsearch.synth").joinpath("grant.xml").read_text(encoding="utf-8"))


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
