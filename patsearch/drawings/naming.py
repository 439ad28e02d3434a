"""Makes the figure numbers of one patent agree with each other and with its captions."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

from patsearch.drawings.figure import SplitSheet
from patsearch.drawings.labels import canonical
from patsearch.types import Caption


@dataclass(eq=False, slots=True)
class _Place:
    """One figure: its sheet, its place on it, and the index of its number among those expected."""

    sheet: int
    figure: int
    label: str | None
    index: int | None = None


def name_figures(
    sheets: Sequence[SplitSheet], captions: Sequence[Caption], figure_count: int | None
) -> list[SplitSheet]:
    """The sheets of one patent with labels made consistent.

    Grants number their figures in page order. A number that was not read, was read twice, or that
    the grant does not have, is filled in where between its neighbours exactly as many numbers are
    missing as there are such figures. Where that does not come out even, everything stays as read.

    Args:
        sheets: the sheets in page order, without the front page (it repeats another sheet).
        captions: what the grant says of its figures, in its order; may be empty.
        figure_count: the number of figures that the grant states.
    """
    places = [_Place(s, f, fig.label) for s, sheet in enumerate(sheets) for f, fig in enumerate(sheet.figures)]
    expected = _expected(places, captions, figure_count)
    if not expected:
        return list(sheets)
    _anchor(places, {canonical(number): i for i, number in enumerate(expected)})
    _fill(places, expected)
    named = [list(sheet.figures) for sheet in sheets]
    for place in places:
        label = place.label if place.index is None else expected[place.index]
        named[place.sheet][place.figure] = replace(named[place.sheet][place.figure], label=label)
    return [replace(sheet, figures=tuple(figures)) for sheet, figures in zip(sheets, named, strict=True)]


def _expected(places: Sequence[_Place], captions: Sequence[Caption], figure_count: int | None) -> list[str]:
    """The grant's figure numbers; 1 to n where it names none but counts as many as were found."""
    if captions:
        return list(dict.fromkeys(caption.figure for caption in captions))
    plain = all(place.label is None or place.label.isdecimal() for place in places)
    return [str(i + 1) for i in range(figure_count)] if plain and figure_count == len(places) else []


def _anchor(places: Sequence[_Place], order: dict[str, int]) -> None:
    """Trust the numbers that rise along the pages, and those out of order that occur once."""
    known = [
        (place, order[canonical(place.label)]) for place in places if place.label and canonical(place.label) in order
    ]
    known.sort(key=lambda item: (item[0].sheet, item[1]))
    # Longest strictly rising subsequence by patience sorting.
    tails: list[int] = []
    ends: list[int] = []
    before: list[int | None] = []
    for k, (_, index) in enumerate(known):
        at = bisect_left(tails, index)
        before.append(ends[at - 1] if at else None)
        if at == len(tails):
            tails.append(index)
            ends.append(k)
        elif index < tails[at]:
            tails[at], ends[at] = index, k
    k_or_none = ends[-1] if ends else None
    while k_or_none is not None:
        place, index = known[k_or_none]
        place.index = index
        k_or_none = before[k_or_none]
    taken = {place.index for place in places}
    for place, index in known:
        if place.index is None and index not in taken:
            place.index = index
            taken.add(index)


def _fill(places: Sequence[_Place], expected: Sequence[str]) -> None:
    """Give figures without a trusted number the numbers missing between their neighbours."""
    open_places: dict[tuple[int, int], list[_Place]] = {}
    for place in places:
        if place.index is None:
            earlier = [p.index for p in places if p.sheet < place.sheet and p.index is not None]
            later = [p.index for p in places if p.sheet > place.sheet and p.index is not None]
            interval = (max(earlier, default=-1), min(later, default=len(expected)))
            open_places.setdefault(interval, []).append(place)
    taken = {place.index for place in places}
    for (low, high), group in open_places.items():
        missing = [i for i in range(low + 1, high) if i not in taken]
        if len(missing) == len(group):
            for place, index in zip(group, missing, strict=True):
                place.index = index
        else:
            _forget_repeated(group, places)


def _forget_repeated(group: Sequence[_Place], places: Sequence[_Place]) -> None:
    """A number that fits another figure better is not the number of this one."""
    borne = {canonical(place.label) for place in places if place.index is not None and place.label}
    for place in group:
        if place.label and canonical(place.label) in borne:
            place.label = None
