"""Reduced copies of a sheet, and the pieces of its ink."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from patsearch.drawings.raster import CELL, pieces_of, rasterise, without


def _noise(height: int, width: int, seed: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.where(np.random.default_rng(seed).random((height, width)) < 0.2, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 2), (5, 6), (7, 7), (8, 8), (10, 13), (41, 39)])
def test_a_sheet_of_any_size_is_reduced_as_if_white_followed(size: tuple[int, int], mode: str) -> None:
    grey = _noise(*size)
    height, width = size
    whole = np.full((-(-height // CELL) * CELL, -(-width // CELL) * CELL), 255, np.uint8)
    whole[:height, :width] = grey
    raster, padded = rasterise(Image.fromarray(grey).convert(mode)), rasterise(Image.fromarray(whole))
    np.testing.assert_array_equal(raster.full, grey)
    np.testing.assert_array_equal(raster.half, padded.half)
    np.testing.assert_array_equal(raster.small, padded.small)
    blocks = whole.reshape(whole.shape[0] // CELL, CELL, whole.shape[1] // CELL, CELL)
    np.testing.assert_array_equal(raster.ink, blocks.min(axis=(1, 3)) == 0)


@pytest.mark.parametrize("side", [40, 600])
def test_pieces_are_the_same_in_short_and_long_numbers(side: int) -> None:
    mask = np.zeros((side, side), np.uint8)
    mask[::2, ::2] = 1
    mask[1, 1] = 1  # joins four
    pieces = pieces_of(mask)
    count, at = cv2.connectedComponents(mask, connectivity=8, ltype=cv2.CV_32S)
    assert len(pieces) == count == (side // 2) ** 2 - 3 + 1
    np.testing.assert_array_equal(pieces.at > 0, at > 0)
    assert pieces.boxes[pieces.at[1, 1]].tolist() == [0, 0, 3, 3]
    assert pieces.area[pieces.at[1, 1]] == 5


def test_foreign_cells_turn_white_up_to_an_incomplete_edge() -> None:
    crop = np.zeros((7, 10), np.uint8)
    foreign = np.zeros((2, 3), bool)
    foreign[1, 2] = foreign[0, 0] = True
    kept = without(crop, foreign, CELL)
    expected = crop.copy()
    expected[:4, :4] = expected[4:, 8:] = 255
    np.testing.assert_array_equal(kept, expected)
