"""A search record as PDF: what was searched, how and where, and the results with their drawings in two columns."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, cast

from patsearch.drawings.opening import open_image
from patsearch.engine import Thumbnails
from patsearch.errors import ImageError, PluginError
from patsearch.record.describe import (
    caption,
    citations,
    class_codes,
    class_titles,
    cover,
    dates,
    details,
    heading,
    mark,
    owners,
    place,
    query_names,
    scores,
    term,
    title,
)
from patsearch.record.fonts import fonts_for, take_fonts
from patsearch.record.record import Marked, SearchRecord
from patsearch.titles import link_of
from patsearch.types import PatentHit

if TYPE_CHECKING:
    from fpdf import FPDF

_MARGIN, _WIDTH, _BOTTOM = 15.0, 180.0, 280.0  # millimetres of a sheet of A4
_PICTURE, _BEST, _OTHER = 45.0, 36.0, 13.0  # sides of the boxes that drawings are fitted into
_GAP, _NAME = 6.0, 5.0
_COLUMN = (_WIDTH - _GAP) / 2
_TEXT = _COLUMN - _BEST - 2
_HEADED = 60.0  # a heading is not the last thing on a page
_TALLEST = 180.0
_LONGEST = 200  # letters of one line of a card
_OTHERS = 6
_MOST_PICTURES = 32
_MOST_PIXELS = 4_000_000
_LINE = 4.6
_BUILT_IN = "Helvetica"  # has Latin-1 alone
_UNKNOWN = "\ufffd"
_JOINERS = "\u200c\u200d"


def render_pdf(record: SearchRecord, thumbnails: Thumbnails) -> bytes:
    """The record as PDF, A4 upright, in fonts of the system; a letter that none of them has becomes a replacement sign.

    Args:
        thumbnails: of the index that was searched.

    Raises:
        PluginError: the package that writes PDF is not installed.
    """
    return _Writer(record, thumbnails).write()


@dataclass(frozen=True, slots=True)
class _Card:
    """One result: its best drawing, what is said of it, and ids of other drawings."""

    head: str
    link: str | None
    best: str
    lines: tuple[str, ...]
    others: tuple[str, ...]


class _Writer:
    def __init__(self, record: SearchRecord, thumbnails: Thumbnails) -> None:
        self.record = record
        self.thumbnails = thumbnails
        self.pdf, self.font, self.letters = _document(record)
        self._heights: dict[tuple[str, float, float], float] = {}

    def write(self) -> bytes:
        from fpdf.fonts import TTFFont

        try:
            return self._pages()
        finally:
            for font in self.pdf.fonts.values():
                if isinstance(font, TTFFont):  # fpdf leaves their files open
                    font.ttfont.close()

    def _pages(self) -> bytes:
        record = self.record
        self.pdf.add_page()
        self._text(title(record), size=15)
        for name, value in cover(record):
            self._text(f"{name}: {value}", size=9)
        for line in record.cover.notes.splitlines():
            self._text(line or " ", size=9)
        self._pictures()
        self._heading("What was searched")
        for name, value in details(record):
            self._text(f"{name}: {value}", size=8)
        self._heading("What the scores mean")
        for line in scores(record):
            self._text(line, size=8)
        if record.marked:
            self._heading("Marked by the searcher")
            self._cards([self._marked(one) for one in record.marked])
        self._heading(heading(record))
        self._cards([self._hit(hit) for hit in record.hits])
        return bytes(self.pdf.output())

    def _heading(self, text: str) -> None:
        self.pdf.ln(3)
        if self.pdf.get_y() + _HEADED > _BOTTOM:
            self.pdf.add_page()
        self._text(text, size=12)
        self.pdf.ln(1)

    def _pictures(self) -> None:
        """The query, each picture with its name below."""
        pictures = self.record.pictures[:_MOST_PICTURES]
        if not pictures:
            return
        self._heading("Query")
        x, y = _MARGIN, self.pdf.get_y()
        for name, picture in zip(query_names(self.record), pictures, strict=False):
            if x + _PICTURE > _MARGIN + _WIDTH:
                x, y = _MARGIN, y + _PICTURE + _NAME
            if y + _PICTURE + _NAME > _BOTTOM:
                self.pdf.add_page()
                y = self.pdf.get_y()
            self._image(picture.png, x, y, _PICTURE - 2)
            self.pdf.set_xy(x, y + _PICTURE - 1)
            self._set_size(7)
            self.pdf.cell(_PICTURE - 2, 4, self._fitted(name, _PICTURE - 3))
            x += _PICTURE
        self.pdf.set_xy(_MARGIN, y + _PICTURE + _NAME)

    def _hit(self, hit: PatentHit) -> _Card:
        best = hit.drawing
        marked = mark(hit, self.record.question)
        score = f"{hit.score:.3f}{f', {hit.likeness}' if hit.likeness else ''}"
        lines = (
            f"Marked as {marked}" if marked else "", best.title, caption(best), dates(best), owners(best), term(best),
            citations(best), class_codes(best), class_titles(best),
        )  # fmt: skip
        others = tuple(other.drawing.id for other in hit.drawings[1 : 1 + _OTHERS])
        return _Card(f"{hit.rank}. {hit.patent}   {score}", link_of(hit.patent), best.id, lines, others)

    def _marked(self, one: Marked) -> _Card:
        drawing = one.drawing
        lines = (f"{one.kind.capitalize()}, {place(one, self.record)}", drawing.title, caption(drawing), dates(drawing))
        return _Card(drawing.patent, link_of(drawing.patent), drawing.id, lines, ())

    def _cards(self, cards: Sequence[_Card]) -> None:
        """In two columns, row by row, so that the order is read from left to right."""
        for row in (cards[first : first + 2] for first in range(0, len(cards), 2)):
            height = max(self._height(card) for card in row)
            if self.pdf.get_y() + height > _BOTTOM:
                self.pdf.add_page()
            top = self.pdf.get_y()
            self.pdf.set_draw_color(200)
            self.pdf.line(_MARGIN, top, _MARGIN + _WIDTH, top)
            for column, card in enumerate(row):
                self._card(card, _MARGIN + column * (_COLUMN + _GAP), top + 1)
            self.pdf.set_xy(_MARGIN, top + height)

    def _height(self, card: _Card) -> float:
        """Of a card in millimetres, with the space below it."""
        text = sum(self._measured(line, _TEXT, size=7) for line in self._fitting(card))
        head = self._measured(card.head, _COLUMN, size=9.5)
        return head + 1 + max(_BEST, text) + (_OTHER + 1 if card.others else 0) + 5

    def _fitting(self, card: _Card) -> list[str]:
        """The lines of a card that fit on a page together: all but those of a hostile source."""
        kept, used = [], 0.0
        for line in filter(None, card.lines):
            used += self._measured(line, _TEXT, size=7)
            if used > _TALLEST:
                break
            kept.append(line)
        return kept

    def _card(self, card: _Card, left: float, top: float) -> None:
        """The best drawing on the left, text on the right, the other drawings below."""
        pdf = self.pdf
        pdf.set_xy(left, top)
        y = top + 1 + self._lines(card.head, _COLUMN, size=9.5, link=card.link)
        self._image(self.thumbnails.get(card.best), left, y, _BEST)
        below = y
        for line in self._fitting(card):
            pdf.set_xy(left + _BEST + 2, below)
            below += self._lines(line, _TEXT, size=7)
        y = max(below, y + _BEST) + 1
        for number, other in enumerate(card.others):
            self._image(self.thumbnails.get(other), left + number * (_OTHER + 1), y, _OTHER)

    def _measured(self, text: str, width: float, *, size: float) -> float:
        """The height of a text in millimetres; breaking it into lines takes longer than writing it."""
        key = (text, width, size)
        if key not in self._heights:
            self._heights[key] = self._lines(text, width, size=size, dry=True)
        return self._heights[key]

    def _lines(self, text: str, width: float, *, size: float, link: str | None = None, dry: bool = False) -> float:
        """Write text at the current place, no more than `_LONGEST` letters of it; its height in millimetres."""
        from fpdf.enums import MethodReturnValue

        shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."
        self._set_size(size)
        height = self.pdf.multi_cell(
            width, _LINE * size / 9, self._known(shown), align="L", link=link or "", dry_run=dry,
            output=MethodReturnValue.HEIGHT, new_x="LEFT", new_y="NEXT",
        )  # fmt: skip
        return float(cast("float", height))

    def _fitted(self, text: str, width: float) -> str:
        """The beginning of a text that fits into a width."""
        known = self._known(text)
        if self.pdf.get_string_width(known) <= width:
            return known
        while known and self.pdf.get_string_width(f"{known}...") > width:
            known = known[:-1]
        return f"{known}..."

    def _set_size(self, size: float) -> None:
        self.pdf.set_font(self.font, size=size)

    def _text(self, text: str, *, size: float, left: float = _MARGIN, link: str | None = None) -> None:
        pdf = self.pdf
        pdf.set_font(self.font, size=size)
        pdf.set_x(left)
        pdf.multi_cell(
            _MARGIN + _WIDTH - left, _LINE * size / 9, self._known(text), align="L", link=link or "",
            new_x="LMARGIN", new_y="NEXT",
        )  # fmt: skip

    def _known(self, text: str) -> str:
        return _known(text, self.letters)

    def _image(self, png: bytes | None, x: float, y: float, side: float) -> None:
        if not png:
            return
        try:
            picture = open_image(png, max_pixels=_MOST_PIXELS)
        except ImageError:
            self.pdf.set_draw_color(0)
            self.pdf.rect(x, y, side, side)  # an empty box: the index holds something else than a picture here
        else:
            self.pdf.image(picture, x=x, y=y, w=side, h=side, keep_aspect_ratio=True)


def _known(text: str, letters: frozenset[int]) -> str:
    """The text with a visible sign for what no font has."""
    unknown = _UNKNOWN if ord(_UNKNOWN) in letters else "?"
    return "".join(_shown(letter, letters, unknown) for letter in text[:2000])


def _shown(letter: str, letters: frozenset[int], unknown: str) -> str:
    if ord(letter) in letters and (letter.isprintable() or letter in _JOINERS):
        return letter
    if letter in _JOINERS or (
        unicodedata.category(letter) == "Mn" and "VARIATION SELECTOR" in unicodedata.name(letter, "")
    ):
        return ""
    return unknown if letter.isprintable() else " "


def _document(record: SearchRecord) -> tuple[FPDF, str, frozenset[int]]:
    """An empty document with its footer, the font of its text, and the letters that its fonts have."""
    try:
        from fpdf import FPDF
    except ImportError as error:
        raise PluginError(
            "Writing PDF needs a package that is not installed.", hint="Run: pip install 'patsearch[pdf]'."
        ) from error

    printed = [record.to_json(), asdict(record.cover), [one.drawing.title for one in record.marked]]
    needed = set(json.dumps(printed, ensure_ascii=False, default=str))
    files = fonts_for(letter for letter in needed if letter.isprintable())
    font = "text" if files else _BUILT_IN

    class Document(FPDF):
        def footer(self) -> None:
            self.set_y(-12)
            self.set_font(font, size=8)
            docket = _known(record.cover.docket, letters)[:60]
            said = (docket, record.asked, f"patsearch {record.version}", f"page {self.page_no()} of {{nb}}")
            self.cell(0, 6, "   ".join(filter(None, said)), align="C")

    pdf = Document(format="A4")
    pdf.set_margin(_MARGIN)
    pdf.set_auto_page_break(True, margin=297 - _BOTTOM)
    letters = take_fonts(pdf, font, files)
    pdf.set_title(_known(title(record), letters))
    pdf.set_creator(f"patsearch {record.version}")
    return pdf, font, letters
