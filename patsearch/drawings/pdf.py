"""The pages of a PDF as pictures: an embedded scan at its own pixels, anything else rendered.

A patent's PDF is mostly one scan a page, in 1 bit. The scan's own pixels are taken where they are all that the page
shows, which a small rendering of the page decides: a label next to the scan, a clip, a mask or a second picture
are then seen without looking for any of them.

PDFium is not thread-safe, and a PDF is a program that anybody may have written: `patsearch.processes.isolated` gives
it a process with bounds.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from patsearch.drawings.grey import WHITE, Grey, to_grey
from patsearch.errors import ImageError, ImageTooLarge
from patsearch.types import Closing

MAGIC = b"%PDF-"
DPI = 300.0
# Of a rendered page; larger ones, as of plans in A0, are rendered at fewer dots per inch.
_MOST_RENDERED = 40_000_000
_MOST_PIXELS = 175_000_000  # of an embedded picture, as of a file
_FINEST = 600.0
# Dots per inch of the small rendering, and the pixels by which it is blurred before it is compared.
_SMALL = 48.0
_BLUR = 1.5
_DIFFERENT = 45  # grey levels: half a pixel of shift makes up to 39, the smallest label 52
_SQUARE = 1.03
_MOST_OBJECTS = 5000  # that are looked at; a page with more is drawn
_DEEPEST = 5
_SMALLEST_SCAN = 0.05  # of the page
_MOST_TEXT = 50_000  # characters of a page
_UPRIGHT = 0.002  # share of its length by which a scan's side may lean
_PASSWORD = 4  # FPDF_ERR_PASSWORD

_PDFIUM = threading.RLock()


def is_pdf(data: bytes) -> bool:
    """Whether a file is a PDF, by its first kilobyte."""
    return MAGIC in data[:1024]


@dataclass(frozen=True, slots=True)
class _Scan:
    """A picture embedded in a page.

    Attributes:
        image: PDFium's object.
        size: width and height in pixels.
        matrix: a, b, c, d, e, f: from the unit square to the page, in points.
    """

    image: Any
    size: tuple[int, int]
    matrix: tuple[float, float, float, float, float, float]

    @property
    def sides(self) -> tuple[float, float]:
        """Lengths of the picture's width and height on the page, in points."""
        a, b, c, d, _, _ = self.matrix
        return float(np.hypot(a, b)), float(np.hypot(c, d))

    @property
    def area(self) -> float:
        """On the page, in square points."""
        return self.sides[0] * self.sides[1]

    @property
    def dpi(self) -> float:
        return 72 * max(pixels / max(side, 1e-3) for pixels, side in zip(self.size, self.sides, strict=True))


class PdfFile(Closing):
    """An open PDF. A context manager; pages count from 1.

    Raises:
        ImageError: it needs a password, is damaged or has no pages.
    """

    def __init__(self, data: bytes, *, name: str = "") -> None:
        self.name = name or "The PDF"
        with _pdfium(self.name):
            import pypdfium2

            try:
                self._pdf = pypdfium2.PdfDocument(data)
            except pypdfium2.PdfiumError as error:
                if error.err_code == _PASSWORD:
                    raise ImageError(
                        f"{self.name} is encrypted with a password.", hint="Save a copy without a password."
                    ) from error
                raise _damaged(self.name) from error
            self.pages = len(self._pdf)
        if not self.pages:
            raise _damaged(self.name)

    def close(self) -> None:
        with _PDFIUM:
            self._pdf.close()

    def text(self, page: int) -> str:
        """The text layer of a page, in the order of the file; empty where there is none, or it cannot be read."""
        with _pdfium(self.name, page), self._opened(page) as opened:
            layer = opened.get_textpage()
            try:
                return str(layer.get_text_range(0, min(layer.count_chars(), _MOST_TEXT)))
            finally:
                layer.close()

    def picture(self, page: int, *, dpi: float = DPI, max_pixels: int | None = None) -> Grey:
        """(H, W) uint8: the page upright, as it is shown; a scan that fills it at the scan's own pixels.

        Args:
            dpi: dots per inch of pages that are rendered.
            max_pixels: rendered pages have up to this many pixels, at fewer dots per inch where they have to; a
                page with a scan of more is refused. None means 40 and 175 million.

        Raises:
            ImageError: no such page, or it cannot be drawn.
            ImageTooLarge: a scan in it is.
        """
        with _pdfium(self.name, page), self._opened(page) as opened:
            scans = list(_scans(opened))
            most = min(max_pixels or _MOST_PIXELS, _MOST_PIXELS)
            for scan in scans:
                if scan.size[0] * scan.size[1] > most:
                    raise ImageTooLarge(
                        f"{self.name}, page {page}: a picture has {scan.size[0]:,} x {scan.size[1]:,} pixels; "
                        f"the limit is {most:,}.",
                        hint="Save a smaller copy.",
                    )
            width, height = opened.get_size()
            large = [scan for scan in scans if scan.area >= _SMALLEST_SCAN * width * height]
            largest = max(large, key=lambda scan: scan.area, default=None)
            if largest is not None and (pixels := _own_pixels(opened, largest)) is not None:
                return pixels
            bilevel = largest is not None and largest.image.get_metadata().bits_per_pixel == 1
            if largest is not None and bilevel:
                dpi = min(_FINEST, max(largest.dpi, DPI / 2))
            return _render(opened, dpi, min(max_pixels or _MOST_RENDERED, _MOST_RENDERED), sharp=bilevel)

    @contextmanager
    def _opened(self, page: int) -> Iterator[Any]:
        if not 1 <= page <= self.pages:
            raise ImageError(f"{self.name} has no page {page}.", hint=f"It has {self.pages}; pages count from 1.")
        opened = self._pdf[page - 1]
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def _pdfium(name: str, page: int | None = None) -> Iterator[None]:
    """One thread at a time; what PDFium cannot do is an ImageError."""
    with _PDFIUM:
        try:
            yield
        except ImageError:
            raise
        except (RuntimeError, ValueError, OverflowError) as error:  # PdfiumError is a RuntimeError
            raise _damaged(name, page) from error


def _damaged(name: str, page: int | None = None) -> ImageError:
    what = f"{name}, page {page}, cannot be read: the PDF is damaged." if page else f"{name} is a damaged PDF file."
    return ImageError(what, hint="Open it in a viewer and save it again.")


def _scans(page: Any) -> Iterator[_Scan]:
    from pypdfium2 import raw

    for image in islice(page.get_objects(max_depth=_DEEPEST), _MOST_OBJECTS):
        if image.type != raw.FPDF_PAGEOBJ_IMAGE:
            continue
        matrix, around = image.get_matrix(), image.container
        while around is not None:
            matrix, around = matrix.multiply(around.get_matrix()), around.container
        yield _Scan(image, image.get_px_size(), matrix.get())


def _own_pixels(page: Any, scan: _Scan) -> Grey | None:
    """The pixels of a scan as it is turned on the page; None where the page shows anything else."""
    a, b, c, d, e, f = scan.matrix
    to_page, origin = _as_shown(page)
    right, down = to_page @ (a, b), to_page @ (-c, -d)
    corner = to_page @ (c + e, d + f) + origin  # of the picture's first pixel
    lying = bool(abs(right[0]) < abs(right[1]))
    leaning = max(abs(right[0]), abs(down[1])) if lying else max(abs(right[1]), abs(down[0]))
    if leaning > _UPRIGHT * min(scan.sides):
        return None
    pixels = _bitmap(scan.image)
    if pixels is None:
        return None
    if lying:
        pixels, right, down = pixels.T, down, right
    pixels = pixels[:: 1 if down[1] > 0 else -1, :: 1 if right[0] > 0 else -1]
    small, scale = _small(page)
    box = np.rint(scale * np.stack([corner, corner + right + down])).astype(int)
    (left, top), (end, bottom) = box.min(axis=0).tolist(), box.max(axis=0).tolist()
    height, width = small.shape
    if min(left, top) < -1 or end > width + 1 or bottom > height + 1 or left >= end or top >= bottom:
        return None  # a part of it is beyond the edge of the page
    expected = np.full((height + 2, width + 2), WHITE, np.uint8)
    fitted = cv2.resize(np.ascontiguousarray(pixels), (end - left, bottom - top), interpolation=cv2.INTER_AREA)
    expected[top + 1 : bottom + 1, left + 1 : end + 1] = fitted
    if _differ(small, expected[1:-1, 1:-1]):
        return None
    return _square(pixels, abs(float(right[0])), abs(float(down[1])))


def _as_shown(page: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """From points of a page to points of the page as it is shown, to the right and down: matrix and origin."""
    left, low, right, top = page.get_bbox()
    turns = {
        0: ([[1, 0], [0, -1]], [-left, top]),
        90: ([[0, 1], [1, 0]], [-low, -left]),
        180: ([[-1, 0], [0, 1]], [right, -low]),
        270: ([[0, -1], [-1, 0]], [top, right]),
    }
    matrix, origin = turns[page.get_rotation()]
    return np.asarray(matrix, np.float64), np.asarray(origin, np.float64)


def _bitmap(image: Any) -> Grey | None:
    """The pixels of an embedded picture, first row uppermost."""
    from pypdfium2 import PdfiumError, raw

    try:
        bitmap = image.get_bitmap()
        pixels = np.array(bitmap.to_numpy())  # a copy: the memory is the bitmap's
    except PdfiumError:
        return None
    grey = to_grey(pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[:, :, 2::-1]))
    metadata = image.get_metadata()
    if metadata.bits_per_pixel == 1 and metadata.colorspace == raw.FPDF_COLORSPACE_UNKNOWN:
        return 255 - grey  # a stencil: what is painted is white in it
    return grey


def _small(page: Any) -> tuple[Grey, NDArray[np.float64]]:
    """A small rendering, and its pixels a point across and down."""
    size = page.get_size()
    small = _drawn(page, min(max(_SMALL / 72, 300 / max(size)), 1000 / max(size)))
    return small, np.asarray(small.shape[::-1]) / size


def _render(page: Any, dpi: float, most: int, *, sharp: bool) -> Grey:
    width, height = page.get_size()
    scale = min(dpi / 72, float(np.sqrt(most / max(width * height, 1.0))) * 0.999)
    return _drawn(page, scale, no_smoothimage=sharp)


def _drawn(page: Any, scale: float, **how: bool) -> Grey:
    # PDFium rounds up: 480.24 points would become a pixel more than the 2001 at 300 dpi that they were made of.
    bitmap = page.render(scale=scale * (1 - 1e-6), grayscale=True, may_draw_forms=False, **how)
    return np.array(bitmap.to_numpy())


def _differ(shown: Grey, expected: Grey) -> bool:
    """Whether more differs than resampling explains: a letter does."""
    first, second = (cv2.GaussianBlur(grey, (0, 0), _BLUR) for grey in (shown, expected))
    return bool(cv2.absdiff(first, second).max() > _DIFFERENT)


def _square(pixels: Grey, width: float, height: float) -> Grey:
    """Pixels as wide as they are high, for a width and height in points: a fax has half as many rows."""
    finest = max(pixels.shape[1] / width, pixels.shape[0] / height)
    size = (round(width * finest), round(height * finest))
    if max(size[0] / pixels.shape[1], size[1] / pixels.shape[0]) < _SQUARE:
        return np.ascontiguousarray(pixels)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_NEAREST), np.uint8)
