"""Fax-coded sheets read straight into an array: the same pixels as by Pillow, or not at all."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from patsearch.drawings.fax import read_fax
from patsearch.drawings.grey import to_grey
from patsearch.drawings.opening import MAX_PIXELS_BILEVEL, open_image, open_sheet
from patsearch.errors import ImageError


def _sheet(width: int, height: int, seed: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    rng = np.random.default_rng(seed)
    grey = np.full((height, width), 255, np.uint8)
    for y in rng.integers(0, height, 5):
        grey[y, : rng.integers(1, width + 1)] = 0
    grey[rng.random(grey.shape) < 0.02] = 0
    return grey


def _tiff(grey: np.ndarray, *, mode: str = "1", **options: object) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(grey).convert(mode)
    image.save(buffer, "TIFF", **({"compression": "group4"} | options))
    return buffer.getvalue()


@pytest.mark.parametrize("black_set", [True, False])
@pytest.mark.parametrize("size", [(1, 1), (7, 3), (8, 8), (9, 16), (300, 201), (2560, 40)])
def test_every_pixel_is_as_pillow_reads_it(size: tuple[int, int], black_set: bool) -> None:
    grey = _sheet(*size)
    data = _tiff(grey, tiffinfo={262: 0 if black_set else 1})
    read = read_fax(data, MAX_PIXELS_BILEVEL)
    assert read is not None
    np.testing.assert_array_equal(read, grey)
    np.testing.assert_array_equal(read, to_grey(open_image(data)))


def test_a_sheet_in_strips() -> None:
    grey = _sheet(200, 100)
    read = read_fax(_tiff(grey, tiffinfo={278: 16}), MAX_PIXELS_BILEVEL)
    assert read is not None
    np.testing.assert_array_equal(read, grey)


@pytest.mark.parametrize(
    "data",
    [
        _tiff(_sheet(40, 30), compression="raw"),
        _tiff(_sheet(40, 30), compression="tiff_lzw"),
        _tiff(_sheet(40, 30), mode="L", compression="tiff_lzw"),
        _tiff(_sheet(40, 30), tiffinfo={274: 6}),
        _tiff(_sheet(40, 30), tiffinfo={266: 2}),
        b"",
        b"II*\0",
        b"MM\0*\0\0\0\x08\xff\xff",
        b"II*\0\xff\xff\xff\xff" + bytes(20),
        b"\x89PNG\r\n\x1a\n" + bytes(100),
    ],
    ids=["plain", "lzw", "grey", "turned", "bits reversed", "empty", "cut", "tags cut", "far off", "png"],
)
def test_everything_else_is_left_to_pillow(data: bytes) -> None:
    assert read_fax(data, MAX_PIXELS_BILEVEL) is None


def test_a_sheet_beyond_the_bound_is_not_decoded() -> None:
    data = _tiff(_sheet(40, 30))
    assert read_fax(data, 40 * 30 - 1) is None
    assert read_fax(data, 40 * 30) is not None
    # What the directory states counts, not what the file holds.
    huge = data.replace(struct.pack("<HHII", 256, 3, 1, 40), struct.pack("<HHII", 256, 4, 1, 2_000_000_000))
    assert huge != data
    with pytest.raises(ImageError, match="pixels"):
        open_sheet(huge)


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_a_sheet_opens_as_its_image_does(mode: str) -> None:
    grey = _sheet(60, 50)
    for kind in ("PNG", "TIFF"):
        buffer = io.BytesIO()
        Image.fromarray(grey).convert(mode).save(buffer, kind)
        np.testing.assert_array_equal(open_sheet(buffer.getvalue()), grey)


def test_damage_reads_the_same_or_is_told_the_same() -> None:
    """Cut short or changed anywhere, a sheet gives what Pillow gives: these pixels, or an error that names it."""
    data = _tiff(_sheet(200, 150))
    rng = np.random.default_rng(1)
    damaged = [data[: int(n)] for n in rng.integers(0, len(data), 20)]
    for at, value in zip(rng.integers(0, len(data), 60), rng.integers(0, 256, 60), strict=True):
        damaged.append(data[:at] + bytes([value]) + data[at + 1 :])
    errors = 0
    for broken in damaged:
        expected = _opened(lambda data: to_grey(open_image(data, name="D00001")), broken)
        read = _opened(lambda data: open_sheet(data, name="D00001"), broken)
        errors += isinstance(expected, str)
        np.testing.assert_array_equal(read, expected)
    assert 0 < errors < len(damaged)


def _opened(way: Callable[[bytes], np.ndarray], data: bytes) -> np.ndarray | str:
    """What it gives, or what it says."""
    try:
        return way(data)
    except ImageError as error:
        return str(error)
