"""From a trained network to the ONNX encoder that ships, checked against torch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from patsearch.encoder.card import EncoderCard, fingerprint
from patsearch.encoder.onnx import OnnxEncoder
from patsearch.encoder.preprocess import Preprocessing
from patsearch.encoder.torch_network import Network
from patsearch.errors import EncoderError, InputError
from patsearch.training.augment.augmentation import encoder_input
from patsearch.training.data.cache import VIEW, DrawingCache
from patsearch.training.start import AVERAGED, NETWORK
from patsearch.training.validation import encoded
from workshop.details import Details, Tiles, cut
from workshop.lite0 import Weights, build_network, network_weights
from workshop.lite0_graph import build_model
from workshop.whitening import Whitening, fit_whitening

LEAST_COSINE = 0.9999
LEAST_COSINE_HALF = 0.999


def pooled_embeddings(network: Network, drawings: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """(N, features) of unit length: the pooled features before the projection, for (size, size) drawings."""
    return encoded(network, lambda pixels: network.pooled(network.normalised(pixels)), drawings)


def interpolate(start: Weights, end: Weights, share: float) -> Weights:
    """Weights a share of the way from `start` (0) to `end` (1), statistics of normalisation included.

    Wortsman et al., Robust fine-tuning of zero-shot models (2022), section 3: between pretrained and
    fine-tuned weights there are networks that do better than either on data unlike that of the fine-tuning.
    """
    missing = end.keys() - start.keys()
    if missing:
        raise EncoderError(f"The weights do not fit: {', '.join(sorted(missing)[:3])} ...")
    return {name: ((1 - share) * start[name] + share * tensor).astype(np.float32) for name, tensor in end.items()}


def export_encoder(
    network: Network,
    card: EncoderCard,
    folder: Path,
    *,
    whitening: Whitening | None = None,
    details: Details | None = None,
    half: bool = False,
    check: NDArray[np.uint8] | None = None,
) -> EncoderCard:
    """Write `NAME.onnx` and `NAME.json`: the pooled features of a Lite0, without the projection.

    Args:
        network: of `workshop.lite0.build_network`.
        card: name and preprocessing decide; dimension and fingerprint are filled in.
        folder: to write into.
        whitening: of the pooled features of unit length.
        details: windows of the drawing in addition, instead of a whitening.
        half: keep the weights in half precision in the file, which changes the vectors a little.
        check: (N, size, size) uint8 drawings on which both must agree; random blots if none are given.

    Returns:
        The card as written.

    Raises:
        EncoderError: the exported encoder's vectors are not the network's.
    """
    power = round(network.config.gem_power)
    if power != network.config.gem_power or network.config.pooling != "gem":
        raise EncoderError("Only generalised-mean pooling with a whole power is exported.")
    size = card.preprocessing.size
    model = build_model(
        network_weights(network),
        name=card.name,
        size=size,
        power=power,
        whitening=whitening,
        details=details,
        windows=card.preprocessing.windows,
        half=half,
    )
    data = model.SerializeToString(deterministic=True)
    (dim,) = (axis.dim_value for axis in model.graph.output[0].type.tensor_type.shape.dim[1:])
    shape_dim = details.shape_dim if details else None
    card = replace(card, dim=dim, shape_dim=shape_dim, sha256=fingerprint([data], card.preprocessing))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{card.name}.onnx"
    path.write_bytes(data)
    card.save(path.with_suffix(".json"))
    drawings = check if check is not None else _blots(size)
    wanted = _pooled_twice(network, details, drawings, card.preprocessing) if details else None
    least = float(parity(network, OnnxEncoder(path, card), drawings, whitening, wanted).min())
    if least < (LEAST_COSINE_HALF if half else LEAST_COSINE):
        path.unlink()
        path.with_suffix(".json").unlink()
        raise EncoderError(f"The exported encoder differs from the network: cosine {least:.6f} at worst.")
    return card


def parity(
    network: Network,
    encoder: OnnxEncoder,
    drawings: NDArray[np.uint8],
    whitening: Whitening | None = None,
    wanted: NDArray[np.floating] | None = None,
) -> NDArray[np.float32]:
    """(N,) cosines between the vectors of a network, or `wanted`, and of its export, for (N, size, size) drawings."""
    if wanted is None:
        vectors = pooled_embeddings(network, drawings)
        wanted = vectors if whitening is None else whitening(vectors)
    return np.asarray((wanted * encoder.encode_arrays(drawings)).sum(axis=1), np.float32)


def looks(
    network: Network, windows: Network, squares: NDArray[np.uint8], spec: Preprocessing
) -> tuple[NDArray[np.float32], NDArray[np.float32], Tiles]:
    """What `Details.join` takes: vectors of the whole and of its windows, and these.

    Args:
        network, windows: which look at the whole and at windows.
        squares: (N, size, size) with windows.
    """
    tiles = cut(squares, spec)
    whole = [pooled_embeddings(network, drawings) for drawings in (tiles.whole, tiles.smaller)]
    side = spec.smaller.size
    local = pooled_embeddings(windows, tiles.windows.reshape(-1, side, side))
    return np.stack(whole, axis=1), local.reshape(len(squares), spec.windows, -1), tiles


def _pooled_twice(
    network: Network, details: Details, squares: NDArray[np.uint8], spec: Preprocessing
) -> NDArray[np.float64]:
    other = network if details.weights is None else build_network(details.weights, power=details.power)
    return details.join(*looks(network, other, squares, spec))


def whitening_of(
    encoder: OnnxEncoder, cache: DrawingCache, chosen: Sequence[int], *, dim: int, shrinkage: float
) -> Whitening:
    """The learned whitening of an encoder, fitted on the views of designs of a cache.

    Sketches are left out: they would teach that a design's drawings differ as sketches do.
    """
    rows, labels = [], []
    for design in chosen:
        views = [i for i, kind in enumerate(cache.records[design].kinds) if kind == VIEW]
        if views:
            drawings = [encoder_input(cache.drawing(design, i), encoder.preprocessing) for i in views]
            rows.append(encoder.encode_arrays(np.stack(drawings)))
            labels += [design] * len(views)
    return fit_whitening(np.concatenate(rows), np.array(labels, np.int64), dim=dim, shrinkage=shrinkage)


def read_backbone(path: Path, *, last: bool = False) -> Weights:
    """The backbone in a training state (see `Trainer.save`), under the PyPI package's names.

    Args:
        last: the weights of the last step instead of the averaged ones.

    Raises:
        InputError: the state cannot be read, or is of another architecture.
    """
    prefix = "network.backbone." if last else "averaged.backbone."
    network = build_network(None)
    try:
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118  (no mapping)
            network.backbone.load_state_dict({name.removeprefix(prefix): file.get_tensor(name) for name in names})
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"The training state {path} cannot be used: {reason}.") from error
    return network_weights(network)


def write_backbone(weights: Weights, path: Path) -> None:
    """Weights, under the PyPI package's names, as a file that a run can start from and `read_backbone` reads."""
    network = build_network(weights)
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {f"{AVERAGED}{name}": tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(tensors, path, {NETWORK: json.dumps(asdict(network.config))})


def _blots(size: int, count: int = 8) -> NDArray[np.uint8]:
    """Simple drawings: black rectangles on white."""
    rng = np.random.default_rng(0)
    drawings = np.full((count, size, size), 255, np.uint8)
    for drawing in drawings:
        for _ in range(6):
            top, left = rng.integers(0, size - 4, 2)
            drawing[top : top + rng.integers(2, size // 3), left : left + rng.integers(2, size // 3)] = 0
    return drawings


def slim(state: Path, path: Path) -> None:
    """Keep of a state what a new run can start from: the averaged weights, in half precision, and what network it is.

    The recipe is left out: it names folders of the machine it ran on, and these files are shared.
    """
    with safe_open(state, framework="pt") as file:
        names = [name for name in file.keys() if name.startswith(AVERAGED)]  # noqa: SIM118  (no mapping)
        kept = {name: file.get_tensor(name) for name in names}
        network = file.metadata()[NETWORK]
    save_file({n: t.half() if t.is_floating_point() else t for n, t in kept.items()}, path, {NETWORK: network})
