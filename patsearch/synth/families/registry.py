"""What a family of objects is, and the list of them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from patsearch.models.mesh import Assembly
from patsearch.synth.dice import Dice

Draw = Callable[[Dice, Assembly], None]


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of object, in endless variants.

    Attributes:
        name: unique; held-out sets are cut by it.
        titles: how a patent might call it; each design picks one.
        uspc: codes in normal form of such designs, mostly the first; each design picks one.
        locarno: code in normal form.
        draw: adds the solids of one object to an assembly; all that is random comes from the dice.
        flat: a drawing on a surface (an icon, a pattern): shown from the front alone.
    """

    name: str
    titles: tuple[str, ...]
    uspc: tuple[str, ...]
    locarno: str
    draw: Draw
    flat: bool = False

    def build(self, dice: Dice) -> Assembly:
        """One object."""
        assembly = Assembly()
        self.draw(dice, assembly)
        return assembly


_FAMILIES: dict[str, Family] = {}


def family(*titles: str, uspc: str | tuple[str, ...], locarno: str, flat: bool = False) -> Callable[[Draw], Draw]:
    """Register the decorated function as the family of its name.

    Raises:
        ValueError: the name is taken.
    """

    def register(draw: Draw) -> Draw:
        name = draw.__name__
        if name in _FAMILIES:
            raise ValueError(f"There are two families called {name!r}.")
        codes = (uspc,) if isinstance(uspc, str) else uspc
        _FAMILIES[name] = Family(name, titles, codes, locarno, draw, flat)
        return draw

    return register


def registered() -> dict[str, Family]:
    """Every family that was imported, by name, in alphabetical order."""
    return dict(sorted(_FAMILIES.items()))
