"""What an office publishes about a design at a time: that it is new, has changed, or is deleted.

A register is the sum of its notices. The latest one of a design counts, whatever the order in which files are read:
each has a version, a text that sorts by date. Offices do not repeat pictures with every notice, so a picture is taken
from the latest notice that came with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Literal

from patsearch.ingest.events import Base, Event
from patsearch.types import Patent

Deed = Literal["new", "amended", "deleted"]
_RANK: dict[Deed, int] = {"new": 0, "amended": 1, "deleted": 2}
_DAY = re.compile(r"(?<!\d)((?:19|20)\d\d)([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)")
_WEEK = re.compile(r"(?<!\d)((?:19|20)\d\d)[-_]?W?([0-4]\d|5[0-3])(?!\d)")


@dataclass(frozen=True, slots=True)
class View:
    """One picture of a design as a notice names it.

    Attributes:
        name: of the sheet, unique in the design and the same in every notice.
        files: what its file may be called, the likeliest first: a path, a name, or a name without its suffix.
        figure: its number, "" where none is given.
        title: what it shows.
        exact: whether a file must have the whole of a path, not just the name at its end.
    """

    name: str
    files: tuple[str, ...] = ()
    figure: str = ""
    title: str = ""
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice about one design.

    Attributes:
        patent: its number and data, without sheets.
        dated: the day of the notice, None where it does not say.
        views: its pictures; None where the notice does not speak of them, so that they are as before.
        base: of an international registration, its protection before any event.
    """

    patent: Patent
    deed: Deed = "new"
    dated: date | None = None
    views: tuple[View, ...] | None = None
    base: Base | None = None


@dataclass(frozen=True, slots=True)
class Happened:
    """Events of a registration, by its number in normal form."""

    registration: str
    events: tuple[Event, ...]


def version(notice: Notice, file: str, delivered: date | None, place: int) -> str:
    """A text by which the notices about a design sort: by day, then new, amended, deleted, then file and place in it.

    Args:
        file: name of the file; numbers in it count as numbers.
        delivered: the day of the file, None where neither it nor its name says one.
        place: of the notice in the file.
    """
    day = delivered or notice.dated
    padded = re.sub(r"\d+", lambda number: number[0].zfill(9), file)
    return f"{day.isoformat() if day else '0000-00-00'} {_RANK[notice.deed]} {padded} {place:07d}"


def day_in_name(*names: str) -> date | None:
    """The day in the first name that has one: `20260703`, `2026-07-03`; of a week, `202627`, `2026-27`, the Monday."""
    for name in names:
        for found in _DAY.finditer(name):
            try:
                return date(int(found[1]), int(found[3]), int(found[4]))
            except ValueError:
                continue
        for found in _WEEK.finditer(name):
            try:
                return date.fromisocalendar(int(found[1]), int(found[2]), 1)
            except ValueError:
                continue
    return None
