"""Bottles, vases, mugs and jugs."""

from __future__ import annotations

import numpy as np

from patsearch.models.mesh import Assembly, move, turn_z
from patsearch.synth.dice import Dice
from patsearch.synth.families.forms import bands, plan, profile, radius_at
from patsearch.synth.families.registry import family
from patsearch.synth.solids import Curve, box, circle, cylinder, fluted, lathe, spline, superellipse, tube


@family("Bottle", "Bottle for cosmetics", "Dispensing bottle", uspc=("D9/552", "D9/549"), locarno="09-01")
def bottle(dice: Dice, assembly: Assembly) -> None:
    """A body, a shoulder, a neck; a cap, a stopper or a pump on it."""
    section = plan(dice)
    height = dice.between(1.4, 3.0)
    body = profile(dice, height, 0.38, 0.62)
    neck, neck_height = dice.between(0.1, 0.28), dice.between(0.15, 0.7)
    shoulder = ((body[-1, 0] + neck) / 2 * dice.between(0.75, 1.25), height + 0.15)
    outline = np.vstack([body, spline([body[-1], shoulder, (neck, height + 0.3)], 8)[1:]])
    assembly.add(lathe(outline, section, twist=dice.between(0, 1) if dice.chance(0.15) else 0.0))
    top = height + 0.3 + neck_height
    assembly.add(lathe([(neck, height + 0.28), (neck, top)]))
    if dice.chance(0.5):
        bands(assembly, dice, section, body)
    closure = dice.pick("none", "cap", "cap", "stopper", "pump")
    if closure == "cap":
        cap = fluted(dice.whole(20, 30), 0.03) if dice.chance(0.4) else plan(dice)
        wide = neck * dice.between(1.25, 2.0)
        assembly.add(lathe([(wide, top - 0.18), (wide * dice.between(0.8, 1), top + dice.between(0.1, 0.5))], cap))
    elif closure == "stopper":
        stopper = profile(dice, dice.between(0.3, 0.8), neck * 0.7, neck * 1.8)
        assembly.add(lathe(stopper, plan(dice)), move(z=top - 0.05))
    elif closure == "pump":
        assembly.add(cylinder(neck * 0.5, 0.4), move(z=top - 0.02))
        assembly.add(box(dice.between(0.35, 0.6), 0.22, 0.14, 0.05), move(0.1, 0, top + 0.36), part="pump")
        spout = [(0.3, 0, top + 0.44), (0.6, 0, top + 0.44), (0.7, 0, top + 0.3)]
        assembly.add(tube(spline(spout, 12), 0.05), part="pump")
    if dice.chance(0.2):
        grip = [(0.45, 0, height * 0.9), (0.9, 0, height * 0.8), (0.9, 0, height * 0.4), (0.4, 0, height * 0.25)]
        assembly.add(tube(spline(grip, 24), dice.between(0.05, 0.1)))


@family("Vase", "Flower vase", uspc="D11/143", locarno="11-02")
def vase(dice: Dice, assembly: Assembly) -> None:
    """An open vessel, often twisted or fluted."""
    section = plan(dice)
    outline = profile(dice, dice.between(1.0, 2.4), 0.2, 0.7, knots=dice.whole(4, 7), smooth=dice.chance(0.85))
    assembly.add(lathe(_hollow(outline), section, twist=dice.between(0.3, 1.8) if dice.chance(0.35) else 0.0))
    bands(assembly, dice, section, outline, most=2)
    if dice.chance(0.3):
        _handles(assembly, dice, outline, 2)
    if dice.chance(0.3):
        foot = outline[0, 0] * dice.between(1.1, 1.5)
        assembly.add(lathe([(foot, -0.1), (foot, -0.04), (outline[0, 0] * 0.8, 0.02)], plan(dice)))


@family("Mug", "Drinking cup", "Coffee mug", uspc=("D7/536", "D7/511"), locarno="07-01")
def mug(dice: Dice, assembly: Assembly) -> None:
    """A cup with a handle, sometimes with a lid."""
    section = plan(dice) if dice.chance(0.5) else circle()
    height = dice.between(0.7, 1.5)
    outline = profile(dice, height, 0.42, 0.62, knots=dice.whole(2, 4))
    assembly.add(lathe(_hollow(outline), section))
    _handles(assembly, dice, outline, dice.pick(1, 1, 1, 2))
    if dice.chance(0.35):
        rim = outline[-1, 0]
        lid = [(rim * 1.05, 0), (rim * 1.05, 0.08), (rim * 0.7, dice.between(0.1, 0.2))]
        assembly.add(lathe(lid, section), move(z=height))
        if dice.chance(0.6):
            assembly.add(lathe(profile(dice, 0.15, 0.05, 0.12)), move(z=height + 0.12))
    if dice.chance(0.5):
        bands(assembly, dice, section, outline)


def _hollow(outline: Curve, wall: float = 0.05) -> Curve:
    """The profile of an open vessel: up the outside and down the inside."""
    inner = outline[::-1] - [wall, 0]
    inner[:, 0] = np.maximum(inner[:, 0], 0.05)
    return np.vstack([outline, inner[inner[:, 1] > 0.08]])


def _handles(assembly: Assembly, dice: Dice, outline: Curve, count: int) -> None:
    height = float(outline[-1, 1])
    upper, lower = height * dice.between(0.7, 0.92), height * dice.between(0.12, 0.4)
    reach = dice.between(0.25, 0.55)
    x1, x0 = radius_at(outline, upper) - 0.06, radius_at(outline, lower) - 0.06
    shape = [
        (x1, 0, upper),
        (x1 + reach * 0.8, 0, upper + dice.between(-0.1, 0.15)),
        (x1 + reach, 0, (upper + lower) / 2),
        (x0 + reach * dice.between(0.3, 0.8), 0, lower),
        (x0, 0, lower),
    ]
    section = superellipse(dice.pick(2, 4), 16, 1.0, dice.between(0.6, 1.8))
    grip = tube(spline(shape, 28), dice.between(0.045, 0.085), section)
    for i in range(count):
        assembly.add(grip, turn_z(i * np.pi), part="handles")
