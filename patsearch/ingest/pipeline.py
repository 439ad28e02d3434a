"""Ingest: source -> patents -> sheets -> figures -> vectors -> backend -> journal.

The main process reads the sources and writes; worker processes do everything in between, so that
reading, decoding, encoding and writing overlap. What was stored is written to the journal last: a
run that is stopped or killed resumes where it stopped, without loss and without doubles.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from patsearch.encoder import Encoder
from patsearch.encoder.base import ArrayEncoder
from patsearch.engine import Engine, Entry, State
from patsearch.errors import SourceError, UsageError
from patsearch.files import at_home, printable
from patsearch.ingest.entries import Settings
from patsearch.ingest.pool import WorkerPool
from patsearch.ingest.report import IngestReport
from patsearch.ingest.settle import DELETED, OLDER, nothing_new, settle, settle_events
from patsearch.ingest.sources import Problem, Source, SourceOptions, Unit, open_source
from patsearch.ingest.sources.designs import DesignUnit, RegistrationUnit
from patsearch.ingest.target import open_target
from patsearch.ingest.worker import UnitResult, WorkerSettings, encode
from patsearch.interrupts import shielded, stoppable
from patsearch.numbers import normal_number, registration_of
from patsearch.processes import require_main_guard
from patsearch.types import Drawing

_COMMIT_SECONDS = 5.0
_UNDESCRIBED = "already in the index, from before bibliographies were stored (--bibliography-only adds them)"
_THERE = "already in the index"
_WITHOUT = "without drawings"
_FRONT_PAGE = "without drawings but the front page's (--front-pages)"
_DATED = re.compile(r"-\d{8}$")  # the day of an edition, behind the number of the patent
# Raised when the way from sheets to drawings changes so that old drawings ought to be made again.
_RECIPE = 1


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
    commit_every: int = 512
    kind: str | None = None
    source: SourceOptions = field(default_factory=SourceOptions)


@dataclass(frozen=True, slots=True)
class Progress:
    """What a progress display needs; `total` is None where a source cannot tell."""

    done: int
    total: int | None
    drawings: int
    failed: int


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
        run = _Run(engine, options, report, on_progress, _total(opened))
        try:
            run.take_in(opened)
        except KeyboardInterrupt:
            report.interrupted = True
        finally:
            report.seconds = time.perf_counter() - start
        report.save(engine.path)
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
        self.engine = engine
        self.options = options
        self.report = report
        self._on_progress = on_progress
        self._total = total
        self._done = 0
        self._shape = {"front_pages": options.front_pages, "recipe": _RECIPE}
        self._pending: list[tuple[Unit, UnitResult]] = []
        self._pending_drawings = 0
        self._last_commit = time.perf_counter()
        self._cut_off = frozenset(engine.journal.begun())  # of an earlier run

    def take_in(self, sources: Sequence[Source]) -> None:
        encoder = self.engine.encoder
        settings = WorkerSettings(
            encoder=self.engine.spec.encoder if encoder.portable else None,
            preprocessing=encoder.preprocessing if isinstance(encoder, ArrayEncoder) else None,
            whole_sheets=self.engine.spec.whole_sheets,
            front_pages=self.options.front_pages,
            full_size=bool(encoder.card.preprocessing.windows),
        )
        workers = self.options.workers or os.cpu_count() or 1
        with WorkerPool(settings, workers) as pool:
            try:
                for unit, result in pool.results(self._wanted(sources)):
                    with shielded():
                        self._take(unit, result)
            finally:
                # Also when stopped: what is finished is worth keeping.
                with shielded():
                    self._commit()

    def _wanted(self, sources: Sequence[Source]) -> Iterator[Unit]:
        """The units that are not in the index yet; counts the others and what cannot be read."""
        for source in sources:
            try:
                for unit in self._read(source):
                    if isinstance(unit, Problem):
                        self.report.add(unit)
                    elif not in_shard(unit.key, self.options.shard):
                        self.report.skipped["of another shard"] += 1
                        self._advance()
                    elif (reason := self._skip(unit)) is not None:
                        self.report.skipped[reason] += 1
                        self._advance()
                    else:
                        yield unit
            except (SourceError, OSError) as error:
                self.report.failed.append(Problem(printable(source.path), str(error)))
            self.report.files += len(source.taken)
            self.report.kinds[printable(source.path)] = source.kinds

    def _read(self, source: Source) -> Iterator[Unit | Problem]:
        """The source's units, with the CPU time that reading and hashing takes."""
        units = source.units()
        while True:
            before = time.process_time()
            unit = next(units, None)
            self.report.stages["read"] += time.process_time() - before
            if unit is None:
                return
            yield unit

    def _skip(self, unit: Unit) -> str | None:
        entry = self.engine.journal.get(unit.key)
        if entry is None:
            return None
        settings = Settings.read(entry.settings)
        if isinstance(unit, RegistrationUnit):
            done = not self.options.again and entry.patent not in self._cut_off and {*unit.events} <= {*settings.events}
            return _THERE if done else None
        reason = nothing_new(unit, entry) if isinstance(unit, DesignUnit) else None
        if reason in (OLDER, DELETED):
            return reason
        if self.options.again or entry.patent in self._cut_off or settings.shape != self._shape:
            return None
        if isinstance(unit, DesignUnit) and settings.dated is not None and entry.state not in ("deleted", "replaced"):
            return reason and (_THERE if entry.drawings else _WITHOUT)
        if entry.fingerprint != unit.fingerprint:
            return None
        there = _THERE if settings.described else _UNDESCRIBED
        reasons = {
            "done": there if entry.drawings else _WITHOUT,
            "deleted": "deleted from the index (--again brings it back)",
            "replaced": "replaced by another source",
        }
        return reasons.get(entry.state)

    def _take(self, unit: Unit, result: UnitResult) -> None:
        report = self.report
        for stage, seconds in result.stages.items():
            report.stages[stage] += seconds
        report.failed += result.problems
        report.remarks += result.remarks
        report.sheets += result.sheets
        if result.failed is not None:
            report.failed.append(Problem(f"{unit.origin}: {unit.key}", result.failed))
        if result.vectors is None and result.figures is not None:
            before = time.process_time()
            result.vectors = encode(self.engine.encoder, result.figures)
            result.figures = None
            report.stages["encode"] += time.process_time() - before
        self._pending.append((unit, result))
        self._pending_drawings += len(result.drawings)
        self._advance()
        late = time.perf_counter() - self._last_commit > _COMMIT_SECONDS
        if self._pending_drawings >= self.options.commit_every or late:
            self._commit()

    def _commit(self) -> None:
        """Store what is pending: drawings and vectors, thumbnails, then the journal."""
        before = time.process_time()
        # The same patent twice in one batch: the later one counts.
        last = {unit.key: (unit, result) for unit, result in self._pending}
        for keys in _batches_without_double_patents(list(last.values())):
            self._store(keys)
        self._pending.clear()
        self._pending_drawings = 0
        self._last_commit = time.perf_counter()
        self.report.stages["write"] += time.process_time() - before

    def _store(self, batch: list[tuple[Unit, UnitResult]]) -> None:
        engine, report = self.engine, self.report
        drawings: list[Drawing] = []
        entries: list[Entry] = []
        stale: list[str] = []
        stored: list[UnitResult] = []
        for unit, result in batch:
            if result.failed is not None:
                # A unit that failed now but is in the index keeps what it had.
                if engine.journal.get(unit.key) is None:
                    settings = Settings(self._shape).text()
                    entries.append(
                        Entry(unit.key, unit.fingerprint, settings, result.patent, 0, "failed", result.failed)
                    )
                continue
            if isinstance(unit, RegistrationUnit):
                described, events = settle_events(engine, unit, engine.journal.get(unit.key))
                # The digest of all events: it does not depend on which came together.
                digest = hashlib.blake2b(repr(events).encode(), digest_size=16).hexdigest()
                settings = Settings(events=events).text()
                entries.append(Entry(unit.key, digest, settings, unit.key, 0, "described"))
                stored.append(described)
                drawings += described.drawings
                continue
            made = self._new_entry(unit, result)
            if made is None:
                continue
            entry, settled = made
            stale += self._stale(unit, settled, entries)
            entries.append(entry)
            stored.append(settled)
            drawings += settled.drawings
            if settled.drawings:
                report.patents += 1
                report.drawings += len(settled.drawings)
            elif entry.state == "deleted":
                report.skipped[DELETED] += 1
            elif not settled.problems:  # they say why there is nothing
                report.skipped[_FRONT_PAGE if settled.sheets else _WITHOUT] += 1
        patents = {result.patent for result in stored}
        engine.journal.begin(patents, "store")
        if drawings:
            import numpy as np

            engine.add(drawings, np.concatenate([r.vectors for r in stored if r.vectors is not None]))
        if stale:
            engine.thumbnails.delete(stale)
            report.removed += engine.backend.delete(stale)
        engine.thumbnails.put(thumbnail for result in stored for thumbnail in result.thumbnails)
        engine.journal.put(entries, done=patents)

    def _new_entry(self, unit: Unit, result: UnitResult) -> tuple[Entry, UnitResult] | None:
        """What to store of a unit, and its entry; None where that is stored: damaged patents are read in every run."""
        known = self.engine.journal.get(unit.key)
        fingerprint, dated = unit.fingerprint, None
        state: State = "partial" if result.problems else "done"
        if isinstance(unit, DesignUnit):
            settled = settle(self.engine, unit, result, known)
            self.report.failed += settled.result.problems[len(result.problems) :]
            result, fingerprint, dated, state = settled.result, settled.fingerprint, settled.dated, settled.state
        count = len(result.drawings)
        settings = Settings(self._shape, fingerprint, dated)
        if known and not self.options.again:
            before = replace(Settings.read(known.settings), described=None).text()
            old = (known.fingerprint, before, known.state, known.drawings)
            if old == (fingerprint, Settings(self._shape, None, dated).text(), state, count):
                self.report.skipped["read again, with the same outcome"] += 1
                return None
        reason = DELETED if state == "deleted" else ""
        return Entry(unit.key, fingerprint, settings.text(), result.patent, count, state, reason), result

    def _stale(self, unit: Unit, result: UnitResult, entries: list[Entry]) -> list[str]:
        """Ids that an earlier version of the patent has and this one has not."""
        earlier = [e for e in self.engine.journal.of_patent(result.patent) if e.state in ("done", "partial")]
        if not earlier:
            return []
        for entry in earlier:
            if entry.key != unit.key:
                entries.append(
                    Entry(entry.key, entry.fingerprint, entry.settings, entry.patent, 0, "replaced", unit.key)
                )
        old, _ = self.engine.drawings_of(result.patent)
        new = {drawing.id for drawing in result.drawings}
        return [drawing.id for drawing in old if drawing.id not in new and drawing.patent == result.patent]

    def _advance(self) -> None:
        self._done += 1
        if self._on_progress is not None:
            pending = self.report.drawings + self._pending_drawings
            self._on_progress(Progress(self._done, self._total, pending, len(self.report.failed)))


def _batches_without_double_patents(
    results: list[tuple[Unit, UnitResult]],
) -> Iterator[list[tuple[Unit, UnitResult]]]:
    """Split so that no batch holds one patent twice (two units may be the same patent).

    Nor does one hold events of a registration and its designs: each of them reads what is stored of the others.
    """
    batch: list[tuple[Unit, UnitResult]] = []
    seen: set[str] = set()
    for unit, result in results:
        registration = registration_of(result.patent)
        others = {f"{registration}-"} if isinstance(unit, RegistrationUnit) else {registration}
        if seen & {result.patent, *others} and result.failed is None:
            yield batch
            batch, seen = [], set()
        batch.append((unit, result))
        seen.add(result.patent)
        if registration != result.patent:
            seen.add(f"{registration}-")
    if batch:
        yield batch


def in_shard(key: str, shard: tuple[int, int] | None) -> bool:
    """Whether a unit belongs to the i-th of n parts. Those of a patent or registration are together."""
    if shard is None:
        return True
    index, total = shard
    patent = registration_of(normal_number(_DATED.sub("", key)))
    return int.from_bytes(hashlib.blake2b(patent.encode(), digest_size=8).digest(), "big") % total == index - 1


def _total(sources: Sequence[Source]) -> int | None:
    totals = [source.total() for source in sources]
    return None if None in totals else sum(t for t in totals if t is not None)
