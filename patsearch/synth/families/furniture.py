"""Chairs, tables, sofas, stools."""

from __future__ import annotations

import numpy as np

from patsearch.models.mesh import Assembly, move, turn_x
from patsearch.synth.dice import Dice
from patsearch.synth.families.forms import bow, corners, legs, pair, plan, plate, slab
from patsearch.synth.families.registry import family
from patsearch.synth.solids import box, cylinder, lathe, spline, superellipse, torus, tube


@family("Table", "Coffee table", "End table", uspc=("D6/691", "D6/656"), locarno="06-03")
def table(dice: Dice, assembly: Assembly) -> None:
    """A top on legs or on a column, with an apron or a shelf."""
    width, depth, height = dice.between(0.8, 2.2), dice.between(0.7, 1.0), dice.between(0.4, 1.0)
    top, reach = plate(dice, width, depth, dice.between(0.03, 0.12))
    assembly.add(top, move(z=height))
    wide, deep = width * reach * 0.96, depth * reach * 0.96
    legs(assembly, dice, wide, deep, height + 0.005, count=dice.pick(4, 4, 3))
    if dice.chance(0.35):
        apron = dice.between(0.08, 0.2)
        assembly.add(box(wide * 0.85, deep * 0.85, apron), move(z=height - apron))
    if dice.chance(0.3):
        assembly.add(slab(dice, wide * 0.75, deep * 0.75, 0.04), move(z=height * dice.between(0.2, 0.4)))


@family("Chair", "Side chair", "Armchair", uspc=("D6/360", "D6/366", "D6/379"), locarno="06-01")
def chair(dice: Dice, assembly: Assembly) -> None:
    """A seat, legs, one of five backs, sometimes arms."""
    width, depth, height = dice.between(0.45, 0.65), dice.between(0.45, 0.6), dice.between(0.4, 0.5)
    thick = dice.between(0.04, 0.14)
    seat, reach = plate(dice, width, depth, thick)
    assembly.add(seat, move(z=height))
    legs(assembly, dice, width * reach, depth * reach, height + 0.01, inset=0.05)
    _back(assembly, dice, width, depth, height + thick)
    if dice.chance(0.45):
        _arms(assembly, dice, width, depth, height + thick)


def _back(assembly: Assembly, dice: Dice, width: float, depth: float, seat: float) -> None:
    high, lean, bar = dice.between(0.3, 0.8), dice.between(0.02, 0.2), dice.between(0.02, 0.045)
    y = depth / 2 - 0.04
    kind = dice.pick("ladder", "spindles", "panel", "slatted", "carried")
    edge = width / 2 - 0.04
    if kind in ("ladder", "spindles"):
        for side in (-1, 1):
            assembly.add(tube([(side * edge, y, seat - 0.05), (side * edge, y + lean, seat + high)], bar), part="posts")
    if kind == "ladder":
        section = superellipse(6, 20, dice.between(1, 2.5), dice.between(0.4, 1))
        count, bend = dice.whole(1, 5), dice.between(0, 0.06)
        for i in range(count):
            z = seat + high * (0.25 + 0.7 * i / max(count - 1, 1))
            at = y + lean * (z - seat) / high
            rung = spline([(-edge, at, z), (0, at + bend, z), (edge, at, z)], 14)
            assembly.add(tube(rung, bar * 1.1, section), part="rungs")
    elif kind == "spindles":
        left, right = pair(edge, y + lean, seat + high)
        middle = (0, y + lean + 0.03, seat + high + dice.between(0, 0.12))
        assembly.add(tube(spline([left, middle, right], 14), bar * 1.3))
        count = dice.whole(3, 8)
        for i in range(count):
            x = (-0.5 + (i + 1) / (count + 1)) * (width - 0.08)
            assembly.add(tube([(x, y, seat - 0.02), (x, y + lean, seat + high)], bar * 0.5), part="spindles")
    else:
        lift = dice.between(0.0, 0.12)
        place = move(0, y + lean / 2, seat + high / 2 + lift) @ turn_x(np.pi / 2 - np.arctan2(lean, high))
        assembly.add(slab(dice, width * dice.between(0.8, 1.05), high, dice.between(0.03, 0.1)), place)
        if kind == "slatted":
            for i in range(dice.whole(2, 4)):
                slat = place @ move(0, (-0.35 + 0.2 * i) * high, 0.09)
                assembly.add(box(width * 0.6, 0.03, 0.03), slat, part="slats")
        if kind == "carried" or lift > 0.02:
            for side in (-1, 1):
                post = [(side * width * 0.3, y, seat - 0.05), (side * width * 0.3, y + lean, seat + high * 0.5)]
                assembly.add(tube(post, bar), part="posts")


def _arms(assembly: Assembly, dice: Dice, width: float, depth: float, seat: float) -> None:
    lift = dice.between(0.15, 0.28)
    section = superellipse(dice.pick(2, 6), 16, 1.0, dice.between(0.7, 1.8))
    thick, sag = dice.between(0.018, 0.04), dice.between(-0.02, 0.03)
    for side in (-1, 1):
        path = [
            (side * width / 2, depth / 2, seat + lift),
            (side * (width / 2 + 0.03), 0, seat + lift + sag),
            (side * width / 2, -depth / 2 + 0.08, seat + lift),
            (side * width / 2, -depth / 2 + 0.08, seat - 0.06),
        ]
        assembly.add(tube(spline(path, 24), thick, section), part="arms")


@family("Sofa", "Couch", "Loveseat", uspc=("D6/377", "D6/381"), locarno="06-01")
def sofa(dice: Dice, assembly: Assembly) -> None:
    """A base, arms, a back, one to three seats with cushions."""
    width, depth, height = dice.between(0.9, 2.2), dice.between(0.7, 0.95), dice.between(0.2, 0.35)
    radius, bevel, arm, lift = dice.each((0.02, 0.12), (0.01, 0.08), (0.08, 0.25), (0.04, 0.2))
    assembly.add(box(width * 0.99, depth, height, radius, bevel), move(z=lift))
    seats, cushion = dice.whole(1, 3), dice.between(0.1, 0.2)
    each = (width - 2 * arm) / seats
    back = dice.between(0.3, 0.5)
    for i in range(seats):
        x = -width / 2 + arm + each * (i + 0.5)
        seat = box(each * 0.98, depth * 0.75, cushion, 0.06, 0.05)
        assembly.add(seat, move(x, -depth * 0.1, lift + height), part="seats")
        place = move(x, depth * 0.3, lift + height + cushion + 0.2) @ turn_x(np.pi / 2 - 0.17)
        assembly.add(box(each * 0.97, back, 0.18, 0.08, 0.06), place, part="cushions")
    arms = height + cushion + dice.between(0.0, 0.2)
    rest = box(arm, depth * 1.02, arms, min(radius, arm * 0.4), min(bevel, arm * 0.3))
    assembly.copies(rest, pair((width - arm) / 2, 0, lift), part="arms")
    rear = box(width, dice.between(0.1, 0.2), dice.between(0.5, 0.8), 0.05, 0.04)
    assembly.add(rear, move(0, depth / 2 - 0.06, lift))
    leg = cylinder(0.03, lift + 0.02, 0.04, n=16)
    assembly.copies(leg, corners(width / 2 - 0.1, depth / 2 - 0.1), part="legs")


@family("Stool", "Step stool", "Bar stool", uspc=("D6/350", "D6/349"), locarno="06-01")
def stool(dice: Dice, assembly: Assembly) -> None:
    """A round or square seat, with a foot rest on the high ones."""
    width, height = dice.between(0.35, 0.5), dice.between(0.3, 0.8)
    seat = dice.between(0.04, 0.14)
    if dice.chance(0.5):
        round_seat = [(0.9, 0), (1, seat * 0.3), (1, seat * 0.8), (0.9, seat)]
        assembly.add(lathe(round_seat, plan(dice) * (width / 2)), move(z=height))
        reach = 0.72
    else:
        top, reach = plate(dice, width, width * dice.between(0.7, 1), seat)
        assembly.add(top, move(z=height))
    wide = width * reach
    legs(assembly, dice, wide, wide * 0.9, height + 0.005, count=dice.pick(3, 4), inset=dice.between(0.03, 0.06))
    if height > 0.5:
        assembly.add(torus(width * dice.between(0.4, 0.5), 0.012), move(z=height * dice.between(0.25, 0.45)))
    if dice.chance(0.3):
        x = -width * 0.4
        assembly.add(tube(bow([(x, width * 0.4, height), (x, width * 0.5, height + 0.25)], 24), 0.02))
