"""The ONNX Runtime encoder: vectors, worker processes, refusals."""

from __future__ import annotations

import multiprocessing
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

import patsearch.encoder
from patsearch.encoder import DEFAULT_ENCODER, ArrayEncoder, EncoderCard, Preprocessing, encoder_names, load_encoder
from patsearch.encoder.card import fingerprint
from patsearch.encoder.onnx import OnnxEncoder
from patsearch.encoder.shape import shape_part
from patsearch.errors import EncoderError, PluginError

WEIGHTS = Path(patsearch.encoder.__file__).parent / "weights"


@pytest.fixture(scope="module")
def encoder() -> OnnxEncoder:
    loaded = load_encoder(threads=1)
    assert isinstance(loaded, OnnxEncoder)
    return loaded


def arrays(count: int, size: int = 448) -> NDArray[np.uint8]:
    return np.random.default_rng(count).integers(0, 256, (count, size, size), dtype=np.uint8)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for ending in (".onnx", ".json"):
        shutil.copy(WEIGHTS / f"{DEFAULT_ENCODER}{ending}", tmp_path / f"mine{ending}")
    return tmp_path / "mine.onnx"


def test_rows_are_of_unit_length_and_do_not_depend_on_the_batch(encoder: OnnxEncoder) -> None:
    drawings = arrays(19)
    together = encoder.encode_arrays(drawings)
    assert together.dtype == np.float32
    assert together.shape == (19, encoder.card.dim)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    alone = np.concatenate([encoder.encode_arrays(drawings[i : i + 1]) for i in range(19)])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_threads_do_not_change_the_vectors(encoder: OnnxEncoder) -> None:
    np.testing.assert_allclose(load_encoder(threads=2).encode_batch([]), np.empty((0, encoder.card.dim)))
    two = load_encoder(threads=2)
    assert isinstance(two, OnnxEncoder)
    np.testing.assert_allclose(two.encode_arrays(arrays(3)), encoder.encode_arrays(arrays(3)), atol=1e-5)


def test_a_drawing_is_closer_to_its_copy_than_to_another(encoder: OnnxEncoder) -> None:
    chair = Image.new("L", (600, 800), 255)
    draw = ImageDraw.Draw(chair)
    draw.rectangle((150, 50, 450, 400), outline=0, width=4)
    draw.line([(150, 400), (120, 750)], fill=0, width=4)
    draw.line([(450, 400), (480, 750)], fill=0, width=4)
    ring = Image.new("L", (600, 600), 255)
    ImageDraw.Draw(ring).ellipse((50, 50, 550, 550), outline=0, width=4)
    whole = encoder.encode_batch([chair, chair.resize((300, 400)).convert("RGB"), ring])
    vectors = shape_part(whole, encoder.card.shape_dim)
    assert vectors[0] @ vectors[1] > 0.95 > 0.6 > vectors[0] @ vectors[2]
    # A copy of half the size is too small for a sheet and its pen, which the last number says.
    assert np.argmax(whole[1]) == encoder.card.dim - 1
    assert whole[0, -1] == 0


@pytest.mark.parametrize(
    "wrong", [arrays(2, 128), arrays(2)[:, None], arrays(2).astype(np.float32)], ids=["size", "rank", "type"]
)
def test_other_arrays_are_refused(encoder: OnnxEncoder, wrong: NDArray[np.uint8]) -> None:
    with pytest.raises(EncoderError, match=r"takes uint8 \(N, 448, 448\)"):
        encoder.encode_arrays(wrong)


def test_pickling_loads_it_again(encoder: OnnxEncoder) -> None:
    again = pickle.loads(pickle.dumps(encoder))
    assert again.card == encoder.card
    assert again.threads == 1
    np.testing.assert_array_equal(again.encode_arrays(arrays(1)), encoder.encode_arrays(arrays(1)))
    assert len(pickle.dumps(encoder)) < 20_000  # the card, not the weights


def test_works_in_a_spawned_process(encoder: OnnxEncoder) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        there = pool.apply(encoder.encode_arrays, (arrays(1),))
    np.testing.assert_allclose(there, encoder.encode_arrays(arrays(1)), atol=1e-5)


class TestLoading:
    def test_the_default(self, encoder: OnnxEncoder) -> None:
        assert encoder.card.name == DEFAULT_ENCODER
        assert load_encoder(DEFAULT_ENCODER).card == encoder.card

    def test_names(self) -> None:
        assert {DEFAULT_ENCODER, "onnx:", "timm:", "checkpoint:"} <= set(encoder_names())

    def test_by_file_and_the_name_loads_again(self, copy: Path, encoder: OnnxEncoder) -> None:
        for name in (str(copy), f"onnx:{copy}"):
            loaded = load_encoder(name)
            assert loaded.card.name == f"onnx:{copy}"
            assert loaded.card.sha256 == encoder.card.sha256
            assert load_encoder(loaded.card.name).card == loaded.card

    def test_unknown_names(self, tmp_path: Path) -> None:
        with pytest.raises(EncoderError, match=r"There is no encoder 'nonsense'.*lite0-drawings"):
            load_encoder("nonsense")
        with pytest.raises(EncoderError, match="There is no encoder 'nonsense:x'"):
            load_encoder("nonsense:x")
        with pytest.raises(EncoderError, match=r"nothing\.json cannot be read"):
            load_encoder(str(tmp_path / "nothing.onnx"))

    def test_changed_weights_are_refused(self, copy: Path) -> None:
        data = bytearray(copy.read_bytes())
        data[len(data) // 2] ^= 1
        copy.write_bytes(data)
        with pytest.raises(EncoderError, match="fingerprints differ"):
            load_encoder(str(copy))

    def test_changed_preprocessing_is_refused(self, copy: Path) -> None:
        card = copy.with_suffix(".json")
        card.write_text(card.read_text().replace('"padding": 0.03', '"padding": 0.05'))
        with pytest.raises(EncoderError, match="fingerprints differ"):
            load_encoder(str(copy))

    def test_a_file_that_is_no_model_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.onnx"
        path.write_bytes(b"not a model")
        EncoderCard("x", "x", 8, Preprocessing(), fingerprint([b"not a model"], Preprocessing())).save(
            path.with_suffix(".json")
        )
        with pytest.raises(EncoderError, match=r"ONNX Runtime cannot load .*mine\.onnx"):
            load_encoder(str(path))

    @pytest.mark.parametrize("change", [{"dim": 448}, {"preprocessing": Preprocessing(size=224)}])
    def test_a_card_of_another_shape_is_refused(self, copy: Path, change: dict[str, object]) -> None:
        card = EncoderCard.load(copy.with_suffix(".json"))
        values = {name: getattr(card, name) for name in ("name", "title", "dim", "preprocessing")} | change
        preprocessing = values["preprocessing"]
        assert isinstance(preprocessing, Preprocessing)
        EncoderCard(**values, sha256=fingerprint([copy.read_bytes()], preprocessing)).save(copy.with_suffix(".json"))
        with pytest.raises(EncoderError, match="is not a patsearch encoder"):
            load_encoder(str(copy))

    def test_a_plugin_must_give_an_encoder(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("patsearch.plugins.load", lambda kind, name: lambda argument, threads: argument)
        with pytest.raises(EncoderError, match="gave a str, which is not an Encoder"):
            load_encoder("onnx:x")

    def test_a_missing_package_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import sys

        monkeypatch.setitem(sys.modules, "patsearch.encoder.torch", None)
        with pytest.raises(PluginError, match="encoder 'timm' does not load"):
            load_encoder("timm:resnet18")


def test_it_is_an_array_encoder(encoder: OnnxEncoder) -> None:
    assert isinstance(encoder, ArrayEncoder)
    assert encoder.preprocessing == encoder.card.preprocessing
