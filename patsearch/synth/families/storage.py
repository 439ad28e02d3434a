"""Cabinets, drawer fronts, shelves."""

from __future__ import annotations

from patsearch.models.mesh import FACE_ON, Assembly, move
from patsearch.synth.dice import Dice
from patsearch.synth.families.forms import knob, legs
from patsearch.synth.families.registry import family
from patsearch.synth.solids import box, superellipse, tube


@family("Cabinet", "Sideboard", "Chest of drawers", uspc=("D6/671.1", "D6/675.3"), locarno="06-04")
def cabinet(dice: Dice, assembly: Assembly) -> None:
    """Doors and drawers in columns and rows, with knobs, a plinth or legs."""
    width, depth, height = dice.between(0.5, 1.8), dice.between(0.3, 0.6), dice.between(0.4, 1.9)
    lift = dice.pick(0.0, 0.05, 0.2)
    assembly.add(box(width, depth, height, dice.pick(0.0, 0.0, dice.between(0.01, 0.1))), move(z=lift))
    if dice.chance(0.5):
        assembly.add(box(width * 1.06, depth * 1.06, 0.04, dice.pick(0.0, 0.03)), move(z=lift + height))
    columns, rows = dice.whole(1, 3), dice.whole(1, 5)
    each, tall, gap = (width - 0.04) / columns, (height - 0.04) / rows, 0.03
    pull = knob(dice, dice.between(0.02, 0.04))
    framed, open_fronts = dice.chance(0.3), dice.chance(0.2)
    for i in range(columns):
        row = 0
        while row < rows:
            span = 2 if row + 1 < rows and dice.chance(0.2) else 1
            x, z = -width / 2 + 0.02 + each * (i + 0.5), lift + 0.02 + tall * (row + span / 2)
            place = move(x, -depth / 2 + 0.001, z) @ FACE_ON
            assembly.add(box(each - gap, tall * span - gap, 0.021), place, part="fronts")
            if framed:
                panel = box((each - gap) * 0.75, (tall * span - gap) * 0.7, 0.012)
                assembly.add(panel, place @ move(z=0.02), part="panels")
            if not open_fronts:
                offset = tall * 0.25 if span == 1 else 0.0
                assembly.add(pull, place @ move(0, offset, 0.02 + 0.012 * framed), part="knobs")
            row += span
    if lift > 0.1:
        legs(assembly, dice, width, depth, lift + 0.01)


@family("Shelf", "Storage rack", "Bookcase", uspc=("D6/675.3", "D6/702"), locarno="06-06")
def shelf(dice: Dice, assembly: Assembly) -> None:
    """Boards between panels or posts, with a back or cross braces."""
    width, depth, height = dice.between(0.5, 1.4), dice.between(0.2, 0.4), dice.between(0.6, 1.9)
    thick, boards, uprights = dice.between(0.015, 0.05), dice.whole(2, 7), dice.whole(2, 4)
    stepped = dice.chance(0.25)
    for i in range(boards):
        deep = depth * (1 - 0.5 * i / boards) if stepped else depth
        assembly.add(box(width, deep, thick), move(0, (depth - deep) / 2, height * i / (boards - 1)), part="boards")
    panels = dice.chance(0.4)
    section = superellipse(dice.pick(2, 8), 16)
    for i in range(uprights):
        x = -width / 2 + width * i / (uprights - 1)
        if panels:
            assembly.add(box(thick, depth * 0.98, height + thick), move(x), part="uprights")
        else:
            for side in (-1, 1):
                y = side * (depth / 2 - 0.02)
                assembly.add(tube([(x, y, -0.05), (x, y, height + 0.05)], thick * 0.7, section), part="uprights")
    if dice.chance(0.35):
        assembly.add(box(width, 0.01, height), move(0, depth / 2))
    elif dice.chance(0.5):
        for side in (-1, 1):
            x = side * width / 2
            assembly.add(tube([(-x, depth / 2, 0), (x, depth / 2, height)], 0.01), part="braces")
