"""The only code that turns an image into an encoder's input: ingest, query and training share it.

    any image -> grey, white paper -> margins trimmed -> shrunk with its lines kept -> white square

A patent sheet has 3 to 6 pixels wide lines on 2,500 pixels. Plain averaging down to 256 pixels leaves
pale grey threads that an encoder hardly sees. So a drawing is averaged down to four times the final size,
its lines are thickened there (`Preprocessing.thicken`), and the rest is averaged. Thickening at one fixed
scale, and not in the full-size drawing, makes the result nearly the same for copies of a drawing in
different resolutions, and keeps dithered greys from turning black.

An encoder may need windows too (`Preprocessing.windows`). They are in its square next to the drawing then, sides in
sevenths of the square's:

    the whole drawing, 4 | its densest window, 3
    ---------------------+----------------------
    a smaller copy, 3    | the next densest, 3

Windows come at the drawing's own scale, where style and scanner show, which drawings of one patent share. Those
of a small drawing stay white: it is not a drawing on a sheet but a copy of one, or a sketch without such a style.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patsearch.drawings.grey import WHITE, Grey, to_grey
from patsearch.errors import EncoderError

# Paper in JPEG files is not quite white, and the faintest line of a grey rendering is not quite paper.
_INK_BELOW = 240
# Lines are thickened at this multiple of the final size, or at the drawing's own where that is smaller.
_OVERSAMPLING = 4
# Sides of the whole drawing, and of its smaller copy and of a window, in parts of the square's.
_WHOLE, _SMALLER, _PARTS = 4, 3, 7
# With windows, the whole drawing is made from a copy that is halved until it is no longer than this.
_LONGEST = 960
# Only drawings at least this many times as long as their place in the square have windows.
_LEAST_SHRINK = 2
# Windows begin at multiples of this, in pixels of the drawing.
_HALVINGS = 5
_CELL = 1 << _HALVINGS


# How pydantic reads the parts of an encoder's card.
STRICT = {"extra": "forbid", "strict": True}


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a drawing becomes an array. Part of an encoder's fingerprint.

    Attributes:
        size: side of the square array, in pixels.
        padding: white margin on each side of the longer dimension, as a share of `size`.
        thicken: lines grow by about this many pixels of the result; 0 is plain area averaging.
        gamma: exponent on the ink (0 paper, 1 black) after shrinking; below 1 darkens pale lines.
        version: raised whenever this module's result changes for the same values above.
        windows: densest windows of the drawing next to it in the square, 0 to 2. With any, the whole drawing has 4/7 of
            the square's side, and a window 3/7.
    """

    __pydantic_config__: ClassVar = STRICT

    size: int = 256
    padding: float = 0.03
    thicken: float = 0.75
    gamma: float = 1.0
    version: int = 1
    windows: int = 0

    def __post_init__(self) -> None:
        if not (16 <= self.size <= 2048 and 0 <= self.padding < 0.4 and 0 <= self.thicken <= 1 and 0 < self.gamma <= 4):
            raise EncoderError(
                f"Preprocessing out of range: {self}.",
                hint="size 16..2048, padding 0..0.4, thicken 0..1, gamma 0..4.",
            )
        if not 0 <= self.windows <= 2 or (self.windows and self.size % (_PARTS * _CELL)):
            raise EncoderError(
                f"Preprocessing out of range: {self}.",
                hint=f"At most 2 windows, and with any a size that is a multiple of {_PARTS * _CELL}.",
            )

    @property
    def whole(self) -> Preprocessing:
        """The same for the whole drawing alone."""
        return replace(self, size=self.size * _WHOLE // _PARTS, windows=0) if self.windows else self

    @property
    def smaller(self) -> Preprocessing:
        """The same for the smaller copy next to windows, which are as large."""
        return replace(self, size=self.size * _SMALLER // _PARTS, windows=0)

    def to_json(self) -> dict[str, Any]:
        """The values by name, as in an encoder's card; `windows` only if there are any."""
        values = asdict(self)
        return values if self.windows else {name: value for name, value in values.items() if name != "windows"}


@dataclass(frozen=True, slots=True)
class Placement:
    """The way from a drawing's pixels to those of the square; all in whole pixels but for `shrink`.

    Attributes:
        left, top, width, height: the part of the drawing that has ink.
        shrink: pixels of the drawing in one of the square, along the longer side of that part.
        new_left, new_top, new_width, new_height: that part in the square.
    """

    left: int
    top: int
    width: int
    height: int
    shrink: float
    new_left: int
    new_top: int
    new_width: int
    new_height: int

    def cut(self, grey: Grey) -> Grey:
        """The part that has ink, a view."""
        return grey[self.top : self.top + self.height, self.left : self.left + self.width]

    def to_square(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Positions in the square for positions in the drawing; pixel i reaches from i to i + 1."""
        return (
            self.new_left + (x - self.left) * (self.new_width / self.width),
            self.new_top + (y - self.top) * (self.new_height / self.height),
        )

    def to_drawing(self, x: float, y: float) -> tuple[float, float]:
        """The way back, for one position."""
        return (
            self.left + (x - self.new_left) * (self.width / self.new_width),
            self.top + (y - self.new_top) * (self.height / self.new_height),
        )


def preprocess(image: Image.Image | NDArray[np.uint8], spec: Preprocessing) -> Grey:
    """(size, size) uint8 grey, white = 255, for a drawing of any size and mode.

    Args:
        image: a PIL image (1-bit, grey, palette, RGB, RGBA, 16-bit ...) or an array (H, W),
            (H, W, 3) RGB or (H, W, 4) RGBA. Transparent is white.
        spec: size, padding and the way of shrinking.

    Raises:
        ImageError: the image has no pixels, or a shape or mode that no picture has.
    """
    grey = to_grey(image)
    if not spec.windows:
        return _square(grey, spec)
    grey, side, smaller = trim(grey), spec.whole.size, spec.smaller.size
    square = np.full((spec.size, spec.size), WHITE, np.uint8)
    if _is_large(grey, spec):
        square[: smaller * spec.windows, side:] = _windows(grey, spec.windows, smaller).reshape(-1, smaller)
    grey = _halved(grey)
    square[:side, :side] = _square(grey, spec.whole)
    square[side : side + smaller, :smaller] = _square(grey, spec.smaller)
    return square


def _square(grey: Grey, spec: Preprocessing) -> Grey:
    place = placement(grey, spec)
    grey = place.cut(grey)
    new_width, new_height = place.new_width, place.new_height
    shrink: float = place.shrink
    if shrink > _OVERSAMPLING:
        grey = _shrink(grey, (_OVERSAMPLING * new_width, _OVERSAMPLING * new_height))
        shrink = _OVERSAMPLING
    if shrink > 1:
        grey = _thicken(grey, shrink, spec.thicken)
    way = cv2.INTER_AREA if shrink > 1 else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(grey, (new_width, new_height), interpolation=way), np.uint8)
    if spec.gamma != 1:
        small = _gamma_table(spec.gamma)[small]
    square = np.full((spec.size, spec.size), WHITE, np.uint8)
    square[place.new_top : place.new_top + new_height, place.new_left : place.new_left + new_width] = small
    return square


def has_windows(grey: Grey, spec: Preprocessing) -> bool:
    """Whether `preprocess` looks for windows in a (H, W) drawing: it is large enough."""
    return bool(spec.windows) and _is_large(trim(grey), spec)


def _is_large(trimmed: Grey, spec: Preprocessing) -> bool:
    return bool(max(trimmed.shape) >= _LEAST_SHRINK * spec.whole.size)


def densest_windows(grey: Grey, count: int, side: int) -> NDArray[np.uint8]:
    """(count, side, side): the parts with most ink of a (H, W) drawing, at its own scale, the densest first.

    Where there are fewer, the rest is white, and so is what reaches beyond the drawing. See `window_places`.
    """
    return _windows(trim(grey), count, side)


def _windows(grey: Grey, count: int, side: int) -> NDArray[np.uint8]:
    windows = np.full((count, side, side), WHITE, np.uint8)
    for window, (left, top) in zip(windows, _places(grey, count, side), strict=False):
        part = grey[max(0, top) : max(0, top + side), max(0, left) : max(0, left + side)]
        y, x = max(0, -top), max(0, -left)
        window[y : y + part.shape[0], x : x + part.shape[1]] = part
    return windows


def window_places(grey: Grey, count: int, side: int) -> list[tuple[int, int]]:
    """Left and top of the parts with most ink of a (H, W) drawing, in its pixels; at most `count`, the densest first.

    No two overlap by more than a quarter of their side; ties go in reading order. A drawing smaller than a window is
    in its middle.

    Args:
        side: pixels, a multiple of 32.
    """
    x, y, width, height = ink_box(grey)
    return [(x + left, y + top) for left, top in _places(grey[y : y + height, x : x + width], count, side)]


def _places(grey: Grey, count: int, side: int) -> list[tuple[int, int]]:
    """The same of a drawing without margins: to look for these once a drawing is half of the work."""
    height, width = (max(side, -(-length // _CELL) * _CELL) for length in grey.shape)
    top, left = (height - grey.shape[0]) // 2, (width - grey.shape[1]) // 2
    bottom, right = height - grey.shape[0] - top, width - grey.shape[1] - left
    ink = np.asarray(cv2.copyMakeBorder(cv2.bitwise_not(grey), top, bottom, left, right, cv2.BORDER_CONSTANT), np.uint8)
    for _ in range(_HALVINGS):
        ink = _half(ink)  # in the end, the mean ink of each cell
    cells = side // _CELL
    sums = cv2.integral(ink).astype(np.int64)
    amounts = sums[cells:, cells:] - sums[:-cells, cells:] - sums[cells:, :-cells] + sums[:-cells, :-cells]
    apart = -(-3 * cells // 4)
    places: list[tuple[int, int]] = []
    while len(places) < count:
        row, column = (int(at) for at in np.unravel_index(amounts.argmax(), amounts.shape))
        if amounts[row, column] <= 0:
            break
        places.append((column * _CELL - left, row * _CELL - top))
        amounts[max(0, row - apart + 1) : row + apart, max(0, column - apart + 1) : column + apart] = 0
    return places


def placement(grey: Grey, spec: Preprocessing) -> Placement:
    """Where `preprocess` puts a (H, W) grey drawing: what is cut out, and where in the square it ends up."""
    left, top, width, height = ink_box(grey)
    inner = max(1, round(spec.size * (1 - 2 * spec.padding)))
    shrink = max(height, width) / inner
    new_width, new_height = max(1, round(width / shrink)), max(1, round(height / shrink))
    new_left, new_top = (spec.size - new_width) // 2, (spec.size - new_height) // 2
    return Placement(left, top, width, height, shrink, new_left, new_top, new_width, new_height)


def _halved(grey: Grey) -> Grey:
    """Halved, by means over blocks of four pixels, until it is no longer than `_LONGEST`."""
    while max(grey.shape) > _LONGEST:
        grey = _half(grey)
    return grey


def _thicken(grey: Grey, shrink: float, pixels: float) -> Grey:
    """Lines wider by `pixels` after the drawing has shrunk by the factor `shrink`, less what averaging adds."""
    kernel = 1 + int(pixels * (shrink - 1) + 0.5)
    if kernel == 1:
        return grey
    # The minimum over a square widens every dark line by kernel - 1 pixels.
    return np.asarray(cv2.erode(grey, np.ones((kernel, kernel), np.uint8), borderType=cv2.BORDER_REPLICATE), np.uint8)


def _shrink(grey: Grey, size: tuple[int, int]) -> Grey:
    """Area averaging to `size` (width, height), by halving as far as it goes.

    OpenCV averages blocks of four pixels forty times as fast as it weighs fractions of pixels; the
    remaining factor of 1 to 2 is taken exactly, on the fewer pixels that are left.
    """
    while max(grey.shape) >= 2 * max(size):
        grey = _half(grey)
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


def _half(grey: Grey) -> Grey:
    """Half as large, rounded up, by means over blocks of four pixels."""
    height, width = grey.shape
    if height % 2 or width % 2:
        grey = np.asarray(cv2.copyMakeBorder(grey, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE), np.uint8)
    halved = (grey.shape[1] // 2, grey.shape[0] // 2)
    return np.asarray(cv2.resize(grey, halved, interpolation=cv2.INTER_AREA), np.uint8)


def trim(grey: Grey) -> Grey:
    """The part that has ink, a view; the whole image if there is none."""
    left, top, width, height = ink_box(grey)
    return grey[top : top + height, left : left + width]


def ink_box(grey: Grey) -> tuple[int, int, int, int]:
    """Left, top, width and height in pixels of the part that has ink; the whole image if there is none."""
    _, ink = cv2.threshold(grey, _INK_BELOW - 1, 1, cv2.THRESH_BINARY_INV)
    left, top, width, height = (int(value) for value in cv2.boundingRect(ink))
    return (left, top, width, height) if width and height else (0, 0, grey.shape[1], grey.shape[0])


def is_blank(grey: Grey) -> bool:
    """Whether a (H, W) grey image has no ink that `trim` would keep."""
    return bool(grey.min() >= _INK_BELOW)


def _gamma_table(gamma: float) -> NDArray[np.uint8]:
    ink = 1 - np.arange(256) / WHITE
    return np.rint(WHITE * (1 - ink**gamma)).astype(np.uint8)
