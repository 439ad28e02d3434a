"""Why a drawing was found: the regions of a query's pictures and of the drawing that agree most, as pictures.

What is shown is grey PNG: a picture, and of the same shape its heat, white where the two agree most. Heat is the
share of the score that comes from a region (`patsearch.encoder.regions`), taken where there is ink: a cell of the
encoder's grid also covers some paper, which explains nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patsearch.drawings.grey import Grey, to_grey
from patsearch.drawings.opening import open_image
from patsearch.drawings.thumbnail import thumbnail
from patsearch.encoder import Encoder
from patsearch.encoder.base import ArrayEncoder, Embeddings
from patsearch.encoder.preprocess import Preprocessing, placement
from patsearch.encoder.regions import Agreement, Method, agreements
from patsearch.encoder.shape import DEFAULT_STYLE
from patsearch.engine.query import query_figures
from patsearch.errors import ImageError

SIDE = 600
_INK_BELOW = 200
# Ink colours its surroundings this far, as a share of the longer side.
_REACH = 0.02
# The agreement that is shown as full: few cells are above it, and one alone must not pale all others.
_FULL = 98.0


@dataclass(frozen=True, slots=True)
class Heated:
    """A picture and where it agrees: two grey PNGs of one shape, at most 600 pixels a side."""

    picture: bytes
    heat: bytes


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a drawing was found.

    Attributes:
        query: one a picture of the query, in their order; of a sheet, the figure that agrees best.
        found: the drawing, by the picture that agrees best.
        score: cosine of that picture and the drawing.
    """

    query: tuple[Heated, ...]
    found: Heated
    score: float
    method: Method


def explain(
    encoder: Encoder,
    pictures: Sequence[Image.Image],
    found_png: bytes,
    *,
    found_vector: Embeddings | None = None,
    split: bool = True,
    style: float = DEFAULT_STYLE,
) -> Explanation:
    """Compare a query's pictures with a drawing.

    Args:
        found_png: the drawing's picture, as `Thumbnails` keeps it.
        found_vector: (dim,) float32 of unit length: the drawing's vector in the index, which was made of more pixels.
        split: treat each picture as a sheet, as the search does.
        style: how much the drawing style counts, as in the search.

    Raises:
        ImageError: a picture is blank, or none is given.
    """
    if not pictures:
        raise ImageError("The query has no picture to compare.", hint="Give at least one image file.")
    figures = [query_figures(picture, encoder) if split else [to_grey(picture)] for picture in pictures]
    if [] in figures:
        raise ImageError(
            f"Picture {figures.index([]) + 1} of the query is blank.", hint="Check the file, or crop elsewhere."
        )
    return explain_figures(encoder, figures, found_png, found_vector=found_vector, style=style)


def explain_figures(
    encoder: Encoder,
    pictures: Sequence[Sequence[Grey]],
    found_png: bytes,
    *,
    found_vector: Embeddings | None = None,
    style: float = DEFAULT_STYLE,
) -> Explanation:
    """`explain` for pictures that are (H, W) uint8 figures already, at least one each."""
    found = open_image(found_png, name="The found drawing")
    best: list[tuple[Grey, Agreement]] = []
    for figures in pictures:
        images = [Image.fromarray(figure) for figure in figures]
        compared = agreements(encoder, images, found, found_vector=found_vector, style=style)
        best.append(max(zip(figures, compared, strict=True), key=lambda pair: pair[1].score))
    closest = max((agreement for _, agreement in best), key=lambda a: a.score)
    spec = encoder.preprocessing.whole if isinstance(encoder, ArrayEncoder) else Preprocessing()
    return Explanation(
        query=tuple(heated(figure, agreement.query, spec) for figure, agreement in best),
        found=heated(to_grey(found), closest.found, spec),
        score=closest.score,
        method=closest.method,
    )


def heated(grey: Grey, parts: NDArray[np.float32], spec: Preprocessing) -> Heated:
    """A drawing and its heat.

    Args:
        grey: (H, W) uint8, white = 255.
        parts: (h, w) float32, parts of the score by the cells of the square that `preprocess` makes of the drawing.
    """
    png = thumbnail(grey, side=SIDE)
    shown = to_grey(open_image(png))
    height, width = shown.shape
    # Centres of the shown pixels, in pixels of the drawing, then of the square, then in cells.
    across, down = placement(grey, spec).to_square(
        (np.arange(width) + 0.5) * grey.shape[1] / width, (np.arange(height) + 0.5) * grey.shape[0] / height
    )
    across = across * parts.shape[1] / spec.size - 0.5
    down = down * parts.shape[0] / spec.size - 0.5
    map_x, map_y = np.meshgrid(across.astype(np.float32), down.astype(np.float32))
    smooth = cv2.remap(
        np.maximum(parts, 0).astype(np.float32), map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    near = _near_ink(shown)
    weighed = np.maximum(smooth, 0) * near
    inked = smooth[near > 0.5]
    full = float(np.percentile(inked, _FULL)) if inked.size else float(smooth.max())
    least = float(np.percentile(inked, 20)) if inked.size else 0.0
    heat = np.clip((weighed - least * near) / max(full - least, 1e-9), 0, 1)
    done, encoded = cv2.imencode(".png", np.rint(255 * heat).astype(np.uint8))
    if not done:
        raise ImageError("A heat map could not be encoded.")
    return Heated(png, bytes(encoded))


def _near_ink(shown: Grey) -> NDArray[np.float32]:
    """(H, W) in 0 to 1: whether there is ink, fading out around it."""
    reach = max(2, round(_REACH * max(shown.shape)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    wide = cv2.dilate((shown < _INK_BELOW).astype(np.float32), kernel)
    return np.asarray(cv2.GaussianBlur(wide, (0, 0), reach / 1.5), np.float32)
