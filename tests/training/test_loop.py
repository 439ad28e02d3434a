from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from patsearch.errors import InputError, SettingsError, UsageError
from patsearch.training.augment import Augmentation
from patsearch.training.cache import VIEW, DrawingCache, Record, write_shard
from patsearch.training.lite0 import build_network
from patsearch.training.loop import TrainConfig, Trainer, slim
from patsearch.training.validation import retrieval, validate

CONFIG = TrainConfig(
    size=32, designs=6, drawings=2, steps=14, warmup=2, decay=4, rate=1e-3, head_rate=5e-3, average=0.5
)


NOTHING = Augmentation(
    mirror=0, quarter=0, tilt=0, shear=0, stretch=0, zoom=1, thicker=0, thinner=0, broken=0, erased=0, paler=0,
    one_bit=0, grain=0,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> DrawingCache:
    """Ten designs, each striped in a way of its own, drawn four times in slightly other places."""
    folder = tmp_path_factory.mktemp("cache")
    rng = np.random.default_rng(0)
    records, rows = [], []
    for design in range(10):
        records.append(Record(f"d{design}", f"g{design}", "f", (VIEW,) * 3 + ("sketch",)))
        for _ in range(4):
            page = np.full((40, 40), 255, np.uint8)
            top, left = rng.integers(2, 8, 2)
            stripes = page[top : top + 30, left : left + 30]
            stripes[:: 2 + design // 2] = 0
            rows.append(page if design % 2 else page.T)
    write_shard(folder, 0, records, np.stack(rows))
    return DrawingCache(folder)


def trainer(cache: DrawingCache, config: TrainConfig = CONFIG) -> Trainer:
    torch.manual_seed(1)
    return Trainer(build_network(None, projection=16), cache, tuple(range(10)), config)


def test_the_loss_falls_and_the_rates_rise_and_fall(cache: DrawingCache) -> None:
    # All drawings in every batch, unchanged: what a network with random weights can learn in a few steps.
    run = trainer(cache, replace(CONFIG, designs=10, drawings=4, augmentation=NOTHING))
    losses, rates = [], []
    for _ in range(CONFIG.steps):
        losses.append(run.train_step())
        rates.append(run.optimiser.param_groups[0]["lr"])
    assert np.mean(losses[-4:]) < 0.8 * np.mean(losses[:3])
    assert rates[0] == pytest.approx(0.5e-3)
    assert rates[1:11] == pytest.approx([1e-3] * 10)
    assert rates[-1] == pytest.approx(0.25e-3)
    assert run.optimiser.param_groups[-1]["lr"] == pytest.approx(5 * rates[-1])


def test_a_run_that_goes_on_ends_with_the_weights_of_one_never_stopped(cache: DrawingCache, tmp_path: Path) -> None:
    whole = trainer(cache)
    for _ in range(5):
        whole.train_step()
    first = trainer(cache)
    for _ in range(2):
        first.train_step()
    first.save(tmp_path / "state.safetensors")
    second = Trainer(build_network(None, projection=16), cache, tuple(range(10)), CONFIG)
    second.load(tmp_path / "state.safetensors")
    assert second.step == 2
    for _ in range(3):
        second.train_step()
    for one, other in ((whole.network, second.network), (whole.averaged, second.averaged)):
        for name, tensor in one.state_dict().items():
            assert torch.equal(tensor, other.state_dict()[name]), name


def test_a_run_starts_from_the_averaged_weights_of_another(cache: DrawingCache, tmp_path: Path) -> None:
    first = trainer(cache)
    for _ in range(2):
        first.train_step()
    first.save(tmp_path / "state.safetensors")
    slim(tmp_path / "state.safetensors", tmp_path / "slim.safetensors")
    assert (tmp_path / "slim.safetensors").stat().st_size < 0.2 * (tmp_path / "state.safetensors").stat().st_size
    for name, tolerance in (("state", 0.0), ("slim", 1e-3)):
        second = trainer(cache)
        second.start_from(tmp_path / f"{name}.safetensors")
        assert second.step == 0
        assert not second.optimiser.state
        for network in (second.network, second.averaged):
            for key, tensor in first.averaged.state_dict().items():
                torch.testing.assert_close(network.state_dict()[key], tensor, rtol=tolerance, atol=tolerance)
        second.train_step()


def test_the_front_keeps_weights_and_statistics(cache: DrawingCache) -> None:
    run = trainer(cache)
    before = {name: tensor.clone() for name, tensor in run.network.backbone.state_dict().items()}
    run.train_step()
    changed = {
        name for name, tensor in run.network.backbone.state_dict().items() if not torch.equal(tensor, before[name])
    }
    front = ("conv_stem.", "bn1.", "blocks.0.", "blocks.1.", "blocks.2.")
    assert not [name for name in changed if name.startswith(front)]
    assert "blocks.3.0.bn1.running_mean" in changed
    assert {"blocks.3.0.conv_pw.weight", "conv_head.weight"} <= changed


def test_what_cannot_be_trained_is_refused(cache: DrawingCache, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="projection"):
        Trainer(build_network(None), cache, tuple(range(10)), CONFIG)
    with pytest.raises(UsageError, match="40 pixels"):
        trainer(cache, TrainConfig(size=64))
    with pytest.raises(SettingsError, match="out of range"):
        TrainConfig(steps=0)
    run = trainer(cache)
    (tmp_path / "bad.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="cannot be used"):
        run.load(tmp_path / "bad.safetensors")
    with pytest.raises(InputError, match="cannot be used"):
        run.start_from(tmp_path / "missing.safetensors")
    with torch.no_grad():
        run.network.projection[0].weight.fill_(float("nan"))
    with pytest.raises(UsageError, match="The loss is nan"):
        run.train_step()


def test_retrieval_on_a_hand_worked_case() -> None:
    angles = np.radians([0, 10, 50, 60, 4, 58])
    embeddings = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    designs = np.array([0, 1, 0, 1, 0, 1])
    sketches = np.array([False, False, False, False, True, True])
    # Views at 0 and 50 degrees are of one design, at 10 and 60 of the other: each finds its partner second
    # or third (0: 10, 50; 10: 0, 50, 60), so 1/2, 1/3, 1/3, 1/2. The sketch at 4 is nearest to 0, that at 58 to 60.
    scores = retrieval(embeddings, designs, sketches)
    assert scores["map"] == pytest.approx((1 / 2 + 1 / 3 + 1 / 3 + 1 / 2) / 4)
    assert scores["sketch_hit@1"] == 1.0
    assert np.isnan(retrieval(embeddings, designs, np.zeros(6, bool))["sketch_hit@1"])


def test_validation_uses_the_pooled_features(cache: DrawingCache) -> None:
    network = build_network(None, projection=16)
    before = validate(network, cache, range(10), size=32)
    with torch.no_grad():
        network.projection[0].weight.zero_()
    assert validate(network, cache, range(10), size=32) == before
    assert 0 < before["map"] <= 1
    assert 0 <= before["sketch_hit@1"] <= 1
