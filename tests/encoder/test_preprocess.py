"""Preprocessing: every mode, geometry, thin lines, determinism."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from patsearch.drawings.grey import to_grey
from patsearch.encoder import Preprocessing, preprocess
from patsearch.encoder.preprocess import densest_windows, window_places
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
    arrays: list[Any] = [grey, grey[:, :, None], rgba[:, :, :3], rgba, grey > 128, grey.astype(np.uint16) * 257]
    for array in arrays:
        np.testing.assert_array_equal(preprocess(array, SPEC), wanted)
    refused: list[Any] = [np.zeros((4, 4, 5), np.uint8), np.zeros(4, np.uint8), np.zeros((4, 4), np.float32)]
    for wrong in refused:
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


class TestWindows:
    """The square of an encoder that looks at windows too."""

    SPEC = Preprocessing(size=224, windows=2)

    @staticmethod
    def page() -> NDArray[np.uint8]:
        """A frame with a dense patch at the lower right and a less dense one at the upper left."""
        page = np.full((700, 500), 255, np.uint8)
        cv2.rectangle(page, (40, 30), (470, 680), 0, 3)
        page[520:620:4, 330:430] = 0
        page[100:180:8, 80:180] = 0
        return page

    def test_the_square_is_cut_into_four(self) -> None:
        page = self.page()
        square = preprocess(page, self.SPEC)
        assert square.shape == (224, 224)
        assert (square[:128, :128] == preprocess(page, self.SPEC.whole)).all()
        assert (square[128:, :96] == preprocess(page, self.SPEC.smaller)).all()
        assert (square[128:, 96:128] == 255).all()
        assert (square[192:, 128:] == 255).all()
        assert (square[:192, 128:].reshape(2, 96, 96) == densest_windows(page, 2, 96)).all()
        one = preprocess(page, replace(self.SPEC, windows=1))
        assert (one[:96] == square[:96]).all()
        assert (one[96:, 128:] == 255).all()

    def test_windows_are_parts_of_the_drawing_pixel_for_pixel_the_densest_first(self) -> None:
        page = self.page()
        places = window_places(page, 2, 128)
        windows = densest_windows(page, 2, 128)
        for window, (left, top) in zip(windows, places, strict=True):
            assert (window == page[top : top + 128, left : left + 128]).all()
        for (left, top), (x, y) in zip(places, ((380, 570), (130, 140)), strict=True):
            assert left < x < left + 128
            assert top < y < top + 128

    def test_no_window_is_found_where_there_is_no_ink_and_none_twice(self) -> None:
        page = np.full((400, 400), 255, np.uint8)
        page[:4, :4] = page[-4:, -4:] = 0
        page[200:210, 200:210] = 0
        places = window_places(page, 9, 64)
        assert len(places) == 3
        assert (densest_windows(page, 4, 64)[3] == 255).all()
        page[:] = 0
        corners = np.array(window_places(page, 99, 64))
        apart = np.abs(corners[:, None] - corners[None]).max(axis=2)[np.triu_indices(len(corners), 1)]
        assert apart.min() >= 48

    def test_a_drawing_smaller_than_a_window_lies_in_its_middle(self) -> None:
        page = np.full((90, 90), 255, np.uint8)
        page[20:60, 30:50] = 0
        first, second = densest_windows(page, 2, 128)
        assert (first[44:84, 54:74] == 0).all()
        assert (first < 255).sum() == 40 * 20
        assert (second == 255).all()

    def test_margins_do_not_matter_and_turning_turns_windows(self) -> None:
        page = self.page()
        framed = np.pad(page, ((13, 8), (7, 21)), constant_values=255)
        assert (preprocess(framed, self.SPEC) == preprocess(page, self.SPEC)).all()
        turned = densest_windows(np.rot90(page, 2), 1, 128)[0]
        shifts = [np.roll(np.rot90(turned, 2), (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)]
        first = densest_windows(page, 1, 128)[0].astype(int)
        assert min(np.abs(shifted[2:-2, 2:-2] - first[2:-2, 2:-2]).max() for shifted in shifts) == 0

    def test_a_small_drawing_has_none(self) -> None:
        page = self.page()
        for side, windows in ((255, False), (256, True)):
            small = np.full((side + 10, 200), 255, np.uint8)
            small[5:-5, 20:180] = cv2.resize(page, (160, side), interpolation=cv2.INTER_AREA)
            small[[5, -6], 20:180] = 0  # so that it is as long
            assert bool((preprocess(small, self.SPEC)[:, 128:] < 255).any()) == windows

    def test_a_blank_page_gives_a_blank_square(self) -> None:
        assert (preprocess(np.full((50, 60), 255, np.uint8), self.SPEC) == 255).all()

    def test_what_is_written_down_says_windows_only_where_there_are_any(self) -> None:
        assert "windows" not in Preprocessing().to_json()
        assert Preprocessing(**self.SPEC.to_json()) == self.SPEC
        assert self.SPEC.whole == Preprocessing(size=128)
        assert self.SPEC.smaller == Preprocessing(size=96)
        assert Preprocessing().whole == Preprocessing()

    @pytest.mark.parametrize("values", [{"windows": 3}, {"windows": -1}, {"windows": 1, "size": 256}])
    def test_senseless_windows_are_refused(self, values: dict[str, int]) -> None:
        with pytest.raises(EncoderError, match="windows"):
            Preprocessing(**values)
