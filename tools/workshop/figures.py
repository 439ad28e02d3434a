"""Several figures of one page, which share a style."""

from __future__ import annotations

from dataclasses import replace

from patsearch.synth.style import Style


def enlarged(style: Style, factor: float, *, pen: float = 1.0) -> Style:
    """The same style on a figure that is smaller by that factor: on one page, all lines are equally wide.

    Args:
        pen: factor by which lines are wider still.
    """
    return replace(
        style,
        width=style.width * factor * pen,
        contour=style.contour * factor * pen,
        dashes=tuple(length * factor for length in style.dashes),
        hatch_step=style.hatch_step * factor,
    )
