"""Preprocessing: every mode, geometry, thin lines, determinism."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from patsearch.encoder import Preprocessing, preprocess, to_grey
from patsearch.errors import EncoderError, ImageError

SPEC = Preprocessing(size=128)


def drawing(width: int = 500, height: int = 300, line: int = 3) -> Image.Image:
    image = Image.new("L", (width, height), 255)
    draw = ImageDraw.Draw(image)
    draw.rectangle((width // 5, height // 4, width * 4 // 5, height * 3 // 4), outline=0, width=line)
    draw.line((width // 5, height // 4, width // 2, height * 3 // 4), fill=0, width=line)
    return image


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "P", "LA", "CMYK", "I", "F", "YCbCr", "HSV"])
def test_every_mode_gives_the_same_array(mode: str) -> None:
    got = preprocess(drawing().convert(mode), SPEC)
    assert got.dtype == np.uint8
    assert got.shape == (128, 128)
    np.testing.assert_allclose(got.astype(int), preprocess(drawing(), SPEC), atol=2)


def test_sixteen_bits_and_unit_floats() -> None:
    grey = np.asarray(drawing())
    wanted = preprocess(drawing(), SPEC)
    np.testing.assert_array_equal(preprocess(Image.fromarray(grey.astype(np.uint16) * 257), SPEC), wanted)
    np.testing.assert_array_equal(preprocess(Image.fromarray(grey.astype(np.float32) / 255), SPEC), wanted)
    np.testing.assert_array_equal(preprocess(Image.fromarray(grey.astype(np.int32) * 257), SPEC), wanted)


def test_arrays() -> None:
    grey = np.asarray(drawing())
    wanted = preprocess(drawing(), SPEC)
    rgba = np.dstack([grey, grey, grey, np.full_like(grey, 255)])
    for array in (grey, grey[:, :, None], rgba[:, :, :3], rgba, grey > 128, grey.astype(np.uint16) * 257):
        np.testing.assert_array_equal(preprocess(array, SPEC), wanted)
    for wrong in (np.zeros((4, 4, 5), np.uint8), np.zeros(4, np.uint8), np.zeros((4, 4), np.float32)):
        with pytest.raises(ImageError, match="image array must be"):
            preprocess(wrong, SPEC)
    with pytest.raises(ImageError, match="no pixels"):
        preprocess(np.zeros((0, 4), np.uint8), SPEC)


def test_transparent_is_white() -> None:
    ink = 255 - np.asarray(drawing())
    black = np.zeros_like(ink)
    layered = Image.fromarray(np.dstack([black, black, black, ink]))
    np.testing.assert_array_equal(to_grey(layered), np.asarray(drawing()))


def test_geometry() -> None:
    spec = Preprocessing(size=100, padding=0.1, thicken=0)
    wide = np.full((900, 1300), 255, np.uint8)
    wide[500:600, 100:1100] = 0  # a bar of 1000 x 100 pixels, away from the middle
    got = preprocess(wide, spec)
    rows, columns = np.nonzero(got < 128)
    assert (columns.min(), columns.max()) == (10, 89)  # padding on both sides, the whole width between
    assert (rows.min(), rows.max()) == (46, 53)  # in the middle, the aspect kept
    assert (got[:40] == 255).all()


def test_margins_do_not_matter() -> None:
    bare = np.asarray(drawing())
    framed = np.pad(bare, ((70, 10), (300, 5)), constant_values=255)
    np.testing.assert_array_equal(preprocess(bare, SPEC), preprocess(framed, SPEC))


@pytest.mark.parametrize("value", [0, 100, 255])
def test_an_even_image_stays_even(value: int) -> None:
    got = preprocess(np.full((300, 200), value, np.uint8), SPEC)
    assert set(np.unique(got)) <= {value, 255}


def test_hairlines_of_a_large_sheet_survive() -> None:
    sheet = np.full((2600, 2000), 255, np.uint8)
    cv2.rectangle(sheet, (100, 100), (1900, 2500), 0, 1)
    cv2.line(sheet, (100, 100), (1900, 2500), 0, 1)
    plain = preprocess(sheet, Preprocessing(thicken=0))
    kept = preprocess(sheet, Preprocessing())
    # At a tenth of the size, plain averaging leaves a tenth of the ink of a one-pixel line.
    ink_kept, ink_plain = (float((255 - array.astype(float)).sum()) for array in (kept, plain))
    assert ink_kept > 2 * ink_plain
    # And the line is one thread from edge to edge: every row between shows it.
    assert (kept[45:-45, 60:-60].min(axis=1) < 215).all()


def test_copies_in_other_resolutions_look_alike() -> None:
    large = drawing(3000, 1800, line=6)
    spec = Preprocessing()
    wanted = preprocess(large, spec).astype(float)
    for factor in (2, 3):
        small = large.resize((3000 // factor, 1800 // factor), Image.Resampling.BOX)
        assert np.abs(preprocess(small, spec) - wanted).mean() < 2


def test_small_drawings_are_enlarged() -> None:
    got = preprocess(drawing(40, 24, line=1), SPEC)
    assert np.count_nonzero(got.min(axis=0) < 200) > 110


@pytest.mark.parametrize("width", [1, 7])
def test_a_single_line_or_point_is_a_drawing(width: int) -> None:
    image = np.full((1000, 900), 255, np.uint8)
    image[300:307, 200 : 200 + width] = 0
    assert preprocess(image, SPEC).min() == 0


def test_the_input_is_not_changed() -> None:
    array = np.asarray(drawing(1200, 900)).copy()
    before = array.copy()
    preprocess(array, SPEC)
    np.testing.assert_array_equal(array, before)


@given(
    width=st.integers(1, 700),
    height=st.integers(1, 700),
    seed=st.integers(0, 2**32 - 1),
    size=st.sampled_from([32, 100, 256]),
    thicken=st.floats(0, 1),
)
def test_any_image_gives_a_square(width: int, height: int, seed: int, size: int, thicken: float) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    spec = Preprocessing(size=size, thicken=thicken)
    got = preprocess(noise, spec)
    assert got.shape == (size, size)
    np.testing.assert_array_equal(got, preprocess(noise.copy(), spec))
    margin = int(size * spec.padding)
    assert (got[:margin] == 255).all()


@pytest.mark.parametrize("values", [{"size": 8}, {"padding": 0.5}, {"thicken": 2.0}, {"gamma": 0.0}])
def test_senseless_specs_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(EncoderError, match="out of range"):
        Preprocessing(**values)  # type: ignore[arg-type]  # the types are what they say, only not for mypy


def test_gamma_darkens_ink_and_keeps_paper() -> None:
    plain = preprocess(drawing(2000, 1500), SPEC).astype(int)
    dark = preprocess(drawing(2000, 1500), Preprocessing(size=128, gamma=0.5)).astype(int)
    assert (dark <= plain).all()
    assert (dark < plain).any()
    assert (dark[plain == 255] == 255).all()
