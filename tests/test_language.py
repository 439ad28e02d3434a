"""Plain English: turns of phrase that read as if translated are found, with the words to use instead.

CONTRIBUTING.md has the word list for writers; this finds what breaks it in the documentation, in the strings and
comments of Python files, and in the page. Names of classes, functions and JSON fields are not prose.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WORD_LIST = "CONTRIBUTING.md"
# Beginnings of paths that need not be clean: none.
EXEMPT: tuple[str, ...] = ()

_AREAS = ("patsearch", "tests", "tools", "bench", "examples", "packages", "docs")
_TEXT = {".md", ".html", ".js", ".toml", ".yaml", ".yml", ".jinja", ".j2", ".css"}


@dataclass(frozen=True)
class Turn:
    """A turn of phrase, as the word list of CONTRIBUTING.md names it, and what to write instead.

    Attributes:
        pattern: what finds it; a match whose group `fine` took part is ordinary English.
    """

    name: str
    instead: str
    pattern: re.Pattern[str]


def _turn(name: str, instead: str, pattern: str) -> Turn:
    # A space in a pattern is any space: a turn may run over the end of a line, and of a comment's line.
    return Turn(name, instead, re.compile(pattern.replace(" ", r"(?:\s|\n\s*#)+"), re.IGNORECASE))


TURNS = (
    _turn(
        "is no",
        "is not a",
        r"(?P<fine>\bthere )?\b(?:is|are|was|were) no (?!longer\b|more\b|less\b|better\b|worse\b|larger\b|smaller\b)",
    ),
    _turn("is none of", "is not a, is not one of", r"\b(?:is|are|was|were) none of\b"),
    _turn("so many", "at most N, up to N, N", r"\bso many\b"),
    _turn("tells of", "shows, describes", r"\btell(?:s|ing)? of\b|\btold of\b"),
    _turn("tells apart", "distinguishes", r"\btell(?:s|ing)?(?: [\w'-]+){1,4} apart\b"),
    _turn("ask with", "query with, the query", r"\bask(?:s|ed|ing)? with\b"),
    _turn("asked for", "requested", r"\basked for\b"),
    _turn("ask again", "run again, repeat the search", r"\bask(?:s|ed|ing)?(?: it| them)? again\b"),
    _turn("goes on", "resumes, continues", r"\b(?:go|goes|going|went) on\b"),
    _turn(
        "the pen",
        "style, drawing style",
        r"\b(?:by|not|leaves|without|share|shares|one|other|same|your|'s) (?:the |one |a )?pens?\b(?! (?:width|of))"
        r"|'s pens?\b(?! (?:width|line))|\bthe pen (?:too|apart|alone|out|to count)\b",
    ),
    _turn("news", "new results", r"(?<![\w\"'`./-])news(?![\w\"'`./:=\[(-])"),
    _turn("take in", "ingest", r"\btak(?:e|es|en|ing) in\b(?! (?:turns?|order|parallel|part)\b)"),
    _turn("anew", "again, rebuild", r"\banew\b"),
    _turn("beside, besides", "next to, with, in addition", r"(?<!\")\bbesides?\b"),
    _turn("in place of", "instead of", r"\bin place of\b"),
    _turn("cannot be understood", "is not valid: expected ...", r"\b(?:cannot|could not) be understood\b"),
    _turn(
        "of its own",
        "its own, a separate",  # "a figure of its own patent" is ordinary English
        r"\bof (?:one's|its|his|her|their|our|my) own"
        r"(?=\s*$|[.,;:)\"'`]| (?:and|or|that|which|with|in|is|are|for|of|to|at|on|by|where|near|each|here|so|no)\b)",
    ),
    _turn(
        "There is no X to Y",
        "No X given, No X found",
        r"(?-i:\bThere) (?:is|are) (?:no|nothing)(?: [\w-]+){0,2} to (?!the\b|be\b)\w+(?=[.;:,\"])",
    ),
    _turn("whatever way", "say the thing", r"\b(?:in )?what(?:ever)? way it\b|\bwhatever way\b"),
    _turn("what there is", "existing, the contents", r"\bwhat there is\b|\bwhat is there\b"),
    _turn("be it", "say the thing", r"\bbe it\b"),
    _turn("alike", "similar, equally", r"(?P<fine>\b(?:look|looks|looking|more|most|less|how) )?(?<!\")\balike\b"),
    _turn("likewise", "also, the same way", r"\blikewise\b"),
    _turn(
        "thereof", "of it", r"(?P<fine>\b(?:views?|portions?) )?\bthereof\b(?!\")"
    ),  # patents write "front view thereof"
    _turn("by now", "now, already", r"\bby now\b"),
    _turn("wants", "needs", r"\bwants\b(?! to\b)"),
    _turn("stands", "is, is written", r"\bstands\b(?! (?:for|out|still|on)\b)"),
    _turn(
        "lies",
        "is, is stored",
        r"\blies? (?:on (?:the )?(?:disk|disc|server|medium)|in (?:a |the |its )?(?:folder|files?|index|memory)|there"
        r"|elsewhere|with the)\b",
    ),
    _turn("a person, people", "you, or nothing", r"\ba person\b|\b(?:for|what|tells|as) people\b"),
)


@dataclass(frozen=True)
class Prose:
    """A stretch of text that is read by people: where it begins, and what it says."""

    line: int
    text: str


def prose_of(path: Path) -> Iterator[Prose]:
    """Strings and comments of a Python file; the text of any other file, without blocks and spans of code."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        yield from _python(text)
    elif path.suffix == ".md":
        yield Prose(1, _without_code(text))
    else:
        yield Prose(1, text)


def _python(text: str) -> Iterator[Prose]:
    comments: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            if comments and token.start[0] != comments[-1].start[0] + 1:
                yield _joined(comments)
                comments = []
            comments.append(token)
        elif tokenize.tok_name[token.type] in ("STRING", "FSTRING_MIDDLE"):
            yield Prose(token.start[0], token.string)
    if comments:
        yield _joined(comments)


def _joined(comments: list[tokenize.TokenInfo]) -> Prose:
    return Prose(comments[0].start[0], "\n".join(token.string for token in comments))


def _without_code(text: str) -> str:
    """Markdown with its code, and the word list itself, blanked out; lines stay where they are."""

    def blank(found: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", found[0])

    text = re.sub(r"<!-- words -->.*?<!-- end of words -->", blank, text, flags=re.DOTALL)
    text = re.sub(r"^```.*?^```", blank, text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]+`", lambda found: re.sub(r"[^\n]", "x", found[0]), text)


def findings(path: Path) -> Iterator[str]:
    """One line for each banned turn of a file: where, what it is, and what to write instead."""
    for prose in prose_of(path):
        for turn in TURNS:
            for found in turn.pattern.finditer(prose.text):
                if found.groupdict().get("fine"):
                    continue
                line = prose.line + prose.text.count("\n", 0, found.start())
                words = " ".join(found[0].split())
                yield f"{path}:{line}: {words!r} ({turn.name}): write {turn.instead}"


def files() -> list[Path]:
    """Everything that is checked."""
    top = [path for path in ROOT.iterdir() if path.suffix in _TEXT or path.name in ("Makefile", "Dockerfile")]
    below = [
        path
        for area in _AREAS
        for path in (ROOT / area).rglob("*")
        if path.suffix in _TEXT | {".py"} and not {"__pycache__", "golden", "node_modules"} & set(path.parts)
    ]
    ours = Path(__file__)
    return sorted(path for path in [*top, *below] if path.is_file() and path != ours)


def test_the_prose_is_plain_english() -> None:
    checked = [path for path in files() if not path.relative_to(ROOT).as_posix().startswith(EXEMPT)]
    assert len(checked) > 400
    found = [finding for path in checked for finding in findings(path)]
    assert not found, f"{len(found)} turns to rewrite ({WORD_LIST}):\n" + "\n".join(found)


def test_the_word_list_names_every_turn() -> None:
    text = (ROOT / WORD_LIST).read_text(encoding="utf-8")
    words = re.search(r"<!-- words -->(.*?)<!-- end of words -->", text, re.DOTALL)
    assert words
    assert [turn.name for turn in TURNS if turn.name not in words[1]] == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("It is no list of numbers.", "is no"),
        ("a number that is none of these", "is none of"),
        ("k: at most so many hits a query", "so many"),
        ("the caption tells of the view", "tells of"),
        ("windows tell draughtsmen and scanners apart", "tells apart"),
        ("designs\n# that were asked for", "asked for"),
        ("a run goes\non where it was", "goes on"),
        ("by shape alone, not by the pen too", "the pen"),
        ("there is news", "news"),
        ("patents are taken in", "take in"),
        ("opened anew", "anew"),
        ("a card beside it", "beside, besides"),
        ("one in place of many", "in place of"),
        ("'x' cannot be understood", "cannot be understood"),
        ("a process of its own", "of its own"),
        ("There is nothing to search.", "There is no X to Y"),
        ("what is there already", "what there is"),
        ("drawings that are alike", "alike"),
        ("the field stands in the card", "stands"),
        ("the index lies in a folder", "lies"),
    ],
)
def test_a_turn_is_found(text: str, name: str) -> None:
    assert name in [turn.name for turn in TURNS for found in turn.pattern.finditer(text)]


@pytest.mark.parametrize(
    "text",
    [
        "There is no index here.",
        "scores are no longer cosines",
        "drawings that look alike",
        "a folder is moved in one step",
        "`news` and news: JSON names",
        "a pen of 2 pixels, drawn with a pen or a finger",
        "take part in a run",
        "a year stands for its whole span",
        "the point lies between two lines",
        "other drawings of its own patent",
    ],
)
def test_ordinary_english_is_not(text: str) -> None:
    found = [turn.name for turn in TURNS for match in turn.pattern.finditer(text) if not match.groupdict().get("fine")]
    assert found == []
