"""Patent numbers: the many ways to write one, and the one way to store it."""

from __future__ import annotations

import re

# Offices by WIPO ST.3 whose drawings are commonly collected. A closed list, so that a folder called
# "chair1234" is never read as a patent of Switzerland.
_OFFICES = frozenset(
    "AR AT AU BE BR BX CA CH CL CN CO CZ DE DK EA EM EP ES EU FI FR GB GR HK HU ID IE IL IN IT JP KR LU MX MY "
    "NL NO NZ PH PL PT RO RU SE SG SK TH TR TW UA US VN WO ZA".split(" ")
)
_SERIES = frozenset(["", "D", "RE", "PP", "H", "T", "X", "RD", "DM", "S", "Y", "A", "B"])
# Country, series letters, digits, kind code (S, S1, B2 ...).
_NUMBER = re.compile(r"^(?P<office>[A-Z]{2})(?P<series>[A-Z]{0,2})(?P<digits>\d{4,12})(?P<kind>[A-Z]\d?)?$", re.ASCII)
_US_SERIES = re.compile(r"^(?:D|RE|PP|H|T)\d{4,}[A-Z]?\d?$", re.ASCII)


def normal_number(text: str) -> str:
    """The stored form of a patent number: office, series letters and digits, nothing else.

    `USD907292S`, `USD0907292`, `D907,292` and `US D907292 S1` all become `USD907292`;
    `US 12,448,135 B2` becomes `US12448135`. Text that is not a patent number (a folder name in a
    private collection) is returned unchanged, blanks trimmed.
    """
    stripped = text.strip()
    packed = re.sub(r"[\s,./-]", "", stripped).upper()
    if _US_SERIES.match(packed):
        packed = "US" + packed
    match = _NUMBER.match(packed)
    if not match or match["office"] not in _OFFICES or match["series"] not in _SERIES:
        return stripped
    return match["office"] + match["series"] + (match["digits"].lstrip("0") or "0")
