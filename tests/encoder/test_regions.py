"""A score split among the regions of two drawings: exact by feature maps, by covering parts for any other encoder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from makers import draw_design
from PIL import Image

from patsearch.encoder import Encoder, load_encoder
from patsearch.encoder.base import Embeddings
from patsearch.encoder.onnx import OnnxEncoder
from patsearch.encoder.onnx_graph import with_outputs
from patsearch.encoder.regions import agreement, agreements
from patsearch.errors import EncoderError, ImageError


@pytest.fixture(scope="module")
def encoder() -> OnnxEncoder:
    encoder = load_encoder(threads=1)
    assert isinstance(encoder, OnnxEncoder)
    return encoder


@pytest.mark.parametrize("name", ["lite0-drawings", "lite0-imagenet"])
def test_the_parts_sum_to_the_cosine(name: str) -> None:
    if name == "lite0-imagenet":
        pytest.importorskip("patsearch_baseline", reason="the baseline is in the package patsearch-baseline")
    encoder = load_encoder(name, threads=1)
    for seed in range(4):
        one, other = draw_design(seed, 0), draw_design(seed + seed % 2, 1)
        vectors = encoder.encode_batch([one, other])
        found = agreement(encoder, one, other)
        assert found.method == "feature maps"
        assert found.score == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-5)
        assert float(found.query.sum(dtype=np.float64)) == pytest.approx(found.score, abs=1e-5)
        assert float(found.found.sum(dtype=np.float64)) == pytest.approx(found.score, abs=1e-5)


def test_a_better_vector_of_the_found_drawing_is_split_as_exactly(encoder: OnnxEncoder) -> None:
    large, query = draw_design(1, 0), draw_design(1, 1)
    small = large.resize((225, 300), Image.Resampling.BOX)
    (vector,) = encoder.encode_batch([large])
    found = agreement(encoder, query, small, found_vector=vector)
    (asked,) = encoder.encode_batch([query])
    assert found.score == pytest.approx(float(asked @ vector), abs=1e-5)
    assert float(found.found.sum(dtype=np.float64)) == pytest.approx(found.score, abs=1e-5)
    with pytest.raises(EncoderError, match="vectors of"):
        agreement(encoder, query, small, found_vector=vector[:7])


def halves(left: int, right: int) -> Image.Image:
    sheet = Image.new("L", (1800, 1200), 255)
    sheet.paste(draw_design(left, 0), (0, 0))
    sheet.paste(draw_design(right, 0), (900, 0))
    return sheet


class Opaque(Encoder):
    """The shipped encoder as a plug-in's, of which nothing is known but its vectors."""

    def __init__(self, encoder: Encoder) -> None:
        self.card = encoder.card
        self._inner = encoder

    def encode_batch(self, images: Sequence[Image.Image]) -> Embeddings:
        return self._inner.encode_batch(images)


@pytest.mark.parametrize("opaque", [False, True])
def test_what_both_show_counts_more_than_what_one_shows(encoder: OnnxEncoder, opaque: bool) -> None:
    asked = Opaque(encoder) if opaque else encoder
    for swap in (False, True):
        one, other = ((5, 11), (5, 14)) if not swap else ((11, 5), (14, 5))
        found = agreement(asked, halves(*one), halves(*other))
        assert found.method == ("occlusion" if opaque else "feature maps")
        for parts in (found.query, found.found):
            left, right = parts[:, : parts.shape[1] // 2].sum(), parts[:, -(parts.shape[1] // 2) :].sum()
            assert (left > right) != swap


def test_covering_works_for_encoders_without_a_map() -> None:
    encoder = load_encoder("ri-lbp")
    found = agreement(encoder, draw_design(2, 0), draw_design(2, 1))
    assert found.method == "occlusion"
    assert found.query.shape == found.found.shape == (8, 8)
    assert np.isfinite(found.query).all()
    assert found.query.max() > 0


def test_several_pictures_are_each_compared(encoder: OnnxEncoder) -> None:
    pictures = [draw_design(3, 0), draw_design(3, 1), draw_design(8, 0)]
    together = agreements(encoder, pictures, draw_design(3, 0))
    apart = [agreement(encoder, picture, draw_design(3, 0)) for picture in pictures]
    assert [t.score for t in together] == pytest.approx([a.score for a in apart], abs=1e-6)
    assert together[0].score == pytest.approx(1, abs=1e-5)


def test_a_blank_picture_has_no_regions(encoder: OnnxEncoder) -> None:
    blank = Image.new("L", (300, 200), 255)
    with pytest.raises(ImageError, match="picture 1 of the query is blank"):
        agreement(encoder, blank, draw_design(1, 0))
    with pytest.raises(ImageError, match="found drawing is blank"):
        agreement(encoder, draw_design(1, 0), blank)


def test_declaring_outputs_changes_nothing_else(encoder: OnnxEncoder) -> None:
    import onnx

    data = encoder.path.read_bytes()
    before, after = onnx.load_from_string(data), onnx.load_from_string(with_outputs(data, ["one", "two"]))
    assert [o.name for o in after.graph.output] == [*(o.name for o in before.graph.output), "one", "two"]
    del after.graph.output[-2:]
    assert after == before
