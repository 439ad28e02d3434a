"""Encoders: drawings in, unit vectors out.

Names that `load_encoder` takes:

| name                        | what                                                             |
|-----------------------------|------------------------------------------------------------------|
| none, or `lite0-drawings`   | the default: shipped, trained on line drawings                   |
| `lite0-imagenet`            | the untrained baseline (needs the package `patsearch-baseline`)  |
| `onnx:FILE`, a path `*.onnx`| an exported encoder, with its card next to it                    |
| `checkpoint:DIR`, a folder  | a trained checkpoint (needs the `train` extra)                   |
| `timm:MODEL`                | any timm model (needs the `train` extra)                         |
| `PLUGIN:ARGUMENT`           | an installed plug-in of the entry-point group `patsearch.encoders` |

A package may bring encoders as files: the entry point NAME of the group `patsearch.weights` is the `Path` of a folder
with NAME.onnx and its card NAME.json.
"""

from __future__ import annotations

from pathlib import Path

from patsearch import plugins
from patsearch.encoder.base import ArrayEncoder, Embeddings, Encoder
from patsearch.encoder.card import EncoderCard, Score, fingerprint
from patsearch.encoder.preprocess import Preprocessing, preprocess
from patsearch.errors import EncoderError, PluginError
from patsearch.files import at_home

__all__ = [
    "BASELINE_ENCODER",
    "DEFAULT_ENCODER",
    "ArrayEncoder",
    "Embeddings",
    "Encoder",
    "EncoderCard",
    "Preprocessing",
    "Score",
    "encoder_card",
    "encoder_names",
    "fingerprint",
    "load_encoder",
    "preprocess",
    "shipped_cards",
]

DEFAULT_ENCODER = "lite0-drawings"

BASELINE_ENCODER = "lite0-imagenet"

_WEIGHTS = Path(__file__).parent / "weights"


def load_encoder(name: str | None = None, *, threads: int | None = None) -> Encoder:
    """The encoder of a name (see the table above); None for the shipped default.

    Its `card.name` is a name that loads it again, as an index stores it.

    Args:
        name: what to load.
        threads: CPU threads of one call, None for all cores. Give 1 in each of several processes.

    Raises:
        EncoderError: no encoder of that name, or it cannot be loaded.
        PluginError: the plug-in or the package of weights that the name needs is not installed or does not import.
    """
    name = name or DEFAULT_ENCODER
    if name in _installed():
        from patsearch.encoder.onnx import OnnxEncoder

        path = _weights(name)
        return OnnxEncoder(path, EncoderCard.load(path.with_suffix(".json")), threads=threads)
    kind, argument = _split(name)
    encoder = plugins.load("encoder", kind)(argument, threads=threads)
    if not isinstance(encoder, Encoder):
        raise EncoderError(f"The plug-in {kind!r} gave a {type(encoder).__name__}, which is not an Encoder.")
    return encoder


def encoder_card(name: str) -> EncoderCard:
    """The card of an encoder, which is loaded only where its card is not a file next to its weights.

    Raises:
        EncoderError, PluginError: as `load_encoder`.
    """
    return EncoderCard.load(_weights(name).with_suffix(".json")) if name in _installed() else load_encoder(name).card


def encoder_names() -> list[str]:
    """Every name that can be given: the installed encoders, and `KIND:` for each plug-in."""
    return [*_installed(), *(f"{kind}:" for kind in plugins.names("encoder"))]


def shipped_cards() -> list[EncoderCard]:
    """The cards of the encoders that are installed as files, without loading any encoder."""
    return [EncoderCard.load(_weights(name).with_suffix(".json")) for name in _installed()]


def _installed() -> list[str]:
    """The encoders that are installed as files, by patsearch or by another package."""
    return sorted({*_shipped(), *plugins.names("weights")})


def _shipped() -> set[str]:
    return {path.stem for path in _WEIGHTS.glob("*.onnx")}


def _weights(name: str) -> Path:
    """The .onnx file of an installed encoder. No package replaces what patsearch ships."""
    folder: Path = _WEIGHTS if name in _shipped() else plugins.load("weights", name)
    return folder / f"{name}.onnx"


def _split(name: str) -> tuple[str, str]:
    """Kind and argument; a path says its kind by what it is."""
    kind, colon, argument = name.partition(":")
    if colon and kind in plugins.names("encoder"):
        return kind, argument
    path = at_home(name)
    if path.suffix == ".onnx":
        return "onnx", name
    if path.is_dir():
        return "checkpoint", name
    if name in plugins.names("encoder"):
        return name, ""
    if name == BASELINE_ENCODER:
        raise PluginError(f"The encoder {name!r} is not installed.", hint="Run: pip install patsearch-baseline.")
    raise EncoderError(
        f"There is no encoder {name!r}.",
        hint=f"Known: {', '.join(encoder_names())}, a checkpoint folder, or the path of an .onnx file.",
    )
