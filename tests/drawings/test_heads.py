"""Running heads of printed pages go, on whichever edge they are, and nothing else does."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from pdf_makers import sheet_page
from PIL import Image, ImageDraw, ImageFont

from patsearch.drawings.heads import without_head
from patsearch.drawings.sheets import split_sheet

HEAD = ("Jan. 5, 2021", "Sheet 2 of 7", "US D928,145 S")


def sheet() -> Image.Image:
    """A drawing with a label that lies on its side, as broad views have it."""
    image = Image.new("1", (2200, 2900), 1)
    pen = ImageDraw.Draw(image)
    pen.rectangle((500, 300, 1900, 2500), outline=0, width=6)
    pen.ellipse((700, 600, 1700, 2200), outline=0, width=6)
    label = Image.new("1", (260, 90), 1)
    ImageDraw.Draw(label).text((10, 5), "FIG. 2", font=ImageFont.load_default(70), fill=0)
    image.paste(label.transpose(Image.Transpose.ROTATE_90), (250, 1300))
    return image


def page(head: bool) -> NDArray[np.uint8]:
    printed = np.array(sheet_page(sheet(), HEAD).convert("L"))
    if not head:
        printed[:200] = 255
    return printed


@pytest.mark.parametrize("turns", range(4))
def test_a_head_goes_from_each_edge(turns: int) -> None:
    cleaned = without_head(np.ascontiguousarray(np.rot90(page(head=True), turns)))
    assert np.array_equal(cleaned, np.rot90(page(head=False), turns))


def test_the_figure_is_that_of_the_sheet() -> None:
    (alone,) = split_sheet(sheet(), longest=None).figures
    (figure,) = split_sheet(without_head(page(head=True)), longest=None).figures
    assert figure.label == alone.label == "2"
    assert np.array_equal(figure.image, alone.image)


def test_a_page_without_a_head_is_left_as_it_is() -> None:
    bare = page(head=False)
    assert without_head(bare) is bare
    high = np.roll(bare, -600, axis=0)  # the drawing reaches the edge
    assert without_head(high) is high


@pytest.mark.parametrize("shape", [(0, 10), (1, 1), (5, 2000), (2000, 5)])
def test_pages_of_any_shape(shape: tuple[int, int]) -> None:
    black = np.zeros(shape, np.uint8)
    assert without_head(black) is black
