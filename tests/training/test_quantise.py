"""Which parts of a graph are computed in bytes; what that changes is in `test_onnx_export.py`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from patsearch.encoder import EncoderCard, Preprocessing
from patsearch.encoder.card import fingerprint
from patsearch.encoder.detail_maps import DetailMaps
from patsearch.encoder.onnx import OnnxEncoder
from patsearch.encoder.torch import load_checkpoint, save_checkpoint
from patsearch.encoder.torch_network import Network, NetworkConfig
from patsearch.errors import EncoderError
from patsearch.training.export import quantise
from patsearch.training.export.onnx_export import Exported, export_onnx
from workshop.details import Details
from workshop.lite0 import FEATURES, build_network, network_weights
from workshop.lite0_graph import build_model

SPEC = Preprocessing(size=224, windows=1)
DIM = 40


def pages(count: int, seed: int) -> NDArray[np.uint8]:
    """Squares with a whole, its smaller copy and a window in them."""
    rng = np.random.default_rng(seed)
    drawn = np.full((count, SPEC.size, SPEC.size), 255, np.uint8)
    for page in drawn:
        for top, left in rng.integers(2, SPEC.size - 42, (30, 2)):
            page[top : top + 2, left : left + 40] = page[top : top + 40, left : left + 2] = 0
    return drawn


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> OnnxEncoder:
    """Two networks with random weights, which look at the whole and at a window."""
    axes = np.linalg.qr(np.random.default_rng(6).normal(size=(FEATURES, DIM)))[0].astype(np.float32)
    whole, windows = (network_weights(build_network(None)) for _ in range(2))
    # A share of 1 is a product that changes nothing, and would be left out.
    details = Details(0.9, (1.0, 0.8), axes, weights=windows)
    model = build_model(whole, name="t", size=SPEC.size, power=3, details=details, windows=1, half=True)
    data = model.SerializeToString(deterministic=True)
    path = tmp_path_factory.mktemp("exact") / "two.onnx"
    path.write_bytes(data)
    card = EncoderCard("two", "A test", FEATURES + DIM + 1, SPEC, fingerprint([data], SPEC), licence="Apache-2.0")
    return OnnxEncoder(path, card, threads=1)


@pytest.fixture(scope="module")
def made(exact: OnnxEncoder, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return quantise.quantise(
        exact, tmp_path_factory.mktemp("int8"), "two-int8", calibration=pages(12, 5), check=pages(12, 6)
    )


def test_it_is_smaller_than_in_half_precision(exact: OnnxEncoder, made: Exported) -> None:
    assert made.mean >= quantise.LEAST_MEAN_COSINE
    assert made.bytes < 0.8 * exact.path.stat().st_size


def test_what_is_in_8_bits_is_not_quantised_again(made: Exported, tmp_path: Path) -> None:
    encoder = OnnxEncoder(made.path, made.card, threads=1)
    with pytest.raises(EncoderError, match="two-int8 is already in 8 bits"):
        quantise.quantise(encoder, tmp_path, "x", calibration=pages(2, 5), check=pages(2, 6))
    assert not list(tmp_path.iterdir())


def test_convolutions_are_in_bytes_and_measurements_are_not(made: Exported) -> None:
    model = onnx.load(made.path)
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    sources = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    kernels = [
        values.get(sources.get(node.input[1], node.input[1])) for node in model.graph.node if node.op_type == "Conv"
    ]
    bytes_, floats = (
        [kernel for kernel in kernels if kernel is not None and kernel.dtype == kind] for kind in (np.int8, np.float32)
    )
    assert len(bytes_) + len(floats) == len(kernels) == 3 * 49 + 1
    # All of it may be in bytes, but never the differences that tell how blurred a window is.
    assert [4, 1, 3, 3] in [list(kernel.shape) for kernel in floats]
    assert len(bytes_) > len(kernels) / 2
    # Two products of bytes fit into 16 bits, where processors add them there.
    assert max(np.abs(kernel.astype(int)).max() for kernel in bytes_) <= 64


def test_a_score_is_still_split_without_a_rest(made: Exported) -> None:
    encoder = OnnxEncoder(made.path, made.card, threads=1)
    maps = encoder.feature_maps
    assert isinstance(maps, DetailMaps)
    some = pages(2, 9)
    vectors = encoder.encode_arrays(some)
    (regions,) = maps.regions(some[:1])
    np.testing.assert_array_equal(regions.vector, vectors[0])
    cells = regions.contributions(vectors[1], places=[(0, 0, 1, 1)])
    assert cells.sum() == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-5)
    assert cells.std() > 1e-4


def test_a_transformer_is_made_smaller_too(tmp_path: Path) -> None:
    torch.manual_seed(0)
    spec = Preprocessing(size=160)
    network = Network(NetworkConfig("test_vit", pooling="native", projection=16, image_size=160))
    save_checkpoint(tmp_path / "best", network, EncoderCard("vit", "A test", 0, spec, ""))
    drawings = pages(12, 3)[:, :160, :160]
    exported = export_onnx(load_checkpoint(str(tmp_path / "best")), tmp_path, "vit", drawings[:2])
    exact = OnnxEncoder(exported.path, exported.card, threads=1)
    made = quantise.quantise(exact, tmp_path, "vit-int8", calibration=drawings[:8], check=drawings[8:])
    assert made.bytes < 0.5 * exported.bytes
    assert made.mean >= quantise.LEAST_MEAN_COSINE
