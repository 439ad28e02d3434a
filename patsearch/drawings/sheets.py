"""Turn a patent drawing sheet into its figures.

The sheet is halved twice; connected pieces of the quartered copy make rows that may be text
(`lines`), a small network reads them (`reader`), their wording tells labels from the rest
(`labels`), and the ink that is left is shared out among the labels (`partition`).
See docs/research/sheets.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from patsearch.drawings.figure import Box, Figure, SplitSheet
from patsearch.drawings.grey import Grey
from patsearch.drawings.partition import share_out
from patsearch.drawings.raster import CELL, PAPER, Pieces, Raster, pieces_of, rasterise, without
from patsearch.drawings.sheettext import SheetText, sheet_text

# Of a returned figure, in pixels. Scales are halves of each other, so a large figure has 480 to 960: two to
# four times what an encoder of 256 pixels sees, which thickens lines at no more than four times.
LONGEST_SIDE = 960


def split_sheet(
    image: Image.Image | Grey, *, expected: Sequence[str] = (), longest: int | None = LONGEST_SIDE
) -> SplitSheet:
    """The figures of a sheet in reading order.

    Args:
        image: the sheet, an image of any mode or (H, W) uint8; dark on white.
        expected: the figure numbers that the grant's captions name, a prior for the reading alone.
        longest: larger figures are halved once or twice, to have at most this side; None for all as on the sheet.

    Returns:
        At least one figure; one without a label where no label was found.
    """
    raster = rasterise(image)
    pieces = pieces_of(raster.ink)
    labels, others = sheet_text(raster, pieces, expected)
    turned = _turned(labels)
    kept = raster.ink.copy()
    for text in (*labels, *others):
        _erase(kept, pieces, text)
    if not kept.any():
        return _whole(raster, longest)
    shares = _shares(kept, labels, turned)
    numbers = [label.meaning.number for label in labels] or [None]
    figures = [_figure(raster, share, turned, number, longest) for share, number in zip(shares, numbers, strict=True)]
    return SplitSheet(tuple(_reading_order([figure for figure in figures if figure is not None])), turned)


def whole_sheet(image: Image.Image | Grey, *, longest: int | None = LONGEST_SIDE) -> SplitSheet:
    """The sheet as one figure, nothing removed but its margins; `longest` as in `split_sheet`."""
    return _whole(rasterise(image), longest)


def _whole(raster: Raster, longest: int | None) -> SplitSheet:
    figure = _figure(raster, raster.ink, 0, None, longest)
    if figure is None:  # an empty sheet
        width, height = raster.size
        figure = Figure(raster.full[:height, :width].copy(), (0, 0, width, height), None)
    return SplitSheet((figure,), 0)


def _turned(labels: Sequence[SheetText]) -> int:
    """The turn that most labels need, surer ones first."""
    votes: Counter[int] = Counter()
    for label in labels:
        votes[label.turn] += 1 + int(label.meaning.number is not None)
    return votes.most_common(1)[0][0] if votes else 0


def _erase(kept: Grey, pieces: Pieces, text: SheetText) -> None:
    """Take the pieces of a line off the ink that is kept."""
    left, top, right, bottom = text.line.box
    own = np.zeros(len(pieces), bool)
    own[text.line.members] = True
    kept[top:bottom, left:right][own[pieces.at[top:bottom, left:right]]] = 0


def _shares(kept: Grey, labels: Sequence[SheetText], turned: int) -> list[Grey]:
    """For each label, or the one figure without any, its (H/4, W/4) 0/1 cells of the ink that is kept."""
    if len(labels) < 2:
        return [kept]
    height, width = kept.shape
    boxes = [_turn_box(label.line.box, (width, height), turned) for label in labels]
    upright = np.ascontiguousarray(np.rot90(kept, -turned // 90))
    owner = np.rot90(share_out(upright, boxes), turned // 90)
    return [(owner == number).view(np.uint8) for number in range(1, len(labels) + 1)]


def _turn_box(box: Box, size: tuple[int, int], turned: int) -> Box:
    """A box of a sheet of that width and height after the sheet was turned clockwise."""
    left, top, right, bottom = box
    width, height = size
    if turned == 90:
        return height - bottom, left, height - top, right
    if turned == 180:
        return width - right, height - bottom, width - left, height - top
    if turned == 270:
        return top, width - right, bottom, width - left
    return box


def _figure(raster: Raster, share: Grey, turned: int, label: str | None, longest: int | None) -> Figure | None:
    """Cut one figure out of the sheet at a scale that suits its size; None where it has no ink.

    Args:
        share: (H/4, W/4), 1 where the ink is the figure's, else 0.
    """
    x, y, w, h = cv2.boundingRect(share)
    if not w or not h:
        return None
    step = next((s for s in (1, 2) if longest is None or max(w, h) * CELL <= longest * s), 4)
    level = {1: raster.full, 2: raster.half, 4: raster.small}[step]
    cells = CELL // step
    crop = level[y * cells : (y + h) * cells, x * cells : (x + w) * cells]
    foreign = cv2.subtract(raster.ink[y : y + h, x : x + w], share[y : y + h, x : x + w])
    if cv2.countNonZero(foreign):
        crop = without(crop, foreign.view(bool), cells)
    left, top, right, bottom = _margins(crop, cells)
    crop = crop[top : crop.shape[0] - bottom, left : crop.shape[1] - right]
    height, width = crop.shape
    scale = step * raster.shrink
    x, y = x * cells + left, y * cells + top
    full_width, full_height = raster.size[0] * raster.shrink, raster.size[1] * raster.shrink
    box = (
        int(x * scale),
        int(y * scale),
        int(min((x + width) * scale, full_width)),
        int(min((y + height) * scale, full_height)),
    )
    box = _turn_box(box, (int(full_width), int(full_height)), turned)
    return Figure(np.ascontiguousarray(np.rot90(crop, -turned // 90)), box, label)


def _margins(crop: Grey, cells: int) -> Box:
    """Columns and rows without ink at the left, upper, right and lower edge of a crop.

    The outermost cells on each side hold ink, so nothing further in than `cells` pixels need be looked at.
    """
    top = crop[:cells].min(axis=1) < PAPER
    left = crop[:, :cells].min(axis=0) < PAPER
    bottom = crop[-cells:].min(axis=1) < PAPER
    right = crop[:, -cells:].min(axis=0) < PAPER
    return int(left.argmax()), int(top.argmax()), int(right[::-1].argmax()), int(bottom[::-1].argmax())


def _reading_order(figures: list[Figure]) -> list[Figure]:
    """Rows from top to bottom, each from left to right; a row is what overlaps by half in height."""
    rows: list[list[Figure]] = []
    for figure in sorted(figures, key=lambda f: f.box[1]):
        for row in rows:
            top, bottom = min(f.box[1] for f in row), max(f.box[3] for f in row)
            overlap = min(bottom, figure.box[3]) - max(top, figure.box[1])
            if overlap > 0.5 * min(bottom - top, figure.box[3] - figure.box[1]):
                row.append(figure)
                break
        else:
            rows.append([figure])
    return [figure for row in rows for figure in sorted(row, key=lambda f: f.box[0])]
