"""The views in which a design patent shows an object: one in perspective, and its six sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from patsearch.models.mesh import Mesh
from patsearch.models.render import View

DESIGN_VIEWS = (
    View("perspective view", -50, 25, 0.2),
    View("front view", -90, 0),
    View("back view", 90, 0),
    View("left side view", 180, 0),
    View("right side view", 0, 0),
    View("top view", -90, 90),
    View("bottom view", -90, -90),
)


def view_from(azimuth: float, elevation: float) -> View:
    """A further view in perspective, from degrees around (-90 is the front) and above (90 is the top)."""
    return View(f"view from {azimuth:g}, {elevation:g}", azimuth, elevation, DESIGN_VIEWS[0].perspective)


def draw_views(mesh: Mesh, *, side: int, more: Sequence[View] = ()) -> list[tuple[str, NDArray[np.uint8] | None]]:
    """Name and drawing, (H, W) uint8, dark on white, of each of the design's views and of `more`; None shows nothing.

    Args:
        side: about the longer side of each drawing, in pixels.
    """
    from patsearch.models.ink import draw
    from patsearch.models.render import render

    drawn = ((view.name, render(mesh, view, size=3 * side)) for view in (*DESIGN_VIEWS, *more))
    return [(name, draw(lines, side) if len(lines) else None) for name, lines in drawn]
