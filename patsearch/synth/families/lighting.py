"""Table lamps, pendants, lanterns."""

from __future__ import annotations

import numpy as np

from patsearch.models.mesh import FACE_ON, Assembly, Matrix, move, turn_x, turn_y, turn_z
from patsearch.synth.dice import Dice
from patsearch.synth.families.forms import around, plan, profile
from patsearch.synth.families.registry import family
from patsearch.synth.solids import Curve, ball, cylinder, lathe, spline, tube


def _shade(dice: Dice, height: float, least: float, most: float) -> Curve:
    """Profile of a thin open shade: outside up, inside down."""
    outline = profile(dice, height, least, most, knots=dice.whole(2, 4))
    inner = outline[::-1] - [0.02, 0]
    inner[:, 0] = np.maximum(inner[:, 0], 0.01)
    return np.vstack([outline, inner])


@family("Table lamp", "Lamp", uspc=("D26/106", "D26/104"), locarno="26-05")
def lamp(dice: Dice, assembly: Assembly) -> None:
    """A foot, a column, a gooseneck or a jointed arm, a shade."""
    height = dice.between(0.8, 2.0)
    assembly.add(lathe(profile(dice, dice.between(0.05, 0.3), 0.15, 0.4, knots=3), plan(dice)))
    top: tuple[float, float, float]
    tilt: Matrix
    kind = dice.pick("column", "gooseneck", "jointed")
    if kind == "column":
        assembly.add(lathe(profile(dice, height, 0.03, 0.2), plan(dice)))
        top, tilt = (0.0, 0.0, height - 0.1), np.eye(4)
    elif kind == "gooseneck":
        over = (dice.between(0.1, 0.4), 0, height)
        down = (dice.between(0.4, 0.8), 0, height * dice.between(0.7, 0.95))
        neck = spline([(0, 0, 0), (0, 0, height * 0.6), over, down], 30)
        assembly.add(tube(neck, 0.03))
        top, tilt = (float(neck[-1, 0]), 0.0, float(neck[-1, 2]) + 0.05), turn_x(np.pi)
    else:
        elbow = (dice.between(-0.4, -0.1), 0.0, height * 0.5)
        end = (dice.between(0.2, 0.6), 0.0, height)
        assembly.add(tube([(0, 0, 0.03), elbow], 0.03), part="arm")
        assembly.add(tube([elbow, end], 0.025), part="arm")
        assembly.add(cylinder(0.06, 0.1, n=20), move(elbow[0], 0.05, elbow[2]) @ FACE_ON)
        top, tilt = end, turn_y(dice.between(0.3, 1.0) + np.pi)
    shade = _shade(dice, dice.between(0.25, 0.6), 0.16, 0.5)
    place = move(*top) @ tilt
    assembly.add(lathe(shade, plan(dice)), place)
    if dice.chance(0.3):
        assembly.add(ball(0.05, n=16, rings=10), place @ move(z=float(shade[:, 1].max())))


@family("Pendant lamp", "Ceiling lamp", "Chandelier", uspc=("D26/88", "D26/89"), locarno="26-05")
def pendant(dice: Dice, assembly: Assembly) -> None:
    """One shade on a rod, or several on curved arms."""
    drop, count = dice.between(0.3, 1.2), dice.pick(1, 1, 3, 4, 5, 6)
    assembly.add(cylinder(dice.between(0.1, 0.25), 0.05), move(z=drop + 0.6))
    outline, section = _shade(dice, dice.between(0.2, 0.6), 0.06, 0.35), plan(dice)
    if count == 1:
        assembly.add(tube([(0, 0, 0.1), (0, 0, drop + 0.62)], 0.015))
        assembly.add(lathe(outline, section))
        assembly.add(lathe(profile(dice, 0.12, 0.03, 0.1)), move(z=float(outline[:, 1].max()) - 0.02))
        return
    reach = dice.between(0.35, 0.7)
    arm = spline([(0, 0, drop + 0.6), (reach * 0.3, 0, drop * 0.3), (reach * 0.8, 0, drop * 0.2), (reach, 0, 0.4)], 20)
    for _, _, angle in around(count, 1.0):
        assembly.add(tube(arm, 0.02), turn_z(angle), part="arms")
        assembly.add(lathe(outline * 0.6, section), turn_z(angle) @ move(reach, 0, 0.35), part="shades")
    assembly.add(lathe(profile(dice, drop, 0.03, 0.12)), move(z=0.3))


@family("Lantern", "Solar lamp", "Garden lamp", uspc="D26/71", locarno="26-05")
def lantern(dice: Dice, assembly: Assembly) -> None:
    """A body of bars or louvres between a foot and a roof, with a ring to hang it by."""
    section = plan(dice)
    height, width = dice.between(0.5, 1.3), dice.between(0.25, 0.45)
    assembly.add(lathe(profile(dice, 0.15, width * 0.8, width * 1.3, knots=3), section))
    assembly.add(lathe([(width * 0.75, 0.14), (width * dice.between(0.55, 0.95), height + 0.02)], section))
    roof = dice.between(1.0, 1.5) * width
    slope = [(roof, 0), (roof, 0.04), (roof * dice.between(0.3, 0.8), dice.between(0.1, 0.3)), (0.05, 0.4)]
    assembly.add(lathe(slope, section), move(z=height))
    if dice.chance(0.6):
        for x, y, _ in around(dice.whole(3, 8), width * 0.92):
            assembly.add(tube([(x, y, 0.1), (x, y, height + 0.02)], dice.between(0.012, 0.018)), part="bars")
    else:
        count = dice.whole(3, 8)
        for i in range(count):
            z = 0.2 + (height - 0.25) * i / count
            louvre = [(width * 0.95, z), (width, z + 0.02), (width * 0.95, z + 0.04)]
            assembly.add(lathe(louvre, section), part="louvres")
    ring = np.linspace(0, 2 * np.pi, 24)
    radius = dice.between(0.06, 0.14)
    high = height + 0.38 + radius + radius * np.sin(ring)
    assembly.add(tube(np.column_stack([radius * np.cos(ring), 0 * ring, high]), 0.015))
    if dice.chance(0.3):
        assembly.add(cylinder(0.03, 0.82), move(z=-0.8), part="stake")
        assembly.add(lathe([(0.005, -0.95), (0.03, -0.8)]), part="stake")
