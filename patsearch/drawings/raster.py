"""A sheet as arrays: full size, halved and quartered, and the connected pieces of its ink.

The array work of a sheet is done on the quartered copy, in which a cell counts as ink when any of
its pixels is: thin lines survive and the letters of a word stay a few cells apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patsearch.drawings.figure import Box

Grey = NDArray[np.uint8]
Boxes = NDArray[np.int32]

CELL = 4
_PAPER = 250  # a cell whose mean is brighter holds no ink: one pixel of 16 darker than 175 makes less
_MOST_PIXELS = 12_000_000


@dataclass(frozen=True, eq=False)
class Raster:
    """One sheet, padded with white to whole cells.

    Attributes:
        full: (H, W) uint8 grey, white = 255, H and W multiples of `CELL`.
        size: width and height of the sheet before padding (and after `shrink`).
        shrink: sheet pixels a pixel of `full`; above 1 for sheets beyond all sense alone.
    """

    full: Grey
    size: tuple[int, int]
    shrink: float = 1.0

    @cached_property
    def half(self) -> Grey:
        """(H/2, W/2) means."""
        return _halved(self.full)

    @cached_property
    def small(self) -> Grey:
        """(H/4, W/4) means."""
        return _halved(self.half)

    @cached_property
    def ink(self) -> Grey:
        """(H/4, W/4), 1 where any pixel of the cell is ink."""
        return (self.small < _PAPER).view(np.uint8)

    def turned(self, degrees: int) -> Raster:
        """The sheet turned clockwise by a multiple of 90 degrees."""
        if degrees == 0:
            return self
        code = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}[degrees]
        size = self.size if degrees == 180 else (self.size[1], self.size[0])
        return Raster(np.asarray(cv2.rotate(self.full, code), dtype=np.uint8), size, self.shrink)


def rasterise(image: Image.Image) -> Raster:
    """Any Pillow image as a raster; transparency is laid on white."""
    shrink = 1.0
    pixels = image.width * image.height
    if pixels > _MOST_PIXELS and image.mode in ("1", "L"):
        shrink = 2.0 if pixels <= 4 * _MOST_PIXELS else float(np.ceil(np.sqrt(pixels / _MOST_PIXELS)))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    grey: Grey = np.asarray(image.convert("L"))
    if shrink > 1:
        size = (max(1, int(grey.shape[1] / shrink)), max(1, int(grey.shape[0] / shrink)))
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    height, width = grey.shape
    size = (width, height)
    if height % CELL or width % CELL:
        padded = cv2.copyMakeBorder(grey, 0, -height % CELL, 0, -width % CELL, cv2.BORDER_CONSTANT, value=255)
        grey = np.asarray(padded, dtype=np.uint8)
    return Raster(grey, size, shrink)


def _halved(grey: Grey) -> Grey:
    height, width = grey.shape
    return np.asarray(cv2.resize(grey, (width // 2, height // 2), interpolation=cv2.INTER_AREA), dtype=np.uint8)


@dataclass(frozen=True, eq=False)
class Pieces:
    """The connected pieces of a mask.

    Attributes:
        at: (H, W) int32, number of the piece at each cell, 0 for paper.
        boxes: (N, 4) int32 left, top, width, height; row 0 is paper.
        area: (N,) int32 cells.
    """

    at: NDArray[np.int32]
    boxes: Boxes
    area: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.area)

    @cached_property
    def columns(self) -> Boxes:
        """(4, N) the boxes by column, each contiguous."""
        return np.ascontiguousarray(self.boxes.T)


def pieces_of(mask: Grey) -> Pieces:
    """8-connected pieces of a 0/1 mask."""
    _, at, stats, _ = cv2.connectedComponentsWithStatsWithAlgorithm(mask, 8, cv2.CV_32S, cv2.CCL_BBDT)
    table = np.asarray(stats, dtype=np.int32)
    return Pieces(np.asarray(at, dtype=np.int32), table[:, :4], table[:, 4])


def union(boxes: Boxes) -> Box:
    """Left, top, right, bottom around (N, 4) boxes of left, top, width, height."""
    left, top = boxes[:, :2].min(axis=0)
    right, bottom = (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
    return int(left), int(top), int(right), int(bottom)
