"""The views in which a design patent shows an object: one in perspective, and its six sides."""

from __future__ import annotations

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


def draw_views(mesh: Mesh, *, side: int) -> list[tuple[str, NDArray[np.uint8] | None]]:
    """Name and drawing of each of the views, (H, W) uint8, dark on white; None where it shows nothing.

    Args:
        side: about the longer side of each drawing, in pixels.
    """
    from patsearch.models.ink import draw
    from patsearch.models.render import render

    drawn = ((view.name, render(mesh, view, size=3 * side)) for view in DESIGN_VIEWS)
    return [(name, draw(lines, side) if len(lines) else None) for name, lines in drawn]
