from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from training_makers import make_recipe, make_table

from patsearch import plugins
from patsearch.errors import SettingsError
from patsearch.suite.rows import SEED
from patsearch.training.augment.augmentation import Augmentation
from patsearch.training.config import AugmentSection, Recipe
from patsearch.training.data.sampler import SAMPLERS
from patsearch.training.recipes import check_recipe, load_recipe, recipe_names, to_toml


def trained() -> list[str]:
    return recipe_names()


def write(folder: Path, text: str, name: str = "mine.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


MINE = '[schedule]\nsteps = 5\n[loss]\nname = "triplet"\noptions = { margin = 0.2 }\n'


@pytest.mark.parametrize("name", trained())
def test_every_recipe_is_whole(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.title
    assert recipe.batch.sampler in SAMPLERS
    assert {loss.name for loss in recipe.losses} <= set(plugins.names("loss"))
    assert check_recipe(tomllib.loads(to_toml(recipe)), where="its own text") == recipe


def test_the_rows_of_the_literature_differ_in_what_they_are_named_for() -> None:
    triplet, infonce, arcface = (load_recipe(f"effnet-{name}") for name in ("triplet", "infonce", "arcface"))
    assert len({recipe.network for recipe in (triplet, infonce, arcface)}) == 1
    assert len({recipe.data for recipe in (triplet, infonce, arcface)}) == 1
    assert [recipe.loss.name for recipe in (triplet, infonce, arcface)] == ["triplet", "info-nce", "arcface"]
    assert arcface.loss.options == {"scale": 30.0, "margin": 0.5}
    assert arcface.schedule.head_rate == pytest.approx(50 * arcface.schedule.rate)
    # One batch has as many drawings, so that an epoch budget costs the same.
    assert {r.batch.designs * r.batch.drawings for r in (triplet, infonce, arcface)} == {128}


def test_the_documented_recipes_are_the_recipes() -> None:
    page = (Path(__file__).parents[2] / "docs" / "research" / "training.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([\w-]+)` \| (.*) \|$", page, re.MULTILINE))
    published = {row.name: row.published for row in SEED if row.published is not None}
    assert set(recipe_names()) == set(rows)
    assert {name for name in published if f"{published[name]:.3f}" not in rows[name]} == set()
    for name, text in rows.items():
        if found := re.search(r"(?:(\d+) and then )?(\d+) px", text.partition("|")[0]):
            assert [int(size) for size in found.groups() if size] == [size for size, _ in load_recipe(name).stages]


def test_every_augmentation_has_its_switch() -> None:
    assert set(AugmentSection.model_fields) == {field.name for field in fields(Augmentation)}
    assert make_recipe(augment={"erased": 0.0}).augmentation() == Augmentation(erased=0.0)


def test_recipes_extend_one_another(tmp_path: Path) -> None:
    write(tmp_path, MINE + "[batch]\ndesigns = 6\n", "base.toml")
    path = write(tmp_path, 'extends = "base.toml"\n[batch]\ndrawings = 4\n')
    recipe = load_recipe(path)
    assert (recipe.batch.designs, recipe.batch.drawings) == (6, 4)
    assert recipe.loss.options == {"margin": 0.2}
    over_fast = load_recipe(write(tmp_path, 'extends = "fast"\ntitle = "Mine"\n'))
    assert over_fast.title == "Mine"
    assert over_fast.loss == load_recipe("fast").loss


def test_another_loss_begins_its_options_anew_and_a_budget_drops_the_other(tmp_path: Path) -> None:
    path = write(tmp_path, 'extends = "fast"\n[loss]\nname = "triplet"\n[schedule]\ncpu_seconds = 60\n')
    recipe = load_recipe(path)
    assert recipe.loss.options == {}
    assert (recipe.schedule.cpu_seconds, recipe.schedule.epochs) == (60, None)
    same = load_recipe("fast", changes=["loss.name=info-nce", "schedule.steps=7"])
    assert same.loss == load_recipe("fast").loss
    assert same.schedule.budget(5).amount == 7


def test_changes(tmp_path: Path) -> None:
    path = write(tmp_path, MINE)
    changes = ["batch.designs=9", "network.architecture=resnet18", "data.stages=[{size=64, share=1}]"]
    recipe = load_recipe(path, changes=[*changes, "loss.options.margin = 0.5", "schedule.compile=true"])
    assert recipe.batch.designs == 9
    assert recipe.network.architecture == "resnet18"
    assert recipe.stages == ((64, 1.0),)
    assert recipe.loss.options == {"margin": 0.5}
    assert recipe.schedule.compile
    with pytest.raises(SettingsError, match=r"Invalid --set .*expected KEY=VALUE"):
        load_recipe(path, changes=["batch.designs"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[schedule]\nstep = 5\n", r"mine\.toml: unknown key schedule\.step\. Close: steps"),
        ("[schedul]\nsteps = 5\n", r"unknown key schedul\. Close: schedule"),
        ("[schedule]\nsteps = 5\n[augment]\nblur = 1\n", r"unknown key augment\.blur\. Known there: broken"),
        ("[schedule]\nsteps = 5\n[data]\nstages = [{ side = 64 }]\n", r"unknown key data\.stages\.0\.side\. .*size"),
        ("[schedule]\nsteps = 'many'\n", r"schedule\.steps: .*integer"),
        ("[schedule]\n", r"schedule: exactly one of steps, epochs, cpu_seconds, wall_seconds must be given, not none"),
        ("[schedule]\nsteps = 5\nepochs = 5\n", "not steps and epochs"),
        (
            "[schedule]\nsteps = 5\n[data]\nstages = [{ size = 64, share = 0.5 }]\n",
            "the stages must sum to 1",
        ),
        ("[schedule]\nsteps = 5\n[network]\nprojection = 0\nembedding = 'projection'\n", "projection is 0"),
        ("[schedule]\nsteps = 5\n[loss]\nname = 'triplet'\nweight = 0\n", "weight of every loss is 0"),
        ("[schedule]\nsteps = 5\n[augment]\ntilt = 999\n", "Augmentation out of range"),
        ("[schedule\n", "is not TOML"),
        ("extends = 'mine.toml'\n", "extends itself"),
        ("extends = 'strng'\n", "Unknown recipe 'strng'. Close: strong"),
        ("extends = 3\n", "must be a name or a path"),
    ],
)
def test_what_makes_no_sense_is_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        load_recipe(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_unknown_recipes(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"Unknown recipe 'fst'\. Close: fast"):
        load_recipe("fst")
    with pytest.raises(SettingsError, match=r"Unknown recipe .*Known: "):
        load_recipe(tmp_path / "nothing.toml")


def test_a_run_s_folder_is_a_recipe_too(tmp_path: Path) -> None:
    recipe = make_recipe(batch={"designs": 7})
    write(tmp_path, to_toml(recipe), "recipe.toml")
    assert load_recipe(tmp_path) == recipe


def test_losses_of_a_recipe() -> None:
    second = {"name": "triplet", "on": "pooled", "weight": 0.5}
    recipe = Recipe.model_validate(make_table() | {"loss2": second})
    assert [(loss.name, loss.on, loss.weight) for loss in recipe.losses] == [
        ("info-nce", "projection", 1.0),
        ("triplet", "pooled", 0.5),
    ]
    assert len(Recipe.model_validate(make_table() | {"loss2": second | {"weight": 0}}).losses) == 1


def test_epochs_become_steps() -> None:
    table = make_table()
    del table["schedule"]["steps"]
    table["schedule"]["epochs"] = 2.5
    budget = Recipe.model_validate(table).schedule.budget(11)
    assert (budget.unit, budget.amount) == ("steps", 28)
