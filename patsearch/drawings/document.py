"""A PDF as its drawings: pages of drawings are kept, the front page, pages of text and blank ones are left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from patsearch.drawings.grey import Grey
from patsearch.drawings.pagetext import page_text
from patsearch.drawings.pdf import MAX_PAGES, PdfFile
from patsearch.drawings.photo import query_image
from patsearch.drawings.sheets import LONGEST_SIDE, split_sheet, whole_sheet
from patsearch.errors import ImageError

Kind = Literal["drawing", "front page", "text", "blank", "damaged"]

# Of a query: a patent has up to a hundred, and each is a search.
MOST_FIGURES = 100
# The codes of WIPO ST.9 next to number, date, title and so on; a front page has a dozen.
_INID = re.compile(r"[(\[](?:1[0-9]|2[1-7]|3[0-4]|4[1-8]|5[1-8]|6[0-8]|7[1-6]|8[0-8])[)\]]")
_CODES = 4
_LEAST_TEXT = 100  # characters; fewer are a stamp on a scan
_MUCH_TEXT = 500
_ROUGH = 150.0  # dots per inch at which text is found
_DARK = 200
_LEAST_INK = 50  # pixels
_TURNS = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a document.

    Attributes:
        number: from 1.
        kind: what it is; only drawings are searched.
        image: (H, W) uint8 of a drawing, without running text; None for other pages.
        reason: why a damaged page cannot be read.
    """

    number: int
    kind: Kind
    image: Grey | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DocumentFigure:
    """A figure of a document: its page, the number on its label where it was read, and (H, W) uint8."""

    page: int
    label: str | None
    image: Grey


@dataclass(frozen=True, slots=True)
class Document:
    """The figures of a document in the order of its pages, and what was left out, in words."""

    figures: tuple[DocumentFigure, ...]
    remarks: tuple[str, ...] = ()


def sort_pages(pdf: PdfFile, *, max_pixels: int | None = None) -> Iterator[Page]:
    """Each page, in order; a front page that has the only drawing of the document comes last, as a drawing."""
    front: Page | None = None
    drawn = False
    for number in range(1, min(pdf.pages, MAX_PAGES) + 1):
        try:
            page = _sorted(pdf, number, max_pixels)
        except ImageError as error:
            page = Page(number, "damaged", reason=error.message)
        if page.kind == "front page" and page.image is not None:
            front = front or page
            page = Page(number, "front page")
        drawn = drawn or page.kind == "drawing"
        if front is None or page.number != front.number:
            yield page
    if front is not None:
        yield Page(front.number, "front page") if drawn else Page(front.number, "drawing", front.image)


def _sorted(pdf: PdfFile, number: int, max_pixels: int | None) -> Page:
    layer = pdf.text(number)
    if len(layer) >= _MUCH_TEXT:
        text = page_text(pdf.picture(number, dpi=_ROUGH, max_pixels=max_pixels))
        if text.lines and not text.drawings:  # most pages of an application
            return Page(number, "front page" if _is_front(layer, number) else "text")
    grey = pdf.picture(number, max_pixels=max_pixels)
    if int(np.count_nonzero(grey < _DARK)) < _LEAST_INK:
        return Page(number, "blank")
    text = page_text(grey)
    if not text.lines:
        return Page(number, "drawing", grey)
    front = _is_front(layer, number)
    if not text.drawings:
        return Page(number, "front page" if front else "text")
    return Page(number, "front page" if front else "drawing", text.without(grey))


def _is_front(layer: str, number: int) -> bool:
    """Whether a page of text is a front page: it has the office's codes; of a scan, it is the first."""
    return len(_INID.findall(layer)) >= _CODES if len(layer) >= _LEAST_TEXT else number == 1


def left_out(pages: list[Page], total: int) -> tuple[str, ...]:
    """What of a document with `total` pages is not searched, in words: a line for all, or none."""
    told = []
    for kind, one, several in (
        ("front page", "the front page", "front pages"),
        ("text", "1 page of text", "pages of text"),
        ("blank", "1 blank page", "blank pages"),
    ):
        numbers = sorted(page.number for page in pages if page.kind == kind)
        if numbers:
            what = one if len(numbers) == 1 else f"{len(numbers)} {several}"
            told.append(f"{what} ({_ranges(numbers)})")
    if total > MAX_PAGES:
        told.append(f"{total - MAX_PAGES:,} pages after page {MAX_PAGES:,}")
    return (f"left out: {', '.join(told)}",) if told else ()


def _ranges(numbers: list[int]) -> str:
    """`2, 5-9`."""
    starts = [n for n in numbers if n - 1 not in numbers]
    ends = [n for n in numbers if n + 1 not in numbers]
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True))


@dataclass(frozen=True, slots=True)
class Reading:
    """How the pages of a document that is a query are read.

    Attributes:
        page: this page alone, whatever it shows, from 1; None for all pages of drawings.
        crop: x, y, width, height in pixels of each page as `PdfFile.picture` gives it.
        turn: degrees clockwise, after the crop: 0, 90, 180 or 270.
        split: cut pages into figures; else each page is one.
        longest: as in `split_sheet`.
        max_pixels: as in `PdfFile.picture`.
    """

    page: int | None = None
    crop: tuple[int, int, int, int] | None = None
    turn: int = 0
    split: bool = True
    longest: int | None = LONGEST_SIDE
    max_pixels: int | None = None


def read_figures(data: bytes, how: Reading, *, name: str = "") -> Document:
    """The figures of a PDF that is a query; `name` is what errors call it.

    Raises:
        ImageError: damaged, encrypted, without that page or without drawings.
    """
    figures: list[DocumentFigure] = []
    remarks: list[str] = []
    others: list[Page] = []
    with PdfFile(data, name=name) as pdf:
        pages = sort_pages(pdf, max_pixels=how.max_pixels) if how.page is None else [_chosen(pdf, how)]
        for page in pages:
            if len(figures) >= MOST_FIGURES:
                remarks.append(f"only the first {MOST_FIGURES} figures are searched; choose others by their page")
                break
            if page.kind == "damaged":
                remarks.append(page.reason)
            elif page.image is None:
                others.append(page)
            else:
                try:
                    figures += _figures(page.image, page.number, f"{pdf.name}, page {page.number}", how)
                except ImageError as error:
                    if how.page is not None or how.crop is not None:
                        raise
                    remarks.append(error.message)
        remarks[:0] = left_out(others, pdf.pages)
        if not figures:
            told = "; ".join(remarks)
            raise ImageError(
                f"No drawings found in {pdf.name}{f' ({told})' if told else ''}.",
                hint="Choose a page by its number: --page N.",
            )
    return Document(tuple(figures[:MOST_FIGURES]), tuple(f"{pdf.name}: {remark}" for remark in remarks))


def _chosen(pdf: PdfFile, how: Reading) -> Page:
    number = how.page or 1
    grey = pdf.picture(number, max_pixels=how.max_pixels)
    text = page_text(grey)
    return Page(number, "drawing", text.without(grey) if text.drawings else grey)


def _figures(grey: Grey, page: int, name: str, how: Reading) -> Iterator[DocumentFigure]:
    image = query_image(page_image(grey), name=name, crop=how.crop)
    if how.turn:
        image = image.transpose(_TURNS[how.turn])
    sheet = split_sheet(image, longest=how.longest) if how.split else whole_sheet(image, longest=None)
    for figure in sheet.figures:
        if int(np.count_nonzero(figure.image < _DARK)) >= _LEAST_INK:
            yield DocumentFigure(page, figure.label, figure.image)


def page_image(grey: Grey) -> Image.Image:
    """A page as an image, of mode "1" where it has two tones alone, as scans have."""
    image = Image.fromarray(grey)
    two = image.getcolors(2)
    return image.convert("1", dither=Image.Dither.NONE) if two and {tone for _, tone in two} <= {0, 255} else image
