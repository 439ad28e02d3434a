"""What networks that are not trained teach the one that is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional
from training_makers import NOTHING, make_cache, make_recipe

from patsearch.errors import UsageError
from patsearch.training import distillation
from patsearch.training.config import Recipe
from patsearch.training.data.cache import DrawingCache
from patsearch.training.distillation import FACTS, VECTORS, Teachers, shared_front, similarity_loss
from patsearch.training.loop import Trainer
from patsearch.training.run import train
from patsearch.training.start import build

DESIGNS = tuple(range(10))
ALONE = {"name": "info-nce", "weight": 0.0}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> DrawingCache:
    return make_cache(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """A student and two teachers: one at random, one whose weights are elsewhere."""
    return _recipe(_weights(tmp_path / "teacher", seed=3))


def _recipe(*teachers: str, **sections: dict[str, Any]) -> Recipe:
    sections = {"augment": NOTHING, "loss": ALONE, **sections}
    network = {"projection": 0, "pooling": "gem", "embedding": "pooled"}
    return make_recipe(network=network, distillation={"teachers": ["random", *teachers]}, **sections)


def _weights(folder: Path, *, seed: int) -> str:
    """A run's folder with other weights than the student begins with."""
    network = {"projection": 0, "pooling": "gem", "embedding": "pooled"}
    recipe = make_recipe(network=network, loss={"name": "info-nce", "on": "pooled"}, schedule={"seed": seed})
    trainer = Trainer(recipe, make_cache(folder / "cache"), DESIGNS)
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in (*trainer.network.parameters(), *trainer.averaged.parameters()):
            parameter.add_(0.3 * parameter.std(correction=0) * torch.randn_like(parameter))
    trainer.save(folder / "state.safetensors")
    return str(folder)


def _unit(rows: list[list[float]]) -> torch.Tensor:
    return functional.normalize(torch.tensor(rows, dtype=torch.float32), dim=1)


def test_the_loss_on_a_hand_worked_case() -> None:
    student, taught = _unit([[1, 0], [0, 1], [1, 1]]), _unit([[1, 0, 0], [1, 1, 0], [0, 0, 1]])
    temperature, squared = 0.5, 2.0
    s, t = student.double().numpy(), taught.double().numpy()
    divergence, square = [], []
    for i in range(3):
        others = [j for j in range(3) if j != i]
        wanted, found = (np.exp([rows[i] @ rows[j] / temperature for j in others]) for rows in (t, s))
        wanted, found = wanted / wanted.sum(), found / found.sum()
        divergence.append((wanted * np.log(wanted / found)).sum())
        square += [(s[i] @ s[j] - t[i] @ t[j]) ** 2 for j in others]
    by_hand = np.mean(divergence) + squared * np.mean(square)
    assert float(similarity_loss(student, taught, temperature=temperature, squared=squared)) == pytest.approx(
        by_hand, rel=1e-5
    )


def test_nothing_is_learned_where_similarities_are_those_of_the_teachers() -> None:
    rows = functional.normalize(torch.randn(6, 5, generator=torch.Generator().manual_seed(0)), dim=1)
    turned = rows @ torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(1)))[0]
    assert float(similarity_loss(rows, turned, temperature=0.05, squared=1.0)) == pytest.approx(0, abs=1e-5)


def test_one_drawing_teaches_nothing() -> None:
    rows = torch.ones(1, 4, requires_grad=True)
    similarity_loss(rows, torch.ones(1, 4), temperature=0.05, squared=1.0).backward()  # type: ignore[no-untyped-call]
    assert rows.grad is not None
    assert not rows.grad.any()


def test_teachers_encode_each_drawing_in_the_order_of_the_cache(
    cache: DrawingCache, recipe: Recipe, tmp_path: Path
) -> None:
    teachers = Teachers.prepare(recipe, cache, tmp_path)
    places = np.array([[3, 1], [0, 0], [15, 3]])
    drawings = torch.from_numpy(np.stack([cache.drawing(*place) for place in places.tolist()]))
    networks = [distillation._teacher(recipe, start, None) for start in recipe.distillation.teachers]
    with torch.inference_mode():
        wanted = torch.cat([functional.normalize(n.pooled(n.normalised(drawings)), dim=1) for n in networks], dim=1)
    cosines = (functional.normalize(wanted, dim=1) * teachers.of(places)).sum(dim=1)
    assert cosines.min() > 0.995  # products in bfloat16
    assert teachers.vectors.shape == (16 * 4, sum(network.features for network in networks))


def test_a_stopped_preparation_resumes_and_keeps_what_is_done(
    cache: DrawingCache, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = np.array(Teachers.prepare(recipe, cache, tmp_path / "whole").vectors)
    monkeypatch.setattr(distillation, "_BATCH", 8)
    monkeypatch.setattr(distillation, "_NOTED", 1)

    def stop(done: int, count: int) -> None:
        if done >= 24:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Teachers.prepare(recipe, cache, tmp_path / "run", watch=stop)
    seen: list[int] = []
    teachers = Teachers.prepare(recipe, cache, tmp_path / "run", watch=lambda done, count: seen.append(done))
    assert seen[0] == 32
    assert seen[-1] == 64
    np.testing.assert_allclose(teachers.vectors, whole, atol=0.01)
    Teachers.prepare(recipe, cache, tmp_path / "run", watch=lambda done, count: pytest.fail("made twice"))


def test_vectors_of_other_teachers_are_made_anew(cache: DrawingCache, recipe: Recipe, tmp_path: Path) -> None:
    Teachers.prepare(recipe, cache, tmp_path / "run")
    other, seen = _recipe(_weights(tmp_path / "other", seed=5)), []
    teachers = Teachers.prepare(other, cache, tmp_path / "run", watch=lambda done, count: seen.append(done))
    assert seen[-1] == 64
    np.testing.assert_array_equal(teachers.vectors, Teachers.prepare(other, cache, tmp_path / "fresh").vectors)


def test_half_written_vectors_are_not_read(cache: DrawingCache, recipe: Recipe, tmp_path: Path) -> None:
    Teachers.prepare(recipe, cache, tmp_path)
    whole = (tmp_path / VECTORS).read_bytes()
    (tmp_path / FACTS).write_text(json.dumps({"done": 64}))
    (tmp_path / VECTORS).write_bytes(b"")
    Teachers.prepare(recipe, cache, tmp_path)
    assert (tmp_path / VECTORS).read_bytes() == whole


def test_a_front_in_common_is_computed_once(recipe: Recipe) -> None:
    one, other = build(recipe).eval(), build(recipe).eval()
    assert shared_front([one, other]) == len(one.backbone.blocks)
    with torch.no_grad():
        next(other.backbone.blocks[2].parameters()).mul_(1.5)
    assert shared_front([one, other]) == 2
    drawings = torch.randint(0, 256, (3, 40, 40), dtype=torch.uint8)
    apart, together = (distillation._side_by_side([one, other], drawings, shared) for shared in (0, 2))
    torch.testing.assert_close(apart, together)
    with torch.no_grad():
        other.backbone.conv_stem.weight.mul_(1.5)
    assert shared_front([one, other]) == 0
    assert shared_front([one]) == 0


def test_a_network_in_two_parts_is_the_same(recipe: Recipe) -> None:
    network = build(recipe).eval()
    assert network.has_front
    images = network.normalised(torch.randint(0, 256, (2, 40, 40), dtype=torch.uint8))
    for stages in (0, 1, 3):
        torch.testing.assert_close(network.pooled_from(network.front(images, stages), stages), network.pooled(images))


def test_similarities_can_be_learned() -> None:
    numbers = torch.Generator().manual_seed(0)
    taught = functional.normalize(torch.randn(12, 5, generator=numbers), dim=1)
    free = torch.randn(12, 8, generator=numbers).requires_grad_()
    optimiser = torch.optim.Adam([free], lr=0.05)
    for _ in range(300):
        optimiser.zero_grad()
        similarity_loss(functional.normalize(free, dim=1), taught, temperature=0.1, squared=1.0).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    rows = functional.normalize(free.detach(), dim=1)
    assert float((rows @ rows.T - taught @ taught.T).abs().max()) < 0.1


def test_a_student_comes_nearer_to_its_teachers(cache: DrawingCache, tmp_path: Path) -> None:
    recipe = _recipe(_weights(tmp_path / "teacher", seed=3), schedule={"steps": 60, "rate": 5e-3})
    trainer = Trainer(recipe, cache, DESIGNS, teachers=Teachers.prepare(recipe, cache, tmp_path))
    losses = [trainer.train_step().loss for _ in range(60)]
    assert np.mean(losses[-20:]) < 0.95 * np.mean(losses[:20])


def test_a_run_with_teachers_resumes_to_the_bit(cache: DrawingCache, recipe: Recipe, tmp_path: Path) -> None:
    straight = train(recipe, cache, tmp_path / "straight", device="cpu")

    class _Stop(Exception):
        pass

    def stop(progress: Any) -> None:
        if progress.step == 3:
            raise _Stop

    changed = recipe.model_copy(update={"schedule": recipe.schedule.model_copy(update={"save_seconds": 0.0})})
    with pytest.raises(_Stop):
        train(changed, cache, tmp_path / "stopped", device="cpu", watch=stop)
    resumed = train(changed, cache, tmp_path / "stopped", device="cpu")
    assert straight.steps == resumed.steps
    for name in ("best", "last"):
        files = [tmp_path / run / name / "weights.safetensors" for run in ("straight", "stopped")]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_classes_and_teachers_add_up(cache: DrawingCache, tmp_path: Path) -> None:
    both = _recipe(loss={"name": "info-nce", "on": "pooled", "weight": 0.2, "options": {}})
    trainer = Trainer(both, cache, DESIGNS, teachers=Teachers.prepare(both, cache, tmp_path))
    rows = functional.normalize(torch.randn(8, trainer.network.features), dim=1)
    labels, taught = torch.arange(4).repeat_interleave(2), functional.normalize(torch.randn(8, 7), dim=1)
    classes = float(trainer.loss({"pooled": rows}, labels))
    learned = float(similarity_loss(rows, taught, temperature=0.05, squared=1.0))
    assert float(trainer.loss({"pooled": rows}, labels, taught)) == pytest.approx(classes + learned, rel=1e-5)


def test_teachers_must_be_asked_before_a_run(cache: DrawingCache, recipe: Recipe) -> None:
    with pytest.raises(UsageError, match="no vectors"):
        Trainer(recipe, cache, DESIGNS)


def test_a_run_must_learn_from_something() -> None:
    with pytest.raises(UsageError, match="weight of every loss is 0"):
        make_recipe(loss=ALONE)
