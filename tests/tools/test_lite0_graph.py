"""The graph of the shipped network, with and without a second look at details."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from PIL import Image

from patsearch.encoder import EncoderCard, Preprocessing, preprocess
from patsearch.encoder.card import fingerprint
from patsearch.encoder.detail_maps import DetailMaps
from patsearch.encoder.onnx import OnnxEncoder
from patsearch.encoder.regions import agreement
from patsearch.errors import EncoderError
from workshop.details import Details, Tiles, cut, edge_width, fit_axes, local_part
from workshop.export import looks
from workshop.lite0 import FEATURES, Weights, build_network, network_weights
from workshop.lite0_graph import build_model
from workshop.whitening import Whitening

SPEC, DIM, FEWER = Preprocessing(size=224, windows=2), 100, 300
# Sides of the whole and of a window, and of a drawing that has both windows in it, apart.
SIDE, DRAWN = 128, 320


@pytest.fixture(scope="module")
def weights() -> tuple[Weights, Weights]:
    """Two networks with random weights."""
    return network_weights(build_network(None)), network_weights(build_network(None))


def pages(count: int = 4) -> NDArray[np.uint8]:
    """Crosses of different lengths, and a frame about them."""
    rng = np.random.default_rng(5)
    drawn = np.full((count, DRAWN, DRAWN), 255, np.uint8)
    for page in drawn:
        page[:2] = page[-2:] = 0
        page[:, :2] = page[:, -2:] = 0
        for top, left, length in rng.integers((4, 4, 8), (250, 250, 60), (9, 3)):
            page[top : top + 2, left : left + length] = page[top : top + length, left : left + 2] = 0
    return drawn


def squares(drawings: NDArray[np.uint8], spec: Preprocessing = SPEC) -> NDArray[np.uint8]:
    return np.stack([preprocess(page, spec) for page in drawings])


def details_of(weights: Weights | None, **changes: Any) -> Details:
    axes = np.linalg.qr(np.random.default_rng(6).normal(size=(FEATURES, DIM)))[0].astype(np.float32)
    return replace(Details(0.7, (1.0, 0.6), axes, weights=weights), **changes)


def fewer_axes() -> NDArray[np.float32]:
    """For the whole's part."""
    return np.linalg.qr(np.random.default_rng(7).normal(size=(FEATURES, FEWER)))[0].astype(np.float32)


def model_of(weights: Weights, details: Details, *, half: bool = False, windows: int = 2) -> onnx.ModelProto:
    return build_model(weights, name="t", size=SPEC.size, power=3, details=details, windows=windows, half=half)


def vectors_of(model: onnx.ModelProto, drawings: NDArray[np.uint8]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (vectors,) = session.run(None, {"drawings": drawings[:, np.newaxis]})
    return np.asarray(vectors, np.float32)


@pytest.mark.parametrize("windows", [1, 2])
@pytest.mark.parametrize("second", [False, True], ids=["one network", "two networks"])
def test_a_second_look_gives_what_its_parts_give(weights: tuple[Weights, Weights], second: bool, windows: int) -> None:
    changes = {"shape_axes": fewer_axes(), "power": 4} if second else {}
    details, spec = details_of(weights[1] if second else None, **changes), replace(SPEC, windows=windows)
    drawings = squares(pages(), spec)
    vectors = vectors_of(model_of(weights[0], details, windows=windows), drawings)
    one, two = build_network(weights[0]), build_network(weights[1] if second else weights[0], power=details.power)
    wanted = details.join(*looks(one, two, drawings, spec))
    assert vectors.shape == (4, (FEWER if second else FEATURES) + DIM + 1) == (4, details.dim)
    assert (vectors * wanted).sum(axis=1).min() > 0.9999
    # Different drawings differ.
    assert (vectors @ vectors.T)[np.triu_indices(4, 1)].max() < 0.9999


def encoder_of(model: onnx.ModelProto, folder: Path, dim: int = FEATURES + DIM + 1) -> OnnxEncoder:
    data = model.SerializeToString()
    (folder / "two.onnx").write_bytes(data)
    return OnnxEncoder(folder / "two.onnx", EncoderCard("two", "", dim, SPEC, fingerprint([data], SPEC)))


@pytest.mark.parametrize("axes", [None, fewer_axes()], ids=["all axes", "fewer axes"])
def test_a_score_is_split_among_the_regions_of_all_looks(
    weights: tuple[Weights, Weights], tmp_path: Path, axes: NDArray[np.float32] | None
) -> None:
    details = details_of(weights[1], shape_axes=axes)
    encoder = encoder_of(model_of(weights[0], details), tmp_path, details.dim)
    one, other = (Image.fromarray(page) for page in pages(2))
    vectors = encoder.encode_batch([one, other])
    found = agreement(encoder, one, other)
    assert found.method == "feature maps"
    assert found.score == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-5)
    assert found.query.shape == found.found.shape == (12, 12)  # of 4 and 3 cells a side
    for parts in (found.query, found.found):
        assert float(parts.sum(dtype=np.float64)) == pytest.approx(found.score, abs=1e-5)
        assert parts.std() > 1e-4


def test_what_windows_add_lies_where_they_are(weights: tuple[Weights, Weights], tmp_path: Path) -> None:
    encoder = encoder_of(model_of(weights[0], details_of(weights[1])), tmp_path)
    maps = encoder.feature_maps
    assert isinstance(maps, DetailMaps)
    drawings = squares(pages(2))
    (regions,) = maps.regions(drawings[:1])
    assert sorted(look.window for look in regions.looks if look.window is not None) == [0, 1]
    vectors = encoder.encode_arrays(drawings)
    local = np.where(np.arange(FEATURES + DIM + 1) < FEATURES, 0, vectors[1]).astype(np.float32)
    cells = regions.contributions(local, places=[(0, 0, 0.5, 0.5), (0.5, 0.5, 1, 1)])
    there = np.abs(cells) > 1e-6
    assert there[:6, :6].any()
    assert there[6:, 6:].any()
    assert not there[:6, 6:].any()
    assert not there[6:, :6].any()
    # Windows whose places are not known are spread evenly.
    assert regions.contributions(local).std() < 1e-12
    for parts in (cells, regions.contributions(local)):
        assert parts.sum() == pytest.approx(float(vectors[0] @ local), abs=1e-5)


def test_a_graph_that_only_has_the_names_is_not_split(weights: tuple[Weights, Weights], tmp_path: Path) -> None:
    model = model_of(weights[0], details_of(None))
    (node,) = [node for node in model.graph.node if node.op_type == "Sum"]
    node.op_type = "Max"
    assert encoder_of(model, tmp_path).feature_maps is None


def test_half_precision_halves_the_file_and_changes_little(weights: tuple[Weights, Weights]) -> None:
    details, drawings = details_of(None), squares(pages())
    exact, half = (model_of(weights[0], details, half=half) for half in (False, True))
    assert half.ByteSize() < 0.55 * exact.ByteSize()
    assert (vectors_of(exact, drawings) * vectors_of(half, drawings)).sum(axis=1).min() > 0.9995


def test_what_an_enlarged_picture_seems_to_show_in_detail_does_not_count(weights: tuple[Weights, Weights]) -> None:
    details = details_of(None)
    model = model_of(weights[0], details)
    sharp = pages()
    blurred = np.stack([cv2.GaussianBlur(page, (0, 0), 4) for page in sharp])
    sharp, blurred = squares(sharp), squares(blurred)
    assert cut(sharp, SPEC).edges.max() < details.sharp < details.blurred < cut(blurred, SPEC).edges.min()
    local, absent = (vectors_of(model, part)[:, FEATURES:] * np.hypot(1, 0.7) / 0.7 for part in (sharp, blurred))
    assert np.linalg.norm(local, axis=1) == pytest.approx(1, abs=1e-4)
    assert not local[:, -1].any()
    np.testing.assert_allclose(absent, np.tile(np.eye(DIM + 1)[-1], (4, 1)), atol=1e-5)


def test_a_drawing_without_windows_is_compared_by_shape(weights: tuple[Weights, Weights]) -> None:
    model = model_of(weights[0], details_of(None))
    small = squares(np.stack([cv2.resize(page, (100, 100), interpolation=cv2.INTER_AREA) for page in pages()]))
    assert (small[:, :, SIDE:] == 255).all()
    blank = np.full((1, *small.shape[1:]), 255, np.uint8)
    vectors = vectors_of(model, np.concatenate([small, blank]))
    absent = vectors[:4, FEATURES:] * np.hypot(1, 0.7) / 0.7
    np.testing.assert_allclose(absent, np.tile(np.eye(DIM + 1)[-1], (4, 1)), atol=1e-5)
    assert np.isfinite(vectors).all()


def test_the_pen_of_a_blurred_picture_is_explained_as_far_as_it_counts(
    weights: tuple[Weights, Weights], tmp_path: Path
) -> None:
    encoder = encoder_of(model_of(weights[0], details_of(None)), tmp_path)
    maps = encoder.feature_maps
    assert isinstance(maps, DetailMaps)
    drawings = squares(np.stack([cv2.GaussianBlur(page, (0, 0), blur) for page in pages(1) for blur in (0.8, 4)]))
    edges = cut(drawings, SPEC).edges
    assert 2 < edges[0] < 3 < edges[1]
    for regions, counts in zip(maps.regions(drawings), (True, False), strict=True):
        local = [look.channels for look in regions.looks if look.window is not None]
        assert bool(np.abs(local).max() > 1e-6) == counts
        assert regions.contributions(regions.vector).sum() == pytest.approx(1, abs=1e-5)


def test_the_width_of_an_edge_is_measured_in_pixels() -> None:
    for width in (1, 2, 3, 5):
        ramp = np.clip((np.arange(60) - 20) / width, 0, 1) * 240
        picture = np.tile(ramp, (60, 1)).astype(np.uint8)[None, None]
        assert edge_width(picture)[0] == pytest.approx(width, rel=0.02)
    assert edge_width(np.full((1, 2, 8, 8), 255, np.uint8))[0] == 0


def test_a_square_is_taken_apart() -> None:
    square = np.full((1, 224, 224), 255, np.uint8)
    square[0, :128, :128], square[0, 128:, :96], square[0, :96, 128:], square[0, 96:192, 128:] = 10, 20, 30, 40
    tiles = cut(square, SPEC)
    for part, side, value in ((tiles.whole, 128, 10), (tiles.smaller, 96, 20)):
        assert part.shape == (1, side, side)
        assert (part == value).all()
    assert tiles.windows.shape == (1, 2, 96, 96)
    assert [np.unique(window).tolist() for window in tiles.windows[0]] == [[30], [40]]
    assert tiles.ink.tolist() == [[225, 215]]
    assert cut(square, replace(SPEC, windows=1)).windows.shape == (1, 1, 96, 96)


def test_windows_count_by_the_roots_of_their_ink() -> None:
    windows = np.full((1, 2, 32, 32), 255, np.uint8)
    windows[0, 0], windows[0, 1, :8] = 0, 0  # all ink, and a quarter
    vectors = np.zeros((1, 2, 3), np.float32)
    vectors[0, 0, 0], vectors[0, 1, 1] = 5, 0.1  # their lengths do not count
    assert local_part(vectors, Tiles.of_windows(windows))[0] == pytest.approx(np.array([2, 1, 0]) / np.sqrt(5))


def test_axes_keep_what_is_most_common() -> None:
    local = np.array([[1, 0, 0, 0], [0.8, 0.6, 0, 0], [0.8, -0.6, 0, 0], [0.9, 0, 0.1, 0]])
    axes = fit_axes(local, 2)
    assert axes.shape == (4, 2)
    np.testing.assert_allclose(axes.T @ axes, np.eye(2), atol=1e-5)
    np.testing.assert_allclose(np.abs(axes.T), np.eye(2, 4), atol=0.05)


def test_axes_with_more_are_made_shorter() -> None:
    local = np.array([[1, 0, 0, 0], [0.9, 0.1, 0, 0], [0.8, -0.6, 0, 0], [0.9, 0, 0.4, 0]])
    plain = fit_axes(local, 3)
    spread = ((local @ plain) ** 2).sum(axis=0)
    for share in (0.5, 1.0):
        axes = fit_axes(local, 3, share)
        np.testing.assert_allclose(axes / np.linalg.norm(axes, axis=0), plain, atol=1e-5)
        amounts = ((local @ axes) ** 2).sum(axis=0)
        np.testing.assert_allclose(amounts / amounts[0], (spread / spread[0]) ** (1 - share), rtol=1e-3)


def test_details_need_a_size_and_windows(weights: tuple[Weights, Weights]) -> None:
    whitening = Whitening(np.zeros(FEATURES, np.float32), np.eye(FEATURES, dtype=np.float32))
    for size, windows, given in ((None, 1, None), (224, 0, None), (224, 1, whitening)):
        with pytest.raises(EncoderError, match="need a known size, windows"):
            build_model(
                weights[0], name="t", size=size, power=3, details=details_of(None), windows=windows, whitening=given
            )
