"""A plate as PDF, A4 upright: its head, then three rows of views a page; and the same as a picture."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, cast

from PIL import Image

from patsearch import __version__
from patsearch.errors import PluginError, UsageError
from patsearch.plate.plate import Plate
from patsearch.record.fonts import fonts_for, take_fonts
from patsearch.text import visible

if TYPE_CHECKING:
    from fpdf import FPDF

_MARGIN, _WIDTH, _BOTTOM = 12.0, 186.0, 283.0  # millimetres of a sheet of A4
_GAP = 4.0
_SIDE = 62.0  # of a view; smaller where three designs are next to each other
_LINE = 4.4
_DOTS = 2.0  # pixels of a picture of the plate for one point: 144 dots an inch
_MOST_PAGES = 40


def render_pdf(plate: Plate) -> bytes:
    """The plate as PDF, in fonts of the system; a letter that none of them has becomes a question mark.

    Raises:
        PluginError: the package that writes PDF is not installed.
    """
    pdf, letters = _document(plate)
    from fpdf.fonts import TTFFont

    try:
        _Pages(pdf, plate, letters).draw()
        return bytes(pdf.output())
    finally:
        for font in pdf.fonts.values():
            if isinstance(font, TTFFont):  # fpdf leaves their files open
                font.ttfont.close()


def render_png(plate: Plate) -> bytes:
    """The pages of the PDF below each other; errors as of `render_image`."""
    buffer = io.BytesIO()
    render_image(plate).quantize(64, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def render_image(plate: Plate) -> Image.Image:
    """The same, not encoded.

    Raises:
        PluginError: the package that writes PDF is not installed.
        UsageError: there are too many pages for a picture.
    """
    import pypdfium2

    with pypdfium2.PdfDocument(render_pdf(plate)) as document:
        if len(document) > _MOST_PAGES:
            raise UsageError(
                f"The plate has {len(document)} pages; a picture takes up to {_MOST_PAGES}.", hint="Write it as PDF."
            )
        pages = [page.render(scale=_DOTS).to_pil().convert("RGB") for page in document]
    whole = Image.new("RGB", (pages[0].width, sum(page.height for page in pages)), "white")
    y = 0
    for page in pages:
        whole.paste(page, (0, y))
        y += page.height
    return whole


def _document(plate: Plate) -> tuple[FPDF, frozenset[int]]:
    """An empty document, and the letters that its fonts have."""
    try:
        from fpdf import FPDF
    except ImportError as error:
        raise PluginError(
            "Writing PDF needs a package that is not installed.", hint="Run: pip install 'patsearch[pdf]'."
        ) from error

    files = fonts_for(letter for letter in _text_of(plate) if letter.isprintable())
    font = "text" if files else "Helvetica"

    class Document(FPDF):
        def footer(self) -> None:
            self.set_y(-10)
            self.set_font(font, size=7)
            self.cell(0, 5, f"{plate.made}   patsearch {__version__}   page {self.page_no()} of {{nb}}", align="C")

    pdf = Document(format="A4")
    pdf.set_margin(_MARGIN)
    pdf.set_auto_page_break(False)
    letters = take_fonts(pdf, font, files)
    pdf.set_title("Plate")
    pdf.set_creator(f"patsearch {__version__}")
    pdf.set_font(font, size=8)
    return pdf, letters


def _text_of(plate: Plate) -> str:
    texts = [*plate.notes, plate.made]
    for column in plate.columns:
        texts += [column.role, column.name, *(text for fact in column.facts for text in fact)]
    for row in plate.rows:
        texts += [*row.scores, *(cell.caption for cell in row.cells if cell)]
    return "".join(texts)


class _Pages:
    def __init__(self, pdf: FPDF, plate: Plate, letters: frozenset[int]) -> None:
        self.pdf = pdf
        self.plate = plate
        self.letters = letters
        count = len(plate.columns)
        self.width = (_WIDTH - _GAP * (count - 1)) / count
        self.side = min(_SIDE, self.width)

    def draw(self) -> None:
        pdf = self.pdf
        pdf.add_page()
        y = self._heads(_MARGIN)
        for row in self.plate.rows:
            height = self.side + 3.2 * _LINE
            if y + height > _BOTTOM:
                pdf.add_page()
                y = _MARGIN
            for place, cell in enumerate(row.cells):
                x = self._x(place) + (self.width - self.side) / 2
                pdf.set_draw_color(200)
                pdf.rect(x, y, self.side, self.side)
                if cell is None:
                    self._write("no such view", self._x(place), y + self.side / 2, 8)
                else:
                    pdf.image(io.BytesIO(cell.png), x=x, y=y, w=self.side, h=self.side)
                    self._caption(cell.caption, self._x(place), y + self.side + 0.5)
            self._write("   |   ".join(row.scores), _MARGIN, y + self.side + 2 * _LINE - 0.8, 7, _WIDTH)
            y += height
        self._notes(y)

    def _heads(self, top: float) -> float:
        ends = []
        for place, column in enumerate(self.plate.columns):
            x, y = self._x(place), top
            y = self._block(f"{place + 1}. {column.role}", x, y, 8)
            y = self._block(column.name, x, y, 13, link=column.link)
            for name, value in column.facts:
                y = self._block(f"{name}: {value[:300]}", x, y, 8)
            ends.append(y)
        return self._block(self.plate.notes[0], _MARGIN, max(ends) + 1, 8, width=_WIDTH) + 2

    def _notes(self, y: float) -> None:
        if y + 5 * _LINE > _BOTTOM:
            self.pdf.add_page()
            y = _MARGIN
        for note in self.plate.notes[1:]:
            y = self._block(note, _MARGIN, y, 8, width=_WIDTH) + 1

    def _x(self, place: int) -> float:
        return _MARGIN + place * (self.width + _GAP)

    def _block(
        self, text: str, x: float, y: float, size: float, *, width: float | None = None, link: str | None = None
    ) -> float:
        """Text in lines; where it ends."""
        pdf = self.pdf
        pdf.set_font(size=size)
        pdf.set_xy(x, y)
        pdf.multi_cell(
            width or self.width, _LINE * size / 9, self._known(text), align="L", link=link or "", new_x="LMARGIN",
            new_y="NEXT",
        )  # fmt: skip
        return float(pdf.get_y())

    def _caption(self, text: str, x: float, y: float) -> None:
        """Up to two lines."""
        self.pdf.set_font(size=7)
        # What it returns follows from `output`, which its types do not say.
        lines = cast(
            "list[str]", self.pdf.multi_cell(self.width, _LINE, self._known(text), dry_run=True, output="LINES")
        )
        kept = [*lines[:1], " ".join(lines[1:])] if len(lines) > 1 else lines
        for place, line in enumerate(kept):
            self._write(line, x, y + place * 0.75 * _LINE, 7)

    def _write(self, text: str, x: float, y: float, size: float, width: float | None = None) -> None:
        """One line, cut off where it is too long."""
        pdf = self.pdf
        pdf.set_font(size=size)
        shown, room = self._known(text), width or self.width
        if pdf.get_string_width(shown) > room:
            while shown and pdf.get_string_width(f"{shown}...") > room:
                shown = shown[:-1]
            shown = f"{shown}..."
        pdf.set_xy(x, y)
        pdf.cell(room, _LINE, shown, align="C")

    def _known(self, text: str) -> str:
        shown = visible(text)[:2000]
        return "".join(letter if ord(letter) in self.letters else "?" for letter in shown)
