"""Eyewear, rings, watches, headphones."""

from __future__ import annotations

import numpy as np

from patsearch.models.mesh import ALONG, FACE_ON, Assembly, move, scale, turn_x, turn_y, turn_z
from patsearch.synth.dice import Dice
from patsearch.synth.families.forms import around, plan, profile
from patsearch.synth.families.registry import family
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


@family("Eyeglasses", "Sunglasses", uspc=("D16/306", "D16/332"), locarno="16-06")
def eyewear(dice: Dice, assembly: Assembly) -> None:
    """Two rims, a bridge, temples; lenses or none."""
    a, b, gap, rim = dice.each((0.4, 0.55), (0.26, 0.42), (0.08, 0.16), (0.03, 0.1))
    shape = superellipse(dice.between(2, 5), 64, a, b)
    if dice.chance(0.3):
        shape = polygon(dice.whole(4, 8), 64, a, b)
    shape[:, 1] *= 1 + dice.between(-0.25, 0.25) * shape[:, 0] / a
    lenses = dice.chance(0.75)
    for side in (-1, 1):
        hole = shape * (side, 1)
        outer = hole * (1 + rim / a, 1 + rim / b)
        place = move(side * (a + gap + rim)) @ FACE_ON
        assembly.add(extrude(outer, 0.07, [hole[::-1]]), place, part="rims")
        if lenses:
            assembly.add(extrude(hole * 1.01, 0.015), place @ move(z=0.03), part="lenses")
    thick = dice.between(0.025, 0.05)
    bridge = [(-gap - 0.03, -0.03, b * 0.3), (0, -0.08, b * dice.between(0.3, 0.6)), (gap + 0.03, -0.03, b * 0.3)]
    assembly.add(tube(spline(bridge, 12), thick), part="bridge")
    if dice.chance(0.25):
        assembly.add(tube([(-gap - 0.15, -0.03, b * 0.9), (gap + 0.15, -0.03, b * 0.9)], 0.03), part="bridge")
    length, tall = dice.each((1.3, 1.9), (0.02, 0.07))
    wide, z = 2 * a + gap + 2 * rim, b * dice.between(0.2, 0.7)
    section = superellipse(4, 16, tall / 0.025, 0.8)
    hook = dice.between(0.25, 0.4)
    for side in (-1, 1):
        back = [(wide - 0.03, -0.03, z), (wide + 0.03, 0.15, z), (wide + 0.01, length * 0.75, z)]
        temple = spline([(side * x, y, z) for x, y, z in [*back, (wide - 0.03, length, z - hook)]], 28)
        assembly.add(tube(temple, 0.025, section), part="temples")


@family("Ring", "Finger ring", "Jewelry ring", uspc=("D11/26", "D11/34"), locarno="11-01")
def ring(dice: Dice, assembly: Assembly) -> None:
    """A band, plain or set; a stone in prongs, a cluster, a signet."""
    section = superellipse(dice.between(2, 5), 20, dice.between(0.8, 3.0), 1.0)
    thick = dice.between(0.06, 0.13)
    top = 1.0 + thick
    head = dice.pick("stone", "cluster", "signet", "row", "twist")
    if head != "twist":
        assembly.add(torus(1.0, thick, section, n=80), FACE_ON)
    stone = dice.between(0.2, 0.42)
    sides = dice.pick(6, 8, 10, 16)
    cut = [(0.02, -0.8 * stone), (stone, 0), (stone, 0.08 * stone), (stone * 0.6, 0.35 * stone)]
    if head == "stone":
        assembly.add(lathe(cut, polygon(sides, sides)), move(z=top + stone * 0.7))
        for x, y, _ in around(dice.pick(4, 6), stone * 0.95):
            assembly.add(tube([(x * 0.4, y * 0.4, top - 0.08), (x, y, top + stone * 0.8)], 0.04), part="prongs")
    elif head == "cluster":
        for x, y, _ in [*around(dice.whole(5, 8), stone), (0.0, 0.0, 0.0)]:
            assembly.add(ball(stone * 0.45, n=20, rings=12), move(x, y, top + 0.08), part="stones")
    elif head == "signet":
        plate = plan(dice, 48) * stone * 1.3
        assembly.add(lathe([(0.5, -0.15), (1, 0.05), (0.9, 0.12)], plate), move(z=top))
        assembly.add(extrude(plate * 0.6, 0.03), move(z=top + 0.11))
    elif head == "row":
        count, size = dice.whole(3, 9), thick * dice.between(1.0, 1.8)
        for i in range(count):
            angle = (i - (count - 1) / 2) * 2.3 * size
            place = turn_y(angle) @ move(z=top + size * 0.3)
            assembly.add(lathe(np.array(cut) * (size / stone), polygon(8, 8)), place, part="stones")
    else:
        strands, turns = dice.whole(2, 3), dice.whole(4, 9)
        t = np.arange(240) / 240 * 2 * np.pi
        for i in range(strands):
            turn = turns * t + i * 2 * np.pi / strands
            away, beside = 1 + thick * np.cos(turn), thick * np.sin(turn)
            strand = np.column_stack([away * np.cos(t), beside, away * np.sin(t)])
            assembly.add(tube(strand, thick * 0.85, n=14, closed=True), part="strands")


@family("Watch", "Wristwatch", "Smartwatch", uspc=("D10/30", "D14/341"), locarno="10-02")
def watch(dice: Dice, assembly: Assembly) -> None:
    """A case with hands or a screen, crowns, and a strap bent backwards."""
    power, a = dice.pick(2.0, 2.0, 3.0, 5.0, 8.0), 0.5
    d = a if power == 2 else a * dice.between(0.9, 1.3)
    section = superellipse(power, 72, a, d)
    thick = dice.between(0.12, 0.25)
    assembly.add(lathe([(0.95, 0), (1, thick * 0.2), (1, thick * 0.8), (0.93, thick)], section))
    assembly.add(lathe([(dice.between(0.75, 0.9), thick - 0.005), (dice.between(0.7, 0.74), thick + 0.025)], section))
    marks = dice.pick(0, 4, 12, 12)
    for x, y, angle in around(marks, 0.3):
        assembly.add(box(0.09, 0.03, 0.025), move(x, y * d / a, thick + 0.012) @ turn_z(angle), part="marks")
    if marks:
        for length in (0.28, 0.2):
            angle = dice.between(0, 6.28)
            place = move(length / 2 * np.cos(angle), length / 2 * np.sin(angle), thick + 0.02) @ turn_z(angle)
            assembly.add(box(length, 0.03, 0.03), place, part="hands")
    for i in range(dice.whole(1, 3)):
        turn = (i - 1) * 0.5
        place = move(a * np.cos(turn), d * np.sin(turn), thick / 2) @ turn_z(turn) @ ALONG
        assembly.add(cylinder(0.05, 0.13, n=16), place, part="crowns")
    wide, links = dice.between(0.22, 0.38), dice.pick(0, 0, 4, 7, 10)
    for side in (-1, 1):
        down = [(d * 0.9, thick * 0.5), (d + 0.25, thick * 0.2), (d + 0.4, -0.4), (d * 0.8, -1.0)]
        path = spline([(0, side * y, z) for y, z in down], 20)
        assembly.add(tube(path, 0.03, superellipse(6, 20, 1.0, wide / 0.03)), part="strap")
        for i in range(links):
            x, y, z = path[2 + int(i * 16 / links)]
            assembly.add(box(wide * 2.04, 0.035, 0.09), move(x, y, z - 0.045), part="links")


@family("Headphones", "Headset", uspc="D14/205", locarno="14-01")
def headphones(dice: Dice, assembly: Assembly) -> None:
    """A bow, a cushion under it, two cups, sometimes a microphone."""
    stretch = dice.between(1.0, 1.3)
    turn = np.linspace(-0.1, np.pi + 0.1, 40)
    bow = np.column_stack([0.8 * np.cos(turn), 0 * turn, 0.8 * stretch * np.sin(turn)])
    assembly.add(tube(bow, dice.between(0.03, 0.06), superellipse(4, 20, dice.between(1, 4), 1.0), up=(0.0, 1.0, 0.0)))
    if dice.chance(0.6):
        padding = superellipse(3, 20, dice.between(1, 3), 1.0)
        assembly.add(tube(bow[8:-8] * (0.95, 1, 0.95), 0.06, padding, up=(0.0, 1.0, 0.0)))
    radius = dice.between(0.25, 0.42)
    section = plan(dice, 56) * (dice.between(1, 1.3), 1)
    shell = profile(dice, 0.15, radius * 0.5, radius * 0.95, knots=3, smooth=False)
    badge = radius * dice.between(0.3, 0.5) if dice.chance(0.5) else 0.0
    for side in (-1, 1):
        place = move(side * 0.78, 0, -0.15) @ turn_y(side * np.pi / 2)
        assembly.add(lathe([(radius * 0.9, -0.15), (radius, -0.12), (radius, 0.0)], section), place, part="cushions")
        assembly.add(lathe(shell, section), place @ move(z=-0.005), part="cups")
        if badge:
            assembly.add(cylinder(badge, 0.19, n=32), place, part="badges")
    if dice.chance(0.3):
        boom = [(0.8, 0, -0.3), (0.85, -0.3, -0.5), (0.4, -0.7, -0.6)]
        assembly.add(tube(spline(boom, 20), 0.025), part="boom")
        assembly.add(ball(0.06, n=16, rings=10), move(0.4, -0.7, -0.6), part="boom")


@family("Helmet", "Protective helmet", uspc="D29/102", locarno="02-03")
def helmet(dice: Dice, assembly: Assembly) -> None:
    """A shell with ridges, a peak, ear cups, a strap."""
    rise, narrow = dice.between(0.8, 0.95), dice.between(0.8, 1.0)
    t = np.linspace(-0.25, np.pi / 2, 20)
    assembly.add(lathe(np.column_stack([np.cos(t), np.sin(t) * rise]), circle(64, 1.0, narrow)))
    ridges, thick = dice.whole(0, 6), dice.between(0.03, 0.07)
    for i in range(ridges):
        y = (i - (ridges - 1) / 2) * 0.24
        radius = np.sqrt(max(1 - y * y, 0.05))
        u = np.linspace(0.3, 2.6, 20)
        ridge = np.column_stack([radius * np.cos(u), np.full(20, y * narrow), radius * np.sin(u) * rise])
        assembly.add(tube(ridge, thick), part="ridges")
    if dice.chance(0.7):
        reach = dice.between(0.2, 0.5)
        edge = superellipse(dice.between(2, 3), 64, 1.0 + reach, narrow * 0.95)
        assembly.add(extrude(edge * (1, 0.98), 0.05), move(reach * 0.35, 0, -0.24), part="peak")
    if dice.chance(0.5):
        size = dice.between(0.15, 0.3)
        for side in (-1, 1):
            place = move(0, side * 0.9 * narrow, -0.1) @ turn_x(-side * np.pi / 2)
            assembly.add(cylinder(size, 0.1, n=32), place, part="ear cups")
    if dice.chance(0.6):
        strap = [(0, -0.9 * narrow, -0.2), (0.15, -0.6, -0.8), (0.15, 0.6, -0.8), (0, 0.9 * narrow, -0.2)]
        assembly.add(tube(spline(strap, 24), 0.03, superellipse(4, 16, 1.0, 2.0)), scale(1, 1, 1))
