"""What an encoder says of itself: name, dimension, preprocessing, fingerprint, training, measured scores.

The card is a JSON file beside the weights. Its sha256 covers weights and preprocessing; an index
stores it and refuses vectors of an encoder with another one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from types import NoneType
from typing import Any, Self, TypeVar

from patsearch.encoder.preprocess import Preprocessing
from patsearch.errors import EncoderError

_MAX_CARD_BYTES = 1 << 20
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Score:
    """One measured figure, with the command that repeats the measurement."""

    dataset: str
    metric: str
    value: float
    command: str = ""


@dataclass(frozen=True, slots=True)
class EncoderCard:
    """An encoder's identity and history.

    Attributes:
        name: as `patsearch.load_encoder` takes it.
        title: one line for people.
        dim: length of a vector.
        preprocessing: how images become arrays.
        sha256: fingerprint of weights and preprocessing, 64 hexadecimal digits (`fingerprint`).
        trained_on: the data that shaped the weights.
        licence: of the weights, as an SPDX name where there is one.
        baseline: True for an encoder that has never been trained on drawings.
        scores: what was measured, may be empty.
        notes: whatever else a user should know.
        shape_dim: so many numbers at the beginning of a vector tell of shape alone, where the rest tells of the pen,
            and the last number of a drawing whose pen cannot be told; None where no part of a vector tells of it.
    """

    name: str
    title: str
    dim: int
    preprocessing: Preprocessing
    sha256: str
    trained_on: str = ""
    licence: str = ""
    baseline: bool = False
    scores: tuple[Score, ...] = ()
    notes: str = ""
    shape_dim: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The card as its file holds it."""
        return asdict(self) | {"scores": [asdict(score) for score in self.scores]}

    def save(self, path: Path) -> None:
        """Write the JSON file."""
        path.write_text(json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def from_json(cls, value: Any, *, where: str) -> Self:
        """The card for a parsed JSON document.

        Raises:
            EncoderError: a field is missing, unknown or of another type; `where` names the file.
        """
        values = _checked(cls, value, where)
        values["preprocessing"] = _build(Preprocessing, values["preprocessing"], where)
        scores = values.get("scores", [])
        if not isinstance(scores, list):
            raise EncoderError(f"The encoder card {where} is malformed: scores is no list.")
        values["scores"] = tuple(_build(Score, score, where) for score in scores)
        return cls(**values)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the JSON file.

        Raises:
            EncoderError: not there, too large, not JSON, or not a card.
        """
        try:
            if path.stat().st_size > _MAX_CARD_BYTES:
                raise EncoderError(f"The encoder card {path} is larger than {_MAX_CARD_BYTES:,} bytes.")
            value = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise EncoderError(
                f"The encoder card {path} cannot be read: {error.strerror}.",
                hint="An encoder's card is the .json file beside its weights.",
            ) from error
        except ValueError as error:
            raise EncoderError(f"The encoder card {path} is not valid JSON: {error}.") from error
        return cls.from_json(value, where=str(path))


def fingerprint(weights: Iterable[bytes | memoryview], preprocessing: Preprocessing) -> str:
    """sha256 over the preprocessing (canonical JSON) and the weights' bytes, in hexadecimal."""
    digest = hashlib.sha256(json.dumps(preprocessing.to_json(), sort_keys=True).encode())
    for part in weights:
        digest.update(part)
    return digest.hexdigest()


def _build(cls: type[_T], value: Any, where: str) -> _T:
    return cls(**_checked(cls, value, where))


# The JSON types that each annotation of the classes above admits (annotations are text here).
_ADMITS: Mapping[str, type | tuple[type, ...]] = {
    "str": str,
    "int": int,
    "float": (int, float),
    "bool": bool,
    "int | None": (int, NoneType),
}


def _checked(cls: type[Any], value: Any, where: str) -> dict[str, Any]:
    """The document's fields, none unknown, simple ones of the right type."""
    if not isinstance(value, dict):
        raise EncoderError(f"The encoder card {where} is malformed: {cls.__name__} must be an object.")
    known = {field.name: field.type for field in fields(cls)}
    if unknown := sorted(value.keys() - known.keys()):
        raise EncoderError(
            f"The encoder card {where} has unknown fields: {', '.join(unknown)}.",
            hint="It may come from a newer patsearch.",
        )
    required = {field.name for field in fields(cls) if field.default is MISSING}
    if missing := required - value.keys():
        raise EncoderError(f"The encoder card {where} lacks {', '.join(sorted(missing))}.")
    for name, entry in value.items():
        admitted = _ADMITS.get(str(known[name]))
        wrong_bool = isinstance(entry, bool) and known[name] != "bool"
        if admitted is not None and (wrong_bool or not isinstance(entry, admitted)):
            raise EncoderError(f"The encoder card {where} is malformed: {name} must be {known[name]}.")
    return dict(value)
