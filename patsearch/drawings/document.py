"""A file that is a query as its figures: a picture, a sheet with several, a document with many pages, a 3D model."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from patsearch.drawings.grey import Grey, to_grey
from patsearch.drawings.opening import MAX_BYTES, count_pages, has_frames, is_heic, is_picture, open_picture, read_bytes
from patsearch.drawings.pagesort import Page, Pages, chosen_page, has_ink, left_out, page_image, sort_pages
from patsearch.drawings.paper import flat_paper
from patsearch.drawings.pdf import PdfFile, is_pdf
from patsearch.drawings.photo import cropped, query_image
from patsearch.drawings.product import product_lines
from patsearch.drawings.screenshot import drawing_in_screenshot
from patsearch.drawings.sheets import LONGEST_SIDE, split_sheet
from patsearch.drawings.svg import is_svg
from patsearch.drawings.tiff import has_lost_pages
from patsearch.errors import ImageError
from patsearch.models.reading import Kind, Up, model_kind, read_model

SCREENSHOT = "a screenshot, which is searched whole; the drawing in it is at {}: crop it to that"
PHOTOGRAPH = "a photograph, which is searched as it is and as the lines drawn from it"
PAPER = "a photo of a sheet of paper, which is searched flattened and without shadows"
LOST_PAGES = "the file is damaged: it has more pages, which cannot be read"
FRAMES = "the file has several pictures; the first is read"
# Of a query: a patent has up to a hundred, and each is a search.
MOST_FIGURES = 100
_MOST_PIXELS = 500_000_000  # of all figures of a document together
# Of a drawn view, pixels: so small a drawing is compared by shape alone, as its style is nobody's.
_VIEW_SIDE = 480
_TURNS = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}


DocumentKind = Literal["picture", "document", "model"]


@dataclass(frozen=True, slots=True)
class DocumentFigure:
    """A figure of a document.

    Attributes:
        image: (H, W) uint8, dark on white.
        page: from 1; of a model the number of the view; None of a file that has one.
        label: the number on its label, where it was read.
        name: what distinguishes it from the document's others, as "page 2, FIG. 1"; empty where it is the only one.
    """

    image: Grey = field(repr=False)
    page: int | None = None
    label: str | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was read.

    Attributes:
        figures: in the order of its pages.
        remarks: what was left out, in words.
        pages: how many it has.
        kind: what it is.
        crop: x, y, width, height in pixels of the upright picture: where the drawing in a screenshot is.
        flat: whether it is a photo of a sheet of paper, and its figures are those of the flattened sheet.
        sheet: (H, W) uint8, the whole picture or the only page that was read, before the crop: what a crop is of. None
            of a document of which several pages were read, and of a model.
    """

    figures: tuple[DocumentFigure, ...]
    remarks: tuple[str, ...] = ()
    pages: int = 1
    kind: DocumentKind = "picture"
    crop: tuple[int, int, int, int] | None = None
    sheet: Grey | None = field(default=None, repr=False)
    flat: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file that is a query is read.

    Attributes:
        page: this page alone, whatever it shows, from 1; None for all pages of drawings. Of a model, this view.
        crop: x, y, width, height in pixels of the upright picture, or of each page as `PdfFile.picture` gives it.
        turn: degrees clockwise, after the crop: 0, 90, 180 or 270.
        split: cut pages into figures; else each page is one.
        longest: as in `split_sheet`.
        max_pixels: as in `open_image`; of a PDF as in `PdfFile.picture`.
        up: the axis of a model that points up; None for what files of its kind have.
        view: of a model also this view: degrees around it, where -90 is the front, and above it, where 90 is the top.
        lines: of a photograph of a thing also draw its lines, as a second figure; look for the drawing in a screenshot.
        flatten: find the sheet of paper in a photo that is not cropped, and read that, seen from above.
        seconds: pages that are not reached by then are left out, with a remark; None for no limit.
        sheet: keep the whole picture, too: `Document.sheet`.
    """

    page: int | None = None
    crop: tuple[int, int, int, int] | None = None
    turn: int = 0
    split: bool = True
    longest: int | None = LONGEST_SIDE
    max_pixels: int | None = None
    up: Up | None = None
    view: tuple[float, float] | None = None
    lines: bool = True
    flatten: bool = True
    seconds: float | None = None
    sheet: bool = False


def read_figures(source: bytes | Path | Image.Image, how: Reading, *, name: str = "") -> Document:
    """The figures of a query: of a picture, of a sheet, of all pages of a PDF or TIFF that are drawings, of a model.

    Args:
        source: a file's bytes, its path, or an image that is open already.
        name: what errors and remarks call it.

    Raises:
        ImageError: it cannot be read, has no such page, or no drawings.
    """
    if isinstance(source, Image.Image):
        if flat := _of_paper(source, name, how):
            return Document(flat, (f"{name}: {PAPER}",) if name else (), flat=True)
        figures, photograph = _of_picture(source, name, how)
        return Document(figures, (f"{name}: {PHOTOGRAPH}",) if photograph and name else ())
    name = name or (str(source) if isinstance(source, Path) else "The file")
    data = read_bytes(source, name, MAX_BYTES)
    if is_pdf(data):
        with PdfFile(data, name=name) as pdf:
            return _of_pages(pdf, how)
    if (kind := _model(data, name)) is not None:
        return _of_model(data, kind, how, name)
    if how.page is None and count_pages(data) > 1:
        tiff = _Tiff(data, name)
        document = _of_pages(tiff, how)
        return replace(document, remarks=(*document.remarks, *tiff.told))
    image, damage = open_picture(data, name=name, page=how.page or 1, max_pixels=how.max_pixels)
    pages = count_pages(data)
    told = [damage] if damage else []
    told += [LOST_PAGES] if how.page is None and has_lost_pages(data) else []
    told += [FRAMES] if how.page is None and has_frames(data) else []
    sheet = to_grey(image) if how.sheet else None
    if flat := _of_paper(image, name, how):
        return Document(flat, tuple(f"{name}: {text}" for text in (*told, PAPER)), pages, sheet=sheet, flat=True)
    figures, photograph = _of_picture(image, name, how, several=pages > 1)
    crop = drawing_in_screenshot(image) if how.crop is None and how.lines and not photograph else None
    told += [PHOTOGRAPH] if photograph else []
    told += [SCREENSHOT.format(",".join(map(str, crop)))] if crop else []
    return Document(figures, tuple(f"{name}: {text}" for text in told), pages, crop=crop, sheet=sheet)


def needs_isolation(data: bytes, name: str = "") -> bool:
    """Whether a file is of a kind that may hold its reader up or take it down, so that a process should read it."""
    return is_pdf(data) or is_svg(data) or is_heic(data) or _model(data, name) is not None


def _model(data: bytes, name: str) -> Kind | None:
    return None if is_picture(data) else model_kind(data, name)


def _of_model(data: bytes, kind: Kind, how: Reading, name: str) -> Document:
    """The views in which a design patent would show a model."""
    if how.crop is not None:
        raise ImageError(f"{name} is a 3D model, which cannot be cropped.", hint="Choose one of its views: --page N.")
    from patsearch.models.views import DESIGN_VIEWS, draw_views, view_from

    more = [view_from(*how.view)] if how.view else []
    count = len(DESIGN_VIEWS) + len(more)
    if how.page is not None and how.page > count:
        raise ImageError(f"{name} has no view {how.page}.", hint=f"It has {count}; views count from 1.")
    model = read_model(data, kind, name=name, up=how.up)
    figures = []
    for number, (view, drawing) in enumerate(draw_views(model.mesh, side=_VIEW_SIDE, more=more), start=1):
        if how.page in (None, number) and drawing is not None:
            turned = np.ascontiguousarray(np.rot90(drawing, -how.turn // 90))
            figures.append(DocumentFigure(turned, number, name=view))
    if not figures:
        raise ImageError(f"{name} shows nothing from there.", hint="Check the model in a viewer.")
    return Document(tuple(figures), model.remarks, kind="model")


@dataclass(frozen=True)
class _Tiff:
    """A TIFF with several pages as a document."""

    data: bytes = field(repr=False)
    name: str
    told: list[str] = field(default_factory=list)  # of damage, of the pages that were read

    def __post_init__(self) -> None:
        if has_lost_pages(self.data):
            self.told.append(f"{self.name}: {LOST_PAGES}")

    @property
    def pages(self) -> int:
        return count_pages(self.data)

    def text(self, page: int) -> str:  # noqa: ARG002 - pictures have none
        return ""

    def picture(self, page: int, *, dpi: float = 0.0, max_pixels: int | None = None) -> Grey:  # noqa: ARG002
        called = f"{self.name}, page {page}"
        image, damage = open_picture(self.data, name=called, page=page, max_pixels=max_pixels)
        if damage:
            self.told.append(f"{called}: {damage}")
        return to_grey(query_image(image, name=called))


def _of_pages(document: Pages, how: Reading) -> Document:
    figures: list[DocumentFigure] = []
    told: list[str] = []
    others: list[Page] = []
    started = time.monotonic()
    sheet: Grey | None = None
    if how.page is None:
        pages = sort_pages(document, max_pixels=how.max_pixels)
    else:
        pages = iter((chosen_page(document, how.page, max_pixels=how.max_pixels),))
    for page in pages:
        if page.kind == "damaged":
            told.append(page.reason)
        elif page.image is None:
            others.append(page)
        else:
            if how.sheet and (how.page is not None or document.pages == 1):
                sheet = page.image
            try:
                figures += _of_page(page.image, page.number, document.name, how)
            except ImageError as error:
                if how.page is not None or how.crop is not None:
                    raise
                told.append(error.message)
        if stop := _stop(figures, page.number, document, how, started):
            told.append(f"{document.name}: {stop}")
            break
    told[:0] = [f"{document.name}: {remark}" for remark in left_out(others, document.pages)]
    if not figures:
        said = "; ".join(remark.removeprefix(f"{document.name}: ").rstrip(".") for remark in told)
        raise ImageError(
            f"No drawings found in {document.name}{f' ({said})' if said else ''}.",
            hint="Choose a page by its number: --page N.",
        )
    named = _named(figures[:MOST_FIGURES], several=document.pages > 1)
    return Document(named, tuple(told), document.pages, "document", sheet=sheet)


def _stop(figures: list[DocumentFigure], page: int, document: Pages, how: Reading, started: float) -> str:
    """Why further pages are not read, in words; empty where they are."""
    pixels = sum(figure.image.size for figure in figures)
    if len(figures) > MOST_FIGURES or pixels > _MOST_PIXELS:
        count = min(len(figures), MOST_FIGURES)
        return f"only the first {count} figures are searched; choose others by their page"
    late = how.seconds is not None and time.monotonic() - started > how.seconds
    if late and page < document.pages:
        return f"pages after page {page} took too long and are left out; choose one by its number"
    return ""


def _of_page(grey: Grey, page: int, name: str, how: Reading) -> Iterator[DocumentFigure]:
    """The figures of a page, without those that are specks."""
    return (
        figure for figure in _of_image(page_image(grey), f"{name}, page {page}", how, page) if has_ink(figure.image)
    )


def _of_image(image: Image.Image, name: str, how: Reading, page: int | None = None) -> list[DocumentFigure]:
    """The figures of a picture."""
    prepared = query_image(image, name=name, crop=how.crop)
    if how.turn:
        prepared = prepared.transpose(_TURNS[how.turn])
    if not how.split:
        return [DocumentFigure(to_grey(prepared), page)]
    return [DocumentFigure(f.image, page, f.label) for f in split_sheet(prepared, longest=how.longest).figures]


def _of_picture(
    image: Image.Image, name: str, how: Reading, *, several: bool = False
) -> tuple[tuple[DocumentFigure, ...], bool]:
    """The figures of a picture that is a file, named; and whether it is a photograph, with its lines as a second."""
    if how.crop is not None:
        image, how = cropped(image, how.crop, name or "The image"), replace(how, crop=None)
    lines = product_lines(image) if how.lines else None
    if lines is None:
        return _named(_of_image(image, name, how, how.page), several=several), False
    # As ingest reads it: an indexed photograph finds itself.
    whole, *_ = _of_image(image, name, replace(how, split=False), how.page)
    drawn = DocumentFigure(np.ascontiguousarray(np.rot90(lines, -how.turn // 90)), how.page)
    page = f"page {how.page}, " if several and how.page else ""
    return tuple(replace(f, name=page + said) for f, said in ((whole, "the photograph"), (drawn, "its lines"))), True


def _of_paper(image: Image.Image, name: str, how: Reading) -> tuple[DocumentFigure, ...]:
    """The figures on the sheet of paper in a photo; none where it is another picture, or the user has cropped it."""
    if how.crop is not None or not how.flatten or (paper := flat_paper(image)) is None:
        return ()
    figures = _of_image(Image.fromarray(paper.image), name, how, how.page)
    if len(figures) == 1:
        return (replace(figures[0], name="the paper flattened"),)
    return _named(figures, several=False)


def _named(figures: Sequence[DocumentFigure], *, several: bool) -> tuple[DocumentFigure, ...]:
    """With names, where there are several figures or pages."""
    if len(figures) < 2 and not several:
        return tuple(figures)
    pages = [figure.page for figure in figures]
    named = []
    for place, figure in enumerate(figures):
        number = pages[: place + 1].count(figure.page)
        parts = [f"page {figure.page}" if figure.page else ""]
        if figure.label:
            parts.append(f"FIG. {figure.label}")
        elif pages.count(figure.page) > 1:
            parts.append(f"figure {number}")
        named.append(replace(figure, name=", ".join(filter(None, parts))))
    return tuple(named)
