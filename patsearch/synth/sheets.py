"""Drawing sheets like those of grants: figures with their labels, one to three to a page, 1-bit.

Sizes are given for 300 dpi and scaled with the drawings: at `size` 1500 the longer side of a figure is
about 1500 pixels, 5 inches.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patsearch.models.render import Lines, render
from patsearch.synth.design import SHEETS, Design
from patsearch.synth.dice import Dice
from patsearch.synth.lettering import Lettering
from patsearch.synth.style import Style, ink_on

DPI = 300
FULL_SIZE = 1500
_PAGE = (1900, 2600)  # the printable part of a page, upright, pixels at full size
_SMALLEST_BUFFER, _LARGEST_BUFFER = 300, 1100
_BACKGROUND = 255
_PHOTOMETRIC = 262

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class PlacedFigure:
    """Where a figure and its label are on the upright sheet: left, top, right, bottom in pixels."""

    figure: str
    view: str
    box: Box
    label_box: Box | None = None


@dataclass(frozen=True, slots=True)
class DrawnSheet:
    """One sheet.

    Attributes:
        name: `D00001`; `D00000` is the front page's.
        page: (h, w) uint8, 0 or 255, as stored (turned, if in landscape).
        turned: whether it was turned by 90 degrees anticlockwise, as sheets in landscape are printed.
    """

    name: str
    page: NDArray[np.uint8] = field(repr=False)
    figures: tuple[PlacedFigure, ...]
    turned: bool = False


def draw_sheets(design: Design, *, size: int = FULL_SIZE) -> Iterator[DrawnSheet]:
    """The sheets of a design: `D00000`, then the pages in order.

    Args:
        size: longer side of a figure that fills its page, pixels; real ones have about 1500.
    """
    draughtsman = _Draughtsman(design, size)
    pages = list(draughtsman.pages())
    yield _front_page(pages, draughtsman.dice)
    yield from pages


class _Draughtsman:
    """Lays out one design: the same handwriting for its labels, a usual number of figures per page."""

    def __init__(self, design: Design, size: int) -> None:
        self.dice = Dice(design.plan.rng(SHEETS))
        self._design = design
        self._scale = size / FULL_SIZE
        self._hand = Lettering.draw(self.dice, scale=self._scale)
        self._labels_above = self.dice.chance(0.06)
        self._habit = self.dice.pick((1,), (1,), (1, 1, 2), (1, 2), (2,), (2, 1, 3))

    def pages(self) -> Iterator[DrawnSheet]:
        at, number = 0, 1
        while at < len(self._design.views):
            count = min(self.dice.pick(*self._habit), len(self._design.views) - at)
            yield self._page(range(at, at + count), f"D{number:05d}")
            at, number = at + count, number + 1

    def _page(self, figures: range, name: str) -> DrawnSheet:
        views = [self._design.views[i] for i in figures]
        share = 1.0 if len(views) == 1 else 1.5
        buffer = int(min(max(FULL_SIZE * self._scale * 0.75 / share, _SMALLEST_BUFFER), _LARGEST_BUFFER))
        rendered = [render(self._design.mesh, view, size=buffer) for view in views]
        landscape = all(lines.size[0] > 1.25 * lines.size[1] for lines in rendered) and self.dice.chance(0.6)
        wide, high = (round(length * self._scale) for length in (_PAGE[::-1] if landscape else _PAGE))
        beside = len(views) == 2 and all(lines.size[1] > 1.6 * lines.size[0] for lines in rendered)
        cell = (wide // len(views), high) if beside else (wide, high // len(views))
        page = np.full((high, wide), _BACKGROUND, np.uint8)
        placed = []
        for k, (i, view, lines) in enumerate(zip(figures, views, rendered, strict=True)):
            corner = (k * cell[0], 0) if beside else (0, k * cell[1])
            boxes = self._place(page, (*corner, *cell), lines, str(i + 1))
            placed.append(PlacedFigure(str(i + 1), view.name, *boxes))
        return _trimmed(name, page, placed, turned=landscape)

    def _place(self, page: NDArray[np.uint8], cell: Box, lines: Lines, figure: str) -> tuple[Box, Box]:
        """Ink a figure and its label into a cell (left, top, width, height) of the page; their boxes."""
        dice = self.dice
        label = self._hand.write(figure, dice.rng)
        style = Style.draw(dice, self._design.unclaimed, for_sheet=True)
        gap, margin = round(dice.between(45, 130) * self._scale), round(30 * self._scale)
        x, y, cell_width, cell_height = cell
        width, height = lines.size
        room = cell_width - 2 * margin, cell_height - 2 * margin - gap - label.shape[0]
        largest = FULL_SIZE * self._scale / max(width, height)
        factor = min(room[0] / width, room[1] / height, largest) * dice.between(0.72, 1.0)
        wide, high = round(width * factor), round(height * factor)
        left = x + (cell_width - wide) // 2
        top = label_top = y + (cell_height - high - gap - label.shape[0]) // 2
        if self._labels_above:
            top += label.shape[0] + gap
        else:
            label_top += high + gap
        # An unsteady hand and wide lines go a little beyond the figure; the margin holds them.
        x0, y0 = max(left - margin // 2, 0), max(top - margin // 2, 0)
        region = page[y0 : top + high + margin // 2, x0 : left + wide + margin // 2]
        ink_on(region, lines, style, dice.rng, factor=factor, origin=(float(left - x0), float(top - y0)))
        x1, y1, x2, y2 = _extent(region)
        shift = round(dice.between(-0.15, 0.15) * wide) if dice.chance(0.3) else 0
        label_left = x + (cell_width - label.shape[1]) // 2 + shift
        label_left = min(max(label_left, 0), page.shape[1] - label.shape[1])
        page[label_top : label_top + label.shape[0], label_left : label_left + label.shape[1]] = label
        label_box = (label_left, label_top, label_left + label.shape[1], label_top + label.shape[0])
        return (x0 + x1, y0 + y1, x0 + x2, y0 + y2), label_box


def _trimmed(name: str, page: NDArray[np.uint8], placed: list[PlacedFigure], *, turned: bool) -> DrawnSheet:
    """Cut the page to its ink, as the office does, and turn it if it is in landscape."""
    left, top, right, bottom = _extent(page)
    moved = tuple(
        PlacedFigure(
            f.figure, f.view, _moved(f.box, left, top), _moved(f.label_box, left, top) if f.label_box else None
        )
        for f in placed
    )
    cut = page[top:bottom, left:right]
    return DrawnSheet(name, np.ascontiguousarray(np.rot90(cut) if turned else cut), moved, turned)


def _front_page(pages: list[DrawnSheet], dice: Dice) -> DrawnSheet:
    """One figure again, without its label: the first, as a rule."""
    source = pages[0] if dice.chance(0.8) else dice.pick(*pages)
    upright = np.rot90(source.page, -1) if source.turned else source.page
    figure = source.figures[0]
    left, top, right, bottom = figure.box
    # The figure's own box must still hold nothing else: labels and other figures are next to it.
    copy = PlacedFigure(figure.figure, figure.view, (0, 0, right - left, bottom - top))
    return DrawnSheet("D00000", np.ascontiguousarray(upright[top:bottom, left:right]), (copy,))


def tiff_bytes(sheet: DrawnSheet) -> bytes:
    """The sheet as the office stores it: TIFF, 1 bit, CCITT group 4, WhiteIsZero, 300 dpi."""
    note = (
        f"**DRAWING;{'OGFIG' if sheet.name == 'D00000' else 'PG0' + sheet.name[1:]};BW;{'L' if sheet.turned else 'P'}"
    )
    ink = Image.fromarray(sheet.page < 128)  # bits of 1 are ink, as WhiteIsZero needs them
    buffer = io.BytesIO()
    ink.save(buffer, "TIFF", compression="group4", dpi=(DPI, DPI), tiffinfo={270: note})
    return _white_is_zero(buffer.getvalue())


def _white_is_zero(tiff: bytes) -> bytes:
    """The same bits with the photometric interpretation of the office.

    Pillow writes BlackIsZero; told to write the other, some versions turn every pixel over in a loop of
    Python, a quarter of a second a sheet, and some do not. So the tag is set afterwards.
    """
    data = bytearray(tiff)
    order = "<" if data[:2] == b"II" else ">"
    (directory,) = struct.unpack_from(f"{order}I", data, 4)
    (entries,) = struct.unpack_from(f"{order}H", data, directory)
    for entry in range(directory + 2, directory + 2 + 12 * entries, 12):
        if struct.unpack_from(f"{order}H", data, entry)[0] == _PHOTOMETRIC:
            struct.pack_into(f"{order}H", data, entry + 8, 0)
            return bytes(data)
    raise ValueError("The TIFF has no photometric interpretation.")


def png_bytes(page: NDArray[np.uint8]) -> bytes:
    """A grey or black and white page as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(page).save(buffer, "PNG")
    return buffer.getvalue()


def _extent(page: NDArray[np.uint8]) -> Box:
    rows, columns = np.flatnonzero((page < 128).any(axis=1)), np.flatnonzero((page < 128).any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _moved(box: Box, x: int, y: int) -> Box:
    return box[0] - x, box[1] - y, box[2] - x, box[3] - y
