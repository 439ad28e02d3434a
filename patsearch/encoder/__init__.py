"""Encoders: drawings in, unit vectors out.

Names that `load_encoder` takes:

| name                        | what                                                             |
|-----------------------------|------------------------------------------------------------------|
| none, or `lite0-drawings`   | the default: shipped, trained on line drawings                   |
| `lite0-imagenet`            | shipped too: the untrained baseline                              |
| `onnx:FILE`, a path `*.onnx`| an exported encoder, with its card beside it                     |
| `checkpoint:DIR`, a folder  | a trained checkpoint (needs the `train` extra)                   |
| `timm:MODEL`                | any timm model (needs the `train` extra)                         |
| `PLUGIN:ARGUMENT`           | an installed plug-in of the entry-point group `patsearch.encoders` |
"""

from __future__ import annotations

from pathlib import Path

from patsearch import plugins
from patsearch.encoder.base import ArrayEncoder, Embeddings, Encoder
from patsearch.encoder.card import EncoderCard, Score, fingerprint
from patsearch.encoder.preprocess import Preprocessing, preprocess, to_grey
from patsearch.errors import EncoderError

__all__ = [
    "DEFAULT_ENCODER",
    "ArrayEncoder",
    "Embeddings",
    "Encoder",
    "EncoderCard",
    "Preprocessing",
    "Score",
    "encoder_names",
    "fingerprint",
    "load_encoder",
    "preprocess",
    "shipped_cards",
    "to_grey",
]

DEFAULT_ENCODER = "lite0-drawings"

_WEIGHTS = Path(__file__).parent / "weights"


def load_encoder(name: str | None = None, *, threads: int | None = None) -> Encoder:
    """The encoder of a name (see the table above); None for the shipped default.

    Its `card.name` is a name that loads it again, as an index stores it.

    Args:
        name: what to load.
        threads: CPU threads of one call, None for all cores. Give 1 in each of several processes.

    Raises:
        EncoderError: no encoder of that name, or it cannot be loaded.
        PluginError: the plug-in that the name asks for is not installed or does not import.
    """
    name = name or DEFAULT_ENCODER
    if name in _shipped():
        from patsearch.encoder.onnx import OnnxEncoder

        path = _WEIGHTS / f"{name}.onnx"
        return OnnxEncoder(path, EncoderCard.load(path.with_suffix(".json")), threads=threads)
    kind, argument = _split(name)
    encoder = plugins.load("encoder", kind)(argument, threads=threads)
    if not isinstance(encoder, Encoder):
        raise EncoderError(f"The plug-in {kind!r} gave a {type(encoder).__name__}, which is no Encoder.")
    return encoder


def encoder_names() -> list[str]:
    """Every name that can be given: the shipped encoders, and `KIND:` for each plug-in."""
    return _shipped() + [f"{kind}:" for kind in plugins.names("encoder")]


def shipped_cards() -> list[EncoderCard]:
    """The cards of the encoders that come with patsearch, without loading any."""
    return [EncoderCard.load(_WEIGHTS / f"{name}.json") for name in _shipped()]


def _shipped() -> list[str]:
    return sorted(path.stem for path in _WEIGHTS.glob("*.onnx"))


def _split(name: str) -> tuple[str, str]:
    """Kind and argument; a path says its kind by what it is."""
    kind, colon, argument = name.partition(":")
    if colon and kind in plugins.names("encoder"):
        return kind, argument
    path = Path(name).expanduser()
    if path.suffix == ".onnx":
        return "onnx", name
    if path.is_dir():
        return "checkpoint", name
    if name in plugins.names("encoder"):
        return name, ""
    raise EncoderError(
        f"There is no encoder {name!r}.",
        hint=f"Known: {', '.join(encoder_names())}, a checkpoint folder, or the path of an .onnx file.",
    )
