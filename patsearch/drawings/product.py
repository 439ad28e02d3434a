"""Photographs of products: recognised, cut from their background, and drawn as lines.

A drawing is paper and ink, whatever its resolution: where it is grey, it is because of lines close to each other, or of
one shade throughout. A photograph of a thing has surfaces: large parts that are neither paper nor ink, smooth, and of
many shades.

The thing is what differs from the background, which is a smooth slope of colours fitted to the border of the picture
and refined by GrabCut (Rother et al., 2004). Its lines are its outline and the edges within (Canny, 1986).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patsearch.drawings.grey import WHITE, Grey
from patsearch.drawings.photo import MAX_ENCLOSED, enclosed, is_lined_paper, normalise_polarity

Colours = NDArray[np.uint8]
Mask = NDArray[np.uint8]

_SIDE = 800  # longer side at which a photograph is used
_JUDGED = 512  # at which it is judged
_INK, _PAPER = 24, 236  # what is darker or lighter may be ink or paper
_SMOOTH = 10  # levels by which a surface differs within a few pixels, after noise is removed
# Of the picture, and of what is not white in it: a small thing on white. Drawings have less of either.
_SURFACE, _MOSTLY, _LEAST_SURFACE = 0.07, 0.2, 0.02
_THICK = 9  # pixels across a surface
_SHADES = 6.0  # deviation of the shades of surfaces; areas of one tone have less
# At which it is asked whether it is paper with strokes on it; how wide a stroke is; levels by which colours differ.
_PAPER_SIDE, _STROKE, _COLOUR = 400, 25, 6
# Hysteresis of edges, in levels; how far the mask may be off, in pixels; the shortest line, of the longer side.
_EDGE, _RIM, _SHORTEST = (12, 36), 11, 0.025
_CUT = 256  # longer side at which the background is removed


def product_lines(image: Image.Image) -> Grey | None:
    """(H, W) uint8, dark on white: the lines of the thing in a photograph, without its background.

    None where the picture is not a photograph, or a shaded rendering, of a thing: for a drawing, a scan, a
    photograph of a sketch.
    """
    if not is_photograph(image):
        return None
    colours = _colours(image, _SIDE)
    lines = _lines(colours, _thing(colours))
    rows, columns = np.flatnonzero((lines < WHITE).any(axis=1)), np.flatnonzero((lines < WHITE).any(axis=0))
    return lines[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy() if rows.size else None


def is_photograph(image: Image.Image) -> bool:
    """Whether a picture is a photograph or a shaded rendering of a thing."""
    if image.mode == "1" or normalise_polarity(image)[1]:
        return False
    colours = _colours(image, _JUDGED)
    smooth = cv2.GaussianBlur(cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY), (0, 0), 1.2)
    box = np.ones((5, 5), np.uint8)
    flat = cv2.dilate(smooth, box).astype(np.int16) - cv2.erode(smooth, box) <= _SMOOTH
    tone = (smooth > _INK) & (smooth < _PAPER)
    surface = cv2.morphologyEx((flat & tone).astype(np.uint8), cv2.MORPH_OPEN, np.ones((_THICK, _THICK), np.uint8)) > 0
    share = float(np.mean(surface))
    if share < _SURFACE and share < _MOSTLY * float(np.mean(smooth < _PAPER)):
        return False
    if share < _LEAST_SURFACE or float(smooth[surface].std()) < _SHADES:
        return False
    return not _is_paper(image)


def _is_paper(image: Image.Image) -> bool:
    """Whether the surfaces are a sheet of paper with lines on it: nothing on it has another shade or colour."""
    colours = _colours(image, _PAPER_SIDE)
    if not is_lined_paper(np.asarray(cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY), np.uint8)):
        return False
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_STROKE, _STROKE))
    edges = np.zeros(colours.shape[:2], bool)
    for colour in cv2.split(cv2.cvtColor(colours, cv2.COLOR_RGB2LAB))[1:]:
        for without_strokes in (cv2.MORPH_CLOSE, cv2.MORPH_OPEN):
            even = cv2.medianBlur(cv2.morphologyEx(cv2.medianBlur(colour, 5), without_strokes, kernel), 9)
            edges |= cv2.morphologyEx(even, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > _COLOUR
    return enclosed(edges, np.zeros_like(edges)) <= MAX_ENCLOSED


def _colours(image: Image.Image, side: int) -> Colours:
    """(H, W, 3) at that longer side or less; transparent is white."""
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        whole = Image.new("RGBA", image.size, "white")
        whole.alpha_composite(image.convert("RGBA"))
        image = whole
    scale = min(1.0, side / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    array = np.asarray(image.convert("RGB"))
    return np.asarray(cv2.resize(array, size, interpolation=cv2.INTER_AREA) if scale < 1 else array, np.uint8)


def _thing(colours: Colours) -> Mask:
    """(H, W) 1 where the thing is; everywhere where it cannot be told from its background."""
    height, width = colours.shape[:2]
    scale = min(1.0, _CUT / max(height, width))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = cv2.resize(colours, size, interpolation=cv2.INTER_AREA)
    distance = _from_background(cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32))
    likely = distance > 1
    guess = np.where(likely, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    guess[distance < 0.4] = cv2.GC_BGD
    rim = max(1, min(size) // 40)
    for edge in (guess[:rim], guess[-rim:], guess[:, :rim], guess[:, -rim:]):
        edge[:] = cv2.GC_BGD
    if np.count_nonzero(guess == cv2.GC_PR_FGD) < 30:
        return np.ones((height, width), np.uint8)
    cv2.setRNGSeed(1)  # the same picture gives the same lines
    background, thing = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(small, guess, (0, 0, 0, 0), background, thing, 3, cv2.GC_INIT_WITH_MASK)
    mask = _whole((guess == cv2.GC_FGD) | (guess == cv2.GC_PR_FGD))
    if not mask.any():
        return np.ones((height, width), np.uint8)
    large = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return (large > 0.5).astype(np.uint8)


def _from_background(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W) how far each pixel is from the background, 1 where it is likely another thing.

    The background is a slope of second degree, fitted to the border; a shadow is darker and has its colour.
    """
    height, width = lab.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    border = np.zeros((height, width), bool)
    rim = max(2, min(height, width) // 16)
    border[:rim] = border[-rim:] = border[:, :rim] = border[:, -rim:] = True
    fitted, values = terms[border], lab[border]
    kept = np.ones(len(fitted), bool)
    for _ in range(4):  # what crosses the border is left out step by step
        slope, *_ = np.linalg.lstsq(fitted[kept], values[kept], rcond=None)
        off = np.linalg.norm(values - fitted @ slope, axis=1)
        kept = off <= max(6.0, 2.0 * float(np.median(off)))
    difference = lab - terms @ slope
    spread = max(3.0, float(np.percentile(off[kept], 90)))
    darker = np.where(difference[..., 0] < 0, 0.35 * difference[..., 0], difference[..., 0])
    distance = np.sqrt(darker**2 + difference[..., 1] ** 2 + difference[..., 2] ** 2)
    return np.asarray(distance / (3.0 * spread), np.float32)


def _whole(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask without its small parts and small holes."""
    for filled in (True, False):
        count, at, stats, _ = cv2.connectedComponentsWithStats((mask == filled).astype(np.uint8), connectivity=4)
        area = stats[:, cv2.CC_STAT_AREA]
        least = 0.03 * area[1:].max() if filled and count > 1 else 0.0004 * mask.size
        small = area < least
        small[0] = False
        mask = np.where(small[at], not filled, mask)
    return np.asarray(mask, bool)


def _lines(colours: Colours, mask: Mask) -> Grey:
    """(H, W) the edges of the thing and within it, dark on white.

    Its outline is drawn where the picture has an edge: the mask alone has the coarse steps of its small copy, and
    includes a dark shadow, which has a soft rim.
    """
    even = cv2.bilateralFilter(colours, 7, 40, 5)
    edges = np.zeros(mask.shape, np.uint8)
    for channel in cv2.split(cv2.cvtColor(even, cv2.COLOR_RGB2LAB)):
        soft = cv2.GaussianBlur(channel, (0, 0), 1.2)
        edges = np.maximum(edges, cv2.Canny(soft, *_EDGE, L2gradient=True))
    edges[cv2.dilate(mask, np.ones((_RIM, _RIM), np.uint8)) == 0] = 0
    _, at, stats, _ = cv2.connectedComponentsWithStats((edges > 0).astype(np.uint8), connectivity=8)
    short = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]) < _SHORTEST * max(mask.shape)
    edges[short[at]] = 0
    return np.asarray(WHITE - cv2.dilate(edges, np.ones((2, 2), np.uint8)), np.uint8)
