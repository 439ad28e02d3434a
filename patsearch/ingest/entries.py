"""What the journal's `settings` of a unit hold: the options that shape its drawings, and how current they are."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Self

from patsearch.bibliography import from_text, to_text
from patsearch.classification import try_code
from patsearch.ingest.events import Base, Event, base_json, events_json, read_base, read_events
from patsearch.ingest.notices import View
from patsearch.types import JsonDict, Patent

_DESCRIBED, _DATED, _EVENTS = "bibliography", "dated", "events"


@dataclass(frozen=True, slots=True)
class Dated:
    """From which notices the drawings of a design are.

    Attributes:
        version: of the notice that its data are from.
        sheets: each of its views, with the checksum of its picture and the version of the notice that the picture
            came with; None where the picture has not come yet.
        views: version of the notice that says which views there are, "" where none has said it yet.
        record: data and views, while a picture is missing.
        base: of an international registration, its protection before any event.
    """

    version: str
    views: str = ""
    sheets: dict[str, tuple[str, str] | None] = field(default_factory=dict)
    record: tuple[Patent, tuple[View, ...]] | None = None
    base: Base | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """The parts of an entry's settings.

    Attributes:
        shape: options that shape drawings.
        described: fingerprint of the unit that the bibliography is from.
        events: of an international registration, all that are known.
    """

    shape: JsonDict = field(default_factory=dict)
    described: str | None = None
    dated: Dated | None = None
    events: tuple[Event, ...] = ()

    @classmethod
    def read(cls, text: str) -> Self:
        """What `text` wrote; nothing where something else wrote it."""
        try:
            shape = json.loads(text)
            if not isinstance(shape, dict):
                return cls()
            described, dated = shape.pop(_DESCRIBED, None), shape.pop(_DATED, None)
            events = read_events(shape.pop(_EVENTS, ()))
            return cls(shape, described, _read_dated(dated) if dated else None, events)
        except (ValueError, TypeError, KeyError):
            return cls()

    def text(self) -> str:
        """The stored form."""
        shape = dict(self.shape)
        if self.described:
            shape[_DESCRIBED] = self.described
        if self.dated:
            shape[_DATED] = _write_dated(self.dated)
        if self.events:
            shape[_EVENTS] = events_json(self.events)
        return json.dumps(shape, sort_keys=True)


def _write_dated(dated: Dated) -> JsonDict:
    # Most pictures come with the notice itself: its version is written once.
    sheets = {
        name: picture and (picture[0] if picture[1] == dated.version else list(picture))
        for name, picture in dated.sheets.items()
    }
    found: JsonDict = {"version": dated.version, "sheets": sheets}
    if dated.views != dated.version:
        found["views"] = dated.views
    if dated.base:
        found["base"] = base_json(dated.base)
    if dated.record:
        patent, views = dated.record
        found["record"] = {
            "number": patent.number,
            "title": patent.title,
            "kind": patent.kind,
            "granted": patent.granted and patent.granted.isoformat(),
            "filed": patent.filed and patent.filed.isoformat(),
            "classes": [[code.scheme, code.code] for code in patent.classes],
            "bibliography": to_text(patent.bibliography),
            "views": [[view.name, view.figure, view.title] for view in views],
        }
    return found


def _read_dated(found: JsonDict) -> Dated:
    version = str(found["version"])
    sheets: dict[str, tuple[str, str] | None] = {}
    for name, picture in found["sheets"].items():
        if picture is not None:
            crc, came = (picture, version) if isinstance(picture, str) else picture
            sheets[name] = (str(crc), str(came))
        else:
            sheets[name] = None
    record = _read_record(found["record"]) if "record" in found else None
    base = read_base(found["base"]) if "base" in found else None
    return Dated(version, str(found.get("views", version)), sheets, record, base)


def _read_record(found: JsonDict) -> tuple[Patent, tuple[View, ...]]:
    def day(value: Any) -> date | None:
        return date.fromisoformat(value) if value else None

    codes = (try_code(scheme, code) for scheme, code in found["classes"])
    patent = Patent(
        number=str(found["number"]),
        title=str(found["title"]),
        kind=str(found["kind"]),
        granted=day(found["granted"]),
        filed=day(found["filed"]),
        classes=tuple(code for code in codes if code),
        bibliography=from_text(found["bibliography"]),
    )
    views = (View(str(name), figure=str(figure), title=str(title)) for name, figure, title in found["views"])
    return patent, tuple(views)
