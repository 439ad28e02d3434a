"""How fast training goes, as a ratio to a bare forward/backward loop over constant tensors in the same run.

    python bench/train.py [--recipe fast] [--data CACHE] [--sizes 128 256] [--set schedule.precision=bf16]

Both loops take turns, a few steps each, so that other work on the machine slows both equally; a ratio is the
median over the rounds. The bare loop runs the same network on a batch of the same size and calls backward
on the mean of what comes out: no drawings, no loss, no optimiser, no average of the weights. On a GPU the
share of time in which kernels run is measured with torch's profiler in separate steps. On a CPU that others
use, take `--clock cpu --threads 1`: seconds are then those that the process had.

Without --data a small synthetic corpus is drawn first (needs the `synth` extra).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import torch

from patsearch.encoder.preprocess import Preprocessing
from patsearch.training.data.build import build_cache
from patsearch.training.data.cache import DrawingCache
from patsearch.training.data.splits import split_designs
from patsearch.training.distributed import Group
from patsearch.training.loop import _PRECISIONS, Trainer
from patsearch.training.recipes import load_recipe

Clock = Callable[[], float]
CLOCKS: dict[str, Clock] = {"wall": time.perf_counter, "cpu": time.process_time}
COLUMNS = (
    ("size", "px", "{}"),
    ("batch", "batch", "{}"),
    ("training", "training, drawings/s", "{:.1f}"),
    ("bare", "bare loop, drawings/s", "{:.1f}"),
    ("ratio", "ratio", "{:.3f}"),
    ("waiting", "waiting for data", "{:.1%}"),
    ("data_ms", "data, ms a drawing", "{:.2f}"),
    ("gpu_busy", "GPU busy", "{:.1%}"),
)


@dataclass(frozen=True)
class Result:
    """One size.

    Attributes:
        batch: drawings a step.
        training, bare: drawings a second, medians over the rounds.
        ratio: of the two, median over the rounds.
        waiting: share of a training step's time in which it waits for its drawings.
        data_ms: milliseconds that one thread takes for a drawing: read, inflate, augment, shrink.
        gpu_busy: share of the time in which kernels run; None on a CPU.
    """

    size: int
    batch: int
    training: float
    bare: float
    ratio: float
    waiting: float
    data_ms: float
    gpu_busy: float | None


def small_cache(folder: Path, size: int) -> DrawingCache:
    """Sixty synthetic designs with about six drawings each."""
    from patsearch.synth.corpus import write_corpus

    write_corpus(folder / "corpus", designs=60, seed=1, layout="images", processes=os.cpu_count() or 1)
    build_cache([folder / "corpus"], folder / "cache", Preprocessing(size=size))
    return DrawingCache(folder / "cache")


def make_trainer(arguments: argparse.Namespace, cache: DrawingCache, size: int, device: torch.device) -> Trainer:
    """The recipe's trainer at one size, with a batch that the corpus can fill."""
    chosen = split_designs(cache.records, share=0.0).train
    groups = len({cache.records[i].group for i in chosen if len(cache.records[i].kinds) > 1})
    changes = [f"data.stages=[{{ size = {size}, share = 1.0 }}]", "network.start=random", *arguments.set]
    recipe = load_recipe(arguments.recipe, changes=changes)
    if recipe.batch.designs > groups:
        recipe = load_recipe(arguments.recipe, changes=[*changes, f"batch.designs={groups}"])
    return Trainer(recipe, cache, chosen, group=Group(device=device))


def timed(step: Callable[[], object], steps: int, device: torch.device, clock: Clock) -> float:
    """Seconds that some steps take, with all that they start on the device."""
    start = clock()
    for _ in range(steps):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return clock() - start


def measure(trainer: Trainer, size: int, *, steps: int, rounds: int, clock: Clock) -> Result:
    """Training and the bare loop in turns."""
    device, batch = trainer.group.device, trainer.recipe.batch
    drawings = batch.designs * batch.drawings
    constant = torch.full((drawings, size, size), 255, dtype=torch.uint8, device=device)
    precision = _PRECISIONS[trainer.recipe.schedule.precision]
    loader, waited = trainer._loader, [0.0]
    load = loader.batch

    def watched(number: int, side: int) -> object:
        start = clock()
        try:
            return load(number, side)
        finally:
            waited[0] += clock() - start

    loader.batch = watched  # type: ignore[method-assign, assignment]  # a stop watch around it, nothing else

    def bare() -> None:
        trainer.network.zero_grad(set_to_none=True)
        with torch.autocast(device.type, dtype=precision, enabled=precision is not None):
            vectors = trainer._forward(constant)
        sum(vector.float().mean() for vector in vectors.values()).backward()  # type: ignore[union-attr]

    for step in (trainer.train_step, bare):
        timed(step, 2, device, clock)
    trained, barely, waiting = [], [], []
    for _ in range(rounds):
        waited[0] = 0.0
        seconds = timed(trainer.train_step, steps, device, clock)
        waiting.append(waited[0] / seconds)
        trained.append(steps * drawings * batch.accumulate / seconds)
        barely.append(steps * drawings / timed(bare, steps, device, clock))
    start = time.thread_time()
    made = loader._make(0, trainer.sampler.batch(0), size)
    data_ms = 1000 * (time.thread_time() - start) / len(made.labels)
    busy = gpu_busy(trainer, steps) if device.type == "cuda" else None
    ratio = statistics.median(t / b for t, b in zip(trained, barely, strict=True))
    training, plain = statistics.median(trained), statistics.median(barely)
    return Result(size, drawings, training, plain, ratio, statistics.median(waiting), data_ms, busy)


def gpu_busy(trainer: Trainer, steps: int) -> float:
    """Share of the time of some steps in which at least one kernel or copy runs."""
    from torch.profiler import ProfilerActivity, profile

    device = trainer.group.device
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        seconds = timed(trainer.train_step, steps, device, time.perf_counter)
    spans = sorted(
        (event.time_range.start, event.time_range.end)
        for event in profiler.events() or ()
        if event.device_type.name == "CUDA"
    )
    busy, reached = 0.0, float("-inf")
    for start, end in spans:  # they overlap where streams do
        busy += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return busy / 1e6 / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="fast", help="name or TOML file")
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="caches of drawings; none draws a corpus")
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 256])
    parser.add_argument("--set", nargs="*", default=[], help="changes of the recipe, as in batch.designs=64")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, help="CPU threads of torch; default all cores")
    parser.add_argument("--steps", type=int, default=4, help="of either loop in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu on a busy machine without a GPU")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    results = []
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        cache = DrawingCache(*arguments.data) if arguments.data else small_cache(Path(folder), max(arguments.sizes))
        for size in arguments.sizes:
            trainer = make_trainer(arguments, cache, size, device)
            results.append(
                measure(trainer, size, steps=arguments.steps, rounds=arguments.rounds, clock=CLOCKS[arguments.clock])
            )
            trainer.close()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    about = {
        "recipe": arguments.recipe,
        "set": arguments.set,
        "device": name,
        "threads": torch.get_num_threads(),
        "clock": arguments.clock,
    }
    about |= {"cores": os.cpu_count(), "load_before": round(load, 2), "load_after": round(os.getloadavg()[0], 2)}
    if arguments.json:
        print(json.dumps(about | {"torch": torch.__version__, "results": [asdict(r) for r in results]}, indent=2))
        return
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    print("| " + " | ".join(title for _, title, _ in COLUMNS) + " |")
    print("|" + "---|" * len(COLUMNS))
    for result in results:
        cells = [(getattr(result, name), form) for name, _, form in COLUMNS]
        print("| " + " | ".join("-" if value is None else form.format(value) for value, form in cells) + " |")


if __name__ == "__main__":
    main()
