"""The renderer: hidden lines are gone, visible ones are where geometry puts them."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from patsearch.models.mesh import Assembly, Mesh, move
from patsearch.models.render import View, project, render
from patsearch.synth.solids import ball, box, cylinder, lathe, torus

GENERAL = View("perspective view", -50, 25, 0.2)
SIZE = 300


def cube(side: float = 1.0) -> Mesh:
    return Assembly().add(box(side, side, side)).mesh()


def drawn_share(lines_points: NDArray[np.float32], a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Share of the points between a and b that have a drawn line within two pixels; the ends are left out."""
    samples = a + np.linspace(0.15, 0.85, 40)[:, None] * (b - a)
    distance = np.linalg.norm(samples[:, None] - lines_points[None], axis=2).min(axis=1)
    return float((distance < 2).mean())


@pytest.mark.parametrize("view", [GENERAL, View("", 20, -35), View("", 130, 50, 0.4)])
def test_cube_in_general_view_shows_nine_edges_of_twelve(view: View) -> None:
    mesh = cube()
    corners, *_ = project(mesh, view, SIZE)
    lines = render(mesh, view, size=SIZE)
    edges = [
        (i, j)
        for i, j in combinations(range(8), 2)
        if np.isclose(np.linalg.norm(mesh.vertices[i] - mesh.vertices[j]), 1)
    ]
    assert len(edges) == 12
    shares = sorted(drawn_share(lines.points, corners[i, :2], corners[j, :2]) for i, j in edges)
    assert all(share < 0.1 for share in shares[:3])
    assert all(share > 0.95 for share in shares[3:])


def test_cube_from_the_front_is_its_outline() -> None:
    lines = render(cube(), View("front view", -90, 0), size=SIZE)
    inner = lines.points[np.all((lines.points > 8) & (lines.points < SIZE - 8), axis=1)]
    assert len(inner) == 0
    assert set(lines.kinds) == {1}


def test_object_behind_another_is_hidden() -> None:
    both = Assembly().add(box(1, 1, 1)).add(box(0.5, 0.5, 0.5), move(0, 3, 0.2)).mesh()
    lines = render(both, View("front view", -90, 0), size=SIZE)
    assert set(lines.parts) == {0}
    assert set(render(both, View("rear view", 90, 0), size=SIZE).parts) == {0, 1}


def test_object_half_behind_another_ends_at_its_edge() -> None:
    both = Assembly().add(box(1, 1, 1)).add(box(1, 1, 0.5), move(0.6, 3, 0.2)).mesh()
    lines = render(both, View("front view", -90, 0), size=SIZE)
    ends_of_front = max(lines.line(i)[:, 0].max() for i in range(len(lines)) if lines.parts[i] == 0)
    starts_of_rear = min(lines.line(i)[:, 0].min() for i in range(len(lines)) if lines.parts[i] == 1)
    assert starts_of_rear >= ends_of_front - 3


def test_smooth_surface_shows_its_outline_only() -> None:
    lines = render(Assembly().add(ball(1)).mesh(), GENERAL, size=SIZE)
    centre = (np.array(lines.size) - 1) / 2
    radius = np.linalg.norm(lines.points - centre, axis=1)
    assert radius.min() > 0.97 * radius.max()


def test_torus_seen_flat_shows_where_it_hides_itself() -> None:
    kinds = render(Assembly().add(torus(1, 0.4)).mesh(), View("", -90, 12), size=SIZE).kinds
    assert 2 in kinds  # the near side in front of the far one, though both are one smooth surface


def test_coincident_faces_do_not_fight() -> None:
    """A shaft within a sleeve of the same radius: the last one added is seen, without speckles."""
    mesh = Assembly().add(cylinder(0.5, 2)).add(cylinder(0.5, 1), move(z=0.5)).mesh()
    inner, alone = (
        sum(len(lines.line(i)) for i in range(len(lines)) if lines.kinds[i] != 1)
        for lines in (
            render(mesh, GENERAL, size=SIZE),
            render(Assembly().add(cylinder(0.5, 2)).mesh(), GENERAL, size=SIZE),
        )
    )
    assert alone > 100
    assert inner <= alone + 10


def test_page_is_fitted_to_what_faces_use() -> None:
    solid = box(1, 1, 1)
    stray = np.vstack([solid.vertices, [[50.0, 0.0, 0.0]]])
    mesh = Mesh.of(stray, solid.faces, np.zeros(len(solid.faces), np.int32))
    assert len(mesh.vertices) == 8
    assert render(mesh, GENERAL, size=SIZE).size == render(cube(), GENERAL, size=SIZE).size


def test_mirrored_view_is_mirrored() -> None:
    mesh = Assembly().add(box(1, 2, 0.5)).add(box(0.3, 0.3, 0.3), move(0.2, 0.4, 0.5)).mesh()
    left, right = (render(mesh, View("", azimuth, 0), size=SIZE) for azimuth in (180, 0))
    flipped = np.sort(left.size[0] - left.points[:, 0])
    assert abs(flipped.min() - right.points[:, 0].min()) <= 1.5
    assert abs(flipped.max() - right.points[:, 0].max()) <= 1.5


def test_perspective_makes_near_edges_longer() -> None:
    corners, *_ = project(cube(), View("", -90, 0, 0.5), SIZE)
    width = np.ptp(corners[:, 0])
    near = corners[np.argsort(corners[:, 2])[4:]]
    far = corners[np.argsort(corners[:, 2])[:4]]
    assert np.isclose(np.ptp(near[:, 0]), width)
    assert np.ptp(far[:, 0]) < 0.8 * width


def test_normals_look_at_the_eye() -> None:
    lines = render(Assembly().add(lathe([(1, 0), (1, 1)])).mesh(), View("", -90, 0), size=SIZE)
    normals = lines.normals_at(np.array([[lines.size[0] / 2, lines.size[1] / 2], [-5.0, 0.0]]))
    assert normals[0] @ [0, 0, 1] > 0.99
    assert not normals[1].any()
