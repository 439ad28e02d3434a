"""Where the drawing is in a screenshot: what a browser shows around it is text, buttons and long straight edges.

The picture is reduced to its edges, so that the grounds of windows and toolbars make no difference. Straight edges as
long as a window go, then pieces of the size of letters; what is left in one place and large is the drawing.
"""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from patsearch.drawings.grey import Grey, to_grey
from patsearch.drawings.raster import Pieces, pieces_of

_LEAST = 300  # pixels of the shorter side of a screenshot
_MOST = 16_000_000  # pixels of a screen
_EDGE = 20  # levels
_LONG = 0.55  # of the picture's width or height: an edge of a window
_SHORT = 0.12  # an edge between two grounds, which differ by some levels a few pixels from it
_GROUNDS, _BESIDE = 8, 5
_ACROSS = 0.9  # of the picture's width: an edge of the browser's window
_LETTER, _LETTER_SHARE = 40, 0.022  # pixels of height, or of the longer side
_APART = 0.05  # of the longer side: blank between the parts of a drawing
_ROOM = 0.006  # around the drawing
_LARGE = 0.02  # of the picture: the smallest drawing that is proposed
_WHOLE = 0.8  # of the picture: a drawing that needs no crop
_LETTERS = 20  # outside of the drawing, at least, by the lengths of their rows


def drawing_in_screenshot(image: Image.Image) -> tuple[int, int, int, int] | None:
    """x, y, width, height in pixels of the drawing in a screenshot; None for another picture, and in case of doubt."""
    if image.mode == "1" or min(image.size) < _LEAST or image.width * image.height > _MOST:
        return None
    grey = to_grey(image)
    edges = _edges(grey)
    if np.count_nonzero(edges, axis=1).max() < _ACROSS * grey.shape[1]:
        return None  # most drawings, at little cost
    long = _window_edges(grey, edges)
    ink = np.asarray(edges & ~long, np.uint8)
    pieces = pieces_of(ink)
    letter = max(_LETTER, round(_LETTER_SHARE * max(grey.shape)))
    text = _text(pieces, letter)
    strokes = ink.copy()
    for left, top, wide, high in text:
        strokes[top : top + high, left : left + wide] = 0
    reach = max(3, round(_APART * max(grey.shape)))
    joined = pieces_of(np.asarray(cv2.dilate(strokes, np.ones((reach, reach), np.uint8)), np.uint8))
    most = np.bincount(joined.at[strokes > 0], minlength=2)
    most[0] = 0
    best = int(most.argmax())
    if not most[best]:
        return None
    box = _tight(strokes * (joined.at == best), round(_ROOM * max(grey.shape)))
    if not _LARGE * grey.size <= box[2] * box[3] <= _WHOLE * grey.size:
        return None
    # Words around it, and a window across the whole picture, or it is a drawing with a frame.
    words = sum(w / h for x, y, w, h in text if x + w <= box[0] or x >= box[0] + box[2] or y + h <= box[1])
    across = long.sum(axis=1).max() >= _ACROSS * grey.shape[1]
    return box if words >= _LETTERS and across else None


def _text(pieces: Pieces, letter: int) -> list[list[int]]:
    """Left, top, width, height of rows of letters up to that height, in pixels."""
    _, _, w, h = pieces.columns
    letters = (h >= 5) & (h <= letter) & (w <= 3 * letter)
    letters[0] = False
    mask = np.asarray(letters[pieces.at], np.uint8)
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((3, letter // 3), np.uint8))
    rows = pieces_of(np.asarray(closed, np.uint8))
    return [box for box in rows.boxes[1:].tolist() if box[2] >= 3 * box[3] and box[3] <= letter]


def _edges(grey: Grey) -> Grey:
    """(H, W) 1 next to where the shade changes."""
    change = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8))
    return (change > _EDGE).astype(np.uint8)


def _window_edges(grey: Grey, edges: Grey) -> Grey:
    """(H, W) 1 where an edge runs straight along or up the picture: long, or between two grounds."""
    height, width = edges.shape
    found = np.zeros_like(edges)
    for axis, side in ((0, width), (1, height)):
        change = cv2.absdiff(np.roll(grey, _BESIDE, axis), np.roll(grey, -_BESIDE, axis)) > _GROUNDS
        for mask, long in ((edges, _LONG), (edges & change, _SHORT)):
            length = max(3, round(long * side))
            kernel = np.ones((1, length) if axis == 0 else (length, 1), np.uint8)
            found = np.maximum(found, cv2.morphologyEx(np.asarray(mask, np.uint8), cv2.MORPH_OPEN, kernel))
    return np.asarray(cv2.dilate(found, np.ones((3, 3), np.uint8)), np.uint8)


def _tight(ink: Grey, room: int) -> tuple[int, int, int, int]:
    """Around the ink, with that much room within the picture."""
    x, y, w, h = cv2.boundingRect(np.ascontiguousarray(ink))
    left, top = max(0, x - room), max(0, y - room)
    return left, top, min(ink.shape[1], x + w + room) - left, min(ink.shape[0], y + h + room) - top
