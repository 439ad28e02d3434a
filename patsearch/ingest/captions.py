"""Captions: what a grant's brief description of the drawings says of each figure.

    "FIG. 1 is a perspective view of a chair;"           1  -> "a perspective view of a chair"
    "FIGS. 3A-3C and 5 show wings, and"                  3A, 3B, 3C, 5 -> "wings"
    "1.1 : Perspective"      (Hague agreement)           1.1 -> "Perspective"
    "The FIGURE is a front view of a type font"          1  -> "a front view of a type font"

The text is free, so this is a reading and no grammar: a figure is taken as introduced where its
label begins a paragraph, a sentence or a clause and a verb or a colon follows. Elsewhere ("the broken
lines in FIG. 2 show ...") it is only mentioned.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from patsearch.types import Caption

_LABEL = r"(?i:fig(?:ure)?s?\b)\.?\s*"
# 3, 12A, 3a, 1.2, 3(a); also 3A-C and 3(a)-(c), whose second half is not a separate number.
_BRACKET = r"\([0-9A-Za-z]{1,2}\)"
_NUMBER = rf"\d{{1,4}}(?:\.\d{{1,3}}(?!\d)|[A-Z]{{1,2}}(?:[-–][A-Z])?\b|[a-z]\b|{_BRACKET}(?:\s?[-–]\s?{_BRACKET})?)?"
_JOIN = r"\s*(?:,?\s*\b(?:and|or|to|through|thru)\b|[-–—,&])\s*"
# At most 41 in a row, and text of bounded length: a hostile grant costs seconds, not hours.
_NUMBERS = rf"{_NUMBER}(?:{_JOIN}(?:{_LABEL})?{_NUMBER}){{0,40}}+"
_HAGUE = rf"\d{{1,3}}\.\d{{1,3}}(?:{_JOIN}\d{{1,3}}\.\d{{1,3}}){{0,40}}+"
_VERB = (
    r"(?:which\s+)?(?:\w+ly\s+)?(?:is|are|being|show(?:s|ing)?|illustrat(?:es?|ing)|depict(?:s|ing)?|represent(?:s|ing)?|"
    r"presents?|provides?|displays?|discloses?|contains?|includes?|gives?|describes?|demonstrates?|compares?|plots?)\b"
)
# What may come between the start of a clause and the label of the figure that it introduces.
_CLAUSE = r"(?:^|(?<=[.;:,])\s+(?:and\s+|while\s+|whereas\s+)?|\s(?:and|while|whereas)\s+)"
_INTRODUCED = re.compile(
    rf"{_CLAUSE}(?:{_LABEL}(?P<numbers>{_NUMBERS})|(?P<hague>{_HAGUE}))\s*[.,]?\s*(?:{_VERB}|[:–—])\s*[:,]?\s*"
    rf"|^(?:{_LABEL}(?P<bare>{_NUMBERS}))\s*(?:[.,-]\s*)?(?:of\s+)?(?=\w)"
    rf"|(?:(?:^|(?<=[.;:])\s+)The\s+(?:sole\s+|only\s+|single\s+)?(?:FIGURE|FIG\.)|\bFIGURE(?=\s+which))\s*{_VERB}\s*"
)
_EXPAND = re.compile(rf"(?P<range>[-–—]|\bto\b|\bthrough\b|\bthru\b)?\s*(?:{_LABEL})?(?P<number>{_NUMBER})")
_HALVES = re.compile(r"(?P<stem>\d+)(?P<open>\(?)(?P<first>\w)\)?\s?[-–]\s?\(?(?P<last>\w)\)?")
_PARTS = re.compile(r"(?P<stem>.*?)(?P<last>\d+|[A-Za-z])(?P<close>\)?)$")
# The end of the first sentence; FIG., No. and initials end none.
_SENTENCE = re.compile(r"(?:(?<![Ff][Ii][Gg])(?<!FIGS)(?<!Figs)(?<!No)(?<!\b[A-Z])\.\s+(?=[A-Z“\"])|;)")
_TAIL = re.compile(r"(?:[\s;,.:]|\s(?:and|while|whereas))+$")
_MOST_FIGURES = 5000
_MOST_IN_RANGE = 500
_LONGEST_VIEW = 300
_LONGEST_TEXT = 300_000  # characters that are read of all paragraphs together


def parse_captions(paragraphs: Iterable[str]) -> tuple[Caption, ...]:
    """One caption a figure, in the order of the text; the first that introduces a figure counts.

    Args:
        paragraphs: the paragraphs of the description of the drawings, markup already removed.
    """
    found: dict[str, str] = {}
    left = _LONGEST_TEXT
    for paragraph in paragraphs:
        text = " ".join(paragraph.split())[:left]
        left -= len(text)
        introduced = list(_INTRODUCED.finditer(text))
        ends = [*(match.start() for match in introduced[1:]), len(text)]
        for match, end in zip(introduced, ends, strict=False):
            view = _view(text[match.end() : end])
            for figure in expand_figures(match["numbers"] or match["hague"] or match["bare"] or "1") if view else ():
                found.setdefault(figure, view)
        if len(found) > _MOST_FIGURES:
            break
    return tuple(Caption(figure, view) for figure, view in found.items())


def expand_figures(text: str) -> list[str]:
    """Each figure of a list as grants write it: `1, 3A-3C and 5` -> 1, 3A, 3B, 3C, 5."""
    figures: list[str] = []
    for match in _EXPAND.finditer(text):
        number = match["number"]
        if halves := _HALVES.fullmatch(number):
            close = ")" if halves["open"] else ""
            first, last = (f"{halves['stem']}{halves['open']}{halves[h]}{close}" for h in ("first", "last"))
            figures += [first, *_between(first, last), last]
        else:
            figures += [*(_between(figures[-1], number) if match["range"] and figures else ()), number]
    return list(dict.fromkeys(figures))


def _between(first: str, last: str) -> Iterator[str]:
    """The figures between two of one row: 2, 3 between 1 and 4; 3B between 3A and 3C; 1.2; 3(b)."""
    a, b = _PARTS.match(first), _PARTS.match(last)
    if not a or not b or (a["stem"], a["close"]) != (b["stem"], b["close"]):
        return
    if a["last"].isdecimal() and b["last"].isdecimal():
        low, high = int(a["last"]), int(b["last"])
        if high - low <= _MOST_IN_RANGE:
            yield from (f"{a['stem']}{n}{a['close']}" for n in range(low + 1, high))
    elif a["last"].isupper() == b["last"].isupper():
        yield from (f"{a['stem']}{chr(n)}{a['close']}" for n in range(ord(a["last"]) + 1, ord(b["last"])))


def _view(text: str) -> str:
    sentence = _SENTENCE.split(text, maxsplit=1)[0]
    return _TAIL.sub("", sentence[:_LONGEST_VIEW]).strip()
