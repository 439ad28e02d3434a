"""Export to ONNX, 8 bits, and comparing encoders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from patsearch.encoder import EncoderCard, Preprocessing, load_encoder
from patsearch.encoder.onnx import OnnxEncoder
from patsearch.encoder.torch import TorchEncoder, load_checkpoint, save_checkpoint
from patsearch.encoder.torch_network import Network, NetworkConfig
from patsearch.errors import EncoderError
from patsearch.training.data.cache import DrawingCache, Record, write_shard
from patsearch.training.export import onnx_export, quantise
from patsearch.training.export.compare import agreement, compare_encoders
from patsearch.training.export.onnx_export import Exported, export_onnx

SIZE = 64
CARD = EncoderCard("tiny", "A test", 0, Preprocessing(size=SIZE), "", trained_on="Rectangles.", licence="Apache-2.0")


def pages(count: int, seed: int = 0) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    drawn = np.full((count, SIZE, SIZE), 255, np.uint8)
    for page in drawn:
        for top, left in rng.integers(2, SIZE - 26, (6, 2)):
            page[top : top + 2, left : left + 24] = page[top : top + 24, left : left + 2] = 0
    return drawn


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> TorchEncoder:
    """A checkpoint with random weights, a projection and a learned exponent."""
    torch.set_num_threads(1)
    config = NetworkConfig("test_efficientnet", pooling="gem", gem_learned=True, projection=16, mean=(0.4, 0.5, 0.6))
    folder = tmp_path_factory.mktemp("checkpoint") / "best"
    save_checkpoint(folder, Network(config), CARD)
    return load_checkpoint(str(folder))


@pytest.fixture(scope="module")
def exported(encoder: TorchEncoder, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return export_onnx(encoder, tmp_path_factory.mktemp("exported"), "tiny", pages(8))


def test_the_exported_encoder_gives_the_same_vectors(encoder: TorchEncoder, exported: Exported) -> None:
    loaded = load_encoder(str(exported.path))
    assert isinstance(loaded, OnnxEncoder)
    some = pages(5, seed=3)
    theirs, ours = loaded.encode_arrays(some), encoder.encode_arrays(some)
    assert (theirs * ours).sum(axis=1).min() >= 0.9999
    np.testing.assert_allclose(np.linalg.norm(theirs, axis=1), 1, atol=1e-5)
    # Different drawings differ: the agreement does not come from constant vectors.
    assert (ours @ ours.T)[np.triu_indices(5, 1)].max() < 0.9999
    np.testing.assert_allclose(loaded.encode_arrays(some[:1]), theirs[:1], atol=1e-5)


def test_the_card_is_carried_over(encoder: TorchEncoder, exported: Exported) -> None:
    card = EncoderCard.load(exported.path.with_suffix(".json"))
    assert card == exported.card
    assert (card.dim, card.preprocessing, card.trained_on, card.licence) == (
        16,
        CARD.preprocessing,
        "Rectangles.",
        "Apache-2.0",
    )
    assert encoder.card.sha256 in card.notes
    assert exported.least >= 0.9999


def test_an_export_that_differs_is_refused_and_nothing_is_left(
    encoder: TorchEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exported: Exported
) -> None:
    other = exported.path.read_bytes()
    config = replace(encoder.network.config, gem_learned=False, gem_power=1.0)
    stranger = TorchEncoder(Network(config), encoder.card)
    monkeypatch.setattr(onnx_export, "_graph", lambda *_: other)
    with pytest.raises(EncoderError, match=r"differs too much .* cosine -?0\.\d+ on average"):
        export_onnx(stranger, tmp_path, "wrong", pages(8))
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_is_said_in_one_line(encoder: TorchEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("an operator\nthat nobody knows")

    monkeypatch.setattr(torch.onnx, "export", fail)
    with pytest.raises(EncoderError, match="test_efficientnet cannot be exported: an operator that nobody knows"):
        onnx_export._graph(encoder.network, SIZE)


def test_eight_bits(exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = OnnxEncoder(exported.path, exported.card, threads=1)
    made = quantise.quantise(exact, tmp_path, "tiny-int8", calibration=pages(16, 5), check=pages(16, 6))
    assert made.mean >= 0.99
    loaded = load_encoder(str(made.path))
    assert loaded.card.sha256 == made.card.sha256 != exported.card.sha256
    assert exported.card.sha256 in loaded.card.notes
    assert isinstance(loaded, OnnxEncoder)
    some = pages(8, 7)
    cosines = (loaded.encode_arrays(some) * exact.encode_arrays(some)).sum(axis=1)
    assert 0.98 < cosines.mean() < 0.9999999  # it is another model, and nearly the same
    monkeypatch.setattr(quantise, "LEAST_MEAN_COSINE", 1.1)
    with pytest.raises(EncoderError, match=r"differs too much .* on average"):
        quantise.quantise(exact, tmp_path / "refused", "x", calibration=pages(4, 5), check=pages(4, 6))
    assert not list((tmp_path / "refused").iterdir())


def test_comparing_an_encoder_with_itself_and_with_another(encoder: TorchEncoder, tmp_path: Path) -> None:
    records = [Record(f"d{d}", f"g{d}", "f", ("view", "view")) for d in range(8)]
    drawings = np.repeat(pages(8, 9), 2, axis=0)
    drawings[1::2] = np.roll(drawings[1::2], 2, axis=1)
    write_shard(tmp_path, 0, records, drawings)
    cache = DrawingCache(tmp_path)
    same = compare_encoders(encoder, encoder, cache)
    assert same.drawings == 16
    assert same.top == 1
    assert same.cosine_least == pytest.approx(1, abs=1e-5)
    assert same.first.map == same.second.map
    lbp = load_encoder("ri-lbp:4?size=64")
    other = compare_encoders(encoder, lbp, cache)  # type: ignore[arg-type]  # an array encoder
    assert other.cosine_mean is None
    assert 0 < other.top < 1
    assert other.second.map > 0.5
    assert other.to_json()["second"]["dim"] == 16 * 54


def test_agreement_is_that_of_a_loop() -> None:
    rng = np.random.default_rng(0)
    first, second = (rng.normal(size=(30, 5)).astype(np.float32) for _ in range(2))
    shared = 0
    for i in range(30):
        nearest = [
            set(sorted((j for j in range(30) if j != i), key=lambda j: -float(v[i] @ v[j]))[:4])
            for v in (first, second)
        ]
        shared += len(nearest[0] & nearest[1])
    assert agreement(first, second, 4) == pytest.approx(shared / 120)
