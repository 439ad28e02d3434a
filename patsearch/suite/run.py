"""A suite: every row's encoder trained or loaded under one budget on one corpus, and one table.

    OUT/cache/                    the drawings of the corpus, unless it is a cache
    OUT/rows/NAME/run/            the run of a row, as `patsearch train` leaves it
    OUT/rows/NAME/result.json     what was measured; a row that has one is not trained again
    OUT/table.{md,json,html}

Each row runs in its own process, so that its CPU time and memory can be measured. A suite that was stopped or
killed resumes: finished rows are kept, and the current row resumes from its last saved state.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from patsearch.encoder import Preprocessing
from patsearch.errors import PatsearchError, UsageError
from patsearch.evaluation.environment import describe_environment
from patsearch.files import write_text
from patsearch.suite.rows import Row, recipe_of, rows_of, small_budget
from patsearch.suite.worker import Job, ScoreSet, without, work
from patsearch.training.config import Recipe
from patsearch.training.data.build import open_data
from patsearch.training.data.cache import DrawingCache
from patsearch.training.data.splits import hash_share, split_designs
from patsearch.training.recipes import to_toml
from patsearch.types import JsonDict

Progress = Callable[[str, str, float], None]
RESULT = "result.json"
# Share of the corpus's families that are held out whole, at least one.
HELD_FAMILIES = 0.1
_JOIN_SECONDS = 120


class Stopped(PatsearchError):
    """A row was stopped; finished rows are kept."""

    exit_code = 130


@dataclass(frozen=True, slots=True)
class SuiteOptions:
    """What to run.

    Attributes:
        suite: its name, "seed".
        data: caches, or sources that ingest reads.
        out: folder.
        cpu_seconds: of training per row.
        rows: names; none for all.
        size: side of the drawings in pixels.
        scores: further test sets.
        changes: of every trained row's recipe, the user's own.
        threads: of torch. Several wait for one another, which counts as CPU time on a busy machine.
        families: held out whole; None for a tenth of the corpus's, chosen by a hash of their names.
    """

    suite: str
    data: tuple[Path, ...]
    out: Path
    cpu_seconds: float = 600.0
    rows: tuple[str, ...] = ()
    size: int = 128
    scores: tuple[ScoreSet, ...] = ()
    changes: tuple[str, ...] = ()
    threads: int = 1
    families: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """What a suite found.

    Attributes:
        options: as given.
        corpus: name, counts and fingerprint of the drawings.
        common: the changes of every trained row.
        rows: by name, in order: the row, what its recipe changed beyond `common`, and its figures.
        environment: machine and versions.
    """

    options: SuiteOptions
    corpus: JsonDict
    common: tuple[str, ...]
    rows: tuple[tuple[Row, JsonDict], ...]
    environment: JsonDict

    @property
    def score_names(self) -> list[str]:
        """The further test sets."""
        return [test.name for test in self.options.scores]

    def to_json(self) -> JsonDict:
        """As `table.json` holds it."""
        rows = [
            {"row": row.name, "kind": row.kind, "published": row.published, "published_as": row.published_as, **figures}
            for row, figures in self.rows
        ]
        options = self.options
        return {
            "suite": options.suite,
            "cpu_seconds": options.cpu_seconds,
            "size": options.size,
            "changes": {"of all rows": list(self.common), "of the user": list(options.changes)},
            "corpus": self.corpus,
            "rows": rows,
            "environment": self.environment,
        }


def run_suite(options: SuiteOptions, *, progress: Progress | None = None) -> SuiteResult:
    """Run the unfinished rows, and read the finished ones.

    Args:
        progress: called with the row, the current step, and how much of it is done.

    Raises:
        UsageError: no such suite or row; the folder holds another corpus, budget or recipe.
        Stopped: a row was stopped; the message names it. A failed row is in the result with its reason, and the
            next run tries it again.
        PatsearchError: the corpus cannot be read.
    """
    progress = progress or (lambda *_: None)
    rows = rows_of(options.suite, options.rows)
    options.out.mkdir(parents=True, exist_ok=True)
    progress("corpus", "reading", 0.0)
    cache, _ = open_data(options.data, options.out / "cache", Preprocessing(size=options.size))
    if options.size > cache.size:
        raise UsageError(
            f"The cached drawings have {cache.size} pixels, fewer than {options.size}.", hint="Set --size."
        )
    families = _held_families(cache) if options.families is None else options.families
    common = small_budget(cpu_seconds=options.cpu_seconds, size=options.size, families=families)
    corpus = _describe(cache, options, families)
    found: list[tuple[Row, JsonDict]] = []
    for row in rows:
        recipe = recipe_of(row, common, options.changes)
        found.append((row, _row(row, recipe, cache, corpus, options=options, progress=progress)))
    return SuiteResult(options, corpus, common, tuple(found), describe_environment())


def _row(
    row: Row, recipe: Recipe, cache: DrawingCache, corpus: JsonDict, *, options: SuiteOptions, progress: Progress
) -> JsonDict:
    folder = options.out / "rows" / row.name
    folder.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256((to_toml(recipe) + corpus["fingerprint"] + str(options.size)).encode()).hexdigest()
    done = _read(folder / RESULT)
    if done and done.get("key") != key:
        raise UsageError(
            f"{folder} has results of another corpus, budget or recipe.",
            hint="Use another --out, or delete that folder to repeat the row.",
        )
    job = without(Job(row, recipe, cache.folders, folder, options.scores, True, options.threads, options.size), done)
    if done and not job.held and not job.scores:
        progress(row.name, "finished", 1.0)
        return _figures(done, options)
    result = _in_a_process(job, progress)
    if "failed" in result:
        progress(row.name, f"failed: {result['failed']}", 1.0)
        return {"changes": [*row.changes], "scores": {}, **result}
    if not result["finished"]:
        raise Stopped(f"The row {row.name} was stopped.", hint="Run the same command to resume.")
    # Peak memory and training are those of the process that trained, not of one that scored more later.
    merged = {**result, **done, "key": key, "changes": [*row.changes]}
    merged["scores"] = {**done.get("scores", {}), **result["scores"]}
    write_text(folder / RESULT, json.dumps(merged, indent=2) + "\n")
    progress(row.name, "finished", 1.0)
    return _figures(merged, options)


def _in_a_process(job: Job, progress: Progress) -> JsonDict:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(job, theirs), name=f"patsearch-{job.row.name}")
    process.start()
    theirs.close()
    try:
        while True:
            kind, *rest = ours.recv()
            if kind == "progress":
                progress(job.row.name, *rest)
            elif kind == "done":
                result: JsonDict = rest[0]
                return result
            else:
                return {"failed": " ".join(filter(None, rest))}
    except EOFError:
        process.join(_JOIN_SECONDS)
        return {"failed": f"Its process ended with {process.exitcode} and without a result. Out of memory?"}
    finally:
        # A training process that is terminated saves its state first.
        if process.is_alive():
            process.join(1)
        if process.is_alive():
            process.terminate()
        process.join(_JOIN_SECONDS)


def _figures(done: JsonDict, options: SuiteOptions) -> JsonDict:
    """The figures with the requested test sets."""
    wanted = {test.name for test in options.scores}
    scores = {name: value for name, value in done["scores"].items() if name in wanted}
    return {name: value for name, value in done.items() if name != "key"} | {"scores": scores}


def _read(path: Path) -> JsonDict:
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}.", hint="Delete it to measure the row again.") from error
    return content if isinstance(content, dict) else {}


def _held_families(cache: DrawingCache) -> tuple[str, ...]:
    """A tenth of the families, by a hash of their names, at least one where there are three."""
    families = sorted({record.family for record in cache.records if record.family}, key=hash_share)
    return tuple(sorted(families[: max(1, round(HELD_FAMILIES * len(families)))])) if len(families) > 2 else ()


def _describe(cache: DrawingCache, options: SuiteOptions, families: Sequence[str]) -> JsonDict:
    split = split_designs(cache.records, families=families)
    digest = hashlib.sha256()
    for record in cache.records:
        digest.update(f"{record.design}\0{record.group}\0{record.family}\0{len(record.kinds)}\n".encode())
    return {
        "name": " + ".join(path.name or str(path) for path in options.data),
        "fingerprint": digest.hexdigest()[:16],
        "designs": len(cache),
        "drawings": sum(len(record.kinds) for record in cache.records),
        "drawing_size": cache.size,
        "families": len({record.family for record in cache.records}),
        "trained_designs": len(split.train),
        "held_out_designs": len(split.groups),
        "held_out_family_designs": len(split.families),
        "held_out_families": list(families),
    }
