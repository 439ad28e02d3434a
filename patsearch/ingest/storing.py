"""Results into an index: drawings and vectors, thumbnails, then the journal.

What was stored is written to the journal last: a run that is stopped or killed resumes where it stopped, without loss
and without doubles.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from patsearch.engine import Engine, Entry, State
from patsearch.ingest.entries import Settings
from patsearch.ingest.report import IngestReport
from patsearch.ingest.settle import DELETED, OLDER, nothing_new, settle, settle_events
from patsearch.ingest.sources import Unit
from patsearch.ingest.sources.designs import DesignUnit, RegistrationUnit
from patsearch.ingest.worker import UnitResult
from patsearch.numbers import registration_of
from patsearch.types import Drawing, JsonDict

COMMIT_EVERY = 512  # drawings
_COMMIT_SECONDS = 5.0
_UNDESCRIBED = "already in the index, from before bibliographies were stored (--bibliography-only adds them)"
_THERE = "already in the index"
_WITHOUT = "without drawings"
_FRONT_PAGE = "without drawings but the front page's (--front-pages)"


class Store:
    """Stores what workers made of units, in batches.

    Attributes:
        pending_drawings: of results that are not in the index yet.
    """

    def __init__(
        self, engine: Engine, report: IngestReport, *, shape: JsonDict, again: bool, commit_every: int
    ) -> None:
        """
        Args:
            shape: the options that shape drawings; those of other options are made again.
            again: also store units that are in the index, or were deleted from it.
        """
        self.engine = engine
        self.report = report
        self.pending_drawings = 0
        self._shape = shape
        self._again = again
        self._commit_every = commit_every
        self._pending: list[tuple[Unit, UnitResult]] = []
        self._last_commit = time.perf_counter()
        self._cut_off = frozenset(engine.journal.begun())  # of an earlier run

    def skip(self, unit: Unit) -> str | None:
        """Why a unit need not be read, None where it must."""
        entry = self.engine.journal.get(unit.key)
        if entry is None:
            return None
        settings = Settings.read(entry.settings)
        if isinstance(unit, RegistrationUnit):
            done = not self._again and entry.patent not in self._cut_off and {*unit.events} <= {*settings.events}
            return _THERE if done else None
        reason = nothing_new(unit, entry) if isinstance(unit, DesignUnit) else None
        if reason in (OLDER, DELETED):
            return reason
        if self._again or entry.patent in self._cut_off or settings.shape != self._shape:
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

    def add(self, unit: Unit, result: UnitResult) -> None:
        """Keep a result for the next batch, and store the batch where it is large or old enough."""
        self._pending.append((unit, result))
        self.pending_drawings += len(result.drawings)
        late = time.perf_counter() - self._last_commit > _COMMIT_SECONDS
        if self.pending_drawings >= self._commit_every or late:
            self.commit()

    def commit(self) -> None:
        """Store what is pending: drawings and vectors, thumbnails, then the journal."""
        before = time.process_time()
        # The same patent twice in one batch: the later one counts.
        last = {unit.key: (unit, result) for unit, result in self._pending}
        for keys in _batches_without_double_patents(list(last.values())):
            self._store(keys)
        self._pending.clear()
        self.pending_drawings = 0
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
                report.skipped[why_empty(settled)] += 1
        patents = {result.patent for result in stored}
        engine.journal.begin(patents, "store")
        if drawings:
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
        if known and not self._again:
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


def why_empty(result: UnitResult) -> str:
    """Why a patent that could be read has no drawings."""
    return _FRONT_PAGE if result.sheets else _WITHOUT


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
