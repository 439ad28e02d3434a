"""Meshes and solids."""

from __future__ import annotations

import numpy as np
import pytest

from patsearch.models.mesh import Assembly, Mesh, Solid, move, scale, turn_x, turn_y, turn_z
from patsearch.synth.solids import (
    ball,
    box,
    circle,
    cylinder,
    extrude,
    lathe,
    polygon,
    spline,
    superellipse,
    torus,
    tube,
)


def volume(solid: Solid) -> float:
    """Signed volume by the divergence theorem: positive where faces look outwards."""
    a, b, c = (solid.vertices[solid.faces[:, i]] for i in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


@pytest.mark.parametrize(
    ("solid", "expected"),
    [
        (box(2, 3, 4), 24.0),
        (cylinder(1, 2, n=256), 2 * np.pi),
        (ball(1, n=128, rings=64), 4 / 3 * np.pi),
        (torus(2, 0.5, n=256, m=128), 2 * np.pi**2 * 2 * 0.25),
        (extrude(circle(256), 1, [circle(256)[::-1] * 0.5]), np.pi * 0.75),
        (lathe([(1, 0), (0.5, 1)], n=256), np.pi / 3 * (1 + 0.5 + 0.25)),
    ],
    ids=["box", "cylinder", "ball", "torus", "extrusion with hole", "cone"],
)
def test_volume(solid: Solid, expected: float) -> None:
    assert abs(volume(solid)) == pytest.approx(expected, rel=0.01)


def test_box_has_six_patches_and_bevels_join_them() -> None:
    assert len(np.unique(Assembly().add(box(1, 1, 1)).mesh().patches)) == 6
    assert len(np.unique(Assembly().add(box(1, 1, 1, 0.3, 0.2)).mesh().patches)) == 1


def test_parts_keep_apart_and_names_join() -> None:
    one, two = box(1, 1, 1), box(1, 1, 1).at(move(5))
    assert Assembly().add(one).add(two).mesh().part_count == 2
    assert Assembly().add(one, part="legs").add(two, part="legs").mesh().part_count == 1


def test_matrices_apply_as_written() -> None:
    point = Solid(np.array([[1.0, 0.0, 0.0]]), np.empty((0, 3), np.int64))
    assert point.at(turn_z(np.pi / 2)).vertices == pytest.approx(np.array([[0, 1, 0]]))
    assert point.at(turn_y(np.pi / 2)).vertices == pytest.approx(np.array([[0, 0, -1]]))
    up = Solid(np.array([[0.0, 1.0, 0.0]]), np.empty((0, 3), np.int64))
    assert up.at(turn_x(np.pi / 2)).vertices == pytest.approx(np.array([[0, 0, 1]]))
    assert point.at(move(1) @ scale(2)).vertices == pytest.approx(np.array([[3, 0, 0]]))


def test_mesh_without_area_is_refused() -> None:
    with pytest.raises(ValueError, match="area"):
        Mesh.of(np.zeros((3, 3)), np.array([[0, 1, 2]]), np.zeros(1, np.int32))


def test_closed_tube_of_any_course_has_no_seam() -> None:
    t = np.arange(240) / 240 * 2 * np.pi
    away, beside = 1 + 0.2 * np.cos(5 * t), 0.2 * np.sin(5 * t)
    knot = tube(np.column_stack([away * np.cos(t), beside, away * np.sin(t)]), 0.1, n=14, closed=True)
    assert len(np.unique(Assembly().add(knot).mesh().patches)) == 1


def test_curves() -> None:
    assert np.linalg.norm(circle(32), axis=1) == pytest.approx(np.ones(32))
    assert np.abs(superellipse(4, 40, 2, 3)).max(axis=0) == pytest.approx([2, 3])
    corners = np.linalg.norm(polygon(5, 5), axis=1)
    assert corners == pytest.approx(np.ones(5))
    through = [(0.0, 0.0), (1.0, 2.0), (3.0, 1.0)]
    assert spline(through, 3) == pytest.approx(np.array(through), abs=1e-6)
