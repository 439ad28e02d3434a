"""The course of a run as a picture: loss on the left, retrieval on the right.

Drawn with Pillow, which is installed anyway.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

_WIDTH, _HEIGHT = 560, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 34, 66
_SCALE = 2  # drawn larger and shrunk: lines without stairs
_COLOURS = ("#2f6fb5", "#d1742f", "#3d8f57", "#9a4fb0", "#b0413e", "#2a8d93")
_INK, _GRID, _PAPER = "#333333", "#dddddd", "#ffffff"
_NAMES = {
    "loss": "loss",
    "map_groups": "mAP, held-out groups",
    "map_families": "mAP, held-out families",
    "sketch_groups": "sketch hit@1, groups",
    "sketch_families": "sketch hit@1, families",
}
Row = Mapping[str, float]
Points = list[tuple[float, float]]


def draw_curves(path: Path, rows: Sequence[Row]) -> None:
    """Write the PNG; rows are those of `log.csv`."""
    left = _lines(rows, ("loss",))
    right = _lines(rows, [name for name in _NAMES if name != "loss"])
    page = Image.new("RGB", (2 * _WIDTH * _SCALE, _HEIGHT * _SCALE), _PAPER)
    most = max((row["step"] for row in rows), default=1.0)
    top = max((y for points in left.values() for _, y in points), default=1.0)
    _panel(page, 0, "Training loss", left, most=most, top=_round_up(top))
    _panel(page, _WIDTH, "Retrieval on held-out designs", right, most=most, top=1.0)
    part = path.with_suffix(".part")
    page.resize((2 * _WIDTH, _HEIGHT), Image.Resampling.LANCZOS).save(part, "PNG")
    part.replace(path)


def _lines(rows: Sequence[Row], names: Sequence[str]) -> dict[str, Points]:
    found = {
        name: [(row["step"], row[name]) for row in rows if math.isfinite(row.get(name, math.nan))] for name in names
    }
    return {_NAMES[name]: points for name, points in found.items() if points}


def _panel(page: Image.Image, offset: int, title: str, lines: Mapping[str, Points], *, most: float, top: float) -> None:
    draw = ImageDraw.Draw(page)
    large, small = (ImageFont.load_default(size=size * _SCALE) for size in (15, 12))

    def at(x: float, y: float) -> tuple[float, float]:
        across = offset + _LEFT + (_WIDTH - _LEFT - _RIGHT) * x / most
        down = _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * min(y / top, 1.0)
        return across * _SCALE, down * _SCALE

    draw.text(((offset + _LEFT) * _SCALE, 8 * _SCALE), title, _INK, large)
    for part in range(5):
        value = top * part / 4
        (x, y), (end, _) = at(0, value), at(most, value)
        draw.line([(x, y), (end, y)], _INK if part == 0 else _GRID, _SCALE)
        draw.text((x - 8 * _SCALE, y), f"{value:.3g}", _INK, small, anchor="rm")
        x, y = at(most * part / 4, 0)
        draw.text((x, y + 6 * _SCALE), f"{most * part / 4:,.0f}", _INK, small, anchor="mt" if part < 4 else "rt")
    draw.text(
        ((offset + _WIDTH - _RIGHT) * _SCALE, (_HEIGHT - _BOTTOM + 22) * _SCALE), "step", _INK, small, anchor="rt"
    )
    for number, (name, points) in enumerate(lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        places = [at(*point) for point in points]
        if len(places) > 1:
            draw.line(places, colour, 2 * _SCALE, joint="curve")
        if len(places) <= 60:
            for x, y in places:
                draw.ellipse((x - 5, y - 5, x + 5, y + 5), colour)
        x, y = offset + _LEFT + 210 * (number % 2), _HEIGHT - 36 + 17 * (number // 2)
        draw.line([(x * _SCALE, (y + 7) * _SCALE), ((x + 18) * _SCALE, (y + 7) * _SCALE)], colour, 3 * _SCALE)
        draw.text(((x + 24) * _SCALE, (y + 7) * _SCALE), name, _INK, small, anchor="lm")


def _round_up(value: float) -> float:
    """The next of 1, 2, 5 times a power of ten, in steps of a quarter that read well."""
    if not math.isfinite(value) or value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 5, 6, 8, 10) if step * power >= value * 0.999)
