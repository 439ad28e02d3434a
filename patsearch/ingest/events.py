"""What happens to designs of an international registration after it, and what that leaves of their protection.

Protection under the Hague Agreement is per design and country. Bulletins name events without repeating what came
before, so an index keeps all events of a registration, and works out the protection from all of them: they may come in
any order, and more than once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, get_args

from patsearch.bibliography import Protection
from patsearch.types import JsonDict

Kind = Literal["refusal", "grant", "renewal", "renunciation", "limitation", "invalidation"]
# On one day in this order: a refusal that a grant of protection follows is over.
KINDS: tuple[Kind, ...] = get_args(Kind)
_ENDED: dict[str, str] = {"renunciation": "renounced", "limitation": "limited", "invalidation": "invalidated"}


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """One event of a registration.

    Attributes:
        day: ISO date, "" where none is known.
        designs: places of the designs that it is about; none for all.
        countries: codes of the designated countries that it is about; none for all.
        expires: of a renewal, the new last day as ISO date; "" elsewhere.
    """

    day: str
    kind: Kind
    designs: tuple[int, ...] = ()
    countries: tuple[str, ...] = ()
    expires: str = ""

    def is_about(self, design: int, country: str) -> bool:
        """Whether it changes the protection of a design in a country."""
        return (not self.designs or design in self.designs) and (not self.countries or country in self.countries)


@dataclass(frozen=True, slots=True)
class Base:
    """The protection that a registration says a design has, before any event.

    Attributes:
        countries: codes of the designated countries.
        assumed: what `last` rests on that the registration does not say.
    """

    countries: tuple[str, ...]
    first: date | None
    last: date | None
    assumed: str = ""


def protections(base: Base, events: Iterable[Event], design: int) -> tuple[Protection, ...]:
    """The protection of a design in each country, with its status in words.

    Args:
        design: its place in the registration.
    """
    ordered = sorted(events, key=lambda event: (event.day, KINDS.index(event.kind), event))
    return tuple(_in_country(base, ordered, design, country) for country in base.countries)


def _in_country(base: Base, events: Iterable[Event], design: int, country: str) -> Protection:
    last, assumed, status = base.last, base.assumed, "registered"
    over: date | None = None
    refused = False
    for event in events:
        if not event.is_about(design, country):
            continue
        day = date.fromisoformat(event.day) if event.day else None
        match event.kind:
            case "refusal":
                refused, status = True, "refused"
            case "grant":
                refused, status = False, "protection granted"
            case "renewal":
                if event.expires:
                    renewed = date.fromisoformat(event.expires)
                    # What an earlier renewal said is known, however the registration was written.
                    last, assumed = max(renewed, last or renewed), ""
            case "renunciation" | "limitation" | "invalidation":
                status, over = _ENDED[event.kind], day or date.min
    if over is not None:
        last = min(last or over, over)
    if refused or (last and base.first and last < base.first):
        last = None
    return Protection(country, base.first, last, status, assumed if last else "")


# ---------------------------------------------------------------------- the stored form


def events_json(events: Iterable[Event]) -> list[list[Any]]:
    """For the journal, in one order."""
    return [[e.day, e.kind, list(e.designs), list(e.countries), e.expires] for e in sorted(set(events))]


def read_events(found: Any) -> tuple[Event, ...]:
    """What `events_json` wrote.

    Raises:
        ValueError, TypeError: something else wrote it.
    """
    return tuple(
        Event(str(day), KINDS[KINDS.index(kind)], tuple(map(int, designs)), tuple(map(str, countries)), str(expires))
        for day, kind, designs, countries, expires in found
    )


def base_json(base: Base) -> JsonDict:
    """For the journal."""
    days = {name: day.isoformat() for name in ("first", "last") if (day := getattr(base, name))}
    return {"countries": list(base.countries), **days, **({"assumed": base.assumed} if base.assumed else {})}


def read_base(found: JsonDict) -> Base:
    """What `base_json` wrote; errors as above, and KeyError."""
    first, last = (date.fromisoformat(found[name]) if name in found else None for name in ("first", "last"))
    return Base(tuple(map(str, found["countries"])), first, last, str(found.get("assumed", "")))
