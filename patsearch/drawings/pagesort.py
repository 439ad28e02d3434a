"""The pages of a document: those with drawings are kept; the front page, pages of text and blank ones are left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from PIL import Image

from patsearch.drawings.grey import Grey
from patsearch.drawings.heads import without_head
from patsearch.drawings.pagetext import page_text
from patsearch.drawings.specks import without_specks
from patsearch.errors import ImageError

Kind = Literal["drawing", "front page", "text", "blank", "damaged"]

MAX_PAGES = 2000
# The codes of WIPO ST.9 next to number, date, title and so on; a front page has a dozen.
_INID = re.compile(r"[(\[](?:1[0-9]|2[1-7]|3[0-4]|4[1-8]|5[1-8]|6[0-8]|7[1-6]|8[0-8])[)\]]")
_CODES = 4
_LEAST_TEXT = 100  # characters; fewer are a stamp on a scan
_MUCH_TEXT = 500
_ROUGH = 150.0  # dots per inch at which text is found
_DARK = 200
_LEAST_INK = 50  # pixels


class Pages(Protocol):
    """An open document; pages count from 1."""

    @property
    def name(self) -> str:
        """What errors call it."""

    @property
    def pages(self) -> int:
        """How many there are."""

    def text(self, page: int) -> str:
        """The text layer of a page; empty where it has none."""

    def picture(self, page: int, *, dpi: float = ..., max_pixels: int | None = ...) -> Grey:
        """(H, W) uint8, dark on white: the page upright. Raises ImageError where it cannot be read."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a document.

    Attributes:
        number: from 1.
        kind: what it is; only drawings are searched.
        image: (H, W) uint8 of a drawing, without running text and head; None for other pages.
        reason: why a damaged page cannot be read.
    """

    number: int
    kind: Kind
    image: Grey | None = None
    reason: str = ""


def sort_pages(document: Pages, *, max_pixels: int | None = None) -> Iterator[Page]:
    """Each page, in order; a front page that has the only drawing of the document comes last, as a drawing."""
    front: Page | None = None
    drawn = False
    for number in range(1, min(document.pages, MAX_PAGES) + 1):
        try:
            page = _sorted(document, number, max_pixels)
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


def chosen_page(document: Pages, number: int, *, max_pixels: int | None = None) -> Page:
    """One page as a drawing, whatever it shows.

    Raises:
        ImageError: no such page, or it cannot be read.
    """
    grey = document.picture(number, max_pixels=max_pixels)
    text = page_text(grey)
    return Page(number, "drawing", _cleaned(text.without(grey) if text.drawings else grey))


def _sorted(document: Pages, number: int, max_pixels: int | None) -> Page:
    layer = document.text(number)
    if len(layer) >= _MUCH_TEXT:
        text = page_text(document.picture(number, dpi=_ROUGH, max_pixels=max_pixels))
        if text.lines and not text.drawings:  # most pages of an application
            return Page(number, "front page" if _is_front(layer, number) else "text")
    grey = document.picture(number, max_pixels=max_pixels)
    if not has_ink(grey) or not has_ink(without_specks(grey)):
        return Page(number, "blank")
    text = page_text(grey)
    if not text.lines:
        return Page(number, "drawing", _cleaned(grey))
    front = _is_front(layer, number)
    if not text.drawings:
        return Page(number, "front page" if front else "text")
    return Page(number, "front page" if front else "drawing", _cleaned(text.without(grey)))


def _cleaned(grey: Grey) -> Grey:
    """A page without its running head, and without specks that were close to it."""
    return without_specks(without_head(grey))


def _is_front(layer: str, number: int) -> bool:
    """Whether a page of text is a front page: it has the office's codes; of a scan, it is the first."""
    return len(_INID.findall(layer)) >= _CODES if len(layer) >= _LEAST_TEXT else number == 1


def has_ink(grey: Grey) -> bool:
    """Whether a page or figure has more than specks."""
    return int(np.count_nonzero(grey < _DARK)) >= _LEAST_INK


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


def page_image(grey: Grey) -> Image.Image:
    """A page as an image, of mode "1" where it has two tones alone, as scans have."""
    image = Image.fromarray(grey)
    two = image.getcolors(2)
    return image.convert("1", dither=Image.Dither.NONE) if two and {tone for _, tone in two} <= {0, 255} else image
