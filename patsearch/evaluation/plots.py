"""Small plots as inline SVG: no script, no request, readable in light and dark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from patsearch import pages

_WIDTH, _HEIGHT = 460, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 448, 14, 220  # of the field that the marks are drawn in
_DOTTED = 60  # points of a line, beyond which they are not marked
_SLANTED = 30  # more height, for slanted names
_COLOURS = ("#2f6fb5", "#d1742f", "#3d8f57", "#9a4fb0", "#b0413e", "#6b7a1f", "#2a8d93", "#7d5a3c")
_DASHES = (None, "6 4", "2 3", "8 3 2 3")

Ticks = Sequence[tuple[float, str]]


class _Mark(NamedTuple):
    """An SVG element; attributes that are None are left out."""

    tag: str
    attributes: dict[str, object]
    tip: str = ""


def curves(
    title: str,
    lines: Mapping[str, Sequence[tuple[float, float]]],
    *,
    x_label: str = "k",
    highest: float = 1.0,
    logarithmic: bool = True,
) -> str:
    """Lines of values in [0, highest] over k >= 1, or over steps from 0 on a linear axis.

    Args:
        lines: by the name in the legend: pairs of k and value, ascending. Empty ones are left out.
    """
    shown = {name: points for name, points in lines.items() if points}
    most = max((points[-1][0] for points in shown.values()), default=10)
    if logarithmic:
        span = max(math.log10(most), 1e-9)
        ticks = [(_x(math.log10(k) / span), str(k)) for k in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if k <= most]
    else:
        ticks = [(_x(share), f"{most * share:,.0f}") for share in (0, 0.25, 0.5, 0.75, 1)]
    marks = []
    for number, points in enumerate(shown.values()):
        shares = [math.log10(k) / span if logarithmic else k / most for k, _ in points]
        placed = [(_x(share), _y(value / highest)) for share, (_, value) in zip(shares, points, strict=True)]
        dash = _DASHES[(number // len(_COLOURS)) % len(_DASHES)]
        line = {"points": _path(placed), "fill": "none", "stroke": _colour(number), "stroke-width": 2}
        marks.append(_Mark("polyline", line | {"stroke-dasharray": dash}))
        if len(placed) <= _DOTTED:
            marks += [_Mark("circle", {"cx": x, "cy": y, "r": 2.2, "fill": _colour(number)}) for x, y in placed]
    y_ticks = [(_y(share), f"{highest * share:.3g}") for share in (0, 0.2, 0.4, 0.6, 0.8, 1)]
    return _figure(title, marks, x_ticks=ticks, x_label=x_label, y_ticks=y_ticks, names=list(shown))


def histogram(title: str, values: Mapping[str, Sequence[float]], *, bins: int = 20, x_label: str) -> str:
    """Shares of values in [0, 1] by bins of equal width, one outline per series; NaN is left out."""
    shares: dict[str, list[float]] = {}
    for name, series in values.items():
        kept = [v for v in series if not math.isnan(v)]
        if kept:
            counts = [0.0] * bins
            for v in kept:
                counts[min(bins - 1, int(v * bins))] += 1 / len(kept)
            shares[name] = counts
    most = max((max(counts) for counts in shares.values()), default=1.0) or 1.0
    marks = []
    for number, counts in enumerate(shares.values()):
        steps = [(_x((place + side) / bins), _y(share / most)) for place, share in enumerate(counts) for side in (0, 1)]
        outline: dict[str, object] = {"points": _path([(_LEFT, _BOTTOM), *steps, (_RIGHT, _BOTTOM)])}
        colour, opacity = _colour(number), 0.35 if number == 0 else 0
        look = {"fill": colour, "fill-opacity": opacity, "stroke": colour, "stroke-width": 1.5}
        marks.append(_Mark("polygon", outline | look))
    x_ticks = [(_x(v), f"{v:g}") for v in (0, 0.25, 0.5, 0.75, 1)]
    y_ticks = [(_y(f), f"{most * f:.0%}") for f in (0, 0.5, 1)]
    return _figure(title, marks, x_ticks=x_ticks, x_label=x_label, y_ticks=y_ticks, names=list(shares))


def bars(title: str, values: Mapping[str, Mapping[str, float]], *, most: float = 1.0) -> str:
    """Bars of values in [0, most], a group for each name and in it a bar for each series; NaN is left out.

    Args:
        values: by group, then by the series' name in the legend.
    """
    series = list(dict.fromkeys(name for group in values.values() for name in group))
    width = (_RIGHT - _LEFT) / max(1, len(values))
    each = 0.8 * width / max(1, len(series))
    marks, ticks = [], []
    for place, (group, found) in enumerate(values.items()):
        ticks.append((_LEFT + (place + 0.5) * width, group))
        for number, name in enumerate(series):
            value = found.get(name, math.nan)
            if math.isnan(value):
                continue
            left, top = _LEFT + (place + 0.1) * width + number * each, _y(min(1.0, value / most))
            bar = {"x": round(left, 1), "y": top, "width": round(each, 1), "height": round(_BOTTOM - top, 1)}
            marks.append(_Mark("rect", bar | {"fill": _colour(number)}, f"{group}, {name}: {value:.3f}"))
    y_ticks = [(_y(f), f"{most * f:,.0f}" if most >= 10 else f"{most * f:.2g}") for f in (0, 0.25, 0.5, 0.75, 1)]
    return _figure(title, marks, x_ticks=ticks, x_label="", y_ticks=y_ticks, names=series, slanted=True)


def _figure(
    title: str,
    marks: Sequence[_Mark],
    *,
    x_ticks: Ticks,
    x_label: str,
    y_ticks: Ticks,
    names: Sequence[str],
    slanted: bool = False,
) -> str:
    return pages.fragment(
        "plot.html",
        title=title,
        marks=marks,
        x_ticks=[(round(x, 1), text) for x, text in x_ticks],
        x_label=x_label,
        y_ticks=y_ticks,
        legend=[(_colour(number), name) for number, name in enumerate(names)],
        slanted=slanted,
        width=_WIDTH,
        height=_HEIGHT + (_SLANTED if slanted else 0),
        left=_LEFT,
        right=_RIGHT,
        base=_BOTTOM,
    )


def _x(share: float) -> float:
    return round(_LEFT + (_RIGHT - _LEFT) * share, 1)


def _y(share: float) -> float:
    return round(_BOTTOM - (_BOTTOM - _TOP) * share, 1)


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in points)


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]
