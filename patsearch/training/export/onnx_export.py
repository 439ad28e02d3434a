"""From any encoder run by torch to one that ONNX Runtime runs without it, checked against torch.

The graph takes uint8 (N, 1, size, size), white = 255, and gives float32 (N, dim) rows of unit length: grey values,
channels, pooling, projection and normalisation are inside. A smaller copy in 8 bits is made by
`patsearch.training.export.quantise`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from patsearch.encoder.base import ArrayEncoder
from patsearch.encoder.card import EncoderCard, fingerprint
from patsearch.encoder.onnx import OnnxEncoder
from patsearch.encoder.torch import TorchEncoder
from patsearch.encoder.torch_network import Network
from patsearch.errors import EncoderError
from patsearch.files import replacing

LEAST_COSINE = 0.9999
_OPSET = 18
_MOST_AT_ONCE = 4096  # drawings a call of the graph is made for, at most


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        path: the .onnx file; its card is next to it.
        card: as written.
        bytes: size of the file.
        mean, least: cosine of its vectors and the original's, on the drawings of the check.
        drawings: their number.
    """

    path: Path
    card: EncoderCard
    bytes: int
    mean: float
    least: float
    drawings: int


class _Searched(nn.Module):
    """The network as it is searched: unit vectors of drawings with a channel's axis."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, drawings: Tensor) -> Tensor:
        """(N, dim) for (N, 1, size, size) uint8."""
        return functional.normalize(self.network.embed(drawings[:, 0]).float(), dim=1)


def export_onnx(encoder: TorchEncoder, folder: Path, name: str, drawings: NDArray[np.uint8]) -> Exported:
    """Write `NAME.onnx` and `NAME.json`.

    Args:
        encoder: of a checkpoint, or any other run by torch.
        folder: to write into.
        name: of the files and in the card.
        drawings: (N, size, size) uint8, on which both must agree.

    Raises:
        EncoderError: the network cannot be exported, or the vectors differ. Nothing is left behind.
    """
    size = encoder.preprocessing.size
    data = _graph(encoder.network, size)
    notes = (
        f"{encoder.card.notes} Exported by torch {torch.__version__} from weights with sha256 {encoder.card.sha256}."
    )
    card = replace(encoder.card, name=name, notes=notes.strip())
    return write_checked(
        data, card, folder, encoder, drawings, refuse=lambda cosines: float(cosines.min()) < LEAST_COSINE
    )


def write_checked(
    data: bytes,
    card: EncoderCard,
    folder: Path,
    original: ArrayEncoder,
    drawings: NDArray[np.uint8],
    *,
    refuse: Callable[[NDArray[np.float32]], bool],
) -> Exported:
    """Write a model and its card, if its vectors are near enough to the original's.

    Args:
        data: the model.
        card: its fingerprint is filled in, and what the check found is added to its notes.
        drawings: (N, size, size) uint8.
        refuse: whether the (N,) cosines are too low.

    Raises:
        EncoderError: they are too low, or the model does not load. No file is left behind.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{card.name}.onnx"
    card = replace(card, sha256=fingerprint([data], card.preprocessing))
    with replacing(path) as part:
        part.write_bytes(data)
        cosines = np.asarray(
            (OnnxEncoder(part, card).encode_arrays(drawings) * original.encode_arrays(drawings)).sum(axis=1), np.float32
        )
        mean, least = float(cosines.mean()), float(cosines.min())
        if not np.isfinite(cosines).all() or refuse(cosines):
            raise EncoderError(
                f"The exported encoder {card.name} differs too much from {original.card.name}: cosine {mean:.4f} on "
                f"average, {least:.4f} at worst, on {len(cosines)} drawings.",
                hint="Nothing was written.",
            )
    card = replace(card, notes=f"{card.notes} Cosine with it {mean:.5f}, at worst {least:.5f}.".strip())
    card.save(path.with_suffix(".json"))
    return Exported(path, card, len(data), mean, least, len(cosines))


def _graph(network: Network, size: int) -> bytes:
    """The network as bytes of an ONNX model; N is open."""
    try:
        import onnxscript  # noqa: F401 - torch's exporter needs it and says so less clearly
    except ImportError as error:
        raise EncoderError("The export needs onnxscript.", hint="pip install 'patsearch[train]'") from error
    searched = _Searched(network.cpu().eval()).eval()
    example = torch.zeros((2, 1, size, size), dtype=torch.uint8)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # the exporter warns about its own parts
            program = torch.onnx.export(
                searched,
                (example,),
                dynamo=True,
                verbose=False,
                opset_version=_OPSET,
                input_names=["drawings"],
                output_names=["embeddings"],
                dynamic_shapes={"drawings": {0: torch.export.Dim("n", min=1, max=_MOST_AT_ONCE)}},
            )
            assert program is not None
            program.optimize()
            return bytes(program.model_proto.SerializeToString(deterministic=True))
    except Exception as error:  # the exporter's errors share no base class
        reason = " ".join(str(error).split())[:200]
        raise EncoderError(f"{network.config.architecture} cannot be exported: {reason}.") from error
