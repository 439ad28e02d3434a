"""Fonts for the letters of a record: of those that the system has, as few as have all of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fpdf import FPDF

_FOLDERS = (
    "/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts",
    "/Library/Fonts", "/System/Library/Fonts", "~/Library/Fonts",
    "C:/Windows/Fonts", "~/AppData/Local/Microsoft/Windows/Fonts",
)  # fmt: skip
_SUFFIXES = (".ttf", ".otf", ".ttc", ".otc")
# The first have most of the world's letters in one style; then those of one script; then what else there may be.
_PREFERRED = (
    r"dejavusans\.", r"notosans(?:\[wght\]|-regular|-vf)?\.", r"arial unicode|arialuni|arial\.|liberationsans-regular",
    r"notosanscjk", r"noto.*(?:sc|tc|jp|kr|arabic|hebrew|devanagari|thai|emoji|symbols)",
    r"sourcehan|wqy|droidsansfallback|nanumgothic\.", r"msyh|malgun|simsun|msgothic|yugoth|seguiemj|segoeui\.|nirmala",
    r"pingfang|applegothic|hiragino", r"unifont|symbola",
)  # fmt: skip
_OTHER_STYLES = re.compile(r"bold|italic|oblique|black|light|thin|medium|mono|condensed|serif", re.IGNORECASE)
_ASCII = frozenset(range(0x20, 0x7F))
_MOST_READ = 400  # fonts that are looked into for one letter


def fonts_for(letters: Iterable[str]) -> list[Path]:
    """Font files, the first for most of the text; none where the system has none for plain English."""
    files = font_files()[:_MOST_READ]
    base = next((file for file in files if covered(file) >= _ASCII), None)
    if base is None:
        return []
    chosen = [base]
    missing = {ord(letter) for letter in letters} - covered(base)
    for file in files:
        if not missing:
            break
        if missing & covered(file):
            chosen.append(file)
            missing -= covered(file)
    return chosen


@lru_cache(maxsize=1)
def font_files() -> tuple[Path, ...]:
    """All font files of the system, the most useful ones first."""
    found: list[Path] = []
    for folder in _FOLDERS:
        for place, _, names in os.walk(os.path.expanduser(folder)):  # noqa: PTH111 - a home that is unknown stays as it is
            found += [Path(place, name) for name in names if name.lower().endswith(_SUFFIXES)]
    return tuple(sorted(found, key=_rank))


def _rank(file: Path) -> tuple[bool, int, str]:
    name = file.name.lower()
    place = next((n for n, pattern in enumerate(_PREFERRED) if re.match(pattern, name)), len(_PREFERRED))
    return bool(_OTHER_STYLES.search(name)), place, name


@lru_cache(maxsize=512)
def covered(file: Path) -> frozenset[int]:
    """The letters that a font has as outlines; none for one that cannot be read."""
    from fontTools.ttLib import TTFont

    try:
        with file.open("rb") as opened, TTFont(opened, fontNumber=0, lazy=True) as font:
            if "glyf" not in font and "CFF " not in font:  # coloured bitmaps
                return frozenset()
            return frozenset(font.getBestCmap() or ())
    except Exception:  # a font may be damaged in as many ways as a picture
        return frozenset()


def take_fonts(pdf: FPDF, font: str, files: Sequence[Path]) -> frozenset[int]:
    """Give a document its fonts, the first under a name and the others for what it lacks; the letters that they have.

    Args:
        font: name of the first; without files it is one of PDF's own, which has Latin-1.
    """
    letters: frozenset[int] = frozenset() if files else frozenset(range(0x20, 0x7F)) | frozenset(range(0xA0, 0x100))
    for number, file in enumerate(files):
        pdf.add_font(f"text{number}" if number else font, fname=file)
        letters |= covered(file)
    pdf.set_fallback_fonts([f"text{number}" for number in range(1, len(files))], exact_match=False)
    if files and find_spec("uharfbuzz"):
        pdf.set_text_shaping(True)  # joined Arabic, right to left
    return letters
