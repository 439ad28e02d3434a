"""What is drawn on a surface or raised from it: tiles, icons."""

from __future__ import annotations

import numpy as np

from patsearch.models.mesh import FACE_ON, Assembly, Matrix, Solid, move, turn_z
from patsearch.synth.dice import Dice
from patsearch.synth.families.forms import around, grid, plan, plate
from patsearch.synth.families.registry import family
from patsearch.synth.solids import (
    Curve,
    box,
    circle,
    cylinder,
    extrude,
    polygon,
    rounded_rectangle,
    spline,
    torus,
    tube,
)


@family("Tile", "Decorative panel", "Paving stone", uspc=("D25/138", "D25/113"), locarno="25-01")
def tile(dice: Dice, assembly: Assembly) -> None:
    """A plate with a raised pattern: rings, blocks, bars, petals, waves or a spiral."""
    width, depth, z = dice.between(1.0, 1.6), dice.between(0.8, 1.3), dice.between(0.05, 0.15)
    body, reach = plate(dice, width, depth, z)
    assembly.add(body)
    width, depth = width * reach, depth * reach
    _relief(assembly, dice, width * 0.85, depth * 0.85, z)
    if dice.chance(0.4):
        frame = rounded_rectangle(width * 0.9, depth * 0.9, 0.05)
        assembly.add(extrude(frame, 0.04, [(frame * 0.94)[::-1]], z=z - 0.005), part="frame")


def _relief(assembly: Assembly, dice: Dice, width: float, depth: float, z: float) -> None:
    kind = dice.pick("rings", "blocks", "bars", "petals", "waves", "spiral")
    count = dice.whole(3, 8)
    small = min(width, depth)
    if kind == "rings":
        for _ in range(count):
            x, y = dice.between(-0.3, 0.3) * width, dice.between(-0.25, 0.25) * depth
            assembly.add(torus(dice.between(0.05, 0.25) * small, 0.018, n=40, m=14), move(x, y, z), part="relief")
    elif kind == "blocks":
        piece = dice.pick(box, _cone)(width / count * 0.65, depth / count * 0.65, 0.05)
        turned = piece.at(turn_z(dice.between(0, 0.8)))
        pitch = (width / count * 0.9, depth / count * 0.9)
        assembly.copies(turned, grid(count, count, pitch, (0, 0, z - 0.005)), part="relief")
    elif kind == "bars":
        cross = dice.chance(0.5)
        for j in range(count):
            at = (j + 0.5) / count - 0.5
            assembly.add(box(width * 0.9, 0.03, 0.04), move(0, at * depth * 0.9, z - 0.005), part="relief")
            if cross:
                assembly.add(box(0.03, depth * 0.9, 0.04), move(at * width * 0.9, 0, z - 0.005), part="relief")
    elif kind == "petals":
        size, fat = small * 0.45, dice.between(0.3, 0.7)
        upper = spline([(size * 0.15, 0), (size * 0.5, size * fat * 0.4), (size, 0)], 12)
        petal = extrude(np.vstack([upper, (upper * (1, -1))[-2:0:-1]]), 0.04)
        for _, _, angle in around(dice.whole(4, 10), 1.0):
            assembly.add(petal, move(z=z - 0.005) @ turn_z(angle), part="relief")
        assembly.add(cylinder(size * 0.13, 0.05, n=24), move(z=z - 0.005), part="relief")
    elif kind == "waves":
        phase, high, beat = dice.between(0, 6), dice.between(0.02, 0.06), dice.between(4, 14)
        along = np.linspace(-width * 0.45, width * 0.45, 50)
        for j in range(count):
            swing = ((j + 0.5) / count - 0.5) * depth * 0.85 + high * np.sin(beat * along + phase * j)
            assembly.add(tube(np.column_stack([along, swing, np.full(50, z)]), 0.016, n=14), part="relief")
    else:
        t = np.linspace(0.3, dice.whole(3, 6) * 2 * np.pi, 160)
        coil = small * 0.45 * t / t[-1]
        spiral = np.column_stack([coil * np.cos(t), coil * np.sin(t), np.full(160, z)])
        assembly.add(tube(spiral, 0.016, n=14), part="relief")


def _cone(width: float, depth: float, height: float) -> Solid:
    return cylinder(min(width, depth) / 2, height, min(width, depth) / 4, n=24)


@family(
    "Display screen with icon",
    "Display screen or portion thereof with graphical user interface",
    uspc=("D14/485", "D14/486", "D14/492"),
    locarno="14-04",
    flat=True,
)
def screen(dice: Dice, assembly: Assembly) -> None:
    """A display with icons, fields and bars, upright and almost flat."""
    width, height = dice.pick((0.7, 1.3), (1.4, 0.85), (1.0, 1.0))
    stand = FACE_ON
    assembly.add(box(width + 0.1, height + 0.1, 0.04, dice.between(0.0, 0.15)), stand @ move(z=-0.04), part="display")
    assembly.add(extrude(rounded_rectangle(width, height, 0.03), 0.008), stand @ move(z=-0.001), part="screen")
    layout = dice.pick("grid", "list", "card", "icon")
    raised = stand @ move(z=0.006)
    if layout == "grid":
        columns, rows = dice.whole(2, 4), dice.whole(2, 5)
        size = min(width / columns, height / rows) * 0.6
        icons = [_icon(dice, size) for _ in range(dice.whole(1, 4))]
        for i in range(columns):
            for j in range(rows):
                x, y = width * ((i + 0.5) / columns - 0.5) * 0.92, height * ((j + 0.5) / rows - 0.5) * 0.92
                _stack(assembly, dice.pick(*icons), raised @ move(x, y))
    elif layout == "list":
        rows = dice.whole(3, 7)
        high = height * 0.9 / rows
        icon = _icon(dice, high * 0.7)
        for j in range(rows):
            y = height * 0.45 - high * (j + 0.5)
            _stack(assembly, icon, raised @ move(-width * 0.47 + high * 0.5, y))
            long = (width * 0.9 - high) * dice.between(0.4, 1.0)
            x = -width * 0.47 + high * 1.1 + long / 2
            assembly.add(_field(long, high * 0.3, high * 0.1), raised @ move(x, y), part="fields")
    elif layout == "card":
        top = dice.between(0.3, 0.5) * height
        y = height * 0.45 - top / 2
        assembly.add(_field(width * 0.88, top, 0.04), raised @ move(0, y), part="fields")
        _stack(assembly, _icon(dice, top * 0.7), raised @ move(dice.between(-0.2, 0.2) * width, y, 0.01))
        rows = dice.whole(2, 4)
        for j in range(rows):
            y = height * 0.4 - top - (j + 0.5) * (height * 0.85 - top) / rows
            wide = width * dice.between(0.4, 0.88)
            field = _field(wide, (height * 0.6 - top * 0.7) / rows * 0.6, 0.02)
            assembly.add(field, raised @ move(-(width * 0.88 - wide) / 2, y), part="fields")
    else:
        _stack(assembly, _icon(dice, min(width, height) * 0.75), raised)
        icon = _icon(dice, min(width, height) * 0.2)
        _stack(assembly, icon, raised @ move(width * dice.between(-0.3, 0.3), -height * 0.4))


def _field(width: float, height: float, radius: float) -> Solid:
    return extrude(rounded_rectangle(width, height, radius), 0.01)


def _stack(assembly: Assembly, layers: list[Solid], place: Matrix) -> None:
    for layer in layers:
        assembly.add(layer, place, part="icons")


def _icon(dice: Dice, size: float) -> list[Solid]:
    """A frame and one to three figures on it, each a little higher."""
    half = size / 2
    fancy = dice.chance(0.6)
    layers = [extrude(plan(dice, 48) * half, 0.01) if fancy else _field(size, size, size * dice.between(0, 0.3))]
    for level in range(dice.whole(1, 3)):
        lift = 0.008 * (level + 1)
        inner = half * dice.between(0.35, 0.6)
        shape = dice.pick("disc", "ring", "star", "arrow", "bars", "heart")
        at = (dice.between(-0.25, 0.25) * size, dice.between(-0.25, 0.25) * size) if level else (0.0, 0.0)
        if shape == "bars":
            layers += [
                box(inner * 1.6, inner * 0.25, 0.01).at(move(at[0] * 0.3, at[1] * 0.3 + (i - 1) * inner * 0.5, lift))
                for i in range(3)
            ]
            continue
        outline, holes = _figure(dice, shape, inner)
        layers.append(extrude(outline, 0.01, holes).at(move(at[0] * 0.6, at[1] * 0.6, lift)))
    return layers


def _figure(dice: Dice, shape: str, size: float) -> tuple[Curve, list[Curve]]:
    if shape == "ring":
        return circle(48) * size, [circle(48)[::-1] * size * dice.between(0.5, 0.8)]
    if shape == "star":
        points = dice.whole(4, 8)
        t = np.arange(2 * points) * np.pi / points + np.pi / 2
        radius = np.where(np.arange(2 * points) % 2, dice.between(0.35, 0.7), 1.0) * size
        return np.column_stack([radius * np.cos(t), radius * np.sin(t)]), []
    if shape == "arrow":
        arrow = np.array([(-1, -0.3), (0.1, -0.3), (0.1, -0.8), (1, 0), (0.1, 0.8), (0.1, 0.3), (-1, 0.3)]) * size
        turn = dice.pick(0, 1, 2, 3) * np.pi / 2
        c, s = np.cos(turn), np.sin(turn)
        return arrow @ np.array([[c, s], [-s, c]]), []
    if shape == "heart":
        t = np.arange(48) / 48 * 2 * np.pi
        x = 16 * np.sin(t) ** 3
        y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
        return np.column_stack([x, y]) * size / 17, []
    return polygon(dice.pick(3, 5, 6), 48) * size if dice.chance(0.4) else circle(48) * size, []
