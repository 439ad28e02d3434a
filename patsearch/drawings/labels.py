"""What a line of sheet text means: a figure label, a header, a page number, or other text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Literal

Kind = Literal["label", "bare", "header", "page", "remark", "numeral", "other"]

_NUMBER = r"(?P<number>\d{1,3}(?:\.\d{1,2})?(?:-?[A-Z]'?|-\d{1,2}|')?)(?P<part>\([A-Z0-9]{1,3}\))?"
_REMARK = re.compile(r"\(?PR[I1L]?[O0]R[A4]RT\)?$")
# The readers' own slips are let through where the rest leaves no doubt: F1G, FIC, FIO, EIG, PIG.
_PREFIX = r"(?:[FEP][I1LJT][G6CO0Q][UR]{0,2}E?S?|F.[I1]G|F[GI]\.|[I1]G\.|.{0,3}URES?)[.,\-']*"
_EXACT = re.compile(r"^FIG[UR]{0,2}E?S?[^A-Z]")
_LABEL = re.compile(rf"^{_PREFIX}{_NUMBER}(?:OF\d{{1,3}})?[.,\-']*$")
_UNREAD = re.compile(rf"^{_PREFIX}(?P<rest>[\dILOQSZB().,'\-]{{0,3}}[A-Z]?)$")
_BARE = re.compile(rf"^{_NUMBER}[.,]*$")
_PAGE = re.compile(r"^\d{1,3}(?:/|OF)\d{1,3}$")
_NUMERAL = re.compile(r"^[A-Z]?\d{1,4}[A-Z]?'*[.,]*$")
_HEADER = re.compile(
    r"U\.?S\.?PA[TI]|UNITEDSTATES|PATENT|^SHEETS?\d+OF|"
    r"(?:JAN|FEB|MAR|APR|MAY|JUNE?|JULY?|AUG|SEP|SEPT|OCT|NOV|DEC)\.?\d{1,2},?(?:19|20)\d\d$|"
    r"^(?:US|DES)[.,]*D?\d?\d?[,.]?\d{3}[,.]\d{3}(?:S|A|B)?\d?$|^REPLACEMENTSHEET|^ANNOTATEDSHEET"
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a line says.

    Attributes:
        kind: what it is.
        number: the figure number of a label, None where it could not be read.
        exact: whether a label's word was read without a slip.
    """

    kind: Kind
    number: str | None = None
    exact: bool = True


def meaning(text: str) -> Meaning:
    """Interpret what the reader read (upper case, no spaces)."""
    if _HEADER.search(text):
        return Meaning("header")
    plain = _REMARK.sub("", text)
    if not plain or (6 <= len(text) <= 11 and SequenceMatcher(None, text, "PRIORART").ratio() >= 0.7):
        return Meaning("remark" if text else "other")
    exact = bool(_EXACT.match(plain))
    if found := _LABEL.match(plain):
        return Meaning("label", _spelt(found), exact)
    if found := _UNREAD.match(plain):
        repaired = found["rest"].translate(_AS_DIGITS)
        again = _BARE.match(repaired)
        return Meaning("label", _spelt(again) if again else None, exact)
    if _PAGE.match(plain):
        return Meaning("page", plain)
    if found := _BARE.match(plain):
        return Meaning("bare", _spelt(found))
    return Meaning("numeral" if _NUMERAL.match(plain) else "other")


_AS_DIGITS = str.maketrans({"I": "1", "L": "1", "O": "0", "Q": "0", "S": "5", "Z": "2", "B": "8"})


def _spelt(found: re.Match[str]) -> str:
    return found["number"] + (found["part"] or "").lower()


@lru_cache(maxsize=4096)
def canonical(number: str) -> str:
    """The form in which two spellings of a figure number are equal: 3(a), 3(A), "3 (A)" and 3a."""
    return re.sub(r"[^A-Z0-9.]", "", number.upper()).strip(".")


def foreseen(number: str, expected: Iterable[str]) -> bool:
    """Whether the grant names this number, or one of which it is the beginning: 3 of 3(a)."""
    return any(canonical(name).startswith(canonical(number)) for name in expected)


def spelling(number: str | None, expected: Iterable[str]) -> str | None:
    """The number as the grant spells it, or as it was read where the grant does not name it."""
    if number is None:
        return None
    return next((name for name in expected if canonical(name) == canonical(number)), number)
