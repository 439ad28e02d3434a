"""Patent numbers: the many ways to write one, and the one way to store it."""

from __future__ import annotations

import re
import unicodedata

from patsearch.text import typed

# Offices by WIPO ST.3 whose drawings are commonly collected. A closed list, so that a folder called
# "chair1234" is never read as a patent of Switzerland.
OFFICES = frozenset(
    "AR AT AU BE BR BX CA CH CL CN CO CZ DE DK EA EM EP ES EU FI FR GB GR HK HU ID IE IL IN IT JP KR LU MX MY "
    "NL NO NZ PH PL PT RO RU SE SG SK TH TR TW UA US VN WO ZA".split(" ")
)
_SERIES = frozenset(["", "D", "RE", "PP", "H", "T", "X", "RD", "DM", "S", "Y", "A", "B", "M"])
# Of these offices alone; elsewhere they are somebody's own names (SET-1234).
_SERIES_OF = {"RE": "US", "PP": "US", "T": "US", "X": "US", "RD": "US", "H": "US JP", "M": "DE"}
# Country, series letters, digits, kind code (S, S1, B2 ...).
_NUMBER = re.compile(r"^(?P<office>[A-Z]{2})(?P<series>[A-Z]{0,2})(?P<digits>\d{4,12})(?P<kind>[A-Z]\d?)?$", re.ASCII)
_US_SERIES = re.compile(r"^(?:D|RE|PP|H|T)\d{4,}[A-Z]?\d?$", re.ASCII)
# One design of a registration that has several, as it is stored; "US" has none, and a patent's "-0001" is a page.
_DESIGN = re.compile(r"^((?!US|EP)[A-Z]{2}(?:D|DM|M)?\d{4,12})-(\d{4})$", re.ASCII)
_DESIGN_WRITTEN = re.compile(
    r"^(?P<office>EM|EU|DE|FR|ES|BX|IT|AT|CH|GB|PT|SE|DK|FI|IE|PL|CZ|HU|TR|WO)[ -]?(?P<series>DM|D|M)?[ /]*"
    r"(?P<digits>\d{4,12}) ?[-/] ?(?P<index>\d{3,4})$",
    re.ASCII,
)
# International registrations under the Hague Agreement: DM/218234, and M/ without the D.
_HAGUE = re.compile(r"^(?:WO ?)?D?M ?/ ?(?P<digits>\d{4,7})(?: ?- ?(?P<index>\d{1,4}))?$", re.ASCII)
_LONGEST = 100

# The USPTO's own file names have the day of the issue behind the number, and the name of the sheet.
_EDITION = re.compile(r"-(?:17|18|19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:-D\d{5})?$", re.ASCII)
_UNITED_STATES = re.compile(
    r"^(?:UNITED STATES(?: OF AMERICA)?|U\. ?S\. ?P\.|U\. ?S\.(?: ?A\.)?|USA?(?= )"
    r"|USPN?(?= ?(?:\d{1,2},\d{3},\d{3}|\d{6,8})\b)) ?",
    re.ASCII,
)
_PATENT = re.compile(
    r"\b(?:PAT(?:ENTS?)?|PUB(?:LICATION)?|APPL(?:ICATION)?)\b\.?(?: ?(?:NUMBER|NUM\.|NOS?\b\.?|NR\b\.?))? ?:? ?"
)
# With thousands separated, "No 6,859,910" is not of Norway.
_NO = re.compile(r"^(?:(?:NOS?|NR) ?[.:]|NUMBER\b|#|N°|NOS?(?= \d{1,2},\d{3},\d{3})) ?", re.ASCII)
# Words for the letters of a series, and where these are read without the word "patent" next to them: a folder
# "Design 1234" is somebody's own.
_SERIES_WORDS = (
    (re.compile(r"^DES(?:IGN)?\b\.? ?(?=D? ?\d)|^DES(?=\d)"), re.compile(r"^DES(?:IGN .*\d,\d{3}\b|\b|\d)"), "D"),
    (re.compile(r"^REISSUED? (?=(?:RE)?[. ]*\d)"), re.compile(r"^REISSUED? .*\d,\d{3}\b"), "RE"),
    (re.compile(r"^PLANT (?=(?:PP)? ?\d)"), re.compile(r"^PLANT .*\d,\d{3}\b"), "PP"),
)
# What behind the word "patent" is a number of the United States.
_DIGITS = re.compile(r"^(?:\d{1,3},\d{3}|\d{6})", re.ASCII)
# 6,859,910 and 6.859.910: from a million on, every three digits apart.
_MILLIONS = re.compile(r"^\d{1,2}([,.' ’])\d{3}\1\d{3}(?: ?[A-Z]\d?)?$", re.ASCII)
_BETWEEN = r"[\s,./'’()_-]"
_DIGITS_APART = re.compile(rf"\d(?:{_BETWEEN}*\d)*", re.ASCII)
_LONGEST_FIRST, _LEAST_OTHER = 4, 3  # digits of the parts that a number is written in


def normal_number(text: str) -> str:
    """The stored form of a patent number: office, series letters and digits, nothing else.

    `USD907292S`, `USD0907292`, `D907,292`, `US D907292 S1`, `Des. 907,292`, `U.S. Pat. No. D907,292` and
    `USD0907292-20210105` all become `USD907292`; `US 12,448,135 B2` and `12,448,135` become `US12448135`. A design of a
    registration that has several has its place behind the number: `EM 004247823-0007` becomes `EM4247823-0007`,
    `DM/218234-2` becomes `WODM218234-0002`. Text that is not a patent number (a folder name in a private collection)
    is returned in Unicode's form NFC, blanks trimmed.
    """
    stripped = unicodedata.normalize("NFC", text.strip())
    if len(stripped) > _LONGEST:
        return stripped
    folded = typed(stripped).upper()
    if design := _HAGUE.match(folded):
        return design_number("WO", f"DM{design['digits']}", int(design["index"]) if design["index"] else None)
    if design := _DESIGN_WRITTEN.match(folded):
        return design_number(design["office"], f"{design['series'] or ''}{design['digits']}", int(design["index"]))
    written = _without_words(_EDITION.sub("", folded))
    packed = re.sub(_BETWEEN, "", written)
    if _US_SERIES.match(packed):
        packed = "US" + packed
    match = _NUMBER.match(packed)
    if not match or not is_number(packed) or not _is_one(written):
        return stripped
    return match["office"] + match["series"] + (match["digits"].lstrip("0") or "0")


def is_number(text: str) -> bool:
    """Whether a text in the form of `normal_number` is a patent's number, not any other text."""
    design = _DESIGN.match(text)
    match = _NUMBER.match(design[1] if design else text)
    if match is None or match["office"] not in OFFICES or match["series"] not in _SERIES:
        return False
    return match["office"] in _SERIES_OF.get(match["series"], match["office"])


def design_number(office: str, registration: str, index: int | None) -> str:
    """The stored form of the number of a design: `EM4247823-0007`.

    Args:
        office: code by WIPO ST.3.
        registration: number of the registration as the office writes it, `004247823` or `M8800174`.
        index: the design's place in its registration, from 1 on; None where the office gives each its own number.
    """
    place = "" if index is None else f"-{index:04d}"
    plain = re.sub(r"[\s/.]", "", registration.upper())
    match = re.fullmatch(r"(D|DM|M)?0*(\d{1,12})", plain, re.ASCII)
    number = f"{office}{match[1] or ''}{match[2].zfill(4)}{place}" if match else ""
    return number if is_number(number) else f"{office} {' '.join(registration.split())}{place}"


def registration_of(number: str) -> str:
    """The registration that a design belongs to, `EM4247823` of `EM4247823-0007`; of any other number, itself."""
    design = _DESIGN.match(number)
    return design[1] if design else number


def _is_one(written: str) -> bool:
    """False where more than a number is written: `D907292 (2)` and `USD907292-1` are not longer numbers."""
    digits = _DIGITS_APART.search(written)
    first, *others = re.findall(r"\d+", digits[0]) if digits else [""]
    return not others or (len(first) <= _LONGEST_FIRST and all(len(part) >= _LEAST_OTHER for part in others))


def office_of(text: str) -> str:
    """The office of a number in the form of `normal_number`, by WIPO ST.3; "" for any other text.

    Designs of the European Union are `EM`, also where their numbers begin with `EU`.
    """
    return text[:2].replace("EU", "EM") if is_number(text) else ""


def _without_words(text: str) -> str:
    """`U.S. DESIGN PAT. NO. 907,292` -> `USD907,292`: words as the letters that stand for them."""
    rest, states = _UNITED_STATES.subn("", text)
    rest, patents = _PATENT.subn(" ", rest)
    rest = _NO.sub("", " ".join(rest.split()))
    for word, alone, letters in _SERIES_WORDS:
        if word.match(rest) and (states or patents or alone.match(rest)):
            return "US" + letters + word.sub("", rest).removeprefix(letters)
    if states or _MILLIONS.match(rest) or (patents and _DIGITS.match(rest)):
        return "US" + rest.removeprefix("US")
    return rest
