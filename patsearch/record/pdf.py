"""A search record as PDF: query pictures, the question, and the results with their drawings, page by page."""

from __future__ import annotations

import json
import unicodedata
from importlib.util import find_spec
from typing import TYPE_CHECKING

from patsearch.drawings.opening import open_image
from patsearch.engine import Thumbnails
from patsearch.errors import ImageError, PluginError
from patsearch.record.describe import (
    caption,
    citations,
    class_codes,
    class_titles,
    dates,
    details,
    heading,
    mark,
    marked_first,
    owners,
    term,
)
from patsearch.record.fonts import covered, fonts_for
from patsearch.record.record import SearchRecord
from patsearch.titles import link_of
from patsearch.types import PatentHit

if TYPE_CHECKING:
    from fpdf import FPDF

_MARGIN, _WIDTH, _BOTTOM = 15.0, 180.0, 280.0  # millimetres of a sheet of A4
_PICTURE, _BEST, _OTHER = 45.0, 38.0, 17.0  # sides of the boxes that drawings are fitted into
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


class _Writer:
    def __init__(self, record: SearchRecord, thumbnails: Thumbnails) -> None:
        self.record = record
        self.thumbnails = thumbnails
        self.pdf, self.font, self.letters = _document(record)

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
        self._text("Patent drawing search", size=15)
        self._pictures()
        for name, value in details(record):
            self._text(f"{name}: {value}", size=9)
        self.pdf.ln(3)
        self._text(heading(record), size=12)
        for hit in marked_first(record):
            self._hit(hit)
        return bytes(self.pdf.output())

    def _pictures(self) -> None:
        x, y = _MARGIN, self.pdf.get_y() + 1
        for picture in self.record.pictures[:_MOST_PICTURES]:
            if x + _PICTURE > _MARGIN + _WIDTH:
                x, y = _MARGIN, y + _PICTURE + 2
            if y + _PICTURE > _BOTTOM:
                self.pdf.add_page()
                y = self.pdf.get_y()
            self._image(picture.png, x, y, _PICTURE)
            x += _PICTURE
        if self.record.pictures:
            self.pdf.set_y(y + _PICTURE + 2)

    def _hit(self, hit: PatentHit) -> None:
        """One result: the best drawing on the left, text and the other drawings on the right."""
        pdf, best = self.pdf, hit.drawing
        others = hit.drawings[1 : 1 + _OTHERS]
        marked = mark(hit, self.record.question)
        score = f"{hit.score:.3f}{f', {hit.likeness}' if hit.likeness else ''}"
        lines = [
            (f"{hit.rank}. {hit.patent}   {score}", 11.0, link_of(hit.patent)),
            (f"Marked as {marked}" if marked else "", 8.0, None),
            (best.title, 9.0, None),
            (caption(best), 8.0, None),
            (dates(best), 8.0, None),
            (owners(best), 8.0, None),
            (term(best), 8.0, None),
            (citations(best), 8.0, None),
            (class_codes(best), 8.0, None),
            (class_titles(best), 8.0, None),
        ]
        if pdf.get_y() + _BEST + _OTHER > _BOTTOM:
            pdf.add_page()
        page, top = pdf.page, pdf.get_y() + 1
        self._image(self.thumbnails.get(best.id), _MARGIN, top, _BEST)
        pdf.set_y(top)
        for text, size, link in lines:
            if text:
                self._text(text, size=size, left=_MARGIN + _BEST + 4, link=link)
        y = pdf.get_y() + 1
        for place, other in enumerate(others):
            self._image(self.thumbnails.get(other.drawing.id), _MARGIN + _BEST + 4 + place * (_OTHER + 2), y, _OTHER)
        used = y + (_OTHER if others else 0)
        # A title may be so long that it continues on the next page, without its drawing.
        pdf.set_y((used if pdf.page != page else max(used, top + _BEST)) + 2)

    def _text(self, text: str, *, size: float, left: float = _MARGIN, link: str | None = None) -> None:
        pdf = self.pdf
        pdf.set_font(self.font, size=size)
        pdf.set_x(left)
        pdf.multi_cell(
            _MARGIN + _WIDTH - left, _LINE * size / 9, self._known(text), align="L", link=link or "",
            new_x="LMARGIN", new_y="NEXT",
        )  # fmt: skip

    def _known(self, text: str) -> str:
        """The text with a visible sign for what no font has."""
        unknown = _UNKNOWN if ord(_UNKNOWN) in self.letters else "?"
        return "".join(self._shown(letter, unknown) for letter in text[:2000])

    def _shown(self, letter: str, unknown: str) -> str:
        if ord(letter) in self.letters and (letter.isprintable() or letter in _JOINERS):
            return letter
        if letter in _JOINERS or (
            unicodedata.category(letter) == "Mn" and "VARIATION SELECTOR" in unicodedata.name(letter, "")
        ):
            return ""
        return unknown if letter.isprintable() else " "

    def _image(self, png: bytes | None, x: float, y: float, side: float) -> None:
        if not png:
            return
        try:
            picture = open_image(png, max_pixels=_MOST_PIXELS)
        except ImageError:
            self.pdf.rect(x, y, side, side)  # an empty box: the index holds something else than a picture here
        else:
            self.pdf.image(picture, x=x, y=y, w=side, h=side, keep_aspect_ratio=True)


def _document(record: SearchRecord) -> tuple[FPDF, str, frozenset[int]]:
    """An empty document with its footer, the font of its text, and the letters that its fonts have."""
    try:
        from fpdf import FPDF
    except ImportError as error:
        raise PluginError(
            "Writing PDF needs a package that is not installed.", hint="Run: pip install 'patsearch[pdf]'."
        ) from error

    needed = set(json.dumps(record.to_json(), ensure_ascii=False, default=str))
    files = fonts_for(letter for letter in needed if letter.isprintable())
    font = "text" if files else _BUILT_IN

    class Document(FPDF):
        def footer(self) -> None:
            self.set_y(-12)
            self.set_font(font, size=8)
            self.cell(0, 6, f"{record.asked}   patsearch {record.version}   page {self.page_no()} of {{nb}}", align="C")

    pdf = Document(format="A4")
    pdf.set_margin(_MARGIN)
    pdf.set_auto_page_break(True, margin=297 - _BOTTOM)
    letters: frozenset[int] = frozenset() if files else frozenset(range(0x20, 0x7F)) | frozenset(range(0xA0, 0x100))
    for number, file in enumerate(files):
        pdf.add_font(f"text{number}" if number else font, fname=file)
        letters |= covered(file)
    pdf.set_fallback_fonts([f"text{number}" for number in range(1, len(files))], exact_match=False)
    if files and find_spec("uharfbuzz"):
        pdf.set_text_shaping(True)  # joined Arabic, right to left
    pdf.set_title("Patent drawing search")
    pdf.set_creator(f"patsearch {record.version}")
    return pdf, font, letters
