"""A whole run: train, validate, log, keep the best and the last weights, save, stop and resume.

RUN/recipe.toml         the recipe with every value that decides
RUN/environment.json    machine, versions, drawings
RUN/teachers.npy, .json what the recipe's teachers say of the drawings, if it names some
RUN/state.safetensors   to resume exactly
RUN/best/, RUN/last/    checkpoints: `--encoder checkpoint:RUN/best`
RUN/log.csv, curves.html, tensorboard/
"""

from __future__ import annotations

import json
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from patsearch.encoder.card import EncoderCard, Score
from patsearch.encoder.preprocess import Preprocessing
from patsearch.encoder.torch_network import Network
from patsearch.errors import PatsearchError, UsageError
from patsearch.evaluation.environment import describe_environment
from patsearch.files import write_text
from patsearch.training.checkpoint import mend_checkpoint, write_checkpoint
from patsearch.training.config import Recipe
from patsearch.training.data.cache import DrawingCache
from patsearch.training.data.splits import Split, split_designs
from patsearch.training.distillation import Teachers
from patsearch.training.distributed import Group, join
from patsearch.training.logs import RunLog
from patsearch.training.loop import Trainer
from patsearch.training.recipes import to_toml
from patsearch.training.start import STATE
from patsearch.training.validation import validate
from patsearch.types import JsonDict, finite

RECIPE, BEST, LAST = "recipe.toml", "best", "last"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is, after a step.

    Attributes:
        step: steps done.
        share: of the budget that is spent.
        samples: drawings seen.
        loss: mean over the last steps.
        scores: of the last validation, empty before the first.
        drawings_per_second: of the steps since the run was started or resumed.
        logged: whether this step wrote a row of the log.
    """

    step: int
    share: float
    samples: int
    loss: float
    scores: dict[str, float]
    drawings_per_second: float
    logged: bool = False


@dataclass(frozen=True, slots=True)
class RunResult:
    """What came out of a run.

    Attributes:
        folder: of the run.
        finished: whether the budget is spent; otherwise the run was stopped and can be resumed.
        steps, samples: done, drawings seen, in all.
        cpu_seconds, seconds: of training in all, without validation.
        drawings_per_second: of the steps since the run was started or resumed.
        loss: mean over the last steps.
        best, best_step: scores of the best validation, and when; empty where nothing is held out.
        last: scores of the last validation.
        unreadable: drawings that could not be read and were replaced.
        left_out: designs with too few drawings.
    """

    folder: Path
    finished: bool
    steps: int
    samples: int
    cpu_seconds: float
    seconds: float
    drawings_per_second: float
    loss: float
    best: dict[str, float]
    best_step: int
    last: dict[str, float]
    unreadable: int
    left_out: int

    def to_json(self) -> dict[str, Any]:
        """By name, as `--json` prints it; what is not a number is null."""
        document: JsonDict = finite(asdict(self) | {"folder": str(self.folder)})
        return document


def train(
    recipe: Recipe,
    cache: DrawingCache,
    out: Path,
    *,
    network: Network | None = None,
    device: str | None = None,
    threads: int | None = None,
    tensorboard: bool = False,
    watch: Callable[[Progress], None] | None = None,
    watch_teachers: Callable[[int, int], None] | None = None,
) -> RunResult:
    """Train as a recipe says, or resume the folder's run where it was stopped or killed.

    SIGINT and SIGTERM end it between two steps, saved. Under torchrun the processes share the work.

    Args:
        recipe: how.
        cache: the drawings.
        out: folder of the run.
        network: what to train, in place; None to build what the recipe says.
        device: "cpu", "cuda", ...; None for a GPU if there is one.
        threads: of torch on a CPU; None to leave them as they are.
        tensorboard: write its files too.
        watch: called after every step.
        watch_teachers: called with the number of drawings that the teachers have encoded, and of all.

    Raises:
        UsageError: the folder holds a run with another recipe or other drawings, the loss is not finite,
            or the memory is too small. The last saved state stays.
        EncoderError, InputError: network or weights cannot be had, or the state cannot be read.
    """
    if recipe.encoder:
        raise UsageError(
            f"{recipe.encoder} needs no training.",
            hint=f"Use it as it is: patsearch ingest --encoder {recipe.encoder} ...",
        )
    if threads is not None:
        torch.set_num_threads(threads)
    group = join(device)
    split = split_designs(cache.records, families=recipe.data.held_out_families, share=recipe.data.held_out_share)
    teachers = _teachers(recipe, cache, out, group, watch_teachers) if recipe.distils else None
    trainer = Trainer(recipe, cache, split.train, network=network, group=group, teachers=teachers)
    try:
        return _Run(trainer, split, out, tensorboard=tensorboard).go(watch)
    finally:
        trainer.close()


def _teachers(
    recipe: Recipe, cache: DrawingCache, out: Path, group: Group, watch: Callable[[int, int], None] | None
) -> Teachers:
    """The teachers' vectors: one process makes them, and all read them."""
    made = Teachers.prepare(recipe, cache, out, device=group.device, watch=watch) if group.first else None
    group.wait()
    return made or Teachers.prepare(recipe, cache, out, device=group.device)


class _Run:
    """The state of a run beyond the trainer's: what was logged, what was best."""

    def __init__(self, trainer: Trainer, split: Split, out: Path, *, tensorboard: bool) -> None:
        self.trainer, self.recipe, self.out, self.split = trainer, trainer.recipe, out, split
        self.group: Group = trainer.group
        self.losses: list[float] = []  # since the last row of the log
        self.mean_loss = math.nan
        self.best: dict[str, float] = {}
        self.best_step = 0
        self.last: dict[str, float] = {}
        self.last_step = -1
        self.saved_step: int | None = None
        self.state = out / STATE
        if self.group.first:
            out.mkdir(parents=True, exist_ok=True)
            for name in (BEST, LAST):
                mend_checkpoint(out / name)
        self.group.wait()
        if self.state.exists():
            self._resume()
        if self.group.first:
            write_text(out / RECIPE, to_toml(self.recipe))
            write_text(out / "environment.json", json.dumps(self._environment(), indent=2) + "\n")
        step = trainer.spent.steps
        self.log = RunLog(out, step=step, tensorboard=tensorboard) if self.group.first else None
        self.begun = trainer.spent

    def _resume(self) -> None:
        more = self.trainer.load(self.state)
        self.losses, self.mean_loss = more["losses"], more["mean_loss"]
        self.best, self.best_step = more["best"], more["best_step"]
        self.last, self.last_step = more["last"], more["last_step"]
        self.saved_step = self.trainer.spent.steps

    def go(self, watch: Callable[[Progress], None] | None) -> RunResult:
        """Train until the budget is spent or a signal stops it."""
        trainer, saved = self.trainer, time.monotonic()
        with _stop_signals() as stopped, self._failures():
            while trainer.share < 1 and not self.group.agree(stopped.is_set()):
                step = trainer.train_step()
                self.losses.append(step.loss)
                spent = trainer.spent
                ends_epoch = spent.steps % trainer.steps_an_epoch == 0
                every = self.recipe.validation.every
                due = spent.steps % every == 0 if every else ends_epoch
                if due or trainer.share >= 1:
                    self._validate()
                logged = due or trainer.share >= 1 or spent.steps % self.recipe.schedule.log_steps == 0
                if logged:
                    self._log(step.size, step.rate, step.norm)
                overdue = time.monotonic() - saved >= self.recipe.schedule.save_seconds
                if self.group.first and (ends_epoch or overdue or trainer.share >= 1):
                    self._save()
                    saved = time.monotonic()
                if watch is not None and self.group.first:
                    watch(self._progress(logged))
        if self.group.first:
            self._save()
            self._checkpoint(LAST, self.last, self.last_step)
            if not self.best:
                self._checkpoint(BEST, {}, trainer.spent.steps)
            assert self.log is not None
            self.log.draw()
            self.log.close()
        self.group.wait()
        return self._result()

    def _validate(self) -> None:
        """Measure retrieval, and keep the weights where it is the best so far."""
        recipe, section, step = self.recipe, self.recipe.validation, self.trainer.spent.steps
        scores: dict[str, float] = {}
        if self.group.first:
            for name, held in (("groups", self.split.groups), ("families", self.split.families)):
                if chosen := held[: section.designs]:
                    size = min(section.size or recipe.search_size, self.trainer.cache.size)
                    found = validate(self.trainer.averaged, self.trainer.cache, chosen, size=size)
                    scores |= {f"map_{name}": found["map"], f"sketch_{name}": found["sketch_hit@1"]}
            scores = {name: value for name, value in scores.items() if math.isfinite(value)}
            means = [value for name, value in scores.items() if name.startswith("map_")]
            if means:
                scores["map"] = float(np.mean(means))
            self.last, self.last_step = scores, step
            metric = section.metric
            if scores and scores.get(metric, -math.inf) > self.best.get(metric, -math.inf):
                self.best, self.best_step = scores, step
                self._checkpoint(BEST, scores, step)
        self.group.wait()

    def _log(self, size: int, rate: float, norm: float) -> None:
        trainer = self.trainer
        self.mean_loss = float(np.mean(self.losses))
        self.losses = []
        if self.log is None:
            return
        spent = trainer.spent
        row: dict[str, float] = {
            "step": spent.steps,
            "epoch": spent.steps / trainer.steps_an_epoch,
            "samples": self._samples(spent.steps),
            "cpu_seconds": spent.cpu_seconds,
            "seconds": spent.wall_seconds,
            "size": size,
            "rate": rate,
            "loss": self.mean_loss,
            "norm": norm,
        }
        fresh = self.last_step == spent.steps
        self.log.add(row | (self.last if fresh else {}))
        if fresh:
            self.log.draw()

    def _save(self) -> None:
        if self.saved_step == self.trainer.spent.steps:
            return
        more = {"losses": self.losses, "mean_loss": self.mean_loss, "best": self.best, "best_step": self.best_step}
        self.trainer.save(self.state, **more, last=self.last, last_step=self.last_step)
        self.saved_step = self.trainer.spent.steps

    def _checkpoint(self, name: str, scores: dict[str, float], step: int) -> None:
        recipe, cache = self.recipe, self.trainer.cache
        drawings = sum(len(cache.records[design].kinds) for design in self.split.train)
        families = sorted({cache.records[design].family for design in self.split.train})
        kinds = f"{len(families)} kinds of object" if len(families) != 1 else families[0]
        card = EncoderCard(
            name=name,
            title=recipe.title or f"{recipe.network.architecture} trained with {recipe.loss.name}",
            dim=0,
            preprocessing=Preprocessing(size=recipe.search_size),
            sha256="",
            trained_on=f"{drawings:,} drawings of {len(self.split.train):,} designs, {kinds}.",
            scores=tuple(Score("held-out designs of the training data", key, value) for key, value in scores.items()),
            notes=f"Weights of step {step}, begun from {recipe.network.start}.",
        )
        write_checkpoint(self.out / name, self.trainer.averaged, card, to_toml(recipe))

    def _samples(self, steps: int) -> int:
        batch = self.recipe.batch
        return steps * batch.designs * batch.drawings * batch.accumulate

    def _rate(self) -> float:
        spent = self.trainer.spent
        seconds = spent.wall_seconds - self.begun.wall_seconds
        return self._samples(spent.steps - self.begun.steps) / seconds if seconds else 0.0

    def _progress(self, logged: bool) -> Progress:
        spent = self.trainer.spent
        loss = float(np.mean(self.losses)) if self.losses else self.mean_loss
        samples = self._samples(spent.steps)
        return Progress(spent.steps, self.trainer.share, samples, loss, self.last, self._rate(), logged)

    def _result(self) -> RunResult:
        spent = self.trainer.spent
        return RunResult(
            folder=self.out,
            finished=self.trainer.share >= 1,
            steps=spent.steps,
            samples=self._samples(spent.steps),
            cpu_seconds=spent.cpu_seconds,
            seconds=spent.wall_seconds,
            drawings_per_second=self._rate(),
            loss=float(np.mean(self.losses)) if self.losses else self.mean_loss,
            best=self.best,
            best_step=self.best_step,
            last=self.last,
            unreadable=len(self.trainer.unreadable),
            left_out=len(self.trainer.sampler.left_out),
        )

    def _environment(self) -> dict[str, Any]:
        trainer, device = self.trainer, self.group.device
        cache, sampler = trainer.cache, trainer.sampler
        return describe_environment() | {
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
            "torch_threads": torch.get_num_threads(),
            "processes": self.group.ranks,
            "drawings": sum(len(record.kinds) for record in cache.records),
            "drawing_size": cache.size,
            "designs": len(cache),
            "trained_designs": sampler.classes,
            "left_out_designs": len(sampler.left_out),
            "held_out": {"groups": len(self.split.groups), "families": len(self.split.families)},
            "steps_an_epoch": trainer.steps_an_epoch,
            "parameters": sum(p.numel() for p in trainer.network.parameters()),
        }

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Turn failures into errors that say what is saved of the run."""
        try:
            yield
        except UsageError as error:
            raise UsageError(f"{error.message} {self._kept()}", hint=error.hint) from error
        except PatsearchError:
            raise
        except (MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            raise UsageError(
                f"The memory is too small for step {self.trainer.spent.steps}. {self._kept()}",
                hint="Take smaller batches (batch.designs) and more of them per step (batch.accumulate), smaller "
                "drawings (data.stages), or schedule.precision=bf16.",
            ) from error

    def _kept(self) -> str:
        if self.saved_step is None:
            return "Nothing was saved yet."
        return f"The state of step {self.saved_step} is kept in {self.state}."


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(sign in str(error).lower() for sign in ("out of memory", "not enough memory", "can't allocate memory"))


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set: a run ends between two steps, never within one."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped  # only the main thread may listen to signals
        return
    before = {number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
