"""Figures of one page."""

from __future__ import annotations

from patsearch.synth.style import Style
from workshop.figures import enlarged


def test_one_pen_draws_wider_lines_in_a_smaller_figure() -> None:
    style = Style(width=1, contour=2, dashes=(4.0, 2.0), hatch_step=5)
    assert enlarged(style, 2) == Style(width=2, contour=4, dashes=(8.0, 4.0), hatch_step=10)
    assert enlarged(style, 2, pen=0.5) == Style(width=1, contour=2, dashes=(8.0, 4.0), hatch_step=10)
