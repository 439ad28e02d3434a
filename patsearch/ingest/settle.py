"""Brings a notice about a design and what the index holds of that design together.

The outcome depends on the notices and pictures alone, not on the order in which they were ingested: of the data, the
latest notice counts; of each picture, the one that came with the latest notice that had it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from patsearch.bibliography import Bibliography
from patsearch.encoder.base import Embeddings
from patsearch.engine import Engine, Entry, State
from patsearch.ingest.entries import Dated, Settings
from patsearch.ingest.events import Base, Event, protections
from patsearch.ingest.notices import View
from patsearch.ingest.sources import Problem
from patsearch.ingest.sources.designs import DesignUnit, RegistrationUnit, view_of
from patsearch.ingest.sources.grants import FRONT_PAGE
from patsearch.ingest.worker import UnitResult
from patsearch.numbers import registration_of
from patsearch.types import Drawing, Patent

OLDER = "older than what the index has of the design"
DELETED = "deleted by the office"
_TOLD = 5
_BAD = "!"  # before the checksum of a picture that gave no drawing: it is read again in every run


@dataclass(frozen=True, slots=True)
class Settled:
    """What an index holds of a design after a notice.

    Attributes:
        result: with all its drawings and vectors, those that the index has too; the thumbnails of new ones.
        dated: for the journal.
        fingerprint: of the notice that the data are from.
        state: `deleted` where the office has deleted it.
    """

    result: UnitResult
    dated: Dated
    fingerprint: str
    state: State


def nothing_new(unit: DesignUnit, entry: Entry) -> str | None:
    """Why a notice would change nothing of what the index has; None where it would, or where that is to be tried."""
    dated = Settings.read(entry.settings).dated
    if dated is None or entry.state in ("failed", "described", "replaced"):
        return None
    if unit.dated < dated.version:
        speaks = unit.views is not None and dated.views < unit.views_dated
        if entry.state != "deleted" and (speaks or any(_newer(dated, one.view, one.version) for one in unit.pictures)):
            return None
        return OLDER
    # The same again on a later day counts from that day on: what is between the two is older.
    if unit.dated > dated.version or entry.fingerprint != unit.fingerprint:
        return None
    if entry.state == "deleted":
        return DELETED if unit.deleted else None
    same = all(
        one.view in dated.sheets
        and (stored := dated.sheets[one.view])
        and (stored[0] == one.crc or stored[1] > one.version)
        for one in unit.pictures
    )
    return "already in the index" if same and entry.state == "done" else None


def settle(engine: Engine, unit: DesignUnit, result: UnitResult, entry: Entry | None) -> Settled:
    """The design with this notice. Reads the index, and writes nothing."""
    stored = Settings.read(entry.settings).dated if entry else None
    if entry is None or stored is None:
        stored = Dated("")
    latest = unit.dated >= stored.version
    if latest and unit.deleted:
        empty = UnitResult(patent=result.patent, vectors=_no_vectors(engine), stages=result.stages)
        return Settled(empty, Dated(unit.dated, unit.dated), unit.fingerprint, "deleted")
    old = _Old(*engine.drawings_of(unit.key)) if entry else _Old([], _no_vectors(engine))
    patent = unit.patent if latest else stored.record and stored.record[0]
    if unit.views is not None and unit.views_dated >= stored.views:
        views_dated, views = unit.views_dated, unit.views
    else:
        views_dated, views = stored.views, stored.record[1] if stored.record else old.views(stored)
    base = unit.base if latest else stored.base
    described = _with_events(engine, unit.key, base, patent)
    version = unit.dated if latest else stored.version
    merge = _Merge(unit, result, stored, old)
    sheets = {view.name: merge.take(view, described) for view in views}
    missing = [name for name, picture in sheets.items() if picture is None]
    problems = list(result.problems)
    if missing:
        told = ", ".join(missing[:_TOLD]) + (" ..." if len(missing) > _TOLD else "")
        what = f"{len(missing)} of {len(views)} pictures are neither in these files nor in the index: {told}"
        problems.append(Problem(f"{unit.origin}: {unit.key}", what))
    unused = {drawing.id for drawing in result.drawings} - merge.fresh
    settled = replace(
        result,
        drawings=merge.drawings,
        vectors=np.stack(merge.vectors) if merge.vectors else _no_vectors(engine),
        thumbnails=[one for one in result.thumbnails if one[0] not in unused],
        problems=problems,
    )
    # Older notices may bring what is missing; the data are those of this one.
    record = (patent, views) if patent and (missing or not views_dated or not merge.drawings) else None
    fingerprint = unit.fingerprint if latest or entry is None else entry.fingerprint
    sound = all(picture and not picture[0].startswith(_BAD) for picture in sheets.values())
    return Settled(
        settled, Dated(version, views_dated, sheets, record, base), fingerprint, "done" if sound else "partial"
    )


def settle_events(engine: Engine, unit: RegistrationUnit, entry: Entry | None) -> tuple[UnitResult, tuple[Event, ...]]:
    """The drawings of a registration's designs with these events and those known before, and all events."""
    known = Settings.read(entry.settings).events if entry else ()
    events = tuple(sorted({*known, *unit.events}))
    drawings: list[Drawing] = []
    vectors = [_no_vectors(engine)]
    for design in engine.journal.of_registration(unit.key):
        dated = Settings.read(design.settings).dated
        if dated is None or dated.base is None or design.state not in ("done", "partial"):
            continue
        spans = protections(dated.base, events, _place(design.key))
        old, of_them = engine.drawings_of(design.patent)
        drawings += [
            replace(one, bibliography=replace(one.bibliography or Bibliography(), protections=spans)) for one in old
        ]
        vectors.append(of_them)
    return UnitResult(patent=unit.key, drawings=drawings, vectors=np.concatenate(vectors)), events


def with_events(engine: Engine, unit: DesignUnit) -> Patent:
    """The data of a notice, with the protection that is left after the events that the index knows."""
    return _with_events(engine, unit.key, unit.base, unit.patent) or unit.patent


def _with_events(engine: Engine, number: str, base: Base | None, patent: Patent | None) -> Patent | None:
    entry = engine.journal.get(registration_of(number)) if base and patent else None
    if entry is None or base is None or patent is None:
        return patent
    spans = protections(base, Settings.read(entry.settings).events, _place(number))
    return replace(patent, bibliography=replace(patent.bibliography or Bibliography(), protections=spans))


def _place(number: str) -> int:
    """Of a design in its registration."""
    return int(number.rpartition("-")[2])


class _Old:
    """The drawings of a design that the index has."""

    def __init__(self, drawings: list[Drawing], vectors: Embeddings) -> None:
        self.drawings = drawings
        self.vectors = vectors

    def of_view(self, name: str, names: list[str]) -> list[int]:
        """Places of the drawings of a view."""
        return [place for place, one in enumerate(self.drawings) if view_of(one.sheet, names) == name]

    def views(self, stored: Dated) -> tuple[View, ...]:
        """The views as far as the drawings show them."""
        names = list(stored.sheets)
        shown: dict[str, Drawing] = {}
        for one in self.drawings:
            shown.setdefault(view_of(one.sheet, names) or one.sheet, one)
        found = {name: shown.get(name) for name in [*names, *shown]}
        return tuple(
            View(name, figure=(one.figure or "") if one else "", title=(one.view or "") if one else "")
            for name, one in found.items()
        )


class _Merge:
    """Chooses the picture of each view, the notice's or the index's."""

    def __init__(self, unit: DesignUnit, result: UnitResult, stored: Dated, old: _Old) -> None:
        self._pictures = {picture.view: picture for picture in unit.pictures}
        self._stored = stored
        self._old = old
        self._result = result
        self._captions = bool(unit.patent.captions)
        self._names = list({*stored.sheets, *(view.name for view in unit.views or ())})
        self._new: defaultdict[str, list[int]] = defaultdict(list)
        for place, drawing in enumerate(result.drawings):
            self._new[view_of(drawing.sheet, self._names) or ""].append(place)
        self.drawings: list[Drawing] = []
        self.vectors: list[Embeddings] = []
        self.fresh: set[str] = set()

    def take(self, view: View, patent: Patent | None) -> tuple[str, str] | None:
        """Adds the drawings of a view; returns checksum and version of its picture, None where there is none."""
        picture, stored = self._pictures.get(view.name), self._stored.sheets.get(view.name)
        if picture is not None and _newer(self._stored, view.name, picture.version, or_same=True):
            assert self._result.vectors is not None, "encoded before it is stored"
            places = self._new[view.name]
            found = [self._result.drawings[place] for place in places]
            self.fresh.update(drawing.id for drawing in found)
            self.vectors += [self._result.vectors[place] for place in places]
            sound = places or view.name == FRONT_PAGE
            stored = (picture.crc if sound else _BAD + picture.crc, picture.version)
        else:
            places = self._old.of_view(view.name, self._names)
            found = [self._old.drawings[place] for place in places]
            self.vectors += [self._old.vectors[place] for place in places]
        self.drawings += [self._described(one, view, patent, alone=len(found) == 1) for one in found]
        return stored

    def _described(self, drawing: Drawing, view: View, patent: Patent | None, *, alone: bool) -> Drawing:
        """The drawing with the data of the latest notice."""
        of_model = drawing.sheet.startswith(f"{view.name}--")
        if not of_model:
            figure = (view.figure if alone else "") or drawing.figure
            # Captions name figures, and views are named by their sheets.
            caption = drawing.view if self._captions else None
            drawing = replace(drawing, figure=figure, view=view.title or caption)
        if patent is None:
            if not self._old.drawings:
                return drawing
            data: Patent | Drawing = self._old.drawings[0]
        else:
            data = patent
        names = ("title", "kind", "granted", "filed", "classes", "bibliography")
        return replace(drawing, **{name: getattr(data, name) for name in names})


def _newer(stored: Dated, view: str, version: str, *, or_same: bool = False) -> bool:
    """Whether a picture of a view is later than the one that the index has, or the index has none of that view."""
    if view not in stored.sheets:
        return or_same
    picture = stored.sheets[view]
    return picture is None or picture[1] < version or (or_same and picture[1] == version)


def _no_vectors(engine: Engine) -> Embeddings:
    return np.empty((0, engine.spec.dim), np.float32)
