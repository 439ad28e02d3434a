"""Turn a patent drawing sheet into its figures.

The sheet is halved twice; connected pieces of the quartered copy make rows that may be text
(`lines`), a small network reads them (`reader`), their wording tells labels from the rest
(`labels`), and the ink that is left is shared out among the labels (`partition`).
See docs/sheets.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from patsearch.drawings.figure import Box, Figure, Grey, SplitSheet
from patsearch.drawings.partition import share_out
from patsearch.drawings.raster import CELL, Pieces, Raster, pieces_of, rasterise, without
from patsearch.drawings.sheettext import SheetText, sheet_text

LONGEST_SIDE = 1200  # of a returned figure: more than encoder (256-512) and thumbnail (400) need


def split_sheet(image: Image.Image | Grey, *, expected: Sequence[str] = ()) -> SplitSheet:
    """The figures of a sheet in reading order.

    Args:
        image: the sheet, an image of any mode or (H, W) uint8; dark on white.
        expected: the figure numbers that the grant's captions name, a prior for the reading alone.

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
        return _whole(raster)
    owner = _owners(kept, labels, turned)
    figures = []
    for number in range(1, max(1, len(labels)) + 1):
        label = labels[number - 1].meaning.number if labels else None
        figure = _figure(raster, owner, number, turned, label)
        if figure is not None:
            figures.append(figure)
    return SplitSheet(tuple(_reading_order(figures)), turned)


def whole_sheet(image: Image.Image | Grey) -> SplitSheet:
    """The sheet as one figure, nothing removed but its margins."""
    return _whole(rasterise(image))


def _whole(raster: Raster) -> SplitSheet:
    figure = _figure(raster, raster.ink, 1, 0, None)
    if figure is None:  # an empty sheet
        width, height = raster.size
        figure = Figure(raster.full[:height, :width].copy(), (0, 0, width, height), None)
    return SplitSheet((figure,), 0)


def _turned(labels: Sequence[SheetText]) -> int:
    """The turn that most labels ask for, surer ones first."""
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


def _owners(kept: Grey, labels: Sequence[SheetText], turned: int) -> Grey:
    """(H/4, W/4) number of the figure of each cell, 0 for paper and removed text."""
    if len(labels) < 2:
        return kept
    height, width = kept.shape
    boxes = [_turn_box(label.line.box, (width, height), turned) for label in labels]
    upright = np.ascontiguousarray(np.rot90(kept, -turned // 90))
    return np.asarray(np.rot90(share_out(upright, boxes), turned // 90))


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


def _figure(raster: Raster, owner: Grey, number: int, turned: int, label: str | None) -> Figure | None:
    """Cut one figure out of the sheet at a scale that suits its size; None where it has no ink."""
    x, y, w, h = cv2.boundingRect((owner == number).view(np.uint8))
    if not w or not h:
        return None
    step = next((s for s in (1, 2) if max(w, h) * CELL <= LONGEST_SIDE * s), 4)
    level = {1: raster.full, 2: raster.half, 4: raster.small}[step]
    cells = CELL // step
    crop = level[y * cells : (y + h) * cells, x * cells : (x + w) * cells]
    region = owner[y : y + h, x : x + w]
    foreign = (raster.ink[y : y + h, x : x + w] > 0) & (region != number)
    if foreign.any():
        crop = without(crop, foreign, cells)
    left, top, width, height = cv2.boundingRect((crop < 250).view(np.uint8))
    crop = crop[top : top + height, left : left + width]
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
