"""Encoding without an index: sources -> patents -> drawings with vectors -> a file for each partition of patents.

The units of all sources, in their order, are counted off into partitions. A partition is written in one step when all
of its units are done; a run that was stopped or killed makes the unfinished ones again, with the same bytes. A shard is
every n-th partition: every shard reads the list of all sources, and the shards together write what one run writes.
"""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from patsearch.encoder import Encoder, load_encoder
from patsearch.errors import EncoderMismatch, SourceError, UsageError
from patsearch.files import at_home, printable, remove, storage_errors
from patsearch.ingest.pool import WorkerPool
from patsearch.ingest.reading import OTHER_SHARD, RECIPE, Progress, count, finish, read_units, total_of, worker_settings
from patsearch.ingest.report import IngestReport
from patsearch.ingest.sources import Source, SourceOptions, Unit, open_source
from patsearch.ingest.storing import why_empty
from patsearch.ingest.vectors.parquet import (
    REPORTS,
    About,
    Made,
    files_of,
    path_of,
    read_about,
    require_pyarrow,
    write_digests,
    write_partition,
)
from patsearch.ingest.vectors.parquet import read_units as units_in
from patsearch.ingest.vectors.rows import digest_of
from patsearch.ingest.worker import UnitResult, WorkerSettings
from patsearch.interrupts import shielded, stoppable
from patsearch.processes import require_main_guard
from patsearch.types import JsonDict

PATENTS = 1000  # of a partition: about 140 MB
RAY = "ray"
_FINISHED = "in a finished partition"
# Units of compressed archives hold their bytes until their partition has been listed.
_MOST_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class EncodeOptions:
    """How to encode.

    Attributes:
        encoder: name of the encoder; None is the default.
        shard: (i, n): only every n-th partition, from the i-th on, counted from 1.
        whole_sheets: encode sheets as they are, not the figures on them.
        front_pages: encode front pages (`D00000`) too.
        again: make finished partitions again.
        patents: units of a partition, at most.
        workers: worker processes; None is one a core.
        kind: plug-in name of the sources; None recognises each by looking.
        source: what the user says of the sources.
        on: "ray" for a Ray cluster, where `workers` are the cores of each partition, 1 by default.
    """

    encoder: str | None = None
    shard: tuple[int, int] | None = None
    whole_sheets: bool = False
    front_pages: bool = False
    again: bool = False
    patents: int = PATENTS
    workers: int | None = None
    kind: str | None = None
    source: SourceOptions = field(default_factory=SourceOptions)
    on: str | None = None


@dataclass(slots=True)
class EncodeReport:
    """What was done.

    Attributes:
        ingest: counts of patents and drawings, and what could not be read.
        made, finished, others: partitions that this run wrote, that were there, and of other shards.
    """

    ingest: IngestReport
    made: int = 0
    finished: int = 0
    others: int = 0

    @property
    def exit_code(self) -> int:
        return self.ingest.exit_code

    def to_json(self) -> JsonDict:
        partitions = {"made": self.made, "finished": self.finished, "of_other_shards": self.others}
        return {**self.ingest.to_json(), "partitions": partitions}


def encode_sources(
    sources: Sequence[Path | str],
    out: Path | str,
    options: EncodeOptions | None = None,
    *,
    encoder: Encoder | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> EncodeReport:
    """Encode the drawings of sources into a folder of Parquet files, which `load_vectors` brings into any index.

    Args:
        sources: as of `ingest`.
        out: the folder, made if it is missing; shards of one encoding share it.
        encoder: one already loaded, instead of `options.encoder`.
        on_progress: called after each patent.

    Raises:
        SourceError: a source is missing or holds nothing to ingest; nothing was written.
        EncoderMismatch: the folder has vectors that were made in another way.
        PluginError: pyarrow is not installed.
        StorageError: the disk is full or read-only; finished partitions are kept.
    """
    options = options or EncodeOptions()
    require_main_guard()
    require_pyarrow()
    if not sources:
        raise UsageError("No sources given.", hint="Name an archive or a folder.")
    if options.on not in (None, RAY):
        raise UsageError(f"Invalid --on {options.on!r}: expected {RAY}.", hint="Leave it out to encode here.")
    folder = at_home(out)
    opened = [open_source(at_home(path), kind=options.kind, options=options.source) for path in sources]
    chosen = encoder or load_encoder(options.encoder)
    if options.on == RAY and not chosen.portable:
        raise UsageError(
            f"Processes of a cluster cannot load {chosen.card.name!r} by its name.",
            hint="Leave --on out, or export it.",
        )
    made = _made(chosen, options)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file.", hint="Name a folder for the vectors.")
    with storage_errors(f"Writing {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
    _require_same(folder, made)
    report = EncodeReport(IngestReport(sources=[printable(source.path) for source in opened]))
    start = time.perf_counter()
    with stoppable():
        try:
            run = _Run(folder, made, chosen, options, report, on_progress=on_progress, total=total_of(opened))
            run.encode(opened)
        except KeyboardInterrupt:
            report.ingest.interrupted = True
        finally:
            report.ingest.seconds = time.perf_counter() - start
        report.ingest.save(folder / REPORTS, "encode")
    return report


def _made(encoder: Encoder, options: EncodeOptions) -> Made:
    card = encoder.card
    return Made(card.name, card.sha256, card.dim, options.whole_sheets, options.front_pages, RECIPE)


def _require_same(folder: Path, made: Made) -> None:
    """Raises EncoderMismatch where the folder's vectors were made in another way."""
    for path in files_of(folder).values():
        about = _about(path)
        if about is None or about.made == made:
            continue
        if about.made.spec != made.spec and about.made.encoder_sha256 != made.encoder_sha256:
            other = f"of the encoder {about.made.encoder!r} ({about.made.encoder_sha256[:12]})"
        else:
            other = "made with other options (--whole-sheets, --front-pages) or by another version"
        raise EncoderMismatch(f"{folder} holds vectors {other}.", hint="Name another folder: --out FOLDER.")


def _about(path: Path) -> About | None:
    """What a partition says of itself; None where it is damaged, and has to be made again."""
    try:
        return read_about(path)
    except SourceError:
        return None


@dataclass(frozen=True, slots=True)
class Partition:
    """One that has to be made."""

    number: int
    digest: str
    units: tuple[Unit, ...]


def make(
    partition: Partition, *, folder: Path, made: Made, settings: WorkerSettings, workers: int
) -> tuple[int, IngestReport]:
    """Make one partition in this process and its workers, which load the encoder; its units' number, and a report."""
    report = IngestReport()
    with WorkerPool(settings, workers) as pool:
        results = list(pool.results(partition.units))
    for unit, result in results:
        count(unit, result, report)
        _tally(result, report)
    before = time.process_time()
    write_partition(path_of(folder, partition.number), made, partition.digest, results)
    report.stages["write"] += time.process_time() - before
    return len(results), report


def _tally(result: UnitResult, report: IngestReport) -> None:
    """Count the drawings of a unit."""
    if result.drawings:
        report.patents += 1
        report.drawings += len(result.drawings)
    elif result.failed is None and not result.problems:
        report.skipped[why_empty(result)] += 1


class _Run:
    """One run over some sources."""

    def __init__(
        self,
        folder: Path,
        made: Made,
        encoder: Encoder,
        options: EncodeOptions,
        report: EncodeReport,
        *,
        on_progress: Callable[[Progress], None] | None,
        total: int | None,
    ) -> None:
        self._folder = folder
        self._made = made
        self._encoder = encoder
        self._options = options
        self._report = report
        self._on_progress = on_progress
        self._total = total
        self._done = 0
        self._digests: list[str] = []
        self._open: deque[Partition] = deque()
        self._results: list[tuple[Unit, UnitResult]] = []

    def encode(self, sources: Sequence[Source]) -> None:
        made = self._made
        settings = worker_settings(
            self._encoder, name=made.encoder, whole_sheets=made.whole_sheets, front_pages=made.front_pages
        )
        wanted = self._wanted(sources)
        if self._options.on == RAY:
            self._on_ray(wanted, settings)
        else:
            self._here(wanted, settings)
        # Not before: of sources that were not read to the end nobody knows it.
        write_digests(self._folder, self._digests)
        if not self._report.ingest.failed:  # a source that could not be read may be there again in the next run
            for number, path in files_of(self._folder).items():
                if number > len(self._digests):  # the sources had more before
                    remove(path)

    def _here(self, wanted: Iterator[Partition], settings: WorkerSettings) -> None:
        """One pool for all partitions: no worker waits for the end of one."""
        with WorkerPool(settings, self._options.workers or os.cpu_count() or 1) as pool:
            for unit, result in pool.results(self._opened(wanted)):
                with shielded():
                    finish(unit, result, self._encoder, self._report.ingest)
                    self._keep(unit, result)

    def _opened(self, wanted: Iterator[Partition]) -> Iterator[Unit]:
        for partition in wanted:
            self._open.append(partition)
            yield from partition.units

    def _on_ray(self, wanted: Iterator[Partition], settings: WorkerSettings) -> None:
        from patsearch.ingest.vectors.on_ray import on_ray

        cores = self._options.workers or 1
        run = partial(make, folder=self._folder.resolve(), made=self._made, settings=settings, workers=cores)
        for units, report in on_ray(wanted, run, cores=cores):
            self._report.ingest.include(report)
            self._report.made += 1
            self._advance(units)

    def _wanted(self, sources: Sequence[Source]) -> Iterator[Partition]:
        """The partitions that have to be made; counts the others."""
        for units in partitions(read_units(sources, self._report.ingest), self._options.patents):
            digest = digest_of(self._made, ((unit.key, unit.fingerprint) for unit in units))
            self._digests.append(digest)
            number = len(self._digests)
            if not self._is_ours(number):
                self._report.others += 1
                self._pass_over(len(units), OTHER_SHARD)
            elif not self._options.again and self._is_finished(number, digest):
                self._report.finished += 1
                self._pass_over(len(units), _FINISHED)
            else:
                yield Partition(number, digest, tuple(units))

    def _is_ours(self, number: int) -> bool:
        index, total = self._options.shard or (1, 1)
        return (number - index) % total == 0

    def _is_finished(self, number: int, digest: str) -> bool:
        path = path_of(self._folder, number)
        about = _about(path) if path.is_file() else None
        if about is None or about.digest != digest:
            return False
        if about.problems:  # said in every run, as an ingest does
            try:
                for unit in units_in(path):
                    self._report.ingest.failed += unit.failures
            except SourceError:
                return False
        return True

    def _keep(self, unit: Unit, result: UnitResult) -> None:
        """Add a result to its partition, and write that where it is complete: results come in the order of units."""
        self._results.append((unit, result))
        _tally(result, self._report.ingest)
        self._advance()
        partition = self._open[0]
        if len(self._results) == len(partition.units):
            before = time.process_time()
            write_partition(path_of(self._folder, partition.number), self._made, partition.digest, self._results)
            self._report.made += 1
            self._open.popleft()
            self._results = []
            self._report.ingest.stages["write"] += time.process_time() - before

    def _pass_over(self, units: int, reason: str) -> None:
        self._report.ingest.skipped += Counter({reason: units})
        self._advance(units)

    def _advance(self, units: int = 1) -> None:
        self._done += units
        if self._on_progress is not None:
            report = self._report.ingest
            self._on_progress(Progress(self._done, self._total, report.drawings, len(report.failed)))


def partitions(units: Iterator[Unit], most: int) -> Iterator[list[Unit]]:
    """Units in their order, in lists of up to `most`, and of up to 256 MB as stored unless one is larger."""
    found: list[Unit] = []
    size = 0
    for unit in units:
        if found and (len(found) == most or size + unit.size > _MOST_BYTES):
            yield found
            found, size = [], 0
        found.append(unit)
        size += unit.size
    if found:
        yield found
