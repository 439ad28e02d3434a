"""Rotation-invariant local binary patterns, against scikit-image's and against a naive loop."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from patsearch.encoder import load_encoder
from patsearch.encoder.ri_lbp import CIRCLES, RiLbpEncoder, riu2
from patsearch.errors import EncoderError


def noise(seed: int, side: int = 40) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)


def drawing(side: int = 256) -> NDArray[np.uint8]:
    page = Image.new("L", (side, side), 255)
    draw = ImageDraw.Draw(page)
    draw.ellipse((30, 60, 200, 210), outline=0, width=3)
    draw.line((40, 40, 220, 180), fill=40, width=2)
    draw.rectangle((120, 20, 180, 90), outline=0, width=2)
    return np.asarray(page)


@pytest.mark.parametrize(("points", "radius"), CIRCLES)
def test_patterns_are_those_of_scikit_image(points: int, radius: int) -> None:
    feature = pytest.importorskip("skimage.feature")
    agreed = total = 0
    for seed in range(4):
        image = noise(seed)
        inner = slice(radius + 1, -radius - 1)  # beyond the edge, scikit-image sees black
        theirs = feature.local_binary_pattern(image, points, radius, method="uniform")[inner, inner]
        ours = riu2(image, points, radius)[inner, inner]
        agreed += int((ours == theirs).sum())
        total += ours.size
    # Points are placed to 1/64 of a pixel here: a few near ties fall the other way.
    assert agreed / total > 0.94


def test_patterns_of_the_smallest_circle_are_those_of_a_loop() -> None:
    image = noise(7, 12)
    found = riu2(image, 8, 1)
    # Diagonal points lie at 0.7071 pixels; 23/32 is the nearest multiple of 1/32.
    near = 23 / 32
    for y in range(1, 11):
        for x in range(1, 11):
            bits = []
            for dy, dx in ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1)):
                share = near if dy and dx else 1.0
                value = 0.0
                for sy, wy in ((0, 1 - share if dy else 1.0), (dy, share if dy else 0.0)):
                    for sx, wx in ((0, 1 - share if dx else 1.0), (dx, share if dx else 0.0)):
                        value += wy * wx * float(image[y + sy, x + sx])
                bits.append(value >= float(image[y, x]))
            changes = sum(bits[i] != bits[i - 1] for i in range(8))
            assert found[y, x] == (sum(bits) if changes <= 2 else 9)


@given(st.integers(0, 255), st.sampled_from(CIRCLES))
@settings(max_examples=20, deadline=None)
def test_an_even_surface_has_one_pattern(grey: int, circle: tuple[int, int]) -> None:
    assert (riu2(np.full((9, 9), grey, np.uint8), *circle) == circle[0]).all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_turning_by_quarters_turns_the_patterns(seed: int, quarters: int) -> None:
    image = noise(seed, 16)
    for points, radius in CIRCLES:
        turned = riu2(np.ascontiguousarray(np.rot90(image, quarters)), points, radius)
        np.testing.assert_array_equal(turned, np.rot90(riu2(image, points, radius), quarters))


@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
@settings(max_examples=20, deadline=None)
def test_light_does_not_change_the_patterns(seed: int, brighter: int) -> None:
    image = np.random.default_rng(seed).integers(0, 190, (12, 12), dtype=np.uint8)
    lit = np.asarray(image + np.uint8(brighter), np.uint8)
    np.testing.assert_array_equal(riu2(image, 16, 2), riu2(lit, 16, 2))


def test_vectors() -> None:
    encoder = load_encoder("ri-lbp")
    assert isinstance(encoder, RiLbpEncoder)
    assert encoder.portable
    assert encoder.card.dim == 64 * (10 + 18 + 26)
    one = drawing()
    moved = np.roll(one, 3, axis=1)
    blank = np.full_like(one, 255)
    vectors = encoder.encode_arrays(np.stack([one, moved, np.ascontiguousarray(one[::-1, ::-1]), blank]))
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > 0.9 > vectors[0] @ vectors[2]


def test_cells_count_what_lies_in_them() -> None:
    page = np.full((64, 64), 255, np.uint8)
    page[10:12, 5:20] = 0  # in the upper left of 2 x 2 cells
    encoder = RiLbpEncoder(2, size=64)
    (vector,) = encoder.encode_arrays(page[None])
    for (points, _), part in zip(CIRCLES, np.split(vector, np.cumsum([4 * 10, 4 * 18])), strict=True):
        cells = part.reshape(4, points + 2)
        assert cells[0].any()
        assert not cells[1:].any()
    # Whatever is counted is counted once: squares of the parts are in proportion to the pixels near ink.
    near_ink = [(2 + 2 * r) * (15 + 2 * r) for _, r in CIRCLES]
    parts = [float((part**2).sum()) for part in np.split(vector, np.cumsum([4 * 10, 4 * 18]))]
    np.testing.assert_allclose(parts, np.array(near_ink) / sum(near_ink), atol=1e-5)


@pytest.mark.parametrize("name", ["ri-lbp", "ri-lbp:4", "ri-lbp:6?size=128"])
def test_names_load_the_same_again(name: str) -> None:
    encoder = load_encoder(name)
    assert encoder.card.name == name
    assert load_encoder(encoder.card.name).card == encoder.card
    assert pickle.loads(pickle.dumps(encoder)).card == encoder.card
    assert encoder.card.sha256 != load_encoder("ri-lbp:5").card.sha256


@pytest.mark.parametrize("name", ["ri-lbp:0", "ri-lbp:99", "ri-lbp:x", "ri-lbp:8?cells=3", "ri-lbp:-1"])
def test_other_arguments_are_refused(name: str) -> None:
    with pytest.raises(EncoderError, match="ri-lbp"):
        load_encoder(name)


def test_other_arrays_are_refused() -> None:
    with pytest.raises(EncoderError, match="takes uint8"):
        RiLbpEncoder().encode_arrays(np.zeros((1, 64, 64), np.uint8))
