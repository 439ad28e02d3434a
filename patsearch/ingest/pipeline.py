"""Ingest: source -> patents -> sheets -> figures -> vectors -> backend -> journal.

The main process reads the sources and writes; worker processes do everything in between, so that
reading, decoding, encoding and writing overlap. What was stored is written to the journal last: a
run that is stopped or killed resumes where it stopped, without loss and without doubles.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from patsearch.encoder import Encoder
from patsearch.engine import Engine
from patsearch.errors import UsageError
from patsearch.files import at_home, printable
from patsearch.ingest.pool import WorkerPool
from patsearch.ingest.reading import (
    OTHER_SHARD,
    RECIPE,
    Progress,
    finish,
    in_shard,
    read_units,
    total_of,
    worker_settings,
)
from patsearch.ingest.report import FOLDER, IngestReport
from patsearch.ingest.sources import Source, SourceOptions, Unit, open_source
from patsearch.ingest.storing import COMMIT_EVERY, Store
from patsearch.ingest.target import open_target
from patsearch.interrupts import shielded, stoppable
from patsearch.processes import require_main_guard


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """How to ingest.

    Attributes:
        encoder: name of the encoder; None is the index's own, or the default for a new index.
        backend: plug-in name, for a new index.
        url: the server that holds drawings and vectors, for a new index.
        shard: (i, n): only the i-th of n parts of the sources, counted from 1; a patent is always in the
            same part, so that n workers with an index folder each can fill one server.
        whole_sheets: index sheets as they are, not the figures on them; for a new index.
        front_pages: index front pages (`D00000`) too; they repeat another sheet.
        again: also ingest patents that are in the index, or were deleted from it.
        workers: worker processes; None is one a core.
        commit_every: drawings between two commits: what a killed run has to do again at most. A
            commit costs a few fsyncs, which the default makes negligible.
        kind: plug-in name of the sources; None recognises each by looking.
        source: what the user says of the sources.
    """

    encoder: str | None = None
    backend: str | None = None
    url: str | None = None
    shard: tuple[int, int] | None = None
    whole_sheets: bool | None = None
    front_pages: bool = False
    again: bool = False
    workers: int | None = None
    commit_every: int = COMMIT_EVERY
    kind: str | None = None
    source: SourceOptions = field(default_factory=SourceOptions)


def ingest(
    sources: Sequence[Path | str],
    index: Path | str,
    options: IngestOptions | None = None,
    *,
    encoder: Encoder | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> IngestReport:
    """Ingest patents into an index, which is made if it is missing.

    Args:
        sources: archives, grants or folders, each recognised by looking.
        index: the index directory.
        encoder: one already loaded, instead of `options.encoder`.
        on_progress: called after each patent.

    Returns:
        What was done, skipped and failed. A file that cannot be read is in there and stops nothing.

    Raises:
        SourceError: a source is missing or holds nothing to ingest; nothing was written.
        EncoderMismatch, UsageError: the index was made in another way than `options` require; or a script without a
            main guard calls this.
        IndexLocked: another process writes to the index.
        StorageError: the disk is full or read-only; what was finished is kept.
    """
    options = options or IngestOptions()
    require_main_guard()
    if not sources:
        raise UsageError("No sources given.", hint="Name an archive or a folder.")
    opened = [open_source(at_home(path), kind=options.kind, options=options.source) for path in sources]
    report = IngestReport(sources=[printable(source.path) for source in opened])
    start = time.perf_counter()
    with stoppable(), closing(open_target(at_home(index), options, encoder)) as engine:
        run = _Run(engine, options, report, on_progress, total_of(opened))
        try:
            run.take_in(opened)
        except KeyboardInterrupt:
            report.interrupted = True
        finally:
            report.seconds = time.perf_counter() - start
        report.save(engine.path / FOLDER)
        if not report.interrupted:
            engine.backend.optimize()  # after a large ingest the search structure is behind; else this does nothing
    return report


class _Run:
    """One ingest into one index."""

    def __init__(
        self,
        engine: Engine,
        options: IngestOptions,
        report: IngestReport,
        on_progress: Callable[[Progress], None] | None,
        total: int | None,
    ) -> None:
        self._options = options
        self._report = report
        self._on_progress = on_progress
        self._total = total
        self._done = 0
        shape = {"front_pages": options.front_pages, "recipe": RECIPE}
        self._store = Store(engine, report, shape=shape, again=options.again, commit_every=options.commit_every)

    def take_in(self, sources: Sequence[Source]) -> None:
        engine, store = self._store.engine, self._store
        settings = worker_settings(
            engine.encoder,
            name=engine.spec.encoder,
            whole_sheets=engine.spec.whole_sheets,
            front_pages=self._options.front_pages,
        )
        with WorkerPool(settings, self._options.workers or os.cpu_count() or 1) as pool:
            try:
                for unit, result in pool.results(self._wanted(sources)):
                    with shielded():
                        finish(unit, result, engine.encoder, self._report)
                        store.add(unit, result)
                        self._advance()
            finally:
                # Also when stopped: what is finished is worth keeping.
                with shielded():
                    store.commit()

    def _wanted(self, sources: Sequence[Source]) -> Iterator[Unit]:
        """The units that are not in the index yet; counts the others."""
        for unit in read_units(sources, self._report):
            reason = self._store.skip(unit) if in_shard(unit.key, self._options.shard) else OTHER_SHARD
            if reason is None:
                yield unit
            else:
                self._report.skipped[reason] += 1
                self._advance()

    def _advance(self) -> None:
        self._done += 1
        if self._on_progress is not None:
            drawings = self._report.drawings + self._store.pending_drawings
            self._on_progress(Progress(self._done, self._total, drawings, len(self._report.failed)))
