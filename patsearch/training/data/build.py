"""From any source that ingest reads to a cache of drawings, by the very code that serves a query.

Sheets are read, split into figures and preprocessed in worker processes as in an ingest; here the results are
packed into shards. A shard also keeps which units of the source went into it and what of them could not be
read, so that a killed run resumes after its last shard and ends with the same cache.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from patsearch.encoder.preprocess import Preprocessing
from patsearch.errors import InputError, SourceError, UsageError
from patsearch.files import at_home, write_text
from patsearch.ingest import Progress
from patsearch.ingest.pool import WorkerPool
from patsearch.ingest.report import EXIT_FAILED_FILES
from patsearch.ingest.sources import Problem, Source, SourceOptions, Unit, open_source
from patsearch.ingest.worker import UnitResult, Worker, WorkerSettings
from patsearch.training.data.cache import CACHE, DrawingCache, Record, pack, shard_path, write_packed
from patsearch.training.data.facts import Labels

REPORT = "report.json"
_SHARD = 64  # designs; the most that a killed run does again
# Raised when the way from sheets to drawings changes so much that old caches must be rebuilt.
_RECIPE = 1


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How a cache is built.

    Attributes:
        whole_sheets: keep sheets as they are, not the figures on them.
        front_pages: keep front pages (`D00000`) too; they repeat another drawing.
        processes: workers; None is one a core, 0 works in this process.
        kind: plug-in name of the sources; None recognises each by looking.
        source: options of the sources, for example DeepPatent's lists.
    """

    whole_sheets: bool = False
    front_pages: bool = False
    processes: int | None = None
    kind: str | None = None
    source: SourceOptions = field(default_factory=SourceOptions)


@dataclass(slots=True)
class BuildReport:
    """What a build did; counts are of the whole cache, earlier runs included.

    Attributes:
        designs, drawings: in the cache.
        single: designs with one drawing, from which nothing can be learned: the cache holds them, samplers leave
            them out.
        added: designs that this run added.
        failed: what could not be read, with the reason.
        seconds: wall time of this run.
        interrupted: whether it was stopped before the end.
    """

    designs: int = 0
    drawings: int = 0
    single: int = 0
    added: int = 0
    failed: list[Problem] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """0 if everything is in the cache; 9 if a file failed; 130 if stopped."""
        if self.interrupted:
            return 130
        return EXIT_FAILED_FILES if self.failed else 0

    def to_json(self) -> dict[str, Any]:
        failed = [{"file": problem.where, "reason": problem.reason} for problem in self.failed]
        return asdict(self) | {"seconds": round(self.seconds, 3), "failed": failed, "exit_code": self.exit_code}


def open_data(
    data: Sequence[Path | str],
    store: Path,
    preprocessing: Preprocessing,
    options: BuildOptions | None = None,
    *,
    on_progress: Callable[[Progress], None] | None = None,
) -> tuple[DrawingCache, BuildReport | None]:
    """The drawings of caches, or of sources after building a cache of them; and the report of that build.

    Args:
        data: either caches or sources.
        store: folder of the cache that is built of sources; not touched where `data` are caches.
        preprocessing, options, on_progress: as in `build_cache`.

    Raises:
        UsageError: caches and sources together.
        InputError: as `DrawingCache` and `build_cache`.
    """
    folders = [at_home(path) for path in data]
    caches = [folder for folder in folders if is_cache(folder)]
    if caches and len(caches) < len(folders):
        other = next(folder for folder in folders if folder not in caches)
        raise UsageError(f"{caches[0]} is a cache and {other} is not.", hint="Build a cache of the others first.")
    if caches:
        return DrawingCache(*caches), None
    report = build_cache(folders, store, preprocessing, options, on_progress=on_progress)
    return DrawingCache(store), report


def is_cache(folder: Path) -> bool:
    """Whether a folder holds shards of drawings."""
    return any(path.with_suffix(".bin").exists() for path in folder.glob("[0-9]*.json"))


def build_cache(
    sources: Sequence[Path | str],
    out: Path,
    preprocessing: Preprocessing,
    options: BuildOptions | None = None,
    *,
    on_progress: Callable[[Progress], None] | None = None,
) -> BuildReport:
    """Put the drawings of sources into a cache; drawings that it already holds are not read again.

    Args:
        sources: archives, lists, folders: anything that `ingest` reads.
        out: folder of the cache; created if missing.
        preprocessing: of the encoder to be trained; its size is the largest that can be trained at.
        on_progress: called after each patent.

    Returns:
        What was done and what failed; also written to `report.json`. A file that cannot be read is listed there
        and does not stop the build.

    Raises:
        SourceError: a source is missing, or holds nothing that can be read.
        InputError: no drawing could be read.
        UsageError: the cache was begun with other settings.
    """
    options = options or BuildOptions()
    if not sources:
        raise UsageError("No source given.", hint="Name an archive or a folder.")
    opened = [open_source(path, kind=options.kind, options=options.source) for path in sources]
    labels = {id(source): Labels(source) for source in opened}
    out.mkdir(parents=True, exist_ok=True)
    _claim(out, preprocessing, options)
    start = time.perf_counter()
    build = _Build(out, preprocessing, options, on_progress)
    build.total = _total(opened)
    try:
        for source in opened:
            build.report.failed += labels[id(source)].problems
            build.add(source, labels[id(source)])
    except KeyboardInterrupt:
        build.report.interrupted = True
    finally:
        build.flush()
        build.report.seconds = time.perf_counter() - start
        _write_json(out / REPORT, build.report.to_json())
    if not build.report.drawings and not build.report.interrupted:
        reasons = "; ".join(map(str, build.report.failed[:3])) or "the sources hold no patents"
        raise InputError(f"No drawing could be read: {reasons}.", hint=f"All reasons: {out / REPORT}")
    return build.report


class _Build:
    """One run into one cache."""

    def __init__(
        self,
        out: Path,
        preprocessing: Preprocessing,
        options: BuildOptions,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self.report = BuildReport()
        self.total: int | None = None
        self._out, self._preprocessing, self._options, self._on_progress = out, preprocessing, options, on_progress
        self._units: set[tuple[str, str]] = set()  # key and fingerprint of those that are in finished shards
        self._designs: set[str] = set()
        self._done = 0
        self._number = 0
        self._pending = _Pending()
        self._read_shards()

    def _read_shards(self) -> None:
        for path in sorted(self._out.glob("[0-9]*.json")):
            try:
                content = json.loads(path.read_text(encoding="utf-8"))
                self._units |= {(key, fingerprint) for key, fingerprint in content["units"]}
                self.report.failed += [Problem(where, reason) for where, reason in content["problems"]]
                for record in content["records"]:
                    self._count(record["design"], len(record["kinds"]))
                self._number = int(path.stem) + 1
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise InputError(
                    f"The shard {path} cannot be read: {error}.", hint="Delete it: the next run makes it again."
                ) from error

    def add(self, source: Source, labels: Labels) -> None:
        """Add all units of a source that are not in the cache."""
        options = self._options
        settings = WorkerSettings(
            encoder=None,
            preprocessing=self._preprocessing,
            whole_sheets=options.whole_sheets,
            front_pages=options.front_pages,
            thumbnails=False,
        )
        wanted = self._wanted(source)
        first = next(wanted, None)
        if first is None:
            return  # nothing to do: no worker is started
        units = chain([first], wanted)
        if options.processes == 0:
            worker = Worker(settings)
            self._take_all(((unit, worker.process(unit)) for unit in units), labels)
            return
        with WorkerPool(settings, options.processes or os.cpu_count() or 1) as pool:
            self._take_all(pool.results(units), labels)

    def _take_all(self, results: Iterable[tuple[Unit, UnitResult]], labels: Labels) -> None:
        for unit, result in results:
            self._take(unit, result, labels)
            self._advance()
            if len(self._pending.records) >= _SHARD:
                self.flush()

    def _wanted(self, source: Source) -> Iterator[Unit]:
        try:
            for unit in source.units():
                if isinstance(unit, Problem):
                    if not unit.expected:
                        self.report.failed.append(unit)
                elif (unit.key, unit.fingerprint) in self._units:
                    self._advance()
                else:
                    yield unit
        except (SourceError, OSError) as error:
            self.report.failed.append(Problem(str(source.path), str(error)))

    def _take(self, unit: Unit, result: UnitResult, labels: Labels) -> None:
        pending = self._pending
        where = f"{unit.origin}: {unit.key}"
        problems = list(result.problems)
        if result.failed is not None:
            problems.append(Problem(where, result.failed))
        elif result.patent in self._designs and result.drawings:
            problems.append(Problem(where, f"{result.patent} is already in the cache; left out"))
        elif result.drawings and isinstance(result.figures, np.ndarray):
            record = labels.record(result.patent, result.drawings)
            pending.records.append(record)
            pending.packed += [pack(drawing) for drawing in result.figures]
            self._count(record.design, len(record.kinds))
            self.report.added += 1
        pending.units.append((unit.key, unit.fingerprint))
        pending.problems += problems
        self.report.failed += problems

    def _count(self, design: str, drawings: int) -> None:
        self._designs.add(design)
        self.report.designs += 1
        self.report.drawings += drawings
        self.report.single += drawings == 1

    def _advance(self) -> None:
        self._done += 1
        if self._on_progress is not None:
            report = self.report
            self._on_progress(Progress(self._done, self.total, report.drawings, len(report.failed)))

    def flush(self) -> None:
        """Write what is pending as a shard."""
        pending = self._pending
        if not pending.units:
            return
        more = {"units": pending.units, "problems": [[p.where, p.reason] for p in pending.problems]}
        size = self._preprocessing.size
        write_packed(self._out, self._number, pending.records, pending.packed, size=size, more=more)
        self._units |= set(pending.units)
        self._number += 1
        self._pending = _Pending()


@dataclass(slots=True)
class _Pending:
    """The shard in the making."""

    records: list[Record] = field(default_factory=list)
    packed: list[bytes] = field(default_factory=list)
    units: list[tuple[str, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def _claim(out: Path, preprocessing: Preprocessing, options: BuildOptions) -> None:
    """Write down how the cache is made; refuse a cache that was made in another way."""
    wanted = {
        "preprocessing": preprocessing.to_json(),
        "whole_sheets": options.whole_sheets,
        "front_pages": options.front_pages,
        "recipe": _RECIPE,
    }
    path = out / CACHE
    if not path.exists():
        if shard_path(out, 0).exists():
            raise UsageError(f"{out} holds drawings that were not built from sources.", hint="Name another folder.")
        _write_json(path, wanted)
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}.", hint="Name another folder.") from error
    if found != wanted:
        different = [name for name in wanted if not isinstance(found, dict) or found.get(name) != wanted[name]]
        raise UsageError(f"{out} was built with a different {different[0]}.", hint="Name another folder.")


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _total(sources: Sequence[Source]) -> int | None:
    totals = [source.total() for source in sources]
    return None if None in totals else sum(t for t in totals if t is not None)
