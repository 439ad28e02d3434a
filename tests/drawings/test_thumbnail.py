"""Thumbnails: bounded, whole, readable."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from patsearch.drawings.thumbnail import thumbnail


@pytest.mark.parametrize("shape", [(1, 1), (480, 300), (481, 3), (1000, 1199), (3, 5000), (2001, 481)])
def test_a_thumbnail_fits_and_keeps_the_proportions(shape: tuple[int, int]) -> None:
    image = Image.open(io.BytesIO(thumbnail(np.full(shape, 255, np.uint8))))
    assert image.mode == "L"
    assert max(image.size) <= 480
    factor = -(-max(shape) // 480)
    assert image.size == (-(-shape[1] // factor), -(-shape[0] // factor))


def test_a_line_along_the_edge_is_kept() -> None:
    grey = np.full((1001, 1001), 255, np.uint8)
    grey[:, -2:] = 0
    shades = np.asarray(Image.open(io.BytesIO(thumbnail(grey))))
    assert shades[:, -1].max() < 200
    assert shades[:, :-1].min() == 255


def test_small_drawings_are_not_enlarged() -> None:
    grey = np.tile(np.arange(256, dtype=np.uint8), (20, 1))
    shades = np.asarray(Image.open(io.BytesIO(thumbnail(grey))))
    assert shades.shape == grey.shape
    assert np.abs(shades.astype(int) - grey).max() <= 17
