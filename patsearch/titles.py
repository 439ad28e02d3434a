"""What class codes are called, and where an office shows a patent.

`class-titles.csv` has the titles of the classes of the Locarno Classification (WIPO) and of the design
classes of the United States Patent Classification (USPTO). Subclasses have the title of their class.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from importlib.resources import files
from urllib.parse import quote

from patsearch.classification import ClassCode
from patsearch.numbers import normal_number

_PART_OF = re.compile(r"^(combined |front |surface )*(portion|part|pair|set|combination)s? of (an? |the )?")
_CUT = re.compile(r",|\b(?:with|for|of|having|and|in|to|on|or)\b")
_NUMBER = re.compile(r"^(?P<office>[A-Z]{2})(?P<rest>(?:[A-Z]{0,2})\d{4,12})$", re.ASCII)

_EU_DESIGN = re.compile(r"^E[MU](?P<registration>\d{4,9})-(?P<place>\d{4})$", re.ASCII)


def title_of(code: ClassCode) -> str | None:
    """The title of the code's main class; None for schemes and classes without one here."""
    return class_titles().get((code.scheme, code.ancestors[0]))


@cache
def class_titles() -> dict[tuple[str, str], str]:
    """Every title by scheme and class, `("uspc", "D14")`, in the order of the schemes."""
    lines = files("patsearch").joinpath("class-titles.csv").read_text(encoding="utf-8").splitlines()
    return {(row["scheme"], row["class"]): row["title"] for row in csv.DictReader(lines)}


def head_noun(title: str) -> str:
    """The thing that a title names: "Portion of a shoe upper" -> "upper", "Lamp with a clip" -> "lamp".

    The title is cut at the first preposition, conjunction or comma; of what is left, the last word counts. A part, a
    pair or a set of something is that thing.
    """
    title = _PART_OF.sub("", title.casefold().strip())
    words = re.findall(r"[^\W\d_]+", _CUT.split(title, maxsplit=1)[0])
    return words[-1] if words else ""


def link_of(number: str) -> str | None:
    """An office's page of a patent: the USPTO's public search, the EUIPO's of its designs, Espacenet for other patents.

    Espacenet has no designs: those of other offices lead nowhere.

    Args:
        number: in any way of writing; None is returned for a name that is not a patent number.
    """
    normal = normal_number(number)
    if design := _EU_DESIGN.match(normal):
        return f"https://euipo.europa.eu/eSearch/#details/designs/{design['registration'].zfill(9)}-{design['place']}"
    match = _NUMBER.match(normal)
    if match is None or match["rest"].startswith("DM"):
        return None
    if match["office"] == "US":
        return "https://ppubs.uspto.gov/pubwebapp/external.html?q=" + quote(f"({match['rest']}).pn.", safe="().")
    return "https://worldwide.espacenet.com/patent/search?q=" + quote(f"pn={match[0]}", safe="")
