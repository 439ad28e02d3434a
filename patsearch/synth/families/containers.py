"""Cases, suitcases, boxes, bags."""

from __future__ import annotations

import numpy as np

from patsearch.models.mesh import FACE_ON, Assembly, move, turn_x
from patsearch.synth.dice import Dice
from patsearch.synth.families.forms import bow, pair
from patsearch.synth.families.registry import family
from patsearch.synth.solids import box, cylinder, extrude, rounded_rectangle, skin, superellipse, tube


@family("Case", "Toolbox", "Suitcase", uspc=("D3/281", "D3/276"), locarno="03-01")
def case(dice: Dice, assembly: Assembly) -> None:
    """Two halves, a handle, latches, ribs, sometimes wheels and a drawbar."""
    width, depth, height = dice.between(0.8, 1.6), dice.between(0.3, 0.9), dice.between(0.4, 1.1)
    radius, bevel = dice.between(0, 0.2), dice.pick(0.0, 0.05)
    split = dice.between(0.45, 0.7)
    assembly.add(box(width, depth, height * split, radius, bevel))
    assembly.add(box(width * 1.02, depth * 1.02, height * (1 - split), radius, bevel), move(z=height * split + 0.012))
    if dice.chance(0.75):
        lift = dice.between(0.12, 0.25)
        grip = bow([(-0.25 * width, 0, height - 0.02), (-0.22 * width, 0, height + lift)], 24)
        assembly.add(tube(grip, dice.between(0.03, 0.06), superellipse(dice.pick(2, 6), 16)))
    count = dice.whole(0, 3)
    latches = [((i - (count - 1) / 2) * width * 0.4, -depth * 0.505, height * split) for i in range(count)]
    assembly.copies(box(0.12, 0.2, 0.05, 0.02), latches, FACE_ON, part="latches")
    ribs = dice.whole(0, 6)
    places = [((i - (ribs - 1) / 2) * width / ribs * 0.9, 0, 0.03) for i in range(ribs)]
    assembly.copies(box(0.05, depth * 1.03, height * split * 0.85), places, part="ribs")
    if dice.chance(0.3):
        for side in (-1, 1):
            wheel = move(side * width * 0.4, depth * 0.45, 0.05) @ turn_x(-np.pi / 2)
            assembly.add(cylinder(0.12, 0.08, n=32), wheel, part="wheels")
            x, y = side * width * 0.3, depth * 0.4
            assembly.add(tube([(x, y, height - 0.05), (x, y, height + 0.6)], 0.02), part="drawbar")
        assembly.add(box(width * 0.68, 0.05, 0.05, 0.02), move(0, depth * 0.4, height + 0.58), part="drawbar")


@family("Bag", "Handbag", "Backpack", uspc=("D3/246", "D3/243", "D3/217"), locarno="03-01")
def bag(dice: Dice, assembly: Assembly) -> None:
    """A soft body, a flap, pockets, one or two handles or straps."""
    width, depth, height = dice.between(0.7, 1.2), dice.between(0.25, 0.5), dice.between(0.6, 1.3)
    section = superellipse(dice.between(3, 6), 56)
    levels = np.linspace(0, 1, 16)
    wide = np.interp(levels, np.linspace(0, 1, 4), dice.measures(0.75, 1.05, 4)) * width / 2
    deep = np.interp(levels, [0, 0.1, 0.6, 1], [0.9, 1, 0.85, dice.between(0.2, 0.7)]) * depth / 2
    shape = zip(wide, deep, levels, strict=True)
    assembly.add(skin([np.column_stack([section * (w, d), np.full(56, z * height)]) for w, d, z in shape]))
    if dice.chance(0.5):
        pocket = rounded_rectangle(width * dice.between(0.4, 0.7), height * dice.between(0.25, 0.45), 0.08)
        assembly.add(extrude(pocket, 0.08), move(0, -depth * 0.4, height * dice.between(0.28, 0.4)) @ FACE_ON)
    if dice.chance(0.5):
        flap = rounded_rectangle(width * dice.between(0.8, 1.0), height * dice.between(0.3, 0.6), 0.15)
        assembly.add(
            extrude(flap, 0.03), move(0, -depth * 0.5, height * dice.between(0.65, 0.75)) @ turn_x(np.pi / 2 + 0.1)
        )
        assembly.add(cylinder(0.04, 0.04, n=20), move(0, -depth * 0.52, height * 0.6) @ FACE_ON)
    rise, spread = dice.between(0.2, 0.6), dice.between(0.15, 0.35) * width
    strap = superellipse(4, 16, 1.0, dice.between(1, 2.5))
    for y in dice.pick((0.0,), (-depth * 0.2, depth * 0.2), (depth * 0.45,)):
        arc = bow([(-spread, y, height * 0.9), (-spread * 0.8, y, height + rise)], 28)
        assembly.add(tube(arc, 0.025, strap), part="handles")


@family("Packing box", "Storage container", "Crate", uspc=("D9/432", "D9/425"), locarno="09-03")
def crate(dice: Dice, assembly: Assembly) -> None:
    """An open box with a rim, ribs or openings in its walls."""
    width, depth, height = dice.between(0.8, 1.4), dice.between(0.6, 1.0), dice.between(0.25, 0.8)
    radius, wall = dice.between(0.02, 0.15), 0.04
    outer = rounded_rectangle(width, depth, radius)
    inner = rounded_rectangle(width - 2 * wall, depth - 2 * wall, max(radius - wall, 0.01))
    assembly.add(extrude(outer, 0.05))
    assembly.add(extrude(outer, height - 0.04, [inner[::-1]], z=0.04))
    if dice.chance(0.6):
        rim = rounded_rectangle(width + 0.08, depth + 0.08, radius + 0.04)
        assembly.add(extrude(rim, dice.between(0.04, 0.1), [inner[::-1]], z=height - 0.06))
    columns, rows, kind = dice.whole(2, 9), dice.whole(1, 4), dice.pick("ribs", "slots", "plates")
    for i in range(columns):
        x = (i - (columns - 1) / 2) * width * 0.85 / columns
        for side in (-1, 1):
            if kind == "ribs":
                assembly.add(box(0.03, 0.04, height * 0.8), move(x, side * depth / 2, 0.05), part="walls")
                continue
            for j in range(rows):
                z = height * (0.15 + 0.6 * (j + 0.5) / rows)
                wide, tall = width * 0.5 / columns, height * 0.4 / rows
                plate = box(wide, tall, 0.05, min(wide, tall) * (0.5 if kind == "slots" else 0.1))
                assembly.add(plate, move(x, side * (depth / 2 - 0.01) + 0.025, z) @ FACE_ON, part="walls")
    if dice.chance(0.5):
        grip = box(0.06, depth * 0.35, 0.06, 0.02)
        assembly.copies(grip, pair(width / 2 + 0.03, 0, height * 0.75), part="grips")
    if dice.chance(0.3):
        assembly.add(box(width + 0.06, depth + 0.06, 0.06, radius), move(z=height + dice.pick(0.05, 0.3)), part="lid")
