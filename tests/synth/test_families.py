"""Every family draws something, in views that differ, and different things from different seeds."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from patsearch.classification import parse_code
from patsearch.models.mesh import Assembly
from patsearch.models.render import render
from patsearch.synth import FAMILIES, iter_designs, render_views
from patsearch.synth.design import Design
from patsearch.synth.dice import Dice
from patsearch.synth.families.registry import Family, family
from patsearch.synth.style import Style, ink


def plain(design: Design, views: int | None = None) -> list[np.ndarray]:
    """The first views of a design, or all."""
    rng = np.random.default_rng(0)
    style = Style(width=4, contour=4)
    return [ink(render(design.mesh, view, size=192), style, 64, rng) for view in design.views[:views]]


@pytest.mark.parametrize("name", FAMILIES)
def test_views_show_something_and_differ(name: str) -> None:
    for design in iter_designs(11, 2, families=[name]):
        drawings = plain(design)
        assert len(drawings) >= (2 if design.family.flat else 4)
        assert len({view.name for view in design.views}) == len(design.views)
        for drawing in drawings:
            assert 0.005 < (drawing < 128).mean() < 0.6
        for a, b in combinations(drawings, 2):
            different = np.abs(a.astype(int) - b) > 128
            assert different.sum() > 0.03 * (np.minimum(a, b) < 128).sum()


@pytest.mark.parametrize("name", FAMILIES)
def test_objects_of_a_family_differ(name: str) -> None:
    drawings = [plain(design, 1)[0] for design in iter_designs(5, 4, families=[name])]
    for a, b in combinations(drawings, 2):
        different = np.abs(a.astype(int) - b) > 128
        assert different.sum() > 0.15 * (np.minimum(a, b) < 128).sum()


@pytest.mark.parametrize("known", FAMILIES.values(), ids=FAMILIES)
def test_classes_are_in_normal_form(known: Family) -> None:
    assert known.titles
    for code in known.uspc:
        assert parse_code("uspc", code).code == code
        assert code.startswith("D")
    assert parse_code("locarno", known.locarno).code == known.locarno


def test_there_are_families_enough() -> None:
    assert len(FAMILIES) >= 40


def test_a_name_is_given_once() -> None:
    with pytest.raises(ValueError, match="chair"):

        @family("Chair", uspc="D6/360", locarno="06-01")
        def chair(dice: Dice, assembly: Assembly) -> None:
            raise AssertionError("never drawn")


def test_drawings_in_memory() -> None:
    design = next(iter_designs(1, 1))
    drawings = render_views(design.mesh, design.views, np.random.default_rng(3), size=64)
    assert drawings.shape == (len(design.views), 64, 64)
    assert drawings.dtype == np.uint8
    again = render_views(design.mesh, design.views, np.random.default_rng(3), size=64)
    assert np.array_equal(drawings, again)
    other = render_views(design.mesh, design.views, np.random.default_rng(4), size=64)
    assert not np.array_equal(drawings, other)
