"""Ornaments: on flat surfaces, within them, visible."""

from __future__ import annotations

import numpy as np
import pytest

from patsearch.models.mesh import Assembly, Mesh, move
from patsearch.models.render import View, render
from patsearch.synth.dice import Dice
from patsearch.synth.solids import ball, box, cylinder
from workshop.ornament import decorate, flat_places, ornament


def dice(seed: int) -> Dice:
    return Dice(np.random.default_rng(seed))


def slab() -> Mesh:
    return Assembly().add(box(4, 1, 3)).mesh()


def test_a_box_has_room_on_every_side() -> None:
    places = flat_places(slab())
    assert len(places) == 6
    normals = {tuple(np.rint(place.frame[:3, 2]).astype(int).tolist()) for place in places}
    assert normals == {(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)}
    largest = places[0]
    assert (largest.width, largest.height) == pytest.approx((4, 3), rel=0.1)
    assert abs(largest.frame[1, 3]) == pytest.approx(0.5)
    for place in places:
        axes = place.frame[:3, :3]
        assert np.allclose(axes @ axes.T, np.eye(3))
        assert np.linalg.det(axes) == pytest.approx(1)


def test_a_ball_has_none() -> None:
    mesh = Assembly().add(ball(1)).mesh()
    assert flat_places(mesh) == []
    assert decorate(mesh, dice(0)) is mesh


def test_room_is_within_the_surface() -> None:
    # A disc: the corners of its bounding square are not free.
    disc = Assembly().add(cylinder(1, 0.5)).mesh()
    places = flat_places(disc)
    assert places
    for place in places:
        assert np.hypot(place.width, place.height) / 2 < 1.05


def test_room_is_found_beside_a_hole() -> None:
    from patsearch.synth.solids import circle, extrude

    plate = Assembly().add(extrude(circle(64, 1.0) * 2, 0.4, [circle(48, 1.0)])).mesh()
    for place in flat_places(plate):
        x, y = place.frame[:2, 3]
        assert np.hypot(x, y) > 1


@pytest.mark.parametrize("seed", range(24))
def test_an_ornament_stays_in_its_place(seed: int) -> None:
    place = max(flat_places(slab()), key=lambda p: p.frame[2, 2])
    solids = ornament(place, dice(seed), depth=0.05)
    points = np.vstack([solid.vertices for solid in solids])
    assert np.isfinite(points).all()
    inside = (points - place.frame[:3, 3]) @ place.frame[:3, :3]
    assert np.abs(inside[:, 0]).max() <= place.width * 0.51
    assert np.abs(inside[:, 1]).max() <= place.height * 0.51
    assert -0.1 < inside[:, 2].min() < 0 < inside[:, 2].max() < 0.2


def test_it_is_seen_from_its_side_alone() -> None:
    plain, views = slab(), [View("", azimuth, 0) for azimuth in (-90, 90)]
    more = []
    for seed in range(8):
        place = next(p for p in flat_places(plain) if p.frame[1, 2] < -0.9)
        assembly = Assembly().add(box(4, 1, 3))
        for solid in ornament(place, dice(seed), depth=0.05):
            assembly.add(solid)
        counts = [len(render(assembly.mesh(), view, size=400)) for view in views]
        more.append(counts[0] > counts[1] == 1)
    assert all(more)


def test_it_is_a_part_of_its_own_and_the_same_for_the_same_dice() -> None:
    mesh = Assembly().add(box(4, 1, 3)).add(ball(0.5), move(z=4)).mesh()
    first, second, other = decorate(mesh, dice(1)), decorate(mesh, dice(1)), decorate(mesh, dice(2))
    assert 2 < first.part_count <= 5
    assert np.array_equal(first.vertices, second.vertices)
    assert first.vertices.shape != other.vertices.shape or not np.array_equal(first.vertices, other.vertices)
