"""A drawing as a Qdrant point: id, payload, and which payload fields are indexed.

| field                              | content                                                       | index          |
|------------------------------------|---------------------------------------------------------------|----------------|
| `id` `patent` `sheet` ... `source` | the drawing as it is; dates as RFC 3339, `front_page` y or n  |                |
| `codes`                            | `uspc:D14/126`, in the order of the grant                     |                |
| `patent`                           | groups results                                                | keyword        |
| `locarno` `uspc` `cpc` `ipc`       | every code and every ancestor of it                           | keyword        |
| `granted` `filed`                  | midnight UTC of the day                                       | datetime       |
| `patent_key` `kind_key` `figure_key` | for comparing (`patsearch.filters.comparable`)              | keyword        |
| `title_words` `view_words`         | words (`patsearch.text.text_words`), each once                | keyword, prefix|
| `country_key` `office_key` `status_key` `cites` | for comparing                                    | keyword        |
| `owner` `inventor` `agent`         | each name: `words`, and the whole `name` for comparing        | both keyword   |
| `force`                            | each span of protection: `country`, `first`, `last`           | of each        |
| `expires`                          | midnight UTC of the last day                                  | datetime       |
| `bibliography`                     | its stored form (`patsearch.bibliography.to_text`)            |                |
| `stamp`                            | digest of drawing and vector: tells one version from another  |                |

Fields without a value are left out; points of 0.1.0 have nothing from `country_key` to `bibliography`. Qdrant matches
booleans unreliably; hence y and n.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Literal

import numpy as np

from patsearch.backends.base import Embeddings
from patsearch.bibliography import from_text, to_text
from patsearch.classification import SCHEMES, ClassCode
from patsearch.filters import NAME_FIELDS, ExactField, comparable
from patsearch.text import text_words
from patsearch.types import Drawing, JsonDict

VECTOR = "drawing"  # the vector's name within a point
GROUP = "patent"
# All drawings of a patent have the same one, and an answer is full of drawings of one patent.
_bibliography = lru_cache(maxsize=1024)(from_text)
_NAMESPACE = uuid.UUID("7b0c2a52-5d0f-5b0e-9d0e-0d6c1a3f7a11")
_KEYS: tuple[ExactField, ...] = ("patent", "kind", "figure", "country", "office", "status")
_PLAIN = ("id", "patent", "sheet", "figure", "view", "turned", "title", "kind", "source")

IndexKind = Literal["keyword", "words", "datetime"]
INDEXED: dict[str, IndexKind] = {
    GROUP: "keyword",
    **dict.fromkeys(SCHEMES, "keyword"),
    "granted": "datetime",
    "filed": "datetime",
    "patent_key": "keyword",
    "kind_key": "keyword",
    "figure_key": "keyword",
    "title_words": "words",
    "view_words": "words",
}
# Since bibliographies are stored: collections that were made before lack these until somebody writes to them.
INDEXED_SINCE: dict[str, IndexKind] = {
    "country_key": "keyword",
    "office_key": "keyword",
    "status_key": "keyword",
    "cites": "keyword",
    "expires": "datetime",
    "force[].country": "keyword",
    "force[].first": "datetime",
    "force[].last": "datetime",
}
for _name in NAME_FIELDS:
    INDEXED_SINCE |= {f"{_name}[].name": "keyword", f"{_name}[].words": "words"}


@dataclass(frozen=True, slots=True)
class Point:
    """A stored point: an id (a UUID), a payload, and a vector (dim,) if it was requested."""

    id: str
    payload: JsonDict
    vector: Embeddings | None = None


def point_id(drawing_id: str) -> str:
    """The UUID of a drawing: always the same, so that storing twice replaces."""
    return str(uuid.uuid5(_NAMESPACE, drawing_id))


def to_point(drawing: Drawing, vector: Embeddings) -> Point:
    """The point of a drawing and its vector (dim,)."""
    payload = _facts(drawing)
    for scheme in SCHEMES:
        codes = [code for code in drawing.classes if code.scheme == scheme]
        payload[scheme] = list(dict.fromkeys(ancestor for code in codes for ancestor in code.ancestors))
    for key in _KEYS:
        values = [comparable(key, value) for value in drawing.values(key)]
        payload[f"{key}_key"] = values[0] if len(values) == 1 else values
    for name in NAME_FIELDS:
        payload[name] = [
            {"name": comparable(name, text), "words": list(dict.fromkeys(text_words(text)))}
            for text in drawing.values(name)
        ]
    payload["cites"] = [comparable("cites", number) for number in drawing.values("cites")]
    payload["force"] = [
        {"country": one.country, "first": moment(one.first), "last": moment(one.last)}
        for one in drawing.protections
        if one.first and one.last
    ]
    payload["expires"] = moment(drawing.expires) if drawing.expires else None
    for field in ("title", "view"):
        payload[f"{field}_words"] = list(dict.fromkeys(text_words(getattr(drawing, field) or "")))
    payload["stamp"] = stamp(drawing, vector)
    # An empty caption is not the same as none; elsewhere an empty text is what a missing field means.
    kept = {k: v for k, v in payload.items() if v not in (None, [], "") or (v == "" and k in ("figure", "view"))}
    return Point(point_id(drawing.id), kept, vector)


def to_drawing(payload: JsonDict) -> Drawing:
    """The drawing of a payload that `to_point` made.

    Raises:
        KeyError, ValueError, TypeError: something else wrote it.
    """
    box = payload.get("box")
    plain = {name: payload[name] for name in _PLAIN if name in payload}
    return Drawing(
        **plain,
        front_page=payload.get("front_page") == "y",
        box=(box[0], box[1], box[2], box[3]) if box else None,
        granted=_date(payload.get("granted")),
        filed=_date(payload.get("filed")),
        classes=tuple(_code(text) for text in payload.get("codes", ())),
        bibliography=_bibliography(payload.get("bibliography")),
    )


def stamp(drawing: Drawing, vector: Embeddings) -> str:
    """Digest of a drawing and the bytes of its vector, 16 hex digits."""
    digest = hashlib.blake2b(digest_size=8)
    digest.update(json.dumps(_facts(drawing), sort_keys=True).encode())
    digest.update(np.ascontiguousarray(vector, dtype="<f4").tobytes())
    return digest.hexdigest()


def moment(day: date) -> str:
    """A day as it is stored and compared: its midnight, UTC."""
    return f"{day.isoformat()}T00:00:00Z"


def _facts(drawing: Drawing) -> JsonDict:
    facts: JsonDict = {name: getattr(drawing, name) for name in _PLAIN}
    facts["front_page"] = "y" if drawing.front_page else "n"
    facts["box"] = list(drawing.box) if drawing.box else None
    for field in ("granted", "filed"):
        day = getattr(drawing, field)
        facts[field] = moment(day) if day else None
    facts["codes"] = [str(code) for code in drawing.classes]
    if drawing.bibliography is not None:
        facts["bibliography"] = to_text(drawing.bibliography)
    return facts


def _code(text: str) -> ClassCode:
    scheme, _, code = text.partition(":")
    if scheme not in SCHEMES:
        raise ValueError(f"{text!r} is not a class code")
    return ClassCode(scheme, code)


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text[:10]) if text else None
