"""Styles: widths, dashes, shading, noise."""

from __future__ import annotations

import numpy as np
import pytest

from patsearch.models.mesh import Assembly, move
from patsearch.models.render import Lines, View, render
from patsearch.synth.dice import Dice
from patsearch.synth.sketch import Hand, sketch_lines
from patsearch.synth.solids import ball, box
from patsearch.synth.style import Style, dashed, hatch_lines, ink, limb_lines, sheen_lines, stipple

RNG = np.random.default_rng


@pytest.fixture(scope="module")
def lines() -> Lines:
    mesh = Assembly().add(box(1, 1, 1)).add(ball(0.4), move(z=1.3)).mesh()
    return render(mesh, View("", -50, 25), size=300)


def darkness(drawing: np.ndarray) -> float:
    return float((255 - drawing.astype(float)).mean())


def test_lines_are_as_wide_as_said(lines: Lines) -> None:
    thin, bold = (ink(lines, Style(width=w, contour=w), 224, RNG(0)) for w in (1.0, 3.0))
    assert 2 < darkness(bold) / darkness(thin) < 4


def test_a_style_means_the_same_at_every_size(lines: Lines) -> None:
    small, large = (ink(lines, Style(width=2, contour=2), size, RNG(0)) for size in (112, 448))
    assert darkness(small) == pytest.approx(darkness(large), rel=0.15)


def test_contour_is_heavier(lines: Lines) -> None:
    even, heavy = (ink(lines, Style(width=1, contour=c), 224, RNG(0)) for c in (1.0, 3.0))
    assert darkness(heavy) > 1.4 * darkness(even)


def test_unclaimed_parts_are_dashed(lines: Lines) -> None:
    whole, broken = (ink(lines, Style(unclaimed=frozenset(p)), 224, RNG(0)) for p in ([], [1]))
    half = 100  # the ball is above, the box below
    assert darkness(broken[:half]) < 0.85 * darkness(whole[:half])
    assert np.array_equal(broken[150:], whole[150:])


def test_dashes_follow_the_line() -> None:
    line = np.column_stack([np.linspace(0, 100, 401), np.zeros(401)])
    pieces = dashed(line, (6.0, 4.0))
    assert len(pieces) == 10
    for i, piece in enumerate(pieces):
        assert piece[0, 0] == pytest.approx(10 * i)
        assert piece[-1, 0] == pytest.approx(10 * i + 6)
    assert len(dashed(line[:9], (6.0, 4.0))) == 1


def test_shading_lies_on_the_object(lines: Lines) -> None:
    style = Style(hatching="lines", light=(0.0, 0.0, 1.0))
    strokes = hatch_lines(lines, Style(light=(-1, 0.2, 0.1)), RNG(0))
    assert strokes
    ends = np.vstack(strokes)
    assert lines.normals_at(ends).any(axis=1).all()
    dots = stipple(lines, Style(light=(-1, 0.2, 0.1)), RNG(0))
    assert len(dots) > 20
    assert lines.normals_at(dots).any(axis=1).all()
    flat = render(Assembly().add(box(1, 1, 1)).mesh(), View("", -90, 0), size=200)
    assert not hatch_lines(flat, style, RNG(0))  # in full light


def test_noise_does_not_become_pepper(lines: Lines) -> None:
    clean = ink(lines, Style(), 224, RNG(0))
    noisy = ink(lines, Style(grain=1.0, one_bit=150), 224, RNG(0))
    assert set(np.unique(noisy)) == {0, 255}
    page = clean == 255
    assert (noisy[page] == 0).mean() < 0.002


def test_random_styles_differ() -> None:
    dice = Dice(RNG(0))
    styles = [Style.draw(dice) for _ in range(200)]
    assert len(set(styles)) == 200
    assert {s.hatching for s in styles} == {"none", "lines", "stipple", "sheen", "limb"}
    assert all(s.grain == 0 and s.one_bit is None for s in (Style.draw(dice, for_sheet=True) for _ in range(100)))


def test_sketch_is_rough_and_repeatable(lines: Lines) -> None:
    one, again, other = (sketch_lines(lines, RNG(seed), size=128) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert one.shape == (128, 128)
    assert 1 < darkness(one) < 60


def test_a_careful_hand_stays_near_the_drawing(lines: Lines) -> None:
    steady = Hand(tremor=0, drift=0, overshoot=0, twice=0, omitted=0, squeeze=0, width=1.5)
    careful = sketch_lines(lines, RNG(0), size=224, hand=steady)
    drawing = ink(lines, Style(width=6, contour=6), 224, RNG(0), margin=0.09)
    assert (drawing[careful < 128] < 128).mean() > 0.97
    hasty = sketch_lines(lines, RNG(0), size=224, hand=Hand(tremor=2, drift=5, overshoot=9, omitted=0.9))
    assert (drawing[hasty < 128] < 128).mean() < 0.9


def test_limb_shading_lies_where_a_surface_curves_away(lines: Lines) -> None:
    strokes = limb_lines(lines, Style(hatching="limb", hatch_step=2, hatch_angle=0.0), RNG(0))
    assert strokes
    facing = np.abs(lines.normals_at(np.vstack(strokes))[:, 2])
    assert facing[facing > 0].max() < 0.8
    seen = np.abs(lines.normals[lines.seen[lines.seen >= 0]][:, 2])
    assert (seen > 0.8).any()  # there is more to the object than its limb


def test_sheen_strokes_each_stay_on_one_flat_surface(lines: Lines) -> None:
    strokes = sheen_lines(lines, Style(hatching="sheen", hatch_step=4, hatch_angle=0.8), RNG(3))
    assert strokes
    for stroke in strokes:
        first, last = lines.normals_at(stroke)
        assert first @ last > 0.99
    directions = {round(float(np.arctan2(*(s[1] - s[0])[::-1])), 3) for s in strokes}
    assert directions == {0.8}


def test_every_kind_of_shading_darkens(lines: Lines) -> None:
    plain = darkness(ink(lines, Style(), 224, RNG(0)))
    for kind in ("lines", "stipple", "sheen", "limb"):
        assert darkness(ink(lines, Style(hatching=kind), 224, RNG(3))) > plain
