"""Small plots as inline SVG: no script, no request, readable in light and dark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

_WIDTH, _HEIGHT = 460, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 14, 40
_COLOURS = ("#2f6fb5", "#d1742f", "#3d8f57", "#9a4fb0", "#b0413e", "#6b7a1f", "#2a8d93", "#7d5a3c")
_DASHES = ("", "6 4", "2 3", "8 3 2 3")


def curves(title: str, lines: Mapping[str, Sequence[tuple[int, float]]], *, x_label: str = "k") -> str:
    """Lines of values in [0, 1] over k >= 1 on a logarithmic axis.

    Args:
        lines: by the name in the legend: pairs of k and value, ascending. Empty ones are left out.
    """
    shown = {name: points for name, points in lines.items() if points}
    most = max((points[-1][0] for points in shown.values()), default=10)
    span = max(math.log10(most), 1e-9)

    def x(k: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * math.log10(k) / span

    ticks = [(x(k), str(k)) for k in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if k <= most]
    body = []
    for number, points in enumerate(shown.values()):
        path = " ".join(f"{x(k):.1f},{_y(value):.1f}" for k, value in points)
        dash = f' stroke-dasharray="{_dash(number)}"' if _dash(number) else ""
        body.append(f'<polyline points="{path}" fill="none" stroke="{_colour(number)}" stroke-width="2"{dash}/>')
        body += [f'<circle cx="{x(k):.1f}" cy="{_y(v):.1f}" r="2.2" fill="{_colour(number)}"/>' for k, v in points]
    return _figure(title, "".join(body), x_ticks=ticks, x_label=x_label, y_ticks=_share_ticks(), names=list(shown))


def histogram(title: str, values: Mapping[str, Sequence[float]], *, bins: int = 20, x_label: str) -> str:
    """Shares of values in [0, 1] by bins of equal width, one outline a series; NaN is left out."""
    counts: dict[str, list[float]] = {}
    for name, series in values.items():
        kept = [v for v in series if not math.isnan(v)]
        if kept:
            bars = [0.0] * bins
            for v in kept:
                bars[min(bins - 1, int(v * bins))] += 1 / len(kept)
            counts[name] = bars
    most = max((max(bars) for bars in counts.values()), default=1.0) or 1.0
    inner = _WIDTH - _LEFT - _RIGHT

    def y(share: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share / most

    body = []
    for number, bars in enumerate(counts.values()):
        steps = [f"{_LEFT},{y(0):.1f}"]
        for position, share in enumerate(bars):
            left, right = (_LEFT + inner * (position + side) / bins for side in (0, 1))
            steps += [f"{left:.1f},{y(share):.1f}", f"{right:.1f},{y(share):.1f}"]
        steps.append(f"{_WIDTH - _RIGHT},{y(0):.1f}")
        fill = f'fill="{_colour(number)}" fill-opacity="{0.35 if number == 0 else 0}"'
        body.append(f'<polygon points="{" ".join(steps)}" {fill} stroke="{_colour(number)}" stroke-width="1.5"/>')
    x_ticks = [(_LEFT + inner * v, f"{v:g}") for v in (0, 0.25, 0.5, 0.75, 1)]
    y_ticks = [(y(most * f), f"{most * f:.0%}") for f in (0, 0.5, 1)]
    return _figure(title, "".join(body), x_ticks=x_ticks, x_label=x_label, y_ticks=y_ticks, names=list(counts))


def bars(title: str, values: Mapping[str, Mapping[str, float]], *, most: float = 1.0) -> str:
    """Bars of values in [0, most], a group for each name and in it a bar for each series; NaN is left out.

    Args:
        values: by group, then by the series' name in the legend.
    """
    series = list(dict.fromkeys(name for group in values.values() for name in group))
    inner = _WIDTH - _LEFT - _RIGHT
    width = inner / max(1, len(values))
    each = 0.8 * width / max(1, len(series))
    base, span = _HEIGHT - _BOTTOM, _HEIGHT - _BOTTOM - _TOP
    body, ticks = [], []
    for place, (group, found) in enumerate(values.items()):
        ticks.append((_LEFT + (place + 0.5) * width, group))
        for number, name in enumerate(series):
            value = found.get(name, math.nan)
            if math.isnan(value):
                continue
            left, height = _LEFT + (place + 0.1) * width + number * each, span * min(1.0, value / most)
            body.append(
                f'<rect x="{left:.1f}" y="{base - height:.1f}" width="{each:.1f}" height="{height:.1f}" '
                f'fill="{_colour(number)}"><title>{escape(f"{group}, {name}: {value:.3f}")}</title></rect>'
            )
    y_ticks = [(base - span * f, f"{most * f:.2g}") for f in (0, 0.25, 0.5, 0.75, 1)]
    return _figure(title, "".join(body), x_ticks=ticks, x_label="", y_ticks=y_ticks, names=series, slanted=True)


def _figure(
    title: str,
    body: str,
    *,
    x_ticks: Sequence[tuple[float, str]],
    x_label: str,
    y_ticks: Sequence[tuple[float, str]],
    names: Sequence[str],
    slanted: bool = False,
) -> str:
    base = _HEIGHT - _BOTTOM
    more = 30 if slanted else 0  # room for the slanted names
    grid = "".join(
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
        f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(text)}</text>'
        for y, text in y_ticks
    )
    axis = "".join(
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{base}" y2="{base + 4}" class="axis"/>'
        + (
            f'<text transform="translate({x + 4:.1f} {base + 12}) rotate(-28)" text-anchor="end">{escape(text)}</text>'
            if slanted
            else f'<text x="{x:.1f}" y="{base + 17}" text-anchor="middle">{escape(text)}</text>'
        )
        for x, text in x_ticks
    )
    legend = "".join(
        f'<span><i style="background:{_colour(n)}"></i>{escape(name)}</span>' for n, name in enumerate(names)
    )
    return (
        f'<figure class="plot"><figcaption>{escape(title)}</figcaption>'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT + more}" role="img" aria-label="{escape(title)}">{grid}'
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{base}" y2="{base}" class="axis"/>{axis}'
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(x_label)}</text>'
        f'{body}</svg><div class="legend">{legend}</div></figure>'
    )


def _y(value: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * value


def _share_ticks() -> list[tuple[float, str]]:
    return [(_y(v), f"{v:g}") for v in (0, 0.2, 0.4, 0.6, 0.8, 1)]


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]


def _dash(number: int) -> str:
    return _DASHES[(number // len(_COLOURS)) % len(_DASHES)]
