"""The graph of the shipped network, with and without a second look at details."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from PIL import Image

from patsearch.encoder import EncoderCard, Preprocessing
from patsearch.encoder.card import fingerprint
from patsearch.encoder.detail_maps import DetailMaps
from patsearch.encoder.onnx import OnnxEncoder
from patsearch.encoder.regions import agreement
from patsearch.errors import EncoderError
from patsearch.training.details import Details, edge_width, shrunk, split
from patsearch.training.lite0 import FEATURES, Weights, build_network, network_weights
from patsearch.training.lite0_graph import build_model
from patsearch.training.validation import pooled_embeddings
from patsearch.training.whitening import Whitening

SIDE, DIM = 48, 100


@pytest.fixture(scope="module")
def weights() -> tuple[Weights, Weights]:
    """Two networks with random weights."""
    return network_weights(build_network(None)), network_weights(build_network(None))


def large(count: int = 4) -> NDArray[np.uint8]:
    """Crosses of different lengths, most of them in some places."""
    rng = np.random.default_rng(5)
    pages = np.full((count, 4 * SIDE, 4 * SIDE), 255, np.uint8)
    for page in pages:
        for top, left, length in rng.integers((4, 4, 8), (150, 150, 40), (9, 3)):
            page[top : top + 2, left : left + length] = page[top : top + length, left : left + 2] = 0
    return pages


def details_of(weights: Weights | None, **changes: float) -> Details:
    axes = np.linalg.qr(np.random.default_rng(6).normal(size=(FEATURES, DIM)))[0].astype(np.float32)
    return replace(Details(2, 0.7, (3, 4), (1.0, 0.6), axes, weights=weights), **changes)


def expected(first: Weights, details: Details, pages: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The vectors by torch and numpy."""
    one, two = build_network(first), build_network(details.weights or first)
    cut = split(pages, details.count)
    whole = np.stack([pooled_embeddings(one, shrunk(pages, shrink)) for shrink in details.shrinks], axis=1)
    local = pooled_embeddings(two, cut.drawings.reshape(-1, SIDE, SIDE)).reshape(len(pages), details.count, -1)
    return details.join(whole, local, cut)


def vectors_of(model: bytes, pages: NDArray[np.uint8]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (vectors,) = session.run(None, {"drawings": pages[:, np.newaxis]})
    return np.asarray(vectors, np.float32)


@pytest.mark.parametrize("second", [False, True], ids=["one network", "two networks"])
def test_a_second_look_gives_what_its_parts_give(weights: tuple[Weights, Weights], second: bool) -> None:
    details = details_of(weights[1] if second else None)
    pages = large()
    model = build_model(weights[0], name="t", size=4 * SIDE, power=3, details=details)
    vectors = vectors_of(model.SerializeToString(), pages)
    wanted = expected(weights[0], details, pages)
    assert vectors.shape == (4, FEATURES + DIM)
    assert (vectors * wanted).sum(axis=1).min() > 0.9999
    # Different drawings differ.
    assert (vectors @ vectors.T)[np.triu_indices(4, 1)].max() < 0.9999


def encoder_of(model: onnx.ModelProto, folder: Path, dim: int = FEATURES + DIM) -> OnnxEncoder:
    data = model.SerializeToString()
    (folder / "two.onnx").write_bytes(data)
    preprocessing = Preprocessing(size=4 * SIDE)
    return OnnxEncoder(
        folder / "two.onnx", EncoderCard("two", "", dim, preprocessing, fingerprint([data], preprocessing))
    )


def test_a_score_is_split_among_the_regions_of_all_looks(weights: tuple[Weights, Weights], tmp_path: Path) -> None:
    model = build_model(weights[0], name="t", size=4 * SIDE, power=3, details=details_of(weights[1]))
    encoder = encoder_of(model, tmp_path)
    one, other = (Image.fromarray(page) for page in large(2))
    vectors = encoder.encode_batch([one, other])
    found = agreement(encoder, one, other)
    assert found.method == "feature maps"
    assert found.score == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-5)
    assert found.query.shape == found.found.shape == (8, 8)
    for parts in (found.query, found.found):
        assert float(parts.sum(dtype=np.float64)) == pytest.approx(found.score, abs=1e-5)
        assert parts.std() > 1e-4
    # With nothing but the windows in a vector, only the densest cells have a part in it.
    maps = encoder.feature_maps
    assert isinstance(maps, DetailMaps)
    (regions,) = maps.regions(large(1))
    local = np.where(np.arange(FEATURES + DIM) < FEATURES, 0, vectors[1]).astype(np.float32)
    cells = regions.contributions(local)
    places = {look.place for look in regions.looks if look.place is not None}
    assert len(places) == 2
    for row, column in np.ndindex(4, 4):
        part = cells[2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        assert (part.std() > 1e-7) == ((row, column) in places)


def test_a_graph_that_only_has_the_names_is_not_split(weights: tuple[Weights, Weights], tmp_path: Path) -> None:
    model = build_model(weights[0], name="t", size=4 * SIDE, power=3, details=details_of(None))
    (node,) = [node for node in model.graph.node if node.op_type == "Sum"]
    node.op_type = "Max"
    assert encoder_of(model, tmp_path).feature_maps is None


def test_half_precision_halves_the_file_and_changes_little(weights: tuple[Weights, Weights]) -> None:
    details, pages = details_of(None), large()
    exact, half = (
        build_model(weights[0], name="t", size=4 * SIDE, power=3, details=details, half=half).SerializeToString()
        for half in (False, True)
    )
    assert len(half) < 0.55 * len(exact)
    assert (vectors_of(exact, pages) * vectors_of(half, pages)).sum(axis=1).min() > 0.9995


def test_what_an_enlarged_picture_seems_to_show_in_detail_does_not_count(weights: tuple[Weights, Weights]) -> None:
    details = details_of(None)
    model = build_model(weights[0], name="t", size=4 * SIDE, power=3, details=details).SerializeToString()
    sharp = large()
    small = shrunk(sharp, 6).repeat(6, axis=1).repeat(6, axis=2)
    blurred = np.stack([np.mean([np.roll(p, (y, x), (0, 1)) for y in range(6) for x in range(6)], 0) for p in small])
    assert edge_width(split(sharp, 2).drawings).max() < details.sharp < details.blurred
    assert edge_width(split(blurred.astype(np.uint8), 2).drawings).min() > details.blurred
    assert np.linalg.norm(vectors_of(model, sharp)[:, FEATURES:], axis=1) == pytest.approx(0.7 / np.hypot(1, 0.7))
    assert not vectors_of(model, blurred.astype(np.uint8))[:, FEATURES:].any()


def test_the_width_of_an_edge_is_measured_in_pixels() -> None:
    for width in (1, 2, 3, 5):
        ramp = np.clip((np.arange(60) - 20) / width, 0, 1) * 240
        picture = np.tile(ramp, (60, 1)).astype(np.uint8)[None, None]
        assert edge_width(picture)[0] == pytest.approx(width, rel=0.02)
    assert edge_width(np.full((1, 2, 8, 8), 255, np.uint8))[0] == 0


def test_the_densest_windows_come_first() -> None:
    page = np.full((1, 9, 9), 255, np.uint8)
    page[0, 3:6, 6:9] = 0
    page[0, 0, 0] = 0
    cut = split(page, 3, grid=3)
    assert cut.drawings.shape == (1, 3, 3, 3)
    assert not cut.drawings[0, 0].any()
    assert cut.drawings[0, 1, 0, 0] == 0
    assert (cut.drawings[0, 2] == 255).all()
    assert cut.ink[0].tolist() == pytest.approx([255, 255 / 9, 0])


def test_a_drawing_made_small_keeps_its_lines() -> None:
    page = np.full((1, 12, 12), 255, np.uint8)
    page[0, :, 4] = 0  # a third of a small pixel, made three wide
    assert shrunk(page, 3)[0].tolist() == [[255, 0, 255, 255]] * 4
    assert shrunk(page, 4).shape == (1, 3, 3)


def test_details_need_a_size_that_can_be_divided(weights: tuple[Weights, Weights]) -> None:
    details = details_of(None)
    whitening = Whitening(np.zeros(FEATURES, np.float32), np.eye(FEATURES, dtype=np.float32))
    for size, given in ((100, None), (None, None), (96, None), (192, whitening)):
        if size == 96:
            details = details_of(None, shrinks=(5,))
        with pytest.raises(EncoderError, match="divided into windows"):
            build_model(weights[0], name="t", size=size, power=3, details=details, whitening=given)
        details = details_of(None)
