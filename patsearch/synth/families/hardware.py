"""Hand tools, brushes, wheels, hooks, gears, brackets."""

from __future__ import annotations

import numpy as np

from patsearch.models.mesh import ALONG, FACE_ON, Assembly, Solid, move, turn_y, turn_z
from patsearch.synth.dice import Dice
from patsearch.synth.families.forms import around, pair, plan, profile, sweep
from patsearch.synth.families.registry import family
from patsearch.synth.solids import (
    TAU,
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


@family("Hand tool", "Screwdriver", "Hammer", uspc=("D8/107", "D8/82", "D8/75"), locarno="08-05")
def hand_tool(dice: Dice, assembly: Assembly) -> None:
    """A turned handle with a shaft, a blade, a hammer's head, a fork or a loop."""
    length = dice.between(0.8, 1.6)
    assembly.add(lathe(profile(dice, length, 0.1, 0.22, knots=dice.whole(4, 7)), plan(dice, 48)), ALONG)
    for _ in range(dice.whole(0, 3)):
        ring = torus(dice.between(0.15, 0.22), 0.025, n=32, m=14)
        assembly.add(ring, ALONG @ move(z=length * dice.between(0.15, 0.85)), part="rings")
    end = move(length - 0.02)
    head = dice.pick("shaft", "blade", "hammer", "fork", "loop", "spanner")
    if head == "shaft":
        assembly.add(cylinder(0.05, dice.between(0.5, 1.3), n=24), end @ ALONG)
        if dice.chance(0.5):
            assembly.add(box(0.18, 0.16, 0.03), end @ move(dice.between(0.5, 0.6), 0, -0.015))
    elif head == "blade":
        long, wide = dice.between(0.6, 1.4), dice.between(0.12, 0.3)
        point = (long, wide * dice.between(-0.2, 0.4))
        edge = spline([(0, -wide / 2), (long * 0.5, -wide / 2), (long * 0.9, -wide * 0.35), point], 20)
        assembly.add(extrude(np.vstack([edge, [(0, wide / 2)]]), 0.04), end @ FACE_ON @ move(z=-0.02))
    elif head == "hammer":
        long = dice.between(0.4, 0.9)
        assembly.add(cylinder(0.06, long, n=20), end @ ALONG)
        tall = dice.between(0.5, 0.9)
        assembly.add(box(dice.between(0.2, 0.35), 0.25, tall, 0.03, 0.02), end @ move(long, 0, -tall / 2))
    elif head == "fork":
        count = dice.whole(3, 5)
        assembly.add(cylinder(0.04, 0.42, n=16), end @ ALONG)
        assembly.add(box(0.06, 0.09 * count, 0.05, 0.02), end @ move(0.4, 0, -0.025))
        for i in range(count):
            y = (i - (count - 1) / 2) * 0.08
            assembly.add(tube([(0.4, y, 0), (dice.between(0.9, 1.0), y * 1.1, 0)], 0.02), end, part="tines")
    elif head == "loop":
        radius = dice.between(0.2, 0.4)
        assembly.add(cylinder(0.04, 0.2, n=16), end @ ALONG)
        assembly.add(torus(radius, 0.035, n=40, m=14), end @ move(radius + 0.15))
    else:
        radius, jaw = dice.between(0.22, 0.35), dice.between(0.1, 0.16)
        t = np.linspace(0.5, TAU - 0.5, 40)
        outer = radius * np.column_stack([np.cos(t), np.sin(t)])
        inner = [(radius * 0.9, -jaw), (-jaw * 0.4, -jaw), (-jaw * 0.8, 0), (-jaw * 0.4, jaw), (radius * 0.9, jaw)]
        assembly.add(box(0.5, 0.14, 0.06, 0.02), end @ move(0.2, 0, -0.03))
        assembly.add(extrude(np.vstack([outer, inner]), 0.1), end @ move(0.4 + radius, 0, -0.05))


@family("Brush", "Cleaning brush", "Hair brush", uspc=("D4/118", "D4/138", "D4/199"), locarno="04-01")
def brush(dice: Dice, assembly: Assembly) -> None:
    """A handle running into a head with tufts or comb teeth."""
    length, head = dice.between(0.8, 1.6), dice.between(0.5, 1.0)
    wide = dice.between(0.12, 0.3)
    x = np.linspace(-length, head, 28)
    widths = [*dice.measures(0.05, 0.12, 3), wide, wide, wide * 0.5]
    half = np.interp(x, [-length, -length * 0.5, -0.1, 0.1, head * 0.8, head], widths)
    section = superellipse(dice.between(2.2, 4), 32)
    thick = dice.between(0.04, 0.08)
    bend = dice.between(-0.3, 0.1) * np.clip(-x / length, 0, 1) ** 2
    assembly.add(sweep(section, zip(x, half, bend, strict=True), thick))
    rows, columns, high = dice.whole(2, 5), dice.whole(4, 10), dice.between(0.12, 0.35)
    tuft = cylinder(dice.between(0.015, 0.03), high, n=14)
    for i in range(columns):
        for j in range(rows):
            y = (j - (rows - 1) / 2) * 1.5 * wide / rows
            assembly.add(tuft, move(0.08 + (head - 0.16) * i / (columns - 1), y, thick * 0.5), part="tufts")
    if dice.chance(0.5):
        eye = move(-length * 0.93, 0, float(bend[0]) - thick * 1.3)
        assembly.add(cylinder(0.03, thick * 2.6, n=20), eye, part="eye")


@family("Wheel", "Tire", "Vehicle wheel", uspc=("D12/209", "D12/588", "D12/211"), locarno="12-15")
def wheel(dice: Dice, assembly: Assembly) -> None:
    """A tyre with tread, a rim, spokes of three kinds, a hub."""
    wide, tyre = dice.between(0.15, 0.45), dice.between(0.16, 0.36)
    section = superellipse(dice.between(2.5, 5), 28, tyre, wide)
    assembly.add(torus(1.0, 1.0, section[:, ::-1], n=96), FACE_ON)
    if dice.chance(0.7):
        count, rows, skew = dice.whole(14, 40), dice.whole(1, 4), dice.between(-0.6, 0.6)
        high = 2 * wide * 0.85 / rows
        block = box(dice.between(0.55, 0.8) * TAU * (1 + tyre) / count, high * 0.8, 0.07)
        for j in range(rows):
            lean = skew if j < rows / 2 else -skew
            for i in range(count):
                place = FACE_ON @ turn_z((i + 0.5 * (j % 2)) * TAU / count)
                place = place @ move(1 + tyre - 0.03, 0, -wide * 0.85 + high * (j + 0.5))
                assembly.add(block, place @ ALONG @ turn_z(np.pi / 2 + lean), part="tread")
    rim = 1 - tyre * 0.85
    felly = [(rim, -wide * 0.8), (rim, wide * 0.8), (rim * 0.9, wide * 0.8), (rim * 0.87, -wide * 0.8)]
    assembly.add(lathe(felly, n=96, cap=False), FACE_ON)
    spokes, kind, reach = dice.whole(3, 12), dice.pick("plates", "rods", "forks", "disc"), wide * dice.between(0.1, 0.5)
    broad, sweep = dice.between(0.08, 0.22), dice.between(-0.3, 0.3)
    for i in range(spokes):
        place = FACE_ON @ turn_z(i * TAU / spokes) @ move(z=reach)
        if kind == "plates":
            outer = [(rim * 0.9, -broad / 2 + sweep), (rim * 0.9, broad / 2 + sweep)]
            assembly.add(extrude([(0.05, -broad / 2), *outer, (0.05, broad / 2)], 0.08), place, part="spokes")
        elif kind == "rods":
            assembly.add(tube([(0.1, 0, 0), (rim * 0.9, sweep, 0)], broad * 0.3), place, part="spokes")
        elif kind == "forks":
            for side in (-1, 1):
                assembly.add(tube([(0.1, 0, 0), (rim * 0.9, side * broad, 0)], 0.035), place, part="spokes")
        else:
            assembly.add(cylinder(broad * 0.4, 0.03, n=24), place @ move(rim * 0.6, 0, 0.07), part="spokes")
    if kind == "disc":
        assembly.add(cylinder(rim * 0.9, 0.08, n=96), FACE_ON @ move(z=reach))
    hub = lathe([(dice.between(0.12, 0.25), -0.12), (dice.between(0.1, 0.2), 0.12)], plan(dice, 32))
    assembly.add(hub, FACE_ON @ move(z=reach + 0.04))


@family("Hanger", "Garment hanger", uspc="D6/328", locarno="06-08")
def hanger(dice: Dice, assembly: Assembly) -> None:
    """A bow with a hook, a bar, clips."""
    wide, drop, thick = dice.between(0.8, 1.1), dice.between(0.2, 0.5), dice.between(0.02, 0.06)
    section = superellipse(dice.pick(2, 5), 16, 1.0, dice.between(0.6, 2.5))
    shoulders = [
        (-wide, 0, -drop),
        (-wide * 0.4, 0, -drop * dice.between(0.2, 0.5)),
        (0, 0, 0),
        (wide * 0.4, 0, -drop * 0.3),
        (wide, 0, -drop),
    ]
    assembly.add(tube(spline(shoulders, 40), thick, section))
    turn, radius, neck = np.linspace(-np.pi / 2, np.pi * 0.95, 24), dice.between(0.1, 0.18), dice.between(0.1, 0.3)
    hook = np.column_stack([-radius * np.cos(turn), 0 * turn, radius * np.sin(turn) + radius + neck])
    assembly.add(tube(np.vstack([[(0, 0, 0)], hook]), 0.02), part="hook")
    if dice.chance(0.7):
        assembly.add(tube(pair(wide * 0.95, 0, -drop), thick * dice.between(0.4, 0.9)), part="bar")
    if dice.chance(0.5):
        at = dice.between(0.4, 0.7) * wide
        assembly.copies(box(0.14, 0.12, 0.24, 0.02), pair(at, 0, -drop - 0.16), part="clips")
    if dice.chance(0.5):
        assembly.copies(cylinder(thick * 1.6, 0.08, n=16), pair(wide * 0.8, 0, -drop * 0.8), part="notches")


@family("Gear", "Sprocket", "Pulley", uspc=("D15/149", "D8/360"), locarno="15-99")
def gear(dice: Dice, assembly: Assembly) -> None:
    """A toothed disc with a bore, holes and a hub."""
    teeth, depth = dice.whole(5, 36), dice.between(0.06, 0.25)
    t = np.arange(teeth * 10) / (teeth * 10) * TAU
    radius = 1 - depth / 2 + depth / 2 * np.tanh(np.sin(teeth * t) * dice.between(1, 6))
    bore = dice.between(0.15, 0.35)
    holes = [circle(40)[::-1] * bore if dice.chance(0.6) else polygon(6, 24)[::-1] * bore]
    if dice.chance(0.6):
        size = dice.between(0.07, 0.12)
        holes += [circle(24)[::-1] * size + (x, y) for x, y, _ in around(dice.whole(3, 8), 0.58)]
    high = dice.between(0.1, 0.6)
    assembly.add(extrude(radius[:, None] * np.column_stack([np.cos(t), np.sin(t)]), high, holes), FACE_ON)
    if dice.chance(0.7):
        outer = min(bore * 1.35, 0.42)
        inner, top = bore * 1.02, high + dice.between(0.05, 0.5)
        hub = [(inner, -0.05), (outer, -0.05), (outer, top), (inner, high + 0.05)]
        assembly.add(lathe(hub, n=40, cap=False), FACE_ON)


def _plate(dice: Dice, length: float, width: float, thick: float, size: float) -> Solid:
    """A plate from x = 0 with a row of holes, its end square or round."""
    count, stagger = dice.whole(1, 4), dice.between(-0.2, 0.2) * width * dice.chance(0.4)
    radius = min(size, 0.25 * length / count)
    holes = [circle(24)[::-1] * radius + (length * (0.3 + 0.6 * i / count), stagger * (-1) ** i) for i in range(count)]
    end = [(length, -width / 2), (length, width / 2)]
    if dice.chance(0.5):
        bow = np.linspace(-np.pi / 2, np.pi / 2, 24)
        end = [(length - width / 4 * (1 - float(np.cos(a))), width / 2 * float(np.sin(a))) for a in bow]
    return extrude([(0, -width / 2), *end, (0, width / 2)], thick, holes)


@family("Bracket", "Mounting bracket", uspc=("D8/354", "D8/349"), locarno="08-08")
def bracket(dice: Dice, assembly: Assembly) -> None:
    """Two or three plates at right angles with holes, gussets, a boss."""
    thick, wide = dice.between(0.05, 0.12), dice.between(0.3, 0.8)
    length, height = dice.between(0.6, 1.2), dice.between(0.4, 1.2)
    size = dice.between(0.04, 0.09)

    outlines = [_plate(dice, long, wide, thick, size) for long in (length, height, height)]
    assembly.add(outlines[0])
    assembly.add(outlines[1], move(thick) @ turn_y(-np.pi / 2))
    if dice.chance(0.4):
        assembly.add(outlines[2], move(length) @ turn_y(-np.pi / 2))
    if dice.chance(0.5):
        gusset = extrude([(thick, thick), (length * dice.between(0.5, 0.8), thick), (thick, height * 0.6)], thick)
        for y in dice.pick((thick / 2,), (-wide * 0.4, wide * 0.4 + thick)):
            assembly.add(gusset, move(y=y) @ FACE_ON, part="gussets")
    if dice.chance(0.3):
        assembly.add(cylinder(wide * 0.25, dice.between(0.2, 0.5), n=32), move(length * 0.6, 0, thick - 0.01))
