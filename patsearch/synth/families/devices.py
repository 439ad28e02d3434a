"""Telephones, remote controls, monitors, loudspeakers, cameras."""

from __future__ import annotations

import numpy as np

from patsearch.models.mesh import FACE_ON, Assembly, Solid, move, turn_x
from patsearch.synth.dice import Dice
from patsearch.synth.families.forms import bow, grid, plan, profile, radius_at, slab
from patsearch.synth.families.registry import family
from patsearch.synth.solids import box, cylinder, fluted, lathe, skin, spline, superellipse, torus, tube

# A loudspeaker's driver from its rim inwards: share of the radius, height.
_CONE = np.array([(1, 0), (1, 0.04), (0.85, 0.04), (0.8, 0.02), (0.4, 0.01), (0.3, 0.05)])


def _button(dice: Dice, size: float) -> Solid:
    kind = dice.pick("round", "bar", "square")
    if kind == "round":
        return cylinder(size, 0.03, n=20)
    return box(2 * size, 1.4 * size, 0.03, 0.6 * size if kind == "bar" else 0.0, n=16)


@family("Mobile phone", "Smartphone", "Handheld electronic device", uspc=("D14/138", "D14/341"), locarno="14-03")
def phone(dice: Dice, assembly: Assembly) -> None:
    """A slab standing upright with a screen, cameras behind, keys at the edges."""
    width, length, thick = dice.between(0.6, 1.0), dice.between(1.2, 2.2), dice.between(0.06, 0.16)
    radius = dice.between(0.02, 0.28)
    stand = move(y=thick / 2) @ FACE_ON  # the screen, at z = thick, comes to face the front
    assembly.add(box(width, length, thick, radius, dice.between(0, 0.5) * thick), stand)
    screen_width, screen_length = width * dice.between(0.82, 0.93), length * dice.between(0.7, 0.92)
    shift = dice.between(-0.5, 0.5) * (length - screen_length) * 0.5
    assembly.add(box(screen_width, screen_length, 0.012, radius * 0.7), stand @ move(0, shift, thick - 0.004))
    lenses, island = dice.whole(1, 4), dice.pick("square", "strip", "none")
    size = dice.between(0.045, 0.075)
    if island == "square":
        assembly.add(box(0.36, 0.4, 0.04, 0.08), stand @ move(-width / 2 + 0.24, length / 2 - 0.27, -0.03))
    elif island == "strip":
        assembly.add(box(width * 0.85, 0.18, 0.04, 0.08), stand @ move(0, length / 2 - 0.25, -0.03))
    for i in range(lenses):
        if island == "strip":
            x, y = (i - (lenses - 1) / 2) * 0.19, length / 2 - 0.25
        else:
            x, y = -width / 2 + 0.15 + 0.18 * (i % 2), length / 2 - 0.17 - 0.19 * (i // 2)
        assembly.add(cylinder(size, 0.06, n=24), stand @ move(x, y, -0.06), part="lenses")
        assembly.add(cylinder(size * 0.6, 0.01, n=24), stand @ move(x, y, -0.068), part="lenses")
    for _ in range(dice.whole(1, 3)):
        key = box(0.03, dice.between(0.1, 0.3), thick * 0.4)
        place = move(dice.pick(-1, 1) * width / 2, length * dice.between(0.05, 0.35), thick * 0.3)
        assembly.add(key, stand @ place, part="keys")
    assembly.add(box(0.16, 0.04, thick * 0.3, 0.01), stand @ move(0, -length / 2, thick * 0.35), part="port")
    if dice.chance(0.4):
        assembly.add(cylinder(dice.between(0.04, 0.07), 0.02, n=24), stand @ move(0, -length * 0.46, thick - 0.005))
    if dice.chance(0.4):
        assembly.add(box(dice.between(0.15, 0.35), 0.03, 0.02, 0.012), stand @ move(0, length * 0.47, thick - 0.005))


@family("Remote control", "Controller", uspc=("D14/218", "D13/168"), locarno="14-03")
def remote(dice: Dice, assembly: Assembly) -> None:
    """A long body with rows of buttons and a ring."""
    width, length, thick = dice.between(0.3, 0.6), dice.between(1.2, 2.4), dice.between(0.1, 0.3)
    if dice.chance(0.6):
        assembly.add(box(width, length, thick, dice.between(0.02, 0.28), dice.between(0.01, 0.4) * thick))
    else:
        y = np.linspace(-length / 2, length / 2, 18)
        wide = spline(np.column_stack([np.linspace(0, 1, 5), dice.measures(0.8, 1.1, 5)]), 18)[:, 1] * width / 2
        section = superellipse(dice.between(3, 6), 40)
        rings = [
            np.column_stack([section[:, 0] * w, np.full(40, at), (section[:, 1] + 1) * thick / 2])
            for at, w in zip(y, wide, strict=True)
        ]
        assembly.add(skin(rings))
    size, columns, rows = dice.between(0.03, 0.045), dice.whole(2, 4), dice.whole(2, 6)
    pitch = (width * 0.75 / columns, dice.between(0.12, 0.18))
    places = grid(columns, rows, pitch, (0, -length * 0.22, thick - 0.01))
    assembly.copies(_button(dice, size * min(1, 3 / columns)), places, part="buttons")
    if dice.chance(0.6):
        assembly.add(torus(width * 0.28, 0.03, n=36, m=14), move(0, length * 0.22, thick))
        assembly.add(cylinder(width * 0.1, 0.03, n=24), move(0, length * 0.22, thick - 0.01))
    if dice.chance(0.5):
        assembly.add(slab(dice, width * 0.7, length * 0.12, 0.03), move(0, length * 0.4, thick - 0.01))
    if dice.chance(0.4):
        assembly.add(box(width * 0.6, length * 0.3, 0.03, 0.05), move(0, -length * 0.2, -0.02), part="battery lid")


@family("Monitor", "Television", "Display device", uspc=("D14/126", "D14/336"), locarno="14-03")
def monitor(dice: Dice, assembly: Assembly) -> None:
    """A screen on a foot, two feet or a bow."""
    width = dice.between(1.2, 2.0)
    height, thick, radius = width * dice.between(0.5, 0.72), dice.between(0.04, 0.25), dice.between(0, 0.1)
    place = move(z=dice.between(0.3, 0.6) + height / 2) @ turn_x(np.pi / 2 + dice.between(-0.1, 0.05))
    assembly.add(box(width, height, thick, radius), place @ move(z=-thick / 2))
    bezel = dice.between(0.02, 0.1)
    assembly.add(
        box(width - 2 * bezel, height - 2 * bezel, 0.02, radius * 0.6),
        place @ move(0, bezel * dice.between(-0.4, 0.4), thick / 2 - 0.005),
    )
    assembly.add(
        box(width * dice.between(0.3, 0.7), height * dice.between(0.3, 0.7), dice.between(0.05, 0.2), 0.05),
        place @ move(z=-thick / 2 - 0.04),
    )
    stand = dice.pick("post", "feet", "disc", "bow")
    if stand == "post":
        assembly.add(box(dice.between(0.08, 0.25), 0.06, 0.6), move(0, 0.1))
        assembly.add(slab(dice, dice.between(0.5, 0.9), dice.between(0.3, 0.5), 0.04))
    elif stand == "feet":
        for side in (-1, 1):
            for y in (-0.2, 0.25):
                assembly.add(tube([(side * width * 0.3, 0, 0.45), (side * width * 0.38, y, 0)], 0.025), part="feet")
    elif stand == "disc":
        assembly.add(cylinder(0.06, 0.6), move(0, 0.1))
        assembly.add(cylinder(dice.between(0.25, 0.4), 0.04), move(0, 0.05))
    else:
        assembly.add(tube(bow([(-width * 0.3, -0.2, 0), (-width * 0.1, 0.1, 0.35)], 24), 0.03))
    for i in range(dice.whole(0, 6)):
        key = move(width * 0.2 + 0.05 * i, -height / 2 + bezel * 0.4, thick / 2 - 0.01)
        assembly.add(cylinder(0.015, 0.03, n=14), place @ key, part="keys")


@family("Speaker", "Loudspeaker", uspc=("D14/216", "D14/214"), locarno="14-01")
def speaker(dice: Dice, assembly: Assembly) -> None:
    """A box with drivers, or a drum with rings."""
    height = dice.between(0.5, 1.8)
    if dice.chance(0.5):
        width, depth = dice.between(0.4, 1.2), dice.between(0.3, 0.7)
        assembly.add(box(width, depth, height, dice.between(0, 0.1)))
        count = dice.whole(1, 3)
        for i in range(count):
            radius = min(width * 0.42, height / (count + 1) * 0.55) * dice.between(0.6, 1.0)
            place = move(0, -depth / 2 + 0.005, height * (i + 1) / (count + 1)) @ FACE_ON
            assembly.add(lathe(_CONE * (radius, 1)), place, part="drivers")
        if dice.chance(0.5):
            assembly.add(box(width * 0.5, height * 0.3, 0.03), move(0, depth / 2, height * 0.3) @ turn_x(-np.pi / 2))
    else:
        section = plan(dice)
        outline = profile(dice, height, 0.35, 0.6, knots=dice.whole(2, 4), smooth=True)
        assembly.add(lathe(outline, section))
        count = dice.whole(3, 14)
        for i in range(count):
            z = height * (0.1 + 0.75 * i / count)
            radius, high = radius_at(outline, z), height * 0.3 / count
            rim = [(radius, z), (radius * 1.05, z + high * 0.2), (radius * 1.05, z + high), (radius, z + high * 1.2)]
            assembly.add(lathe(rim, section), part="rings")
        places = grid(dice.whole(1, 4), 1, (0.12, 0), (0, 0, height - 0.01))
        assembly.copies(cylinder(0.04, 0.03, n=16), places, part="keys")
    if dice.chance(0.3):
        assembly.add(tube(bow([(-0.25, 0, height - 0.05), (-0.22, 0, height + 0.25)], 20), 0.04))


@family("Digital camera", "Camera", "Monitoring camera", uspc=("D16/202", "D16/203"), locarno="16-01")
def camera(dice: Dice, assembly: Assembly) -> None:
    """A body with a stepped lens, a finder, dials and a display behind."""
    width, height, depth = dice.between(0.9, 1.4), dice.between(0.6, 0.9), dice.between(0.25, 0.6)
    assembly.add(box(width, depth, height, dice.between(0.03, 0.12), 0.04))
    radius, x, z = dice.between(0.2, 0.32), dice.between(-0.2, 0.2), height * dice.between(0.42, 0.5)
    barrel, at = [(radius, -0.02)], 0.0
    for _ in range(dice.whole(1, 4)):
        ring = radius * dice.between(0.75, 1.1)
        barrel += [(ring, at + 0.02), (ring, at + dice.between(0.1, 0.25))]
        at = barrel[-1][1]
    barrel += [(radius * 0.7, at), (radius * 0.6, at - 0.04), (0.02, at - 0.05)]
    assembly.add(lathe(barrel), move(x, -depth / 2, z) @ FACE_ON)
    if dice.chance(0.5):
        finder = box(dice.between(0.25, 0.4), depth * 0.7, dice.between(0.08, 0.2), 0.05, 0.03)
        assembly.add(finder, move(x, 0, height - 0.005))
    for i in range(dice.whole(1, 3)):
        dial = lathe([(dice.between(0.06, 0.09), -0.01), (0.06, dice.between(0.05, 0.1))], fluted(16, 0.04))
        assembly.add(dial, move(-width * 0.4 + 0.19 * i, 0, height), part="dials")
    rear, behind = depth / 2 - 0.01, turn_x(-np.pi / 2)
    assembly.add(box(width * 0.5, height * 0.5, 0.03, 0.02), move(-width * 0.1, rear, height * 0.45) @ behind)
    keys = [(width * 0.33, rear, height * (0.3 + 0.13 * i)) for i in range(dice.whole(1, 4))]
    assembly.copies(cylinder(0.035, 0.04, n=16), keys, behind, part="keys")
    if dice.chance(0.4):
        grip = box(width * 0.2, depth * dice.between(1.1, 1.3), height * 0.88, 0.08, 0.03)
        assembly.add(grip, move(-width * 0.42, -0.05, 0.03))
