from __future__ import annotations

from dataclasses import fields, replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patsearch.errors import SettingsError
from patsearch.training.augment.augmentation import Augmentation, augment, fit

NOTHING = Augmentation(
    mirror=0, quarter=0, tilt=0, shear=0, stretch=0, zoom=1, sketched=0, unhatched=0, wobbly=0, thicker=0, thinner=0,
    broken=0, erased=0, paler=0, one_bit=0, grain=0,
)  # fmt: skip


def drawing(size: int = 96) -> np.ndarray:
    """An L, different from all its turned and mirrored copies, well inside the page."""
    page = np.full((size, size), 255, np.uint8)
    page[size // 4 : 3 * size // 4, size // 3 : size // 3 + 3] = 0
    page[3 * size // 4 - 3 : 3 * size // 4, size // 3 : 2 * size // 3] = 0
    return page


@given(seed=st.integers(0, 2**32), size=st.sampled_from([32, 64, 96]))
def test_size_type_and_white_paper_stay(seed: int, size: int) -> None:
    original = drawing()
    before = original.copy()
    result = augment(original, Augmentation(), np.random.default_rng(seed), size=size)
    assert result.shape == (size, size)
    assert result.dtype == np.uint8
    assert np.median(result) > 200  # paper is white still
    assert np.median(np.concatenate([result[0], result[-1], result[:, 0], result[:, -1]])) > 200
    np.testing.assert_array_equal(original, before)


def test_the_same_generator_gives_the_same_drawing_and_another_another() -> None:
    results = [augment(drawing(), Augmentation(), np.random.default_rng(seed), size=64) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(results[0], results[1])
    assert (results[0] != results[2]).any()


def test_without_any_augmentation_nothing_changes() -> None:
    result = augment(drawing(), NOTHING, np.random.default_rng(0), size=96)
    np.testing.assert_array_equal(result, drawing())
    small = augment(drawing(), NOTHING, np.random.default_rng(0), size=48)
    np.testing.assert_allclose(small, fit(drawing(), 48), atol=1)  # halves are rounded up, in ink as on paper


def ink(page: np.ndarray) -> float:
    return float((255 - page.astype(float)).sum())


def only(**settings: float) -> np.ndarray:
    values = {name: getattr(NOTHING, name) for name in NOTHING.__slots__} | settings
    return augment(drawing(), Augmentation(**values), np.random.default_rng(5), size=96)


def test_each_augmentation_does_what_it_says() -> None:
    plain = ink(drawing())
    assert ink(only(unhatched=1)) == plain  # nothing there to take out
    assert (only(sketched=1) != drawing()).any()
    np.testing.assert_array_equal(only(mirror=1), drawing()[:, ::-1])
    turned = only(quarter=1)
    assert any((turned == np.rot90(drawing(), k)).all() for k in (1, 2, 3))
    assert ink(only(thicker=1)) > 1.15 * plain
    assert ink(only(thinner=1)) < 0.95 * plain
    assert ink(only(broken=1)) < 0.98 * plain
    assert ink(only(paler=1)) < plain
    assert ink(only(zoom=0.5)) < plain
    assert set(np.unique(only(tilt=20, one_bit=1))) == {0, 255}
    assert len(np.unique(only(grain=1))) > 4
    erased = [
        ink(augment(drawing(), Augmentation(erased=1, erased_side=0.9), np.random.default_rng(i), size=96))
        for i in range(20)
    ]
    assert min(erased) < 0.6 * plain


def test_a_part_is_taken_at_the_scale_of_the_drawing() -> None:
    page = hatched()
    for seed in range(5):
        part = augment(page, replace(NOTHING, cropped=1), np.random.default_rng(seed), size=128)
        assert part.shape == (128, 128)
        places = np.lib.stride_tricks.sliding_window_view(page, part.shape)
        assert any((row == part).all(axis=(1, 2)).any() for row in places)
    empty = np.full((256, 256), 255, np.uint8)
    empty[:64, :64] = 0
    some = [augment(empty, replace(NOTHING, cropped=1), np.random.default_rng(s), size=64) for s in range(200)]
    assert sum(ink(part) > 0 for part in some) > 40  # the best of three places; single ones find it 22 times


@given(seed=st.integers(0, 2**32), wobble=st.floats(0.5, 6))
def test_wobbly_lines_stay_within_their_reach(seed: int, wobble: float) -> None:
    spec = replace(NOTHING, wobbly=1, wobble=wobble)
    moved = 255 - augment(drawing(), spec, np.random.default_rng(seed), size=96)
    reach = int(np.ceil(1.5 * wobble * 96 / 224)) + 1  # cubic interpolation overshoots a little
    near = cv2.dilate(255 - drawing(), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    assert not moved[near == 0].any()
    assert 0.4 < moved.sum() / (255 - drawing()).sum() < 2.5


def test_every_augmentation_can_be_switched_alone() -> None:
    """Each share alone changes a drawing for which it is made; all of them off change nothing."""
    page = hatched()  # unlike all its turned and mirrored copies
    others = ("erased_side", "wobble", "cropped")  # a part is only taken where the drawing is made smaller
    for name in (f.name for f in fields(Augmentation) if f.name not in others):
        value = {"tilt": 20.0, "zoom": 0.7}.get(name, 0.5 if name in ("shear", "stretch") else 1.0)
        spec = replace(NOTHING, **{name: value})
        results = [augment(page, spec, np.random.default_rng(seed), size=224) for seed in range(3)]
        assert any((result != page).any() for result in results), name


def hatched(size: int = 224) -> np.ndarray:
    page = np.full((size, size), 255, np.uint8)
    cv2.rectangle(page, (10, 10), (size - 11, size - 11), 0, 2)
    for at in range(16, size - 30, 4):
        page[16 : size - 30, at] = 120
    return page


@pytest.mark.parametrize(
    "wrong",
    [
        {"wobble": 30},
        {"sketched": -0.1},
        {"mirror": 1.5},
        {"zoom": 0},
        {"tilt": -1},
        {"stretch": 1},
        {"erased_side": 2},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match="out of range"):
        Augmentation(**wrong)
