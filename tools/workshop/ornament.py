"""Details on the flat sides of an object: bumps, ribs, vents, panels, screws, emblems.

Free models are smooth where products are not, and what the views of a design share is often such a detail. Each
ornament is low relief on one flat surface: it is drawn in full where that surface is seen, and as bumps from the side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from patsearch.models.mesh import Matrix, Mesh, Solid, move, scale, turn_z
from patsearch.synth.dice import Dice
from patsearch.synth.solids import (
    TAU,
    box,
    circle,
    cylinder,
    extrude,
    fluted,
    polygon,
    rounded_rectangle,
    superellipse,
    torus,
)

_CELLS = 48  # side of the grid on which free room is looked for
_FLAT = 0.9995
_SMALLEST = 0.12  # shorter side of a place, as a share of the object's size
_MOST = 90  # elements of one pattern


@dataclass(frozen=True, slots=True)
class Place:
    """An empty rectangle on a flat surface.

    Attributes:
        frame: (4, 4), from the rectangle's axes to the object's: x and y in it, z out of the surface, origin in its
            middle.
        width, height: of the rectangle.
    """

    frame: Matrix
    width: float
    height: float


def decorate(mesh: Mesh, dice: Dice, *, most: int = 3) -> Mesh:
    """The object with one to `most` ornaments, each a separate part; unchanged if no flat surface has room."""
    places = flat_places(mesh)
    if not places:
        return mesh
    chosen = [places[i] for i in dice.rng.permutation(len(places))[: dice.whole(1, most)]]
    vertices, faces, parts = [mesh.vertices], [mesh.faces], [mesh.parts]
    count, part = len(mesh.vertices), mesh.part_count
    size = float(np.ptp(mesh.vertices, axis=0).max())
    for place in chosen:
        for solid in ornament(place, dice, depth=size * dice.between(0.006, 0.03)):
            vertices.append(solid.vertices)
            faces.append(solid.faces + count)
            parts.append(np.full(len(solid.faces), part, np.int32))
            count += len(solid.vertices)
        part += 1
    return Mesh.of(np.concatenate(vertices), np.concatenate(faces), np.concatenate(parts))


def flat_places(mesh: Mesh, *, most: int = 8) -> list[Place]:
    """Rectangles on the largest flat surfaces, upright as the object is; at most one a surface, large ones first."""
    corners = mesh.vertices[mesh.faces]  # (F, 3, 3)
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    totals = np.bincount(mesh.patches, areas)
    size = float(np.ptp(mesh.vertices, axis=0).max())
    middle = (mesh.vertices.min(axis=0) + mesh.vertices.max(axis=0)) / 2
    places: list[Place] = []
    for patch in np.argsort(-totals, kind="stable")[: 3 * most]:
        if len(places) == most or totals[patch] < (_SMALLEST * size) ** 2:
            break
        own = np.flatnonzero(mesh.patches == patch)
        normal = mesh.normals[own[np.argmax(areas[own])]]
        own = own[np.abs(mesh.normals[own] @ normal) > _FLAT]
        level = float(np.average(corners[own].mean(axis=1) @ normal, weights=areas[own]))
        own = own[np.abs(corners[own].mean(axis=1) @ normal - level) < 1e-3 * size]
        if not len(own):
            continue
        if level < middle @ normal:  # normals do not say which side is out: away from the middle, as a rule
            normal = -normal
        place = _room(corners[own], normal)
        if place is not None and min(place.width, place.height) > _SMALLEST * size:
            places.append(place)
    return places


def _room(triangles: NDArray[np.float64], normal: NDArray[np.float64]) -> Place | None:
    """A large rectangle within coplanar triangles (F, 3, 3)."""
    up = np.array([0.0, 0.0, 1.0]) if abs(normal[2]) < 0.9 else np.array([0.0, 1.0, 0.0])
    right = np.cross(up, normal)
    right /= np.linalg.norm(right)
    up = np.cross(normal, right)
    flat = triangles @ np.column_stack([right, up])  # (F, 3, 2)
    low, high = flat.min(axis=(0, 1)), flat.max(axis=(0, 1))
    cell = float((high - low).max()) / _CELLS
    if cell <= 0:
        return None
    mask = np.zeros((_CELLS, _CELLS), np.uint8)
    for triangle in np.rint((flat - low) / cell * 16 - 8).astype(np.int32):
        cv2.fillConvexPoly(mask, triangle, (1.0,), cv2.LINE_8, 4)
    distance = cv2.distanceTransform(cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_C, 3)
    y, x = (int(v) - 1 for v in np.unravel_index(int(np.argmax(distance)), distance.shape))
    if not mask[y, x]:
        return None
    box_ = [y, y + 1, x, x + 1]  # top, bottom, left, right
    for _ in range(2 * _CELLS):
        before = list(box_)
        for side, step in ((0, -1), (1, 1), (2, -1), (3, 1)):
            grown = list(box_)
            grown[side] += step
            inside = min(grown) >= 0 and max(grown) <= _CELLS
            if inside and mask[grown[0] : grown[1], grown[2] : grown[3]].all():
                box_ = grown
        if box_ == before:
            break
    top, bottom, left, rightmost = box_
    centre = low + cell * np.array([(left + rightmost) / 2, (top + bottom) / 2])
    frame = np.eye(4)
    frame[:3, 0], frame[:3, 1], frame[:3, 2] = right, up, normal
    frame[:3, 3] = right * centre[0] + up * centre[1] + normal * float((triangles @ normal).mean())
    return Place(frame, (rightmost - left) * cell, (bottom - top) * cell)


def ornament(place: Place, dice: Dice, *, depth: float) -> list[Solid]:
    """The solids of one random ornament, in the object's axes.

    Args:
        depth: height of the relief.
    """
    margin = dice.between(0.55, 0.92)
    width, height = place.width * margin, place.height * margin
    made = dice.pick(_grid, _grid, _ribs, _ribs, _rings, _panel, _screws, _emblem, _row)(width, height, depth, dice)
    if max(width, height) > 3 * min(width, height) or dice.chance(0.8):
        turned = np.eye(4)
    else:
        turned = turn_z(dice.between(0, TAU)) @ scale(0.7)
    # Sunk a little into the surface: two surfaces at one depth would flicker.
    sunk = move(z=-0.5 * depth)
    return [solid.at(place.frame @ turned @ sunk) for solid in made]


def _element(dice: Dice) -> Callable[[float, float], Solid]:
    """One small solid for a whole pattern: a function of its width and its height."""
    kind = dice.whole(0, 5)
    sides, lobes, power = dice.whole(3, 8), dice.whole(4, 9), dice.between(0.8, 4)
    outline = {
        0: circle(20, 0.5),
        1: polygon(sides, 24, 0.5, 0.5),
        2: fluted(lobes, 0.25, 36) * 0.5,
        3: superellipse(power, 24, 0.5, 0.5),
        4: rounded_rectangle(1, 1, 0.25, 20),
        5: rounded_rectangle(1, 1, 0, 4),
    }[kind]
    hollow = [outline * dice.between(0.4, 0.75)] if dice.chance(0.4) else []
    return lambda side, depth: extrude(outline * side, 1.5 * depth, [hole * side for hole in hollow])


def _grid(width: float, height: float, depth: float, dice: Dice) -> list[Solid]:
    element = _element(dice)
    pitch = max(min(width, height) / dice.between(1.5, 7), float(np.sqrt(width * height / _MOST)))
    columns, rows = max(1, int(width / pitch)), max(1, int(height / pitch))
    small = element(pitch * dice.between(0.35, 0.85), depth)
    staggered = dice.chance(0.3)
    placed = []
    for row in range(rows):
        for column in range(columns - (staggered and row % 2)):
            x = (column - (columns - 1) / 2 + 0.5 * (staggered and row % 2)) * pitch
            placed.append(small.at(move(x, (row - (rows - 1) / 2) * pitch)))
    return placed


def _ribs(width: float, height: float, depth: float, dice: Dice) -> list[Solid]:
    upright = dice.chance(0.5)
    along, across = (height, width) if upright else (width, height)
    count = dice.whole(3, 16)
    pitch = across / count
    thick = pitch * dice.between(0.2, 0.65)
    round_ends = thick * 0.49 if dice.chance(0.6) else 0.0
    taper = dice.between(-0.6, 0.0) if dice.chance(0.25) else 0.0
    placed = []
    for i in range(count):
        offset = (i - (count - 1) / 2) * pitch
        length = along * (1 + taper * abs(offset) / (across / 2))
        size = (thick, length) if upright else (length, thick)
        at = move(offset, 0) if upright else move(0, offset)
        placed.append(box(*size, 1.5 * depth, round_ends, n=12).at(at))
    return placed


def _rings(width: float, height: float, depth: float, dice: Dice) -> list[Solid]:
    radius = min(width, height) / 2
    count = dice.whole(1, 5)
    stretched = scale(width / height, 1, 1) if width > height and dice.chance(0.3) else np.eye(4)
    thick = radius / count * dice.between(0.06, 0.25)
    rings = [torus(radius * (i + 1) / count - thick, thick, n=40, m=8) for i in range(count)]
    placed = [ring.at(stretched @ move(z=0.5 * depth)) for ring in rings]
    if dice.chance(0.5):
        placed.append(cylinder(radius / count * 0.5, 1.8 * depth, n=32))
    return placed


def _panel(width: float, height: float, depth: float, dice: Dice) -> list[Solid]:
    radius = min(width, height) * dice.between(0.0, 0.3)
    rim = min(width, height) * dice.between(0.02, 0.1)
    outer = rounded_rectangle(width, height, radius)
    inner = rounded_rectangle(width - 2 * rim, height - 2 * rim, max(0.0, radius - rim))
    placed = [extrude(outer, 1.4 * depth, [inner])]
    if dice.chance(0.7):
        inside = dice.pick(_grid, _ribs, _emblem, _row, _screws)
        placed += inside((width - 2 * rim) * 0.85, (height - 2 * rim) * 0.85, depth, dice)
    return placed


def _screws(width: float, height: float, depth: float, dice: Dice) -> list[Solid]:
    radius = min(width, height) * dice.between(0.04, 0.12)
    head = [cylinder(radius, 1.3 * depth, n=28)]
    if dice.chance(0.5):
        head.append(extrude(polygon(6, 24, 0.55 * radius, 0.55 * radius), 1.8 * depth))
    elif dice.chance(0.7):
        head.append(box(1.6 * radius, 0.25 * radius, 1.8 * depth))
    x, y = width / 2 - radius, height / 2 - radius
    spots = [(-x, -y), (x, -y), (-x, y), (x, y)] + ([(0, -y), (0, y)] if dice.chance(0.3) else [])
    return [solid.at(move(*spot)) for spot in spots for solid in head]


def _emblem(width: float, height: float, depth: float, dice: Dice) -> list[Solid]:
    side = min(width, height) * dice.between(0.5, 1.0)
    outer = _element(dice)(side, depth)
    if dice.chance(0.5):
        return [outer, _element(dice)(side * 0.5, 1.3 * depth)]
    points = dice.whole(4, 9)
    radii = np.tile([side / 2, side / 2 * dice.between(0.3, 0.7)], points)
    angles = np.linspace(0, TAU, 2 * points, endpoint=False)
    star = radii[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
    return [extrude(star, 1.5 * depth)]


def _row(width: float, height: float, depth: float, dice: Dice) -> list[Solid]:
    """Unlike things in a row: buttons and displays."""
    upright = height > width
    length, side = (height, width) if upright else (width, height)
    count = dice.whole(2, 6)
    pitch = length / count
    side = min(side, pitch * 0.85)
    placed = []
    for i in range(count):
        offset = (i - (count - 1) / 2) * pitch
        at = move(0, offset) if upright else move(offset, 0)
        placed.append(_element(dice)(side * dice.between(0.4, 0.95), depth).at(at))
    return placed
