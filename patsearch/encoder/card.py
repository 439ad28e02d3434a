"""An encoder's identity: name, dimension, preprocessing, fingerprint, training, measured scores.

The card is a JSON file next to the weights. Its sha256 covers weights and preprocessing; an index
stores it and refuses the vectors of an encoder with a different one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from patsearch.encoder.preprocess import STRICT, Preprocessing
from patsearch.errors import EncoderError
from patsearch.files import write_text

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_MAX_CARD_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Score:
    """One measured figure, with the command that repeats the measurement."""

    __pydantic_config__: ClassVar = STRICT

    dataset: str
    metric: str
    value: float
    command: str = ""


@dataclass(frozen=True, slots=True)
class Likeness:
    """From which cosine on two drawings are called what: by shape alone, where the encoder distinguishes styles.

    Attributes:
        measured: on which drawings, and with which command.

    Raises:
        EncoderError: the numbers do not fall from word to word.
    """

    __pydantic_config__: ClassVar = STRICT

    same_drawing: float
    same_shape: float
    alike: float
    measured: str = ""

    def __post_init__(self) -> None:
        if not 1 >= self.same_drawing >= self.same_shape >= self.alike >= -1:
            raise EncoderError("The likeness in an encoder's card is not in order: its three numbers must not rise.")

    def word(self, cosine: float) -> str:
        """ "same drawing", "same shape", "alike" or "far"."""
        for name in ("same_drawing", "same_shape", "alike"):
            if cosine >= getattr(self, name):
                return name.replace("_", " ")
        return "far"


@dataclass(frozen=True, slots=True)
class EncoderCard:
    """An encoder's identity and history.

    Attributes:
        name: as `patsearch.load_encoder` takes it.
        title: one line.
        dim: length of a vector.
        preprocessing: how images become arrays.
        sha256: fingerprint of weights and preprocessing, 64 hexadecimal digits (`fingerprint`).
        trained_on: the data that shaped the weights.
        licence: of the weights, as an SPDX name where there is one.
        baseline: True for an encoder that has never been trained on drawings.
        scores: what was measured, may be empty.
        notes: what else a user should know.
        shape_dim: how many numbers at the beginning of a vector describe shape alone; the others describe the drawing
            style, and the last one marks a drawing whose style is unknown. None where a vector has no such parts.
        likeness: what scores are called in words; None where nobody has measured that.
    """

    __pydantic_config__: ClassVar = STRICT

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
    likeness: Likeness | None = None

    def to_json(self) -> dict[str, Any]:
        """The card as its file holds it."""
        return asdict(self) | {"scores": [asdict(score) for score in self.scores]}

    def save(self, path: Path) -> None:
        """Write the JSON file."""
        write_text(path, json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the JSON file.

        Raises:
            EncoderError: the file is missing, too large, not JSON, or not a card.
        """
        from pydantic import TypeAdapter, ValidationError

        try:
            if path.stat().st_size > _MAX_CARD_BYTES:
                raise EncoderError(f"The encoder card {path} is larger than {_MAX_CARD_BYTES:,} bytes.")
            return TypeAdapter(cls).validate_json(path.read_bytes())
        except OSError as error:
            raise EncoderError(
                f"The encoder card {path} cannot be read: {error.strerror}.",
                hint="An encoder's card is the .json file next to its weights.",
            ) from error
        except ValidationError as error:
            problems = error.errors(include_url=False)
            raise EncoderError(
                f"The encoder card {path} is not valid: {'; '.join(map(_problem, problems))}.",
                hint="It may come from a newer patsearch."
                if any(problem["type"] == "unexpected_keyword_argument" for problem in problems)
                else None,
            ) from error


def fingerprint(weights: Iterable[bytes | memoryview], preprocessing: Preprocessing) -> str:
    """sha256 over the preprocessing (canonical JSON) and the weights' bytes, in hexadecimal."""
    digest = hashlib.sha256(json.dumps(preprocessing.to_json(), sort_keys=True).encode())
    for part in weights:
        digest.update(part)
    return digest.hexdigest()


def _problem(problem: ErrorDetails) -> str:
    """`scores.0.value: Input should be a valid number`."""
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['msg']}" if where else problem["msg"]
