"""What an index holds, as a record says it: counts, dates and sources, without a look at every drawing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Self

from patsearch.backends import Backend
from patsearch.engine import Engine
from patsearch.filters import parse_filter
from patsearch.text import counted

_FIRST, _LAST = date(1790, 1, 1), date(2200, 12, 31)
_SOURCES_NAMED = 6
_MOST_REPORTS = 1000
_MOST_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Collection:
    """What was searched.

    Attributes:
        undated: drawings whose patents have no date of grant.
        granted: the first and the last day of grant, None where none is known.
        sources: names of the archives and folders that were ingested, as far as the index has reports of it.
        ingested: when something was ingested last, in UTC; "" where nobody knows.
    """

    drawings: int
    patents: int
    undated: int
    granted: tuple[date, date] | None
    sources: tuple[str, ...]
    ingested: str

    @classmethod
    def of(cls, engine: Engine) -> Self:
        """Of an index as it is now."""
        backend = engine.backend
        return cls(
            drawings=backend.count(),
            patents=backend.patents(),
            undated=backend.lacking(["granted"]),
            granted=_granted(backend),
            sources=_sources(engine.path),
            ingested=engine.journal.last(),
        )

    def words(self) -> list[tuple[str, str]]:
        """Names and values."""
        missing = f"; {counted(self.undated, 'drawing')} without a date" if self.undated else ""
        period = "{} to {}".format(*self.granted) if self.granted else ""
        named = ", ".join(self.sources[:_SOURCES_NAMED])
        more = len(self.sources) - _SOURCES_NAMED
        return [
            ("Collection", f"{counted(self.patents, 'patent')}, {counted(self.drawings, 'drawing')}"),
            ("Granted", f"{period}{missing}".removeprefix("; ")),
            ("Sources", f"{len(self.sources)}: {named}{f' and {more} more' if more > 0 else ''}" if named else ""),
            ("Last ingested", self.ingested),
        ]


def _granted(backend: Backend) -> tuple[date, date] | None:
    """The first and the last day of grant, by counting what is granted until a day."""
    until = _days_counted(backend)
    if not until(_LAST):
        return None
    first = _least(lambda day: until(day) > 0)
    last = _least(lambda day: until(day) == until(_LAST))
    return first, last


def _days_counted(backend: Backend) -> Callable[[date], int]:
    known: dict[date, int] = {}

    def until(day: date) -> int:
        if day not in known:
            known[day] = backend.count(parse_filter(f"granted<={day}"))
        return known[day]

    return until


def _least(holds: Callable[[date], bool]) -> date:
    """The first day from which on something holds."""
    low, high = _FIRST.toordinal(), _LAST.toordinal()
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(date.fromordinal(middle)) else (middle + 1, high)
    return date.fromordinal(low)


def _sources(index: Path) -> tuple[str, ...]:
    """Names without folders, from the reports of the ingests, the first first."""
    names: dict[str, None] = {}
    for file in sorted((index / "reports").glob("ingest-*.json"))[:_MOST_REPORTS]:
        with suppress(OSError, ValueError):
            if file.stat().st_size > _MOST_BYTES:
                continue
            report = json.loads(file.read_text(encoding="utf-8"))
            given = report.get("sources", []) if isinstance(report, dict) else []
            for source in given if isinstance(given, list) else []:
                name = re.split(r"[/\\]", str(source).rstrip("/\\"))[-1][:120]
                names.setdefault(name)
    names.pop("", None)
    return tuple(names)
