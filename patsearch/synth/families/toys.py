"""Building blocks, animals, figures, toy cars, houses."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from patsearch.models.mesh import FACE_ON, Assembly, move, scale, turn_x, turn_z
from patsearch.synth.dice import Dice
from patsearch.synth.families.forms import grid, pair, plan, profile
from patsearch.synth.families.registry import family
from patsearch.synth.solids import (
    ball,
    box,
    circle,
    cylinder,
    extrude,
    lathe,
    polygon,
    skin,
    spline,
    superellipse,
    tube,
)


@family("Toy building block", "Toy brick", "Construction toy element", uspc=("D21/500", "D21/485"), locarno="21-02")
def block(dice: Dice, assembly: Assembly) -> None:
    """A block on a grid with studs, steps, arches or slopes, open below."""
    columns, rows, height = dice.whole(1, 6), dice.whole(1, 4), dice.between(0.3, 1.1)
    width, depth = columns * 0.5, rows * 0.5
    kind = dice.pick("plain", "slope", "arch", "step", "round")
    side: ArrayLike
    stud_columns, shift = columns, 0.0
    if kind == "slope" and columns > 1:
        low = dice.between(0.05, 0.4) * height
        side = [(-width / 2, 0), (width / 2, 0), (width / 2, low), (-width / 2 + 0.5, height), (-width / 2, height)]
        assembly.add(extrude(side, depth), move(y=depth / 2) @ FACE_ON)
        stud_columns, shift = 1, -width / 2 + 0.25
    elif kind == "arch" and columns > 2:
        t = np.linspace(0, np.pi, 24)
        span, rise = width / 2 - 0.25, min(height * 0.8, width / 2 - 0.25)
        arch = np.column_stack([span * np.cos(t), rise * np.sin(t)])
        side = np.vstack([[(width / 2, 0), (width / 2, height), (-width / 2, height), (-width / 2, 0)], arch[::-1]])
        assembly.add(extrude(side, depth), move(y=depth / 2) @ FACE_ON)
    elif kind == "step" and columns > 1:
        assembly.add(box(width, depth, height * 0.5))
        assembly.add(box(0.5, depth, height * 0.5 + 0.01), move(-width / 2 + 0.25, 0, height * 0.5 - 0.01))
        stud_columns, shift = 1, -width / 2 + 0.25
    elif kind == "round":
        assembly.add(extrude(plan(dice, 64) * (width / 2, depth / 2), height))
        stud_columns, rows = max(1, columns - 2), max(1, rows - 2)
    else:
        outer, hole = dice.between(0, 0.1), 0.08
        assembly.add(box(width, depth, height, outer))
        assembly.add(box(width - 2 * hole, depth - 2 * hole, 0.02, outer), move(z=-0.015), part="underside")
    stud = dice.pick(
        cylinder(0.15, 0.12, n=32),
        lathe([(0.15, 0), (0.15, 0.12), (0.09, 0.12), (0.08, 0.03)]),
        box(0.26, 0.26, 0.1, 0.03),
    )
    assembly.copies(stud, grid(stud_columns, rows, (0.5, 0.5), (shift, 0, height - 0.005)), part="studs")
    if dice.chance(0.4):
        hole_ring = lathe([(0.14, 0), (0.14, 0.03), (0.09, 0.03), (0.09, 0.0)], cap=False)
        places = [((i - (columns - 1) / 2) * 0.5, -depth / 2 + 0.005, height * 0.3) for i in range(columns)]
        assembly.copies(hole_ring, places, FACE_ON, part="holes")


@family("Toy animal", "Plush toy", uspc="D21/525", locarno="21-01")
def animal(dice: Dice, assembly: Assembly) -> None:
    """A four-legged animal of rounded parts."""
    length = dice.between(0.6, 1.0)
    assembly.add(ball(0.4, n=36), scale(length / 0.5, dice.between(0.7, 1.1), dice.between(0.7, 1.1)))
    leg, thick, pose = dice.between(0.3, 0.7), dice.between(0.07, 0.15), dice.between(-0.08, 0.08)
    for sx in (-1, 1):
        for sy in (-1, 1):
            foot = (sx * length * 0.5 + pose, sy * 0.22, -0.25 - leg)
            path = [(sx * length * 0.45, sy * 0.2, -0.1), (sx * length * 0.5, sy * 0.22, -0.2 - leg / 2), foot]
            assembly.add(tube(spline(path, 10), np.linspace(thick * 1.3, thick, 10)), part="legs")
            assembly.add(ball(thick * 1.2, n=16, rings=10), move(foot[0] + 0.05, foot[1], foot[2]), part="feet")
    x, z, head = length * 0.8, dice.between(0.25, 0.7), dice.between(0.2, 0.36)
    assembly.add(tube([(length * 0.4, 0, 0.05), (x, 0, z)], dice.between(0.1, 0.2)), part="neck")
    assembly.add(ball(head, n=28, rings=16), move(x, 0, z) @ scale(dice.between(0.9, 1.3), 1, 1), part="head")
    snout = dice.between(0.1, 0.3)
    place = move(x + head, 0, z - 0.05) @ scale(dice.between(1, 1.8), 1, 0.8)
    assembly.add(ball(snout * 0.7, n=20, rings=12), place, part="snout")
    ear, tall, droop = dice.between(0.08, 0.3), dice.between(0.8, 2.0), dice.between(-0.6, 0.0)
    for side in (-1, 1):
        assembly.add(ball(0.04, n=14, rings=8), move(x + head * 0.75, side * head * 0.5, z + head * 0.4), part="eyes")
        place = move(x - 0.05, side * head * 0.8, z + head * 0.8) @ turn_x(side * droop) @ scale(0.35, 0.7, tall)
        assembly.add(ball(ear, n=18, rings=10), place, part="ears")
    if dice.chance(0.8):
        tail = [
            (-length * 0.7, 0, 0.05),
            (-length, 0, dice.between(-0.2, 0.5)),
            (-length * 1.2, dice.between(-0.2, 0.2), dice.between(0, 0.8)),
        ]
        assembly.add(tube(spline(tail, 14), np.linspace(dice.between(0.05, 0.12), 0.03, 14)), part="tail")


@family("Toy figure", "Figurine", "Doll", uspc=("D21/575", "D21/621"), locarno="21-01")
def figure(dice: Dice, assembly: Assembly) -> None:
    """A standing figure with a pose and a hat."""
    assembly.add(lathe(profile(dice, 0.9, 0.25, 0.45, knots=4, smooth=True), circle(40, 1.0, 0.7)))
    head = dice.between(0.2, 0.42)
    assembly.add(ball(head, dice.between(0.8, 1.2), n=30), move(z=1.0 + head * 0.7))
    pose, limb = dice.between(-1, 1.2), dice.between(0.09, 0.15)
    for side in (-1, 1):
        hand = (side * 0.75, -0.2, 0.5 + 0.4 * pose)
        arm = spline([(side * 0.3, 0, 0.8), (side * 0.55, -0.05, 0.65 + 0.2 * pose), hand], 12)
        assembly.add(tube(arm, np.linspace(0.12, 0.08, 12)), part="arms")
        assembly.add(ball(0.1, n=16, rings=10), move(*hand), part="hands")
        assembly.add(tube([(side * 0.17, 0, 0.1), (side * 0.2, 0, -0.6)], limb), part="legs")
        assembly.add(box(0.24, 0.4, 0.12, 0.08, 0.04), move(side * 0.2, -0.08, -0.7), part="feet")
        assembly.add(ball(0.04, n=14, rings=8), move(side * head * 0.35, -head * 0.9, 1.0 + head * 0.8), part="eyes")
    hat = dice.pick("none", "brim", "cone", "ears")
    if hat == "brim":
        brim = [(head * 1.5, 0), (head * 1.5, 0.04), (head * 0.9, 0.05), (head * 0.8, dice.between(0.2, 0.5))]
        assembly.add(lathe(brim), move(z=1.0 + head * 1.4))
    elif hat == "cone":
        assembly.add(lathe([(head, 0), (0.02, dice.between(0.5, 1.0))]), move(z=1.0 + head * 1.3))
    elif hat == "ears":
        ears = pair(head * 0.9, 0, 1.0 + head * 1.6)
        assembly.copies(ball(head * 0.5, n=18, rings=12), ears, scale(1, 0.4, 1), part="ears")


@family("Toy car", "Toy vehicle", uspc=("D21/548", "D21/552"), locarno="21-01")
def toy_car(dice: Dice, assembly: Assembly) -> None:
    """A body with a cabin, four wheels, lamps, sometimes a spoiler or a load bed."""
    length, wide, tall = dice.between(1.6, 2.4), dice.between(0.7, 1.0), dice.between(0.25, 0.45)
    clearance = dice.between(0.12, 0.25)
    assembly.add(box(length, wide, tall, dice.between(0.05, 0.3), dice.between(0.03, 0.12)), move(z=clearance))
    cabin, at = dice.between(0.4, 0.65) * length, dice.between(-0.15, 0.15) * length
    high, shrink = dice.between(0.25, 0.5), dice.between(0.55, 0.95)
    section = superellipse(dice.between(4, 8), 48)
    lower, upper = section * (cabin / 2, wide * 0.46), section * (cabin / 2 * shrink, wide * 0.4)
    lean = dice.between(-0.1, 0.1) * cabin
    base = clearance + tall - 0.02
    floor = np.column_stack([lower + np.array([at, 0]), np.full(48, base)])
    assembly.add(skin([floor, np.column_stack([upper + np.array([at + lean, 0]), np.full(48, base + high)])]))
    radius, thick = dice.between(0.18, 0.32), dice.between(0.12, 0.22)
    spokes = dice.whole(3, 8)
    for x in (-length * 0.32, length * 0.32):
        for side in (-1, 1):
            place = move(x, side * wide * 0.48, radius * 0.9) @ turn_x(-side * np.pi / 2)
            assembly.add(lathe(_WHEEL * (radius, thick)), place, part="wheels")
            for i in range(spokes):
                spoke = place @ turn_z(i * 2 * np.pi / spokes) @ move(radius * 0.3, 0, thick * 0.1)
                assembly.add(box(radius * 0.6, 0.05, 0.04), spoke, part="spokes")
    for side in (-1, 1):
        place = move(length / 2 - 0.015, side * wide * 0.33, clearance + tall * 0.6) @ _SIDEWAYS
        assembly.add(cylinder(dice.between(0.05, 0.08), 0.04, n=20), place, part="lamps")
    extra = dice.pick("none", "spoiler", "stripe", "rack")
    if extra == "spoiler":
        assembly.add(box(0.2, wide * 0.9, 0.04), move(-length * 0.44, 0, base + 0.2), part="spoiler")
        for side in (-1, 1):
            assembly.add(box(0.06, 0.04, 0.22), move(-length * 0.44, side * wide * 0.3, base), part="spoiler")
    elif extra == "rack":
        places = [(at + lean + (i - 1) * cabin * 0.25 * shrink, 0, base + high) for i in range(3)]
        assembly.copies(box(0.05, wide * 0.7, 0.05), places, part="rack")
    elif extra == "stripe":
        stripes = [(0, side * wide * 0.5, clearance + tall * 0.35) for side in (-1, 1)]
        assembly.copies(box(length * 0.7, 0.03, tall * 0.25), stripes, part="stripe")


# A wheel from its inner edge: share of the radius, share of the thickness.
_WHEEL = np.array([(1, -1), (1, 0.3), (0.65, 0.35), (0.6, 0.1)])
_SIDEWAYS = np.array([[0.0, 0, 1, 0], [0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 1]])


@family("Toy house", "Playhouse", "Birdhouse", uspc=("D21/517", "D30/110"), locarno="21-01")
def house(dice: Dice, assembly: Assembly) -> None:
    """Walls, a roof, windows, a door, a chimney, a porch."""
    width, depth, height = dice.between(0.9, 1.6), dice.between(0.8, 1.4), dice.between(0.5, 1.2)
    rise, over = dice.between(0.2, 0.8), dice.between(0.02, 0.14)
    roof = dice.pick("gable", "gable", "hip", "flat")
    assembly.add(box(width, depth, height))
    if roof == "gable":
        gable = extrude([(-depth / 2 - over, 0), (depth / 2 + over, 0), (0, rise)], width + 2 * over)
        assembly.add(gable, move(-width / 2 - over, 0, height - 0.01) @ turn_z(np.pi / 2) @ FACE_ON)
    elif roof == "hip":
        square = polygon(4, 4) @ np.array([[1, 1], [-1, 1]]) / np.sqrt(2)
        scaled = square * ((width + 2 * over) / np.sqrt(2), (depth + 2 * over) / np.sqrt(2))
        assembly.add(lathe([(1, 0), (dice.between(0.05, 0.6), rise)], scaled), move(z=height - 0.01))
    else:
        assembly.add(box(width + 2 * over, depth + 2 * over, 0.08), move(z=height - 0.01))
    window = extrude(superellipse(dice.pick(2, 8), 24, 0.1, 0.14), 0.03) if dice.chance(0.5) else box(0.2, 0.28, 0.03)
    count = dice.whole(1, 3)
    front = [(-width * 0.35 + width * 0.7 * (i + 0.5) / count, -depth / 2 + 0.01, height * 0.65) for i in range(count)]
    assembly.copies(window, front, FACE_ON, part="windows")
    for i in range(dice.whole(0, 3)):
        place = turn_z(np.pi / 2) @ move(-depth * 0.3 + depth * 0.3 * i, -width / 2 + 0.01, height * 0.6) @ FACE_ON
        assembly.add(window, place, part="windows")
    door = dice.between(0.3, 0.55) * height
    place = move(dice.between(-0.3, 0.3) * width, -depth / 2 + 0.01, door / 2) @ FACE_ON
    assembly.add(box(0.26, door, 0.04), place, part="door")
    if roof != "flat" and dice.chance(0.5):
        assembly.add(box(0.15, 0.15, rise + 0.2), move(width * dice.between(-0.3, 0.3), 0.1, height), part="chimney")
    if dice.chance(0.4):
        posts = dice.whole(2, 5)
        places = [(-width / 2 + width * i / (posts - 1), -depth / 2 - 0.35, 0) for i in range(posts)]
        assembly.copies(cylinder(0.04, height * 0.7, n=16), places, part="porch")
        assembly.add(box(width * 1.05, 0.45, 0.05), move(0, -depth / 2 - 0.2, height * 0.7 - 0.005), part="porch")
