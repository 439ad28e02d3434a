"""One row of a suite, in its own process: train or load the encoder, and measure it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from patsearch.encoder import ArrayEncoder, EncoderCard, Preprocessing, load_encoder
from patsearch.errors import EncoderError, PatsearchError
from patsearch.evaluation.specs import DatasetSpec
from patsearch.suite.rows import TAKEN, UNTRAINED, Row
from patsearch.training.augment.augmentation import encoder_input
from patsearch.training.config import Recipe
from patsearch.training.data.cache import DrawingCache
from patsearch.training.data.splits import split_designs
from patsearch.training.memory import keep_memory
from patsearch.types import JsonDict, finite

if TYPE_CHECKING:
    from patsearch.encoder.torch_network import Network

Progress = Callable[[str, float], None]
_RATE_SECONDS = 2.0
_RATE_BATCH = 8


@dataclass(frozen=True, slots=True)
class ScoreSet:
    """A test set in addition to the held-out designs.

    Attributes:
        name: in the table.
        dataset, distractors: as in `patsearch bench run`.
    """

    name: str
    dataset: DatasetSpec
    distractors: tuple[DatasetSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker needs.

    Attributes:
        row: the row.
        recipe: with all changes.
        caches: folders of the drawings.
        folder: of the row.
        scores: test sets to measure.
        held: whether to measure the held-out designs.
        threads: of torch; None is its default.
        size: side of the drawings of an existing encoder.
    """

    row: Row
    recipe: Recipe
    caches: tuple[Path, ...]
    folder: Path
    scores: tuple[ScoreSet, ...]
    held: bool
    threads: int | None
    size: int


def work(job: Job, pipe: Connection) -> None:
    """Run a job; sends ("progress", what, share) and then ("done", result) or ("failed", message, hint)."""
    try:
        result = measure(job, lambda what, share: pipe.send(("progress", what, share)))
        pipe.send(("done", result))
    except PatsearchError as error:
        pipe.send(("failed", error.message, error.hint))
    except KeyboardInterrupt:
        pipe.send(("done", {"finished": False}))
    finally:
        pipe.close()


def measure(job: Job, progress: Progress) -> JsonDict:
    """The figures of a row, or only {"finished": False} for a run that was stopped.

    Raises:
        PatsearchError: training, loading or measuring failed.
    """
    import cv2

    cv2.setNumThreads(1)
    keep_memory()
    cache = DrawingCache(*job.caches)
    name, facts = _encoder(job, cache, progress)
    if not facts["finished"]:
        return facts
    result: JsonDict = {**facts, "encoder": name}
    encoder = load_encoder(name, threads=job.threads)
    assert isinstance(encoder, ArrayEncoder)
    result |= {"dim": encoder.card.dim, "size": encoder.preprocessing.size, "sha256": encoder.card.sha256}
    result["parameters"] = _parameters(encoder)
    if job.held:
        result["held"] = held_out(encoder, cache, job.recipe, progress)
        progress("measuring the rate", 0.0)
        result["drawings_per_cpu_second"] = _rate(encoder, cache)
    result["scores"] = {}
    for test in job.scores:
        progress(f"scoring {test.name}", 0.0)
        result["scores"][test.name] = _score(test, name)
    result["peak_bytes"] = _peak_memory()
    return result


def held_out(encoder: ArrayEncoder, cache: DrawingCache, recipe: Recipe, progress: Progress) -> JsonDict:
    """mAP of the views, and how often a sketch finds its design first, on held-out designs and families."""
    from patsearch.training.validation import retrieval

    split = split_designs(cache.records, families=recipe.data.held_out_families, share=recipe.data.held_out_share)
    result: JsonDict = {}
    for place, (name, chosen) in enumerate((("designs", split.groups), ("families", split.families))):
        progress(f"held-out {name}", place / 2)
        vectors, designs, sketches = _vectors(encoder, cache, chosen)
        found = retrieval(vectors, designs, sketches) if len(vectors) else {}
        result[name] = {
            "map": finite(found.get("map")),
            "sketch_hit@1": finite(found.get("sketch_hit@1")),
            "designs": len(chosen),
            "drawings": len(vectors),
        }
    return result


def _encoder(job: Job, cache: DrawingCache, progress: Progress) -> tuple[str, JsonDict]:
    """Name of the row's encoder, and the cost of making it."""
    nothing: JsonDict = {"finished": True, "samples": 0, "steps": 0, "cpu_seconds": 0.0, "start": "", "loss": None}
    if job.row.kind == TAKEN:
        return f"{job.recipe.encoder}:8?size={job.size}", nothing
    progress("building the network", 0.0)
    recipe, network = with_start(job.recipe, job.folder / "run")
    if job.row.kind == UNTRAINED:
        return _untrained(job, recipe, network), nothing | {"start": recipe.network.start}
    from patsearch.training.run import LAST, train

    result = train(
        recipe,
        cache,
        job.folder / "run",
        network=network,
        device="cpu",
        threads=job.threads,
        watch=lambda now: progress(f"training, step {now.step}, loss {now.loss:.3f}", now.share),
    )
    facts = {
        "finished": result.finished,
        "samples": result.samples,
        "steps": result.steps,
        "cpu_seconds": result.cpu_seconds,
        "seconds": result.seconds,
        "loss": finite(result.loss),
        "start": recipe.network.start,
        "unreadable": result.unreadable,
    }
    return f"checkpoint:{job.folder / 'run' / LAST}", facts


def with_start(recipe: Recipe, run: Path) -> tuple[Recipe, Network]:
    """The recipe and its network, with random weights where the pretrained ones are not available.

    Args:
        run: folder of the run; an existing run keeps the weights that it began with.

    Raises:
        EncoderError: the network cannot be built.
    """
    from patsearch.training.recipes import load_recipe
    from patsearch.training.start import IMAGENET, RANDOM, build

    changed = recipe.model_copy(update={"network": recipe.network.model_copy(update={"start": RANDOM})})
    if recipe.network.start != IMAGENET:
        return recipe, build(recipe)
    if (run / "recipe.toml").is_file() and load_recipe(run / "recipe.toml").network.start == RANDOM:
        return changed, build(changed)
    try:
        return recipe, build(recipe)
    except EncoderError as error:
        try:
            return changed, build(changed)
        except EncoderError:
            raise error from None  # the weights are not why it cannot be built


def _untrained(job: Job, recipe: Recipe, network: Network) -> str:
    from patsearch.encoder.torch import save_checkpoint

    card = EncoderCard(
        name=job.row.name,
        title=f"{recipe.network.architecture} before training: the untrained baseline",
        dim=0,
        preprocessing=Preprocessing(size=recipe.search_size),
        sha256="",
        trained_on="ImageNet-1k photographs. Never trained on drawings.",
        baseline=True,
    )
    save_checkpoint(job.folder / "encoder", network, card)
    return f"checkpoint:{job.folder / 'encoder'}"


def _vectors(
    encoder: ArrayEncoder, cache: DrawingCache, chosen: Sequence[int]
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.bool_]]:
    """Vectors, designs and whether they are sketches, of the readable drawings."""
    found = list(cache.readable(chosen))
    if not found:
        return np.empty((0, encoder.card.dim), np.float32), np.empty(0, np.int64), np.empty(0, np.bool_)
    designs, sketches, drawings = zip(*found, strict=True)
    sized = np.stack([encoder_input(drawing, encoder.preprocessing) for drawing in drawings])
    return encoder.encode_arrays(sized), np.array(designs, np.int64), np.array(sketches, np.bool_)


def _rate(encoder: ArrayEncoder, cache: DrawingCache) -> float:
    """Drawings per second of CPU time, all threads together."""
    drawings = [cache.drawing(design % len(cache), 0) for design in range(_RATE_BATCH)]
    some = np.stack([encoder_input(drawing, encoder.preprocessing) for drawing in drawings])
    encoder.encode_arrays(some)
    count, start = 0, time.process_time()
    while time.process_time() - start < _RATE_SECONDS:
        encoder.encode_arrays(some)
        count += len(some)
    return count / (time.process_time() - start)


def _score(test: ScoreSet, encoder: str) -> JsonDict:
    from patsearch.evaluation.results import BenchOptions
    from patsearch.evaluation.runner import run_bench

    options = BenchOptions(test.dataset, test.distractors, encoder=encoder, baseline=False, backends=())
    (evaluation,) = run_bench(options).evaluations
    data = evaluation.dataset
    kept = {key: data[key] for key in ("name", "fingerprint", "judged_queries", "gallery", "distractors")}
    return {**kept, "protocol": str(evaluation.protocol), "map": finite(evaluation.quality.metrics["map"])}


def _parameters(encoder: ArrayEncoder) -> int:
    network: Any = getattr(encoder, "network", None)
    if network is None:
        return 0
    searched = [network.backbone] + ([network.projection] if network.config.embedding == "projection" else [])
    return sum(parameter.numel() for module in searched for parameter in module.parameters())


def _peak_memory() -> int | None:
    """Peak resident memory of this process in bytes; None where the system does not say (Windows)."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux and the BSDs kilobytes


def without(job: Job, done: JsonDict) -> Job:
    """The job without what has been measured."""
    known = done.get("scores", {})
    return replace(job, held="held" not in done, scores=tuple(test for test in job.scores if test.name not in known))
