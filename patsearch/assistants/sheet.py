"""Contact sheets: several drawings with their names in one picture of bounded size."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from patsearch.drawings.opening import open_image
from patsearch.errors import ImageError
from patsearch.text import visible

# In base64 this becomes 900,000 characters.
MOST_BYTES = 675_000
MOST_TILES = 60
_SIDES = (300, 240, 190, 150, 110, 80)  # of a tile, in pixels: the first that fits is taken
_ACROSS = 5
_GAP = 10
_LINE = 15
_LONGEST_LINE = 60  # letters
_PIXELS = 4_000_000  # of one drawing


@dataclass(frozen=True, slots=True)
class Tile:
    """One drawing of a sheet: PNG, None where it has no picture, and the lines below it."""

    png: bytes | None
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture with its type, as in image/png."""

    data: bytes
    mime: str


def contact_sheet(tiles: Sequence[Tile], *, most: int = MOST_BYTES) -> Picture | None:
    """The tiles in rows, as large as the bound allows; None without tiles.

    Args:
        most: bytes of the encoded picture.
    """
    if not tiles:
        return None
    drawings = [_opened(tile.png) for tile in tiles[:MOST_TILES]]
    for side in _SIDES:
        sheet = _laid_out(tiles[:MOST_TILES], drawings, side)
        if (found := encoded(sheet, most)) is not None:
            return found
    raise ImageError("The contact sheet is too large.", hint="Request fewer drawings.")


def encoded(sheet: Image.Image, most: int = MOST_BYTES) -> Picture | None:
    """A picture as PNG, or as JPEG where that is too large; None where both are."""
    buffer = io.BytesIO()
    # Sixteen shades of lines on paper look the same, in half the bytes.
    few = sheet.quantize(16 if sheet.mode == "L" else 64, dither=Image.Dither.NONE)
    few.save(buffer, "PNG", optimize=True)
    if buffer.tell() <= most:
        return Picture(buffer.getvalue(), "image/png")
    for quality in (85, 60):
        buffer = io.BytesIO()
        sheet.save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= most:
            return Picture(buffer.getvalue(), "image/jpeg")
    return None


def heat_over(picture: bytes, heat: bytes) -> Image.Image:
    """A drawing with its heat in red: two grey PNGs of one shape."""
    drawing = np.asarray(open_image(picture, max_pixels=_PIXELS).convert("L"), dtype=np.float32)
    warm = np.asarray(open_image(heat, max_pixels=_PIXELS).convert("L"), dtype=np.float32) / 255
    red = np.clip(drawing * (1 - 0.1 * warm) + 120 * warm * (1 - drawing / 255), 0, 255)
    other = drawing * (1 - 0.75 * warm)
    return Image.fromarray(np.stack([red, other, other], axis=-1).astype(np.uint8))


def side_by_side(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures in a row on white paper."""
    width = sum(one.width for one in pictures) + _GAP * (len(pictures) + 1)
    row = Image.new("RGB", (width, max(one.height for one in pictures) + 2 * _GAP), "white")
    x = _GAP
    for one in pictures:
        row.paste(one, (x, _GAP))
        x += one.width + _GAP
    return row


def _opened(png: bytes | None) -> Image.Image | None:
    if not png:
        return None
    try:
        return open_image(png, max_pixels=_PIXELS).convert("L")
    except ImageError:  # the index holds something else than a picture here
        return None


def _laid_out(tiles: Sequence[Tile], drawings: Sequence[Image.Image | None], side: int) -> Image.Image:
    font = ImageFont.load_default(12)
    across = min(_ACROSS, len(tiles))
    height = side + _LINE * max(len(tile.lines) for tile in tiles) + _GAP
    rows = -(-len(tiles) // across)
    sheet = Image.new("L", (across * (side + _GAP) + _GAP, rows * height + _GAP), 255)
    pen = ImageDraw.Draw(sheet)
    for place, (tile, drawing) in enumerate(zip(tiles, drawings, strict=True)):
        x, y = _GAP + place % across * (side + _GAP), _GAP + place // across * height
        if drawing is None:
            pen.rectangle((x, y, x + side - 1, y + side - 1), outline=200)
        else:
            small = drawing.copy()
            small.thumbnail((side, side), Image.Resampling.LANCZOS)
            sheet.paste(small, (x + (side - small.width) // 2, y + (side - small.height) // 2))
        for line, text in enumerate(tile.lines):
            shown = visible(text)[:_LONGEST_LINE]
            while shown and pen.textlength(shown, font) > side:
                shown = shown[:-1]
            pen.text((x, y + side + line * _LINE), shown, fill=0, font=font)
    return sheet
