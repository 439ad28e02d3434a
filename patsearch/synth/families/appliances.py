"""Fans, hair dryers, umbrellas."""

from __future__ import annotations

import numpy as np

from patsearch.models.mesh import ALONG, FACE_ON, Assembly, move, turn_z
from patsearch.synth.dice import Dice
from patsearch.synth.families.forms import bow, plan, profile
from patsearch.synth.families.registry import family
from patsearch.synth.solids import TAU, box, circle, cylinder, lathe, polygon, skin, spline, superellipse, torus, tube


@family("Fan", "Electric fan", "Portable fan", uspc=("D23/370", "D23/382"), locarno="23-04")
def fan(dice: Dice, assembly: Assembly) -> None:
    """Twisted blades, a guard of wire, a stand, a clip or a handle."""
    blades = dice.whole(2, 7)
    radius, twist, chord, sweep = dice.each((0.6, 1.0), (0.2, 1.0), (0.2, 0.42), (-0.3, 0.4))
    section = circle(20)
    stations = np.linspace(0.12, 1, 10)
    wide = chord * np.interp(stations, [0, 0.4, 0.8, 1], [0.4, 1, 1, 0.5])
    blade = skin(
        [
            np.column_stack(
                [
                    np.full(20, radius * s),
                    section[:, 0] * w + sweep * s * s,
                    section[:, 1] * 0.02 + section[:, 0] * w * twist * 0.5 * (1 - 0.5 * s),
                ]
            )
            for s, w in zip(stations, wide, strict=True)
        ]
    )
    for i in range(blades):
        assembly.add(blade, FACE_ON @ turn_z(i * TAU / blades), part="blades")
    assembly.add(lathe(profile(dice, dice.between(0.15, 0.35), 0.1, 0.22)), FACE_ON @ move(z=-0.12))
    if dice.chance(0.6):
        for z, share in ((-0.2, 1.0), (0.2, 1.0), (0.0, 1.03)):
            assembly.add(torus(radius * 1.06 * share, 0.016, n=64, m=14), FACE_ON @ move(z=z), part="guard")
        wires, bend = dice.whole(8, 24), dice.between(0, 0.3)
        for i in range(wires):
            for side in (-1, 1):
                wire = spline(
                    [(0.1, 0, side * 0.27), (radius * 0.7, bend, side * 0.27), (radius * 1.06, 0, side * 0.2)], 8
                )
                assembly.add(tube(wire, 0.009, n=14), FACE_ON @ turn_z(i * TAU / wires), part="guard")
    stand = dice.pick("post", "bow", "handle", "none")
    if stand == "post":
        length = dice.between(0.3, 1.2)
        assembly.add(cylinder(dice.between(0.04, 0.08), length + radius, n=20), move(0, 0.22, -radius - length))
        assembly.add(lathe(profile(dice, 0.15, 0.2, 0.55, knots=3), plan(dice)), move(0, 0.22, -radius - length - 0.1))
    elif stand == "bow":
        width = radius * 1.2
        foot = bow([(-width, 0, 0), (-width, 0, -radius), (-width * 0.8, 0, -radius * 1.35)], 40)
        assembly.add(tube(foot, 0.04))
    elif stand == "handle":
        grip = profile(dice, dice.between(0.7, 1.1), 0.1, 0.2, knots=4, smooth=True)
        low, long = -radius * 1.05, float(grip[-1, 1])
        assembly.add(lathe(grip, superellipse(dice.between(2, 4), 40)), move(0, 0.05, low - long))
        assembly.add(cylinder(0.05, 0.05, n=20), move(0, -0.08, low - long * 0.4) @ FACE_ON, part="switch")


@family("Hair dryer", uspc=("D28/13", "D28/18"), locarno="28-03")
def hair_dryer(dice: Dice, assembly: Assembly) -> None:
    """A barrel with a nozzle, a handle with switches, rings at the back."""
    length = dice.between(0.7, 1.1)
    assembly.add(lathe(profile(dice, length, 0.2, 0.38, knots=4, smooth=True), circle(48)), move(-length * 0.4) @ ALONG)
    nozzle = dice.pick(circle(48), circle(48, 1.0, 0.35))
    assembly.add(lathe(profile(dice, dice.between(0.2, 0.4), 0.14, 0.28, knots=3), nozzle), move(length * 0.57) @ ALONG)
    x, lean = dice.between(-0.2, 0.1), dice.between(-0.3, 0.2)
    section = superellipse(dice.between(2, 5), 32, 1.0, 0.75)
    down = np.linspace(0.1, 1.2, 12)
    girth = spline(np.column_stack([np.linspace(0, 1, 4), dice.measures(0.11, 0.19, 4)]), 12)[:, 1]
    assembly.add(
        skin(
            [
                np.column_stack([section[:, 0] * g + x + lean * z, section[:, 1] * g, np.full(32, -z)])
                for z, g in zip(down, girth, strict=True)
            ]
        )
    )
    for i in range(dice.whole(1, 3)):
        z = 0.45 + 0.2 * i
        assembly.add(box(0.1, 0.14, 0.06, 0.02), move(x + lean * z + 0.11, 0, -z) @ ALONG, part="switches")
    rings = dice.whole(2, 6)
    for i in range(rings):
        assembly.add(torus(0.2 * (i + 1) / rings, 0.014, n=32, m=14), move(-length * 0.4) @ ALONG, part="grille")
    assembly.add(tube([(x + lean * 1.2, 0, -1.15), (x + lean * 1.2, 0, -1.5)], 0.05), part="cord")


@family("Umbrella", "Parasol", uspc="D3/5", locarno="03-03")
def umbrella(dice: Dice, assembly: Assembly) -> None:
    """A canopy with ribs, a stick, a crook or a knob."""
    panels, rise, power = dice.whole(6, 12), dice.between(0.3, 0.65), dice.between(1.5, 2.5)
    t = np.linspace(0.01, 1, 12)[::-1]
    canopy = np.column_stack([t, rise * (1 - t**power)])
    section = polygon(panels, panels) if dice.chance(0.6) else circle(64)
    assembly.add(lathe(np.vstack([canopy, canopy[::-1] - (0.0, 0.02)]), section, cap=False))
    length = dice.between(1.2, 1.8)
    assembly.add(cylinder(0.025, length + rise - 0.05, n=20), move(z=-length))
    if dice.chance(0.5):
        crook = [(0, 0, -length), (0, 0, -length - 0.12), (0.1, 0, -length - 0.24), (0.22, 0, -length - 0.12)]
        assembly.add(tube(spline(crook, 20), 0.045), part="handle")
    else:
        grip = profile(dice, 0.35, 0.04, 0.1)
        assembly.add(lathe(grip), move(z=-length - 0.3), part="handle")
    assembly.add(lathe([(0.04, 0), (0.02, 0.15)]), move(z=rise - 0.03), part="tip")
    low = dice.between(0.3, 0.6)
    for i in range(panels):
        angle = i * TAU / panels
        rib = [(0, 0, -low), (0.6 * np.cos(angle), 0.6 * np.sin(angle), rise * (1 - 0.6**power) - 0.03)]
        assembly.add(tube(rib, 0.012, n=14), part="ribs")
