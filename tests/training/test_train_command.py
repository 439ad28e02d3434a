"""`patsearch train` from outside: what it writes, how it resumes, how it fails."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from training_makers import make_cache, make_recipe
from waiting import wait_until

from patsearch.cli import main
from patsearch.encoder import load_encoder
from patsearch.training import run as run_module
from patsearch.training.data.cache import DrawingCache
from patsearch.training.loop import Trainer
from patsearch.training.recipes import load_recipe, to_toml

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache and a recipe for it."""
    folder = tmp_path_factory.mktemp("train")
    make_cache(folder / "cache")
    (folder / "tiny.toml").write_text(to_toml(make_recipe()))
    return folder


@pytest.fixture
def command(folder: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `patsearch train` with the tiny recipe and cache: exit code, stdout, stderr."""

    def call(*arguments: object, recipe: object = folder / "tiny.toml", data: object = folder / "cache") -> Any:
        words = [] if recipe is None else [recipe]
        with pytest.raises(SystemExit) as ended:
            main(["train", *map(str, [*words, "--data", data, "--threads", 1, *arguments])])
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return call


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "log.csv").open() as file:
        return list(csv.DictReader(file))


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = load_file(one / "state.safetensors"), load_file(other / "state.safetensors")
    assert first.keys() == second.keys()
    assert [name for name, tensor in first.items() if not torch.equal(tensor, second[name])] == []


def test_a_run_writes_what_it_promises(command: Command, tmp_path: Path) -> None:
    code, out, _ = command("--out", tmp_path / "run", "--json")
    assert code == 0
    result = json.loads(out)
    assert result["finished"]
    assert (result["steps"], result["samples"]) == (6, 48)
    assert result["cpu_seconds"] > 0
    assert result["best"]["map"] == pytest.approx((result["best"]["map_groups"] + result["best"]["map_families"]) / 2)
    run = tmp_path / "run"
    names = ["best", "curves.html", "environment.json", "last", "log.csv", "recipe.toml", "state.safetensors"]
    assert sorted(path.name for path in run.iterdir()) == names
    log = rows(run)
    assert [row["step"] for row in log] == ["1", "2", "3", "4", "5", "6"]
    assert all(float(row["loss"]) > 0 and float(row["norm"]) > 0 for row in log)
    # The best checkpoint is that of the best validation in the log.
    scores = {int(row["step"]): float(row["map"]) for row in log if row["map"]}
    assert len(scores) >= 2
    assert result["best_step"] == max(scores, key=lambda step: scores[step])
    assert load_recipe(run) == make_recipe()
    environment = json.loads((run / "environment.json").read_text())
    assert environment["trained_designs"] + environment["held_out"]["groups"] + 2 == environment["designs"] == 16
    # The loss, and two scores on each of the two held-out sets.
    assert (run / "curves.html").read_text(encoding="utf-8").count("<polyline") == 5
    for name in ("best", "last"):
        encoder = load_encoder(f"checkpoint:{run / name}", threads=1)
        assert encoder.card.preprocessing.size == 40
        assert "drawings of" in encoder.card.trained_on
        vectors = encoder.encode_batch([Image.new("L", (50, 60), 255)])
        assert vectors.shape == (1, encoder.card.dim)
        assert np.linalg.norm(vectors) == pytest.approx(1, abs=1e-4)


def test_a_finished_run_can_be_lengthened_without_naming_its_recipe(command: Command, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert command("--out", run)[0] == 0
    before = (run / "state.safetensors").read_bytes()
    assert command("--out", run, recipe=None)[0] == 0  # nothing is left to do
    assert (run / "state.safetensors").read_bytes() == before
    code, out, _ = command("--out", run, "--set", "schedule.steps=8", "--json", recipe=None)
    assert (code, json.loads(out)["steps"]) == (0, 8)
    assert [row["step"] for row in rows(run)] == [str(step) for step in range(1, 9)]
    assert load_recipe(run).schedule.steps == 8


def in_background(folder: Path, run: Path, *changes: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "patsearch", "train", str(folder / "tiny.toml"), "--data", str(folder / "cache")]
    words += ["--out", str(run), "--threads", "1", "--quiet"]
    words += [word for change in changes for word in ("--set", change)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


CHANGES = ("schedule.steps=30", "validation.every=15", "schedule.save_seconds=0")


def test_killed_and_resumed_equals_undisturbed_to_the_bit(command: Command, folder: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    changes = [word for change in CHANGES for word in ("--set", change)]
    assert command("--out", whole, *changes)[0] == 0
    process = in_background(folder, killed, *CHANGES)
    wait_until(lambda: (killed / "log.csv").exists() and len(rows(killed)) >= 5, process)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    done = len(rows(killed))
    assert done < 30
    assert command("--out", killed, *changes)[0] == 0
    assert_same_weights(whole, killed)
    for name in ("best", "last"):
        assert (whole / name / "weights.safetensors").read_bytes() == (
            killed / name / "weights.safetensors"
        ).read_bytes()
    timeless = [[{n: v for n, v in row.items() if "seconds" not in n} for row in rows(run)] for run in (whole, killed)]
    assert timeless[0] == timeless[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_is_saved_first(
    command: Command, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    run, step = tmp_path / "run", Trainer.train_step

    def interrupted(self: Trainer) -> Any:
        if self.spent.steps == 2:
            signal.raise_signal(number)  # in the middle of the third step, which is finished first
        return step(self)

    monkeypatch.setattr(Trainer, "train_step", interrupted)
    before = signal.getsignal(number)
    code, out, err = command("--out", run, "--set", "schedule.save_seconds=1000", "--set", "validation.every=100")
    assert code == 130, err
    assert "stopped; the same command resumes the run: 3 steps" in out
    assert signal.getsignal(number) is before
    monkeypatch.undo()
    trainer = Trainer(load_recipe(run), DrawingCache(folder / "cache"), training_designs(folder))
    trainer.load(run / "state.safetensors")
    assert trainer.spent.steps == int(rows(run)[-1]["step"]) == 3
    assert load_encoder(f"checkpoint:{run / 'last'}", threads=1).card.dim > 0


def training_designs(folder: Path) -> tuple[int, ...]:
    from patsearch.training.data.splits import split_designs

    recipe = make_recipe()
    return split_designs(
        DrawingCache(folder / "cache").records,
        families=recipe.data.held_out_families,
        share=recipe.data.held_out_share,
    ).train


def test_memory_that_does_not_suffice_is_one_line_and_loses_nothing(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    step, calls = Trainer.train_step, []

    def greedy(self: Trainer) -> Any:
        calls.append(1)
        if len(calls) == 4:
            torch.empty(2**55, dtype=torch.uint8)  # more than any machine has
        return step(self)

    monkeypatch.setattr(Trainer, "train_step", greedy)
    code, out, err = command("--out", run, "--set", "schedule.save_seconds=0", "--quiet")
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert "memory is too small for step 3. The state of step 3 is kept" in err
    assert "batch.accumulate" in err
    monkeypatch.undo()
    assert command("--out", run, "--set", "schedule.save_seconds=0")[0] == 0
    assert [row["step"] for row in rows(run)] == ["1", "2", "3", "4", "5", "6"]


def test_a_loss_that_is_no_number_is_one_line_and_keeps_the_last_state(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    backward = Trainer._backward

    def poisoned(self: Trainer, number: int, size: int) -> torch.Tensor:
        return backward(self, number, size) * (float("nan") if number == 3 else 1)

    monkeypatch.setattr(Trainer, "_backward", poisoned)
    code, _, err = command("--out", run, "--set", "schedule.save_seconds=0", "--quiet")
    assert code == 2
    assert err.count("\n") == 1
    assert "The loss is nan" in err
    assert "at step 3. The state of step 3 is kept" in err
    assert "lower rates" in err
    assert rows(run)[-1]["step"] == "3"


def test_an_error_that_is_none_of_ours_keeps_its_traceback(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Trainer) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Trainer, "train_step", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        run_module.train(make_recipe(), DrawingCache(folder / "cache"), tmp_path / "run", device="cpu")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--set", "schedule.stepz=3"], 2, "unknown key schedule.stepz. Close: steps"),
        (["--set", "loss.name=tripet"], 7, "There is no loss named 'tripet'"),
        (["--set", "network.architecture=efficientnet_b99"], 5, "timm has no model 'efficientnet_b99'"),
        (["--set", "batch.designs=500"], 2, "No batch of 500 designs"),
        (["--set", "network.start=nowhere"], 3, "The weights nowhere cannot be read"),
        (["--device", "toaster"], 2, "Invalid --device 'toaster'"),
        (["--tensorboard"], 2, "TensorBoard is not installed. pip install tensorboard"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    if "--tensorboard" in arguments:
        monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    found, out, err = command("--out", tmp_path / "run", *arguments)
    assert (found, out, err.count("\n")) == (code, "", 1), err
    assert message in err


def test_a_started_run_refuses_another_recipe(command: Command, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert command("--out", run)[0] == 0
    code, _, err = command("--out", run, "--set", "batch.drawings=3")
    assert code == 2
    assert "was started with batch.drawings = 2, not 3" in err
    assert load_recipe(run).batch.drawings == 2


def test_recipes_are_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    def call(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["train", *arguments])
        assert not ended.value.code
        return capsys.readouterr().out

    listed = json.loads(call("--list", "--json"))["recipes"]
    assert {"fast", "strong", "best", "effnet-arcface"} <= {entry["name"] for entry in listed}
    assert "effnet-arcface" in call("--list")
    shown = json.loads(call("fast", "--show-recipe", "--set", "schedule.steps=3", "--json"))
    assert (shown["schedule"]["steps"], shown["schedule"]["epochs"]) == (3, None)
    assert 'architecture = "tf_efficientnet_lite0"' in call("fast", "--show-recipe")


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(command: Command, folder: Path, tmp_path: Path) -> None:
    # Without statistics of a batch the parts of a batch are the whole.
    changes = ["network.architecture=test_vit", "network.pooling=native", "network.projection=0"]
    changes += ["data.stages=[{size=32}]", "schedule.optimiser=sgd", "schedule.steps=3", "search.size=32"]
    changes += ['loss2={name="softmax", on="pooled"}', "validation.every=3"]
    options = [word for change in changes for word in ("--set", change)]
    assert command("--out", tmp_path / "one", *options)[0] == 0
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "patsearch"]
    words += ["train", str(folder / "tiny.toml"), "--data", str(folder / "cache"), "--out", str(tmp_path / "two")]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*words, "--device", "cpu", "--threads", "1", *options],
        env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    one, two = (load_file(tmp_path / name / "state.safetensors") for name in ("one", "two"))
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, two[name], rtol=1e-3, atol=1e-5)
    assert [row["step"] for row in rows(tmp_path / "two")] == ["1", "2", "3"]


def test_a_folder_of_images_becomes_an_encoder(command: Command, tmp_path: Path) -> None:
    cache = make_cache(tmp_path / "made")
    for design, record in enumerate(cache.records):
        folder = tmp_path / "images" / f"USD09000{design:02d}"
        folder.mkdir(parents=True)
        for number in range(1 if design == 0 else len(record.kinds)):
            Image.fromarray(cache.drawing(design, number)).resize((80, 80)).save(folder / f"{number}.png")
    (tmp_path / "images" / "USD0900003" / "1.png").write_bytes(b"no picture")
    options = [
        "--whole-sheets",
        "--workers",
        1,
        "--set",
        "data.held_out_families=[]",
        "--set",
        "data.held_out_share=0.1",
    ]
    run = tmp_path / "run"
    code, out, err = command("--out", run, *options, "--json", data=tmp_path / "images")
    assert code == 0, err
    assert json.loads(out)["left_out"] == 1  # the design with one drawing
    assert "1 files could not be read" in err
    assert DrawingCache(run / "drawings").size == 40
    # The cache is complete now: the same command uses it, and it is also a source of data.
    assert command("--out", run, *options, "--set", "schedule.steps=8", data=tmp_path / "images")[0] == 0
    picture = tmp_path / "batch.png"
    assert command("--show-batch", picture, data=run / "drawings")[0] == 0
    with Image.open(picture) as shown:
        assert min(shown.size) > 100
    code, _, err = command("--show-batch", picture, data=tmp_path / "images")
    assert (code, "--show-batch needs --out" in err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ri-lbp", "--data", "x", "--out", "y"], "needs no training. patsearch ingest ... --encoder ri-lbp"),
        (["fast"], "Training needs --data and --out"),
        ([], "No recipe given. patsearch train --list"),
    ],
)
def test_what_is_missing_is_said(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["train", *arguments])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
