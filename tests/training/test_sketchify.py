from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from patsearch.training.augment.hatching import drop_hatching
from patsearch.training.augment.sketchify import Pen, sketchify

CAREFUL = Pen(smallest=24, shortest=6, omitted=0, longest=80, gap=0, tremor=0.4, drift=0.5, twice=0, width=1.2)


def page(size: int = 224) -> np.ndarray:
    """A square, as ink."""
    ink = np.zeros((size, size), np.uint8)
    cv2.rectangle(ink, (40, 40), (183, 183), 255, 2)
    return ink


def filled(ink: np.ndarray) -> np.ndarray:
    """The area within the outermost lines, gaps of a few pixels closed."""
    closed = cv2.morphologyEx((ink > 60).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    contours, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return cv2.drawContours(np.zeros_like(closed), contours, -1, 1, -1).astype(bool)


@given(seed=st.integers(0, 2**32))
def test_a_sketch_has_the_shape_of_the_drawing_and_other_lines(seed: int) -> None:
    original = page()
    cv2.circle(original, (110, 110), 30, 255, 2)
    before = original.copy()
    result = sketchify(original, np.random.default_rng(seed), CAREFUL)
    np.testing.assert_array_equal(original, before)
    assert result.shape == original.shape
    assert result.dtype == np.uint8
    both, either = filled(original) & filled(result), filled(original) | filled(result)
    assert both.sum() > 0.9 * either.sum()
    assert result[70:150, 70:150].any()  # the circle within is there
    overlap = ((result > 60) & (original > 60)).sum() / (original > 60).sum()
    assert overlap < 0.95  # but no line is where it was


@given(seed=st.integers(0, 2**32))
def test_any_hand_draws_something_and_the_same_seed_the_same(seed: int) -> None:
    one, same = (sketchify(page(), np.random.default_rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(one, same)
    assert one.any()


def test_small_parts_are_left_out() -> None:
    detailed = page()
    for top in range(60, 160, 12):
        for left in range(60, 160, 12):
            cv2.rectangle(detailed, (left, top), (left + 4, top + 4), 255, 1)
    result = sketchify(detailed, np.random.default_rng(1), CAREFUL)
    assert result[56:168, 56:168].sum() < 0.1 * detailed[56:168, 56:168].sum()
    assert filled(result).sum() > 0.9 * filled(detailed).sum()


def test_a_line_between_two_areas_is_drawn_once() -> None:
    divided = page()
    cv2.line(divided, (112, 40), (112, 183), 255, 2)
    result = sketchify(divided, np.random.default_rng(0), CAREFUL)
    middle = (result[80:150, 90:134] > 60).sum(axis=1)
    assert np.median(middle) <= 4
    assert (middle > 0).mean() > 0.9


@given(arrays(np.uint8, (48, 48), fill=st.just(0)))
def test_any_picture_gives_a_picture(ink: np.ndarray) -> None:
    for result in (sketchify(ink, np.random.default_rng(0)), drop_hatching(ink)):
        assert result.shape == ink.shape
        assert result.dtype == np.uint8
    assert (drop_hatching(ink) <= ink).all()  # ink is taken away, never added


@pytest.mark.parametrize("size", [128, 224, 256])
def test_blank_paper_stays_blank(size: int) -> None:
    blank = np.zeros((size, size), np.uint8)
    assert not sketchify(blank, np.random.default_rng(0)).any()
    assert not drop_hatching(blank).any()


@pytest.mark.parametrize("vertical", [True, False])
@pytest.mark.parametrize("gap", [3, 4, 5])
def test_hatching_goes_and_the_outline_stays(gap: int, vertical: bool) -> None:
    outline = page()
    drawn = outline.copy()
    for at in range(46, 180, gap):
        cv2.line(drawn, (at, 42), (at, 181), 255, 1)
    if not vertical:
        drawn = drawn.T.copy()
    result = drop_hatching(drawn)
    lines = (drawn > 0) & (outline == 0)
    assert (result[lines] > 0).mean() < 0.25
    assert (result[outline > 0] > 0).mean() > 0.95


def test_dots_go_and_dashes_stay() -> None:
    dotted, dashed = page(), page()
    rng = np.random.default_rng(0)
    for top, left in rng.integers(50, 170, (150, 2)):
        dotted[top : top + 2, left : left + 2] = 255
    for left in range(50, 170, 10):
        dashed[100:102, left : left + 6] = 255
    assert (drop_hatching(dotted)[45:178, 45:178] > 0).sum() < 0.15 * (dotted[45:178, 45:178] > 0).sum()
    np.testing.assert_array_equal(drop_hatching(dashed), dashed)


def test_solid_black_and_single_lines_are_no_hatching() -> None:
    drawn = page()
    drawn[80:140, 80:140] = 255
    for at in (60, 72, 150, 165):
        cv2.line(drawn, (44, at), (180, at), 255, 2)
    np.testing.assert_array_equal(drop_hatching(drawn), drawn)
