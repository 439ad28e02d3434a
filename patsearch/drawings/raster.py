"""A sheet as arrays: full size, halved and quartered, and the connected pieces of its ink.

The array work of a sheet is done on the quartered copy, in which a cell counts as ink when any of
its pixels is: thin lines survive and the letters of a word stay a few cells apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patsearch.drawings.figure import Box
from patsearch.drawings.grey import Grey, to_grey

Boxes = NDArray[np.int32]

CELL = 4
PAPER = 250  # a cell whose mean is brighter holds no ink: one pixel of 16 darker than 175 makes less
_MOST_PIXELS = 12_000_000


@dataclass(frozen=True, eq=False)
class Raster:
    """One sheet; its reduced copies are padded with white to whole cells.

    Attributes:
        full: (H, W) uint8 grey, white = 255; the cells at its right and lower edge may be incomplete.
        size: width and height of the sheet (after `shrink`).
        shrink: sheet pixels a pixel of `full`; above 1 for sheets beyond all sense alone.
    """

    full: Grey
    size: tuple[int, int]
    shrink: float = 1.0

    @cached_property
    def half(self) -> Grey:
        """(2 * cells down, 2 * cells across) means of two by two pixels."""
        height, width = self.full.shape
        return _halved(self.full, (-(-height // CELL) * 2, -(-width // CELL) * 2))

    @cached_property
    def small(self) -> Grey:
        """(cells down, cells across) means of two by two halved pixels."""
        height, width = self.half.shape
        return _halved(self.half, (height // 2, width // 2))

    @cached_property
    def ink(self) -> Grey:
        """(cells down, cells across), 1 where any pixel of the cell is ink."""
        return (self.small < PAPER).view(np.uint8)


def rasterise(sheet: Image.Image | Grey) -> Raster:
    """A grey array or any Pillow image as a raster; transparency is laid on white."""
    grey = sheet if isinstance(sheet, np.ndarray) else to_grey(sheet)
    height, width = grey.shape
    shrink = 1.0
    pixels = width * height
    if pixels > _MOST_PIXELS:
        shrink = 2.0 if pixels <= 4 * _MOST_PIXELS else float(np.ceil(np.sqrt(pixels / _MOST_PIXELS)))
        size = (max(1, int(width / shrink)), max(1, int(height / shrink)))
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        height, width = grey.shape
    return Raster(grey, (width, height), shrink)


def _halved(grey: Grey, shape: tuple[int, int]) -> Grey:
    """Means of two by two pixels as an array of `shape`, as if white followed `grey`."""
    out = np.full(shape, 255, np.uint8)
    height, width = grey.shape
    down, across = height // 2, width // 2
    if down and across:
        cv2.resize(
            grey[: 2 * down, : 2 * across], (across, down), dst=out[:down, :across], interpolation=cv2.INTER_AREA
        )
    # Only the odd last column and row are padded: a padded copy of the sheet would cost as much as this.
    if width % 2:
        edge = cv2.copyMakeBorder(grey[:, -1:], 0, height % 2, 0, 1, cv2.BORDER_CONSTANT, value=255)
        out[: down + height % 2, across : across + 1] = _means(edge)
    if height % 2:
        edge = cv2.copyMakeBorder(grey[-1:], 0, 1, 0, width % 2, cv2.BORDER_CONSTANT, value=255)
        out[down : down + 1, : across + width % 2] = _means(edge)
    return out


def _means(even: NDArray[Any]) -> NDArray[Any]:
    """(H/2, W/2) means of (H, W), both even."""
    size = (even.shape[1] // 2, even.shape[0] // 2)
    return cv2.resize(even, size, interpolation=cv2.INTER_AREA).reshape(size[::-1])


@dataclass(frozen=True, eq=False)
class Pieces:
    """The connected pieces of a mask.

    Attributes:
        at: (H, W) uint16 or int32, number of the piece at each cell, 0 for paper.
        boxes: (N, 4) int32 left, top, width, height; row 0 is paper.
        area: (N,) int32 cells.
    """

    at: NDArray[np.uint16 | np.int32]
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
    # Short numbers take half the time; before the pieces are joined there may be one for each cell of ink.
    kind = cv2.CV_16U if cv2.countNonZero(mask) < np.iinfo(np.uint16).max else cv2.CV_32S
    _, at, stats, _ = cv2.connectedComponentsWithStatsWithAlgorithm(mask, 8, kind, cv2.CCL_SPAGHETTI)
    table = np.asarray(stats, dtype=np.int32)
    return Pieces(np.asarray(at, np.uint16 if kind == cv2.CV_16U else np.int32), table[:, :4], table[:, 4])


def union(boxes: Boxes) -> Box:
    """Left, top, right, bottom around (N, 4) boxes of left, top, width, height."""
    left, top = np.minimum.reduce(boxes[:, :2]).tolist()
    right, bottom = np.maximum.reduce(boxes[:, :2] + boxes[:, 2:]).tolist()
    return left, top, right, bottom


def without(crop: Grey, foreign: NDArray[np.bool_], cell: int) -> Grey:
    """A crop with the cells of `cell` by `cell` pixels white that are true in `foreign`.

    The last cells may be incomplete in `crop`.
    """
    height, width = crop.shape
    cells = foreign.view(np.uint8) * np.uint8(255)
    white = cv2.resize(cells, None, fx=cell, fy=cell, interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.bitwise_or(crop, white[:height, :width]), dtype=np.uint8)
