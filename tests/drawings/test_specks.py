"""Specks of a scan go, dots of a drawing stay."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from patsearch.drawings.specks import without_specks


def drawing() -> NDArray[np.uint8]:
    """An outline filled with stipples, and a dotted line."""
    image = Image.new("L", (1600, 2000), 255)
    pen = ImageDraw.Draw(image)
    pen.rectangle((400, 400, 900, 1200), outline=0, width=3)
    for x in range(420, 890, 15):
        for y in range(420, 1190, 15):
            image.putpixel((x, y), 0)
    for x in range(400, 1200, 20):
        pen.rectangle((x, 1500, x + 1, 1501), fill=0)
    pen.ellipse((1200, 1700, 1204, 1704), fill=0)  # a lone dot of a thin pen
    return np.asarray(image)


def test_lone_specks_go_and_nothing_else() -> None:
    clean = drawing()
    dirty = clean.copy()
    for x, y in ((30, 40), (1500, 100), (1403, 1201), (200, 1950), (1598, 1999)):
        dirty[y : y + 2, x : x + 3] = 0
    assert not np.array_equal(dirty, clean)
    assert np.array_equal(without_specks(dirty), clean)


def test_a_clean_page_is_left_as_it_is() -> None:
    clean = drawing()
    assert without_specks(clean) is clean
    white = np.full((50, 60), 255, np.uint8)
    assert without_specks(white) is white
