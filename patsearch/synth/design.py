"""Designs: which object is number i of a corpus, in any process.

Everything about a design follows from the corpus's seed and the design's number, so that several
processes make one corpus and any part of it can be made again alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from patsearch.errors import UsageError
from patsearch.models.mesh import Mesh
from patsearch.models.render import View, render
from patsearch.synth.dice import Dice
from patsearch.synth.families import FAMILIES, Family
from patsearch.synth.style import Style, ink
from patsearch.synth.views import choose_views

# What the streams of random numbers of one design are for.
ORDER, SHAPE, NUDGE, VIEWS, STYLE, SHEETS, GRANT = range(7)

_ATTEMPTS = 20
_FEWEST_VIEWS = {False: 4, True: 2}


@dataclass(frozen=True, slots=True)
class Plan:
    """What design `index` of a corpus is to be, before anything is built.

    Attributes:
        near_duplicate_of: number of the design whose construction it repeats in slightly other
            proportions, None for an independent design.
    """

    seed: int
    index: int
    family: Family
    near_duplicate_of: int | None = None

    def rng(self, stream: int, *more: int) -> np.random.Generator:
        """The design's generator for one purpose."""
        return np.random.default_rng([self.seed, self.index, stream, *more])


@dataclass(frozen=True, slots=True)
class Design:
    """One design: an object, its name and classes, and the views that it is shown in.

    Attributes:
        unclaimed: parts drawn in broken lines in every view.
        attempt: how many objects were thrown away before this one, because its views were too similar.
    """

    plan: Plan
    title: str
    uspc: str
    mesh: Mesh
    views: tuple[View, ...]
    unclaimed: frozenset[int]
    attempt: int = 0

    @property
    def index(self) -> int:
        return self.plan.index

    @property
    def family(self) -> Family:
        return self.plan.family


def plan_design(seed: int, index: int, *, families: Sequence[str] | None = None, near_duplicates: float = 0.1) -> Plan:
    """Decide on family and near duplication; the families take turns in shuffled rounds.

    Args:
        families: names of those to draw from, None for all.
        near_duplicates: share of the designs that repeat an earlier one.

    Raises:
        UsageError: an unknown family, or a share outside of [0, 1).
    """
    if not 0 <= near_duplicates < 1:
        raise UsageError(f"Invalid --near-duplicates {near_duplicates}: expected 0 to below 1.")
    names = sorted(families) if families is not None else sorted(FAMILIES)
    unknown = [name for name in names if name not in FAMILIES]
    if unknown or not names:
        raise UsageError(
            f"Unknown family {', '.join(unknown) or '(none given)'}.", hint=f"Known: {', '.join(FAMILIES)}."
        )
    original = index
    while original > 0:
        rng = np.random.default_rng([seed, original, ORDER])
        if rng.random() >= near_duplicates:
            break
        original = int(rng.integers(original))
    turn, place = divmod(original, len(names))
    name = names[np.random.default_rng([seed, turn]).permutation(len(names))[place]]
    return Plan(seed, index, FAMILIES[name], None if original == index else original)


def make_design(plan: Plan) -> Design:
    """Build the object and choose its views.

    Raises:
        RuntimeError: the family made nothing worth drawing in many attempts: a fault of the family.
    """
    source, first = plan.index, 0
    if plan.near_duplicate_of is not None:
        # The object to repeat is the one that was kept, not one thrown away before it.
        source = plan.near_duplicate_of
        first = make_design(Plan(plan.seed, source, plan.family)).attempt
    for attempt in range(first, first + _ATTEMPTS):
        nudge = None if plan.near_duplicate_of is None else plan.rng(NUDGE)
        dice = Dice(np.random.default_rng([plan.seed, source, SHAPE, attempt]), nudge)
        mesh = plan.family.build(dice).mesh()
        chooser = Dice(plan.rng(VIEWS, attempt))
        views = choose_views(mesh, chooser, count=chooser.whole(6, 8), flat=plan.family.flat)
        if len(views) >= _FEWEST_VIEWS[plan.family.flat]:
            return Design(
                plan,
                title=chooser.pick(*plan.family.titles),
                uspc=chooser.pick(plan.family.uspc[0], *plan.family.uspc),
                mesh=mesh,
                views=tuple(views),
                unclaimed=_unclaimed(mesh, chooser),
                attempt=attempt,
            )
    raise RuntimeError(f"The family {plan.family.name!r} made nothing worth drawing ({plan}).")


def iter_designs(
    seed: int, n: int, *, families: Sequence[str] | None = None, near_duplicates: float = 0.0
) -> Iterator[Design]:
    """The first n designs of a corpus, made one at a time: for training without files."""
    for index in range(n):
        yield make_design(plan_design(seed, index, families=families, near_duplicates=near_duplicates))


def render_views(
    mesh: Mesh,
    views: Sequence[View],
    rng: np.random.Generator,
    *,
    size: int = 224,
    unclaimed: frozenset[int] = frozenset(),
) -> NDArray[np.uint8]:
    """Draw the views of an object, each in its own random style, one in eight turned on its side.

    Returns:
        (len(views), size, size) uint8, black on white.
    """
    dice = Dice(rng)
    drawings = np.empty((len(views), size, size), np.uint8)
    for i, view in enumerate(views):
        lines = render(mesh, view, size=3 * size)
        drawing = ink(lines, Style.draw(dice, unclaimed), size, rng, margin=dice.between(0.03, 0.1))
        drawings[i] = np.rot90(drawing) if dice.chance(0.125) else drawing
    return drawings


def _unclaimed(mesh: Mesh, dice: Dice) -> frozenset[int]:
    """Parts in broken lines: none in most designs, and never all."""
    if mesh.part_count < 2 or not dice.chance(0.2):
        return frozenset()
    disclaimed = np.flatnonzero(dice.rng.random(mesh.part_count) < 0.35)
    return frozenset(disclaimed.tolist()) if len(disclaimed) < mesh.part_count else frozenset()
