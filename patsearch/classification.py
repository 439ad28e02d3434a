"""Class codes of Locarno, USPC, CPC and IPC: reading, one normal form, ancestors.

| scheme  | normal form   | ancestors, broadest first                    |
|---------|---------------|----------------------------------------------|
| locarno | `14-02`       | `14`, `14-02`                                |
| uspc    | `D14/126`     | `D14`, `D14/126`                             |
| cpc     | `G06F3/01`    | `G`, `G06`, `G06F`, `G06F3`, `G06F3/01`      |
| ipc     | `G06F3/01`    | as CPC                                       |

A code is matched by hierarchy, never by raw characters: `D2` is an ancestor of `D2/947` and not of
`D20/10`. USPC subclasses with decimals (`D7/401.2`) are separate subclasses: the text of the
code does not show their place in the schedule, so `D7/401` does not include them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

from patsearch.errors import FilterError
from patsearch.text import typed

Scheme = Literal["locarno", "uspc", "cpc", "ipc"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)

_LOCARNO = re.compile(r"^(\d{1,2})(?:[-./ ]?(\d{2}))?$")
_USPC = re.compile(r"^(PLT|G9B|D?\s*\d{1,3})(?:\s*/\s*([0-9A-Z]+(?:\.\d+)?[A-Z]*))?$")
_CPC = re.compile(r"^([A-HY])(?:(\d{2})(?:([A-Z])(?:\s*(\d{1,4})(?:/(\d{2,6}))?)?)?)?$")
_VERSION = re.compile(r" ?\(\d{4}\.\d{2}\)$")  # of the classification, as front pages print it: A47C 7/00 (2006.01)
# Section D, textiles and paper, is the one that looks like US design classes.
_TEXTILE_CLASSES = frozenset(["01", "02", "03", "04", "05", "06", "07", "10", "21", "99"])
_LONGEST = 40  # characters
_LAST_DESIGN_CLASS = 34  # D1 to D34, and D99 for what fits nowhere else
_LAST_LOCARNO_CLASS = 32  # and 99
_UNDIVIDED = (31, 32, 99)  # these have one subclass, 00; 32 had it to the 11th edition


@dataclass(frozen=True, slots=True, order=True)
class ClassCode:
    """One class code in normal form, such as `ClassCode("uspc", "D14/126")`."""

    scheme: Scheme
    code: str

    @property
    def ancestors(self) -> tuple[str, ...]:
        """Every code that includes this one, broadest first, the code itself last."""
        return _ancestors(self.scheme, self.code)

    def __str__(self) -> str:
        return f"{self.scheme}:{self.code}"


def parse_code(scheme: str, text: str) -> ClassCode:
    """Read a code as it is commonly written (`d14/126`, `14.02`, `G06F 3/01`).

    Raises:
        FilterError: the scheme is unknown or the text is not a code of that scheme.
    """
    if scheme not in SCHEMES:
        raise FilterError(f"Unknown classification scheme {scheme!r}.", hint="Use " + ", ".join(SCHEMES) + ".")
    code = try_code(scheme, text)
    if code is None:
        raise FilterError(f"{text!r} is not a {scheme} code.", hint=f"Examples: {_EXAMPLES[scheme]}.")
    return code


def try_code(scheme: Scheme, text: str) -> ClassCode | None:
    """Like `parse_code`, but None where the text is not a code of that scheme."""
    code = _NORMALISERS[scheme](typed(text).upper()) if len(text) <= _LONGEST else None
    return None if code is None else ClassCode(scheme, code)


def uspc_from_grant(text: str) -> ClassCode | None:
    """Read the fixed-width USPC field of a grant: 3 characters class, 3 subclass, implied decimals.

    `"D14126"` is D14/126, `"D 2947"` and `" D2947"` D2/947, `"D14  3"` D14/3, `"D28  81"` D28/8.1,
    `" D74012"` D7/401.2, `"345173"` 345/173, `"  4DIG 12"` 4/DIG12. None where nothing can be made of
    the text.
    """
    raw = text.rstrip().upper()
    cls, subclass, decimals = (re.sub(r"\s", "", part) for part in (raw[:3], raw[3:6], raw[6:]))
    subclass = subclass.lstrip("0")
    if decimals and not subclass:
        return None
    # Digits behind the third place are decimals (401.2, E21.001); letters belong to the subclass (27R),
    # and digests and foreign art collections are counted, not divided (DIG12, FOR100).
    point = "." if subclass and decimals.isdigit() and not subclass.isalpha() else ""
    code = _normal_uspc(f"{cls}/{subclass}{point}{decimals}" if subclass else cls)
    return ClassCode("uspc", code) if code else None


def is_design_class(code: str) -> bool:
    """Whether a normal USPC code is in the design classes D1 to D34 or D99."""
    match = re.match(r"^D(\d{1,2})(?:/|$)", code)
    return match is not None and (1 <= int(match.group(1)) <= _LAST_DESIGN_CLASS or match.group(1) == "99")


def is_known_class(code: ClassCode) -> bool:
    """False for a main class that the Locarno Classification does not have (13th edition: 1 to 32, and 99)."""
    return code.scheme != "locarno" or int(code.code[:2]) in (*range(_LAST_LOCARNO_CLASS + 1), 99)


def _normal_locarno(text: str) -> str | None:
    match = _LOCARNO.match(text)
    if not match:
        return None
    main = int(match.group(1))
    if not 1 <= main <= 99 or (match.group(2) == "00" and main not in _UNDIVIDED):
        return None
    return f"{main:02d}-{match.group(2)}" if match.group(2) else f"{main:02d}"


def _normal_uspc(text: str) -> str | None:
    # Some collections write designs with a hyphen, D14-126; nothing else is written so.
    match = _USPC.match(re.sub(r"^(D\s*\d{1,2})\s*-\s*(?=\w)", r"\1/", text))
    if not match:
        return None
    if match.group(1) == "G9B":
        return f"G9B/{match.group(2)}" if match.group(2) else "G9B"
    letters, digits = re.sub(r"[\s\d]", "", match.group(1)), re.sub(r"\D", "", match.group(1))
    if digits and not int(digits):
        return None
    cls = letters + digits.lstrip("0")
    if letters == "D" and not is_design_class(cls):
        return None
    if not match.group(2):
        return cls
    sub = match.group(2).lstrip("0")
    return f"{cls}/{sub}" if sub else None


def _normal_cpc(text: str) -> str | None:
    # D99, what fits nowhere else, exists in IPC alone.
    return None if text.replace(" ", "").startswith("D99") else _normal_symbol(text)


def _normal_ipc(text: str) -> str | None:
    # Y, tags across sections, exists in CPC alone.
    return None if text.startswith("Y") else _normal_symbol(text)


def _normal_symbol(text: str) -> str | None:
    match = _CPC.match(_VERSION.sub("", text).replace(" ", ""))
    if not match:
        return None
    section, cls, subclass, group, subgroup = match.groups()
    if cls == "00" or (group and not int(group)) or (section == "D" and cls and cls not in _TEXTILE_CLASSES):
        return None
    code = section + (cls or "") + (subclass or "")
    if group:
        code += str(int(group))
    return f"{code}/{subgroup}" if subgroup else code


_NORMALISERS = {"locarno": _normal_locarno, "uspc": _normal_uspc, "cpc": _normal_cpc, "ipc": _normal_ipc}
_EXAMPLES = {
    "locarno": "14, 14-02",
    "uspc": "D14, D14/126, 345/173",
    "cpc": "G06F, G06F3, G06F3/01",
    "ipc": "G06F, G06F3, G06F3/01",
}


@lru_cache(maxsize=65536)
def _ancestors(scheme: Scheme, code: str) -> tuple[str, ...]:
    if scheme == "locarno":
        return (code,) if "-" not in code else (code[:2], code)
    if scheme == "uspc":
        cls, slash, _ = code.partition("/")
        return (cls, code) if slash else (code,)
    match = _CPC.match(code)
    if not match:
        return (code,)
    levels: list[str] = []
    for part in match.groups()[:4]:
        if part is None:
            break
        levels.append((levels[-1] if levels else "") + part)
    if levels[-1] != code:
        levels.append(code)
    return tuple(levels)
