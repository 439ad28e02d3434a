"""Designs of the EUIPO as its API answers: JSON with pictures or 3D models next to it.

designs.json                       answers of the API: a design, a list of them, or pages with a list
004247823-0007/1.jpg               the first view, in a folder with the design's number
004247823-0007_2.jpg               or with its number in the name
004247823-0008.obj                 the 3D model of a design
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from typing import Any, ClassVar

from patsearch.bibliography import Bibliography, Party, Related, bounded
from patsearch.classification import try_code
from patsearch.errors import SourceError
from patsearch.ingest.notices import Notice, View
from patsearch.ingest.sources.folders import parse_day
from patsearch.ingest.sources.register import RegisterSource
from patsearch.ingest.sources.stored import Stored
from patsearch.models.reading import SUFFIXES as MODELS
from patsearch.numbers import design_number
from patsearch.terms import registered
from patsearch.types import JsonDict, Patent

_MAX_JSON = 512 << 20
_NUMBER = re.compile(r"(\d{6,9})-(\d{1,4})", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}")
_LISTS = ("designs", "items", "content", "results")
_LONGEST_TITLE = 1000
_MOST_VIEWS = 100
_FILMS = ("MP4", "MPEG")


class EuipoSource(RegisterSource):
    """JSON of the EUIPO's design search."""

    name = "euipo-json"
    looks_for = "JSON of the EUIPO's API (designNumber)"
    precedence: ClassVar[int] = 7
    suffix: ClassVar[str] = ".json"

    @classmethod
    def is_of_kind(cls, head: bytes) -> bool:
        return b'"designNumber"' in head.replace(b"\0", b"")

    def notices(self, file: Stored) -> Iterator[Notice | str]:
        for found in _designs(file.read(_MAX_JSON)):
            number = _NUMBER.fullmatch(_text(found.get("designNumber")))
            if number is None:
                yield f"{_text(found.get('designNumber'))[:40]!r} is not the number of a design; left out"
            else:
                yield _notice(found, number)


def _designs(data: bytes) -> Iterator[JsonDict]:
    """The designs of a file; of a damaged one, those before the damage, then the error."""
    try:
        text = data.decode(json.detect_encoding(data))
    except UnicodeDecodeError as error:
        raise SourceError(f"not in UTF-8 (byte {error.start})") from error
    decoder = json.JSONDecoder()
    text = text.removeprefix("\ufeff")
    place = 0
    while place < len(text):  # one value after the other: mostly there is one, but lines of JSON have many
        if text[place] in " \t\r\n,":
            place += 1
            continue
        try:
            value, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            # The list of a page that is cut off: its items are read by themselves.
            inside = text.find("[") + 1
            if place < inside and not isinstance(error, RecursionError):
                place = inside
                continue
            reason = f"the JSON is damaged at character {place:,} ({str(error)[:100]}); what came before was read"
            raise SourceError(reason) from None
        yield from _in(value)


def _in(value: Any, deeper: int = 3) -> Iterator[JsonDict]:
    """The designs in a value, in lists of pages within each other to a few levels."""
    if isinstance(value, dict) and "designNumber" in value:
        yield value
    elif isinstance(value, dict) and deeper:
        for name in _LISTS:
            yield from _in(value.get(name), deeper - 1)
    elif isinstance(value, list) and deeper:
        for one in value:
            yield from _in(one, deeper - 1)


def _notice(found: JsonDict, number: re.Match[str]) -> Notice:
    granted, filed, expires = (_day(found.get(name)) for name in ("registrationDate", "applicationDate", "expiryDate"))
    published = [day for one in _list(found, "publications") if (day := _day(one.get("publicationDate")))]
    status = _text(found.get("status")).replace("_", " ")
    status = status.capitalize() if status.isupper() else status
    protection = registered(
        "EM", granted=granted or min(published, default=None), filed=filed, expires=expires, status=status
    )
    known, remarks = bounded(
        Bibliography(
            owners=_parties(found, "applicants"),
            inventors=_parties(found, "designers"),
            agents=_parties(found, "representatives"),
            related=tuple(_priorities(found)),
            protections=(protection,) if protection else (),
            status=status,
            published=min(published, default=None),
        )
    )
    codes = [
        try_code("locarno", text) or try_code("locarno", re.sub(r"[-.]?00$", "", text))
        for text in map(
            _text, found.get("locarnoClasses") or () if isinstance(found.get("locarnoClasses"), list) else ()
        )
    ]
    views, film = _views(found, number[0])
    patent = Patent(
        number=design_number("EM", number[1], int(number[2])),
        title=(_text(found.get("verbalElement")) or _indication(found.get("productIndications")))[:_LONGEST_TITLE],
        granted=granted or min(published, default=None),
        filed=filed,
        classes=tuple(dict.fromkeys(code for code in codes if code)),
        remarks=(*remarks, *film),
        bibliography=known,
    )
    days = [_day(found.get(name)) for name in ("statusDate", "lastUpdated", "updatedDate")]
    return Notice(patent, dated=max(filter(None, [*days, *published, granted, filed]), default=None), views=views)


def _views(found: JsonDict, number: str) -> tuple[tuple[View, ...] | None, tuple[str, ...]]:
    """The pictures and the model, in their order; remarks on films. None where the answer does not speak of them."""
    views: list[tuple[int, View]] = []
    films = 0
    for place, one in enumerate(_list(found, "views")[:_MOST_VIEWS], start=1):
        if _text(one.get("imageFormat")).upper() in _FILMS:
            films += 1
            continue
        order = one.get("order")
        order = order if isinstance(order, int) and not isinstance(order, bool) and 0 <= order < 10_000 else place
        files = [f"{number}/{order}", f"{number}_{order}", f"{number}-{order}", *([number] if place == 1 else [])]
        title = _text(one.get("title") or one.get("description"))[:_LONGEST_TITLE]
        views.append((order, View(f"view-{order}", tuple(files), str(order), title, exact=True)))
    model = found.get("model")
    if isinstance(model, dict):
        kind = _text(model.get("modelFormat")).lower()
        if kind.upper() in _FILMS:
            films += 1
        elif f".{kind}" in MODELS:
            files = [f"{number}.{kind}", f"{number}/model.{kind}", f"{number}/{number}.{kind}"]
            views.append((10_000, View("model", tuple(files), exact=True)))
    unique = {view.name: view for _, view in sorted(views, key=lambda one: one[0])}
    remarks = (f"films are not read: {films}",) if films else ()
    spoken = isinstance(found.get("views"), list) or isinstance(model, dict)
    return (tuple(unique.values()) if spoken else None), remarks


def _indication(value: Any) -> str:
    """The product in English, else in the first language: by language as keys, or in a list with `language`."""
    if isinstance(value, dict):
        value = [{"language": language, "terms": terms} for language, terms in value.items()]
    found: dict[str, str] = {}
    for one in value if isinstance(value, list) else ():
        if isinstance(one, dict):
            terms = next((one[name] for name in ("terms", "text", "indications", "term") if one.get(name)), "")
            words = terms if isinstance(terms, list) else [terms]
            found.setdefault(_text(one.get("language")).lower(), "; ".join(filter(None, map(_text, words))))
        elif text := _text(one):
            found.setdefault("", text)
    return found.get("en") or next(filter(None, found.values()), "")


def _parties(found: JsonDict, name: str) -> tuple[Party, ...]:
    parties = []
    for one in _list(found, name):
        given = " ".join(filter(None, (_text(one.get(part)) for part in ("firstName", "lastName"))))
        code = _text(one.get("countryCode") or one.get("country") or one.get("nationality")).upper()
        if text := _text(one.get("name") or one.get("organizationName")) or given:
            parties.append(Party(text, code if _COUNTRY.fullmatch(code) else ""))
    return tuple(parties)


def _priorities(found: JsonDict) -> Iterator[Related]:
    for one in _list(found, "priorities"):
        if number := _text(one.get("number") or one.get("priorityNumber")):
            country = _text(one.get("countryCode") or one.get("country"))
            yield Related("priority", f"{country} {number}".strip(), _day(one.get("date") or one.get("priorityDate")))


def _list(found: JsonDict, name: str) -> list[JsonDict]:
    value = found.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    """One line; JSON can write halves of characters, which nothing stores."""
    return " ".join(value.encode("utf-8", "replace").decode().split()) if isinstance(value, str) else ""


def _day(value: Any) -> date | None:
    text = _text(value)
    return parse_day(text[:10]) or parse_day(text) if text else None
