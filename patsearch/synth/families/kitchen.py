"""Pots, kettles, cutlery, taps."""

from __future__ import annotations

import numpy as np

from patsearch.models.mesh import ALONG, Assembly, move, turn_x, turn_z
from patsearch.synth.dice import Dice
from patsearch.synth.families.forms import bow, corners, plan, profile, radius_at, sweep
from patsearch.synth.families.registry import family
from patsearch.synth.solids import box, circle, cylinder, extrude, lathe, skin, spline, superellipse, torus, tube


@family("Pan", "Cooking pot", "Saucepan", uspc=("D7/360", "D7/354"), locarno="07-02")
def pan(dice: Dice, assembly: Assembly) -> None:
    """A pan or pot with one long or two short handles, with or without a lid."""
    height, radius = dice.between(0.15, 0.9), dice.between(0.5, 0.8)
    base = dice.pick(circle(), circle(), superellipse(4, 64, 1, 0.8), circle(64, 1.0, 0.75))
    low = radius * dice.between(0.75, 1.0)
    wall = [
        (low, 0),
        (radius, height),
        (radius * 1.04, height + 0.01),
        (radius * 1.04, height + 0.04),
        (radius - 0.04, height + 0.03),
        (low - 0.04, 0.05),
    ]
    assembly.add(lathe(wall, base))
    thick, section = dice.between(0.03, 0.06), superellipse(dice.pick(2, 5), 16, 1.0, dice.between(0.8, 2.0))
    z = height * dice.between(0.7, 0.95)
    if dice.chance(0.55):
        reach, end = dice.between(0.7, 1.3), z + dice.between(0, 0.25)
        handle = [(radius * 0.95, 0, z), (radius + reach * 0.3, 0, z + dice.between(0, 0.15)), (radius + reach, 0, end)]
        girth = np.linspace(thick, thick * dice.between(1, 1.5), 24)
        assembly.add(tube(spline(handle, 24), girth, section), part="handle")
        if dice.chance(0.4):
            assembly.add(torus(0.06, 0.02, n=24, m=14), move(radius + reach + 0.05, 0, end), part="handle")
    else:
        reach, spread = dice.between(0.12, 0.3), dice.between(0.12, 0.25)
        loop = bow([(radius * 0.93, -spread, z), (radius + reach, -spread * 0.8, z)], 24, across=1)
        for turn in (0.0, np.pi):
            assembly.add(tube(loop, thick * 0.8, section), turn_z(turn), part="handle")
    if dice.chance(0.6):
        dome = dice.between(0.05, 0.3)
        t = np.linspace(0, np.pi / 2, 10)
        lid = np.column_stack([radius * np.cos(t) + 0.001, dome * np.sin(t)])
        assembly.add(lathe(np.vstack([[(radius, -0.03)], lid]), base), move(z=height + 0.06), part="lid")
        knob = lathe(profile(dice, dice.between(0.1, 0.2), 0.05, 0.13, smooth=False), plan(dice, 32))
        assembly.add(knob, move(z=height + dome + 0.04), part="knob")


@family("Kettle", "Teapot", "Watering can", uspc=("D7/316", "D7/312", "D23/226"), locarno="07-01")
def kettle(dice: Dice, assembly: Assembly) -> None:
    """A body with a spout, a handle above or behind, a lid."""
    section = circle() if dice.chance(0.7) else plan(dice)
    height = dice.between(0.7, 1.4)
    body = profile(dice, height, 0.35, 0.65)
    top = float(body[-1, 0])
    assembly.add(lathe(body, section))
    lid = dice.between(0.08, 0.2)
    assembly.add(lathe(profile(dice, lid, top * 0.5, top * 0.95, knots=3), section), move(z=height - 0.01))
    assembly.add(lathe(profile(dice, 0.14, 0.04, 0.1)), move(z=height + lid - 0.02))
    low, middle = height * dice.between(0.25, 0.5), radius_at(body, height * 0.4)
    spout = [
        (middle * 0.7, 0, low),
        (middle + 0.2, 0, low + 0.1),
        (middle + dice.between(0.25, 0.45), 0, height * dice.between(0.75, 0.95)),
        (middle + dice.between(0.45, 0.7), 0, height * dice.between(0.95, 1.1)),
    ]
    assembly.add(tube(spline(spout, 22), np.linspace(dice.between(0.1, 0.18), 0.06, 22)), part="spout")
    grip = superellipse(dice.pick(2, 5), 16, 1.0, dice.between(0.7, 2.0))
    if dice.chance(0.5):
        behind = [
            (-middle * 0.8, 0, height * 0.9),
            (-middle - 0.35, 0, height * dice.between(0.8, 1.0)),
            (-middle - 0.4, 0, height * 0.5),
            (-middle * 0.85, 0, height * 0.2),
        ]
        assembly.add(tube(spline(behind, 24), dice.between(0.04, 0.07), grip), part="handle")
    else:
        rise = dice.between(0.35, 0.55)
        above = bow([(-top * 0.95, 0, height * 0.95), (-top * 0.9, 0, height + rise)], 28)
        assembly.add(tube(above, dice.between(0.03, 0.06), grip), part="handle")
    if dice.chance(0.4):
        foot = float(body[0, 0])
        assembly.add(lathe([(foot * 1.1, -0.1), (foot * 1.15, -0.05), (foot * 0.9, 0.02)], section))


@family("Spoon", "Fork", "Flatware", "Knife", uspc=("D7/653", "D7/649"), locarno="07-03")
def cutlery(dice: Dice, assembly: Assembly) -> None:
    """A handle of changing width ending in a bowl, tines or a blade; lying along x."""
    length, widest = dice.between(1.4, 2.2), dice.between(0.1, 0.2)
    widths = [dice.between(0.5, 1) * widest, widest * dice.between(0.6, 1), *dice.measures(0.25, 0.6, 2) * widest, 0.05]
    outline = spline(np.column_stack([np.linspace(0, length, 5), widths]), 40)
    half = np.maximum(outline[:, 1], 0.03)
    bend = 0.12 * np.sin(np.linspace(0, np.pi * 1.4, 40)) * dice.between(0.5, 1.5)
    section, thick = superellipse(dice.between(2, 4), 24), dice.between(0.025, 0.05)
    assembly.add(sweep(section, zip(outline[:, 0], half, bend, strict=True), thick))
    end = move(length - 0.03, 0, float(bend[-1]))
    kind = dice.pick("spoon", "fork", "knife")
    wide, long = dice.between(0.2, 0.32), dice.between(0.55, 0.85)
    if kind == "spoon":
        t = np.linspace(0.0, np.pi, 20)
        x, y = circle(32).T
        bowl = []
        for a in np.clip(t, 0.02, np.pi - 0.02):
            deep = -0.16 * np.sin(a) * np.clip(-y, 0, 1) - 0.02 * np.sin(a) * np.clip(y, 0, 1) * 3
            bowl.append(np.column_stack([np.full(32, long * (1 - np.cos(a)) / 2), wide * np.sin(a) * x, deep]))
        assembly.add(skin(bowl), end, part="bowl")
    elif kind == "fork":
        tines = dice.whole(3, 4)
        palm = np.array([(0, 0.03), (long * 0.3, wide * 0.9), (long * 0.45, wide * 0.9)])
        palm = np.vstack([palm, palm[::-1] * (1, -1)])
        assembly.add(extrude(palm, 0.05), end @ move(z=-0.025), part="palm")
        for i in range(tines):
            y = (i - (tines - 1) / 2) * 1.6 * wide / (tines - 1)
            tine = spline([(long * 0.43, y, 0), (long * 0.7, y, -0.05), (long * 1.1, y * 0.95, 0.05)], 12)
            assembly.add(tube(tine, np.linspace(0.035, 0.015, 12)), end, part="tines")
    else:
        edge = [(0, -0.05), (long * 0.2, -wide * 0.5), (long, -wide * dice.between(0.3, 0.6)), (long * 1.3, wide * 0.2)]
        outline_of_blade = np.vstack([spline(edge, 24), [(0, wide * dice.between(0.2, 0.4))]])
        assembly.add(extrude(outline_of_blade, 0.03), end @ move(z=-0.015), part="blade")
    if dice.chance(0.5):
        at = length * dice.between(0.06, 0.12)
        z = float(np.interp(at, outline[:, 0], bend)) - 1.3 * thick
        assembly.add(cylinder(widest * dice.between(0.2, 0.35), 2.6 * thick, n=24), move(at, 0, z), part="stud")


@family("Faucet", "Sink faucet", uspc=("D23/242", "D23/235"), locarno="23-01")
def faucet(dice: Dice, assembly: Assembly) -> None:
    """A base, a bent spout, one or two levers or knobs."""
    height, reach = dice.between(0.4, 1.4), dice.between(0.5, 1.0)
    thick = dice.between(0.06, 0.12)
    two = dice.chance(0.45)
    if two or dice.chance(0.4):
        assembly.add(box(dice.between(1.3, 1.7) if two else 0.6, 0.4, 0.08, 0.15))
    assembly.add(lathe(profile(dice, height * 0.5 + 0.05, thick * 1.2, thick * 2), plan(dice, 40)))
    section = dice.pick(circle(20), superellipse(6, 24))
    turn = turn_z(-np.pi / 2)
    if dice.chance(0.6):
        path = [
            (0, 0, 0.1),
            (0, 0, height * 0.8),
            (reach * 0.3, 0, height),
            (reach * 0.8, 0, height * 0.95),
            (reach, 0, height * dice.between(0.5, 0.8)),
        ]
    else:
        path = [(0, 0, height * 0.4), (reach * 0.5, 0, height * 0.5), (reach, 0, height * dice.between(0.45, 0.6))]
    assembly.add(tube(spline(path, 36), np.linspace(thick, thick * 0.8, 36), section), turn, part="spout")
    lever = dice.pick("lever", "cross", "knob")
    for x in (-0.5, 0.5) if two else (0.0,):
        base = 0.06 if two else height * 0.5 + 0.03
        stem = dice.between(0.15, 0.3)
        if two:
            assembly.add(lathe(profile(dice, stem, 0.08, 0.16)), move(x, 0, base), part="stems")
            base += stem
        if lever == "lever":
            reached = (0.4 if x >= 0 else -0.4, 0, base + dice.between(0.02, 0.2))
            assembly.add(tube([(0, 0, base), reached], 0.04, superellipse(4, 16, 0.6, 1.3)), move(x), part="levers")
        elif lever == "cross":
            for a in (0.0, np.pi / 2):
                bar = move(x, 0, base + 0.04) @ turn_z(a) @ ALONG @ move(z=-0.22)
                assembly.add(cylinder(0.035, 0.44, n=16), bar, part="levers")
        else:
            knob = lathe(profile(dice, 0.16, 0.1, 0.18, smooth=False), plan(dice, 40))
            assembly.add(knob, move(x, 0, base - 0.01), part="levers")


@family("Tray", "Serving tray", "Plate", uspc=("D7/509", "D7/553.6"), locarno="07-01")
def tray(dice: Dice, assembly: Assembly) -> None:
    """A dish with a rim, compartments or a relief, with grips."""
    width, depth, height = dice.between(1.0, 1.6), dice.between(0.7, 1.1), dice.between(0.06, 0.2)
    shape = dice.pick(superellipse(2, 72), superellipse(4, 72), superellipse(8, 72)) * (width / 2, depth / 2)
    assembly.add(lathe([(0.8, 0), (1, height), (0.97, height), (0.78, 0.03)], shape))
    dividers = dice.whole(0, 3)
    for i in range(dividers):
        x = (i + 1) / (dividers + 1) - 0.5
        assembly.add(box(0.03, depth * 0.7, height * 0.7), move(x * width * 0.75, 0, 0.01), part="dividers")
    if dividers and dice.chance(0.5):
        assembly.add(box(width * 0.75, 0.03, height * 0.7), move(z=0.01), part="dividers")
    if not dividers:
        well = dice.between(0.3, 0.6)
        relief = [(well, 0.025), (well, 0.05), (well * 0.92, 0.05), (well * 0.9, 0.025)]
        assembly.add(lathe(relief, shape, cap=False), part="relief")
    if dice.chance(0.6):
        loop = bow([(width * 0.47, -0.18, height * 0.9), (width * 0.5 + 0.16, -0.14, height)], 20, across=1)
        for turn in (0.0, np.pi):
            assembly.add(tube(loop, 0.03), turn_z(turn), part="grips")
    if dice.chance(0.4):
        feet = corners(width * 0.25, depth * 0.25, 0.01)
        assembly.copies(cylinder(0.04, 0.1, n=16), feet, turn_x(np.pi), part="feet")
