"""Drawings and units as JSON, in the columns `payload` and `unit` of a partition's file.

A unit is written as what an ingest needs of it after its sheets have been read: its identity, what went wrong, and of a
register's record or event the whole of it, which is settled against the index when it is loaded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from patsearch.ingest.events import Base, Event
from patsearch.ingest.notices import View
from patsearch.ingest.sources import Problem, Unit
from patsearch.ingest.sources.designs import DesignUnit, Picture, RegistrationUnit
from patsearch.ingest.sources.stored import Stored
from patsearch.ingest.worker import UnitResult
from patsearch.types import Drawing, Patent


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture of a record: its view, the version of the record that it came with, its checksum."""

    view: str
    version: str
    crc: str


@dataclass(frozen=True, slots=True)
class Record:
    """What `DesignUnit` has more than `Unit`."""

    dated: str
    deleted: bool
    patent: Patent
    views: tuple[View, ...] | None
    views_dated: str
    pictures: tuple[Shown, ...]
    base: Base | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """A unit, and of its result what is not in the rows of its drawings.

    Attributes:
        patent: number of the patent as it was read.
        record: of a unit that is a register's record.
        events: of a unit that is events of a registration.
    """

    key: str
    fingerprint: str
    origin: str
    size: int
    patent: str
    sheets: int = 0
    problems: tuple[Problem, ...] = ()
    remarks: tuple[Problem, ...] = ()
    failed: str | None = None
    record: Record | None = None
    events: tuple[Event, ...] | None = None

    @property
    def failures(self) -> list[Problem]:
        """What of it could not be read, all of it included."""
        whole = [] if self.failed is None else [Problem(f"{self.origin}: {self.key}", self.failed)]
        return [*self.problems, *whole]


_UNIT = TypeAdapter(Written)
_DRAWING = TypeAdapter(Drawing)
_READ = Stored(Path())  # a picture's file: what it showed is in the drawings


@dataclass(frozen=True, kw_only=True)
class LoadedUnit(Unit):
    """A unit whose sheets were read elsewhere."""

    patent: str

    def load(self) -> Patent:
        return Patent(number=self.patent)


def written(unit: Unit, result: UnitResult) -> Written:
    """What to keep of a unit and its result."""
    record = None
    if isinstance(unit, DesignUnit):
        pictures = tuple(Shown(one.view, one.version, one.crc) for one in unit.pictures)
        record = Record(unit.dated, unit.deleted, unit.patent, unit.views, unit.views_dated, pictures, unit.base)
    return Written(
        unit.key,
        unit.fingerprint,
        unit.origin,
        unit.size,
        result.patent,
        result.sheets,
        tuple(result.problems),
        tuple(result.remarks),
        result.failed,
        record,
        unit.events if isinstance(unit, RegistrationUnit) else None,
    )


def unit_of(found: Written) -> Unit:
    """The unit, as an index takes it."""
    key, fingerprint, origin, size = found.key, found.fingerprint, found.origin, found.size
    if found.events is not None:
        return RegistrationUnit(key=key, fingerprint=fingerprint, origin=origin, size=size, events=found.events)
    if (record := found.record) is None:
        return LoadedUnit(key=key, fingerprint=fingerprint, origin=origin, size=size, patent=found.patent)
    return DesignUnit(
        key=key,
        fingerprint=fingerprint,
        origin=origin,
        size=size,
        dated=record.dated,
        deleted=record.deleted,
        patent=record.patent,
        views=record.views,
        views_dated=record.views_dated,
        pictures=tuple(Picture(one.view, _READ, one.version, one.crc) for one in record.pictures),
        base=record.base,
    )


def unit_text(found: Written) -> str:
    """JSON, without what is at its default."""
    return _UNIT.dump_json(found, exclude_defaults=True).decode()


def read_unit(text: str) -> Written:
    """What `unit_text` wrote; raises ValueError where something else wrote it."""
    return _UNIT.validate_json(text, strict=True)


def drawing_text(drawing: Drawing) -> str:
    """JSON, without what is at its default."""
    return _DRAWING.dump_json(drawing, exclude_defaults=True).decode()


def read_drawing(text: str) -> Drawing:
    """What `drawing_text` wrote; raises ValueError where something else wrote it."""
    return _DRAWING.validate_json(text, strict=True)


def digest_of(settings: object, units: Iterable[tuple[str, str]]) -> str:
    """What a partition is made of: the settings, key and fingerprint of each unit in order; 32 hex digits."""
    digest = hashlib.blake2b(repr(settings).encode(), digest_size=16)
    for key, fingerprint in units:
        digest.update(f"\0{key}\0{fingerprint}".encode())
    return digest.hexdigest()
