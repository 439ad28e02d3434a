"""Bibliographies into an index that has the drawings: sources are read again, and nothing is encoded.

For indexes of an earlier version, and for drawings whose source knew less: DeepPatent's pictures, described by the
grants of the office. What a run has stored it writes to the journal last, so that a stopped run resumes.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

from patsearch.engine import Engine, Entry, open_index
from patsearch.errors import SourceError, UsageError
from patsearch.files import printable
from patsearch.ingest.entries import Settings
from patsearch.ingest.pipeline import IngestOptions
from patsearch.ingest.pool import WorkerPool
from patsearch.ingest.reading import OTHER_SHARD, Progress, in_shard
from patsearch.ingest.report import FOLDER, IngestReport
from patsearch.ingest.settle import OLDER, nothing_new, with_events
from patsearch.ingest.sources import Problem, Source, Unit, open_source
from patsearch.ingest.sources.designs import DesignUnit
from patsearch.ingest.sources.metadata import TABLES, read_metadata
from patsearch.ingest.worker import UnitResult, WorkerSettings
from patsearch.interrupts import shielded, stoppable
from patsearch.processes import require_main_guard
from patsearch.types import Patent

_COMMIT = 500  # patents
_COMMIT_SECONDS = 5.0
_SET_AT_CREATION = ("encoder", "backend", "url", "whole_sheets", "front_pages")
_DONE = "described already, by the same source"
_ELSEWHERE = "not in the index"
_NOTHING = "nothing of a bibliography in the source"


def add_bibliographies(
    sources: Sequence[Path | str],
    index: Path | str,
    options: IngestOptions | None = None,
    *,
    on_progress: Callable[[Progress], None] | None = None,
) -> IngestReport:
    """Add bibliographies to the patents of an index; title, kind, dates and classes too, where it has none.

    Args:
        sources: what `ingest` takes, or tables as `--metadata` takes them. Grants need no drawings with them.
        index: an existing index.
        options: `again`, `workers`, `shard`, `kind` and `source`; the others do not go with it.

    Returns:
        A report whose `patents` are those that were described.

    Raises:
        UsageError: an option does not go with it.
        SourceError: a source is missing.
        IndexNotFound, IndexLocked, StorageError: as `ingest`.
    """
    options = options or IngestOptions()
    require_main_guard()
    if given := [name for name in _SET_AT_CREATION if getattr(options, name)]:
        raise UsageError(
            f"--bibliography-only does not go with --{given[0].replace('_', '-')}.", hint="Leave one of them out."
        )
    if not sources:
        raise UsageError("No sources given.", hint="Name an archive or a folder.")
    opened = [_open(Path(path).expanduser(), options) for path in sources]
    report = IngestReport(sources=[printable(source.path) for source in opened])
    start = time.perf_counter()
    with stoppable(), closing(open_index(Path(index).expanduser(), read_only=False)) as engine:
        try:
            _Run(engine, options, report, on_progress).take_in(opened)
        except KeyboardInterrupt:
            report.interrupted = True
        finally:
            report.seconds = time.perf_counter() - start
        report.save(engine.path / FOLDER)
    return report


def _open(path: Path, options: IngestOptions) -> Source:
    if path.suffix.lower() in TABLES and path.is_file() and options.kind is None:
        return TableSource(path, options.source)
    return open_source(path, kind=options.kind, options=options.source)


class TableSource(Source):
    """The rows of a table, which describe patents and have no drawings."""

    name = "table"
    looks_for = f"tables ({', '.join(TABLES)})"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return path.suffix.lower() in TABLES and path.is_file()

    def units(self) -> Iterator[Unit | Problem]:
        table = read_metadata(self.path)
        self.taken.add(self.path)
        yield from table.problems
        for number, patent in table.patents.items():
            digest = blake2b(patent.described().encode(), digest_size=16).hexdigest()
            name = printable(self.path.name)
            yield TableRow(key=number, fingerprint=digest, origin=name, size=0, patent=patent)


@dataclass(frozen=True, kw_only=True)
class TableRow(Unit):
    """A row of a table."""

    patent: Patent

    def load(self) -> Patent:
        return self.patent


class _Run:
    """One run over one index."""

    def __init__(
        self,
        engine: Engine,
        options: IngestOptions,
        report: IngestReport,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self._engine = engine
        self._options = options
        self._report = report
        self._on_progress = on_progress
        self._done = 0
        self._pending: list[tuple[Unit, Patent]] = []
        self._last_commit = time.perf_counter()

    def take_in(self, sources: Sequence[Source]) -> None:
        settings = WorkerSettings(encoder=None, preprocessing=None, thumbnails=False, data_only=True)
        with WorkerPool(settings, self._options.workers or os.cpu_count() or 1) as pool:
            try:
                for unit, result in pool.results(self._wanted(sources)):
                    with shielded():
                        self._take(unit, result)
            finally:
                with shielded():
                    self._commit()

    def _wanted(self, sources: Sequence[Source]) -> Iterator[Unit]:
        """The units that have not described their patents yet; counts the others."""
        for source in sources:
            try:
                for unit in source.units():
                    if isinstance(unit, Problem):
                        self._report.add(unit)
                    elif not in_shard(unit.key, self._options.shard):
                        self._pass_over(OTHER_SHARD)
                    elif not self._options.again and self._described(unit) == unit.fingerprint:
                        self._pass_over(_DONE)
                    elif self._is_older(unit):
                        self._pass_over(OLDER)
                    else:
                        yield unit
            except (SourceError, OSError) as error:
                self._report.failed.append(Problem(printable(source.path), str(error)))
            self._report.files += len(source.taken)
            self._report.kinds[printable(source.path)] = source.kinds

    def _described(self, unit: Unit) -> str | None:
        """The fingerprint of the unit that described the patent."""
        entry = self._engine.journal.get(unit.key)
        return Settings.read(entry.settings).described if entry else None

    def _is_older(self, unit: Unit) -> bool:
        """Whether it is an earlier notice about a design than the one that described it."""
        if not isinstance(unit, DesignUnit):
            return False
        entry = self._engine.journal.get(unit.key)
        return entry is not None and nothing_new(unit, entry) == OLDER

    def _take(self, unit: Unit, result: UnitResult) -> None:
        for stage, seconds in result.stages.items():
            self._report.stages[stage] += seconds
        self._report.remarks += result.remarks
        if result.failed is not None:
            self._report.failed.append(Problem(f"{unit.origin}: {unit.key}", result.failed))
        elif result.known is None or result.known.bibliography is None:
            self._report.skipped[_NOTHING] += 1
        else:
            known = with_events(self._engine, unit) if isinstance(unit, DesignUnit) else result.known
            self._pending.append((unit, known))
        self._advance()
        if len(self._pending) >= _COMMIT or time.perf_counter() - self._last_commit > _COMMIT_SECONDS:
            self._commit()

    def _commit(self) -> None:
        """Add what is pending to the index, then write the journal."""
        # The same patent twice: the later one counts.
        patents = {patent.number: patent for _, patent in self._pending}
        if patents:
            found = self._engine.backend.amend(list(patents.values()))
            entries = [self._entry(unit, patent) for unit, patent in self._pending if patent.number in found]
            self._engine.journal.put(entries)
            self._report.patents += len(found)
            self._report.skipped[_ELSEWHERE] += len(patents) - len(found)
            self._report.skipped += Counter()  # leaves zeros out
        self._pending.clear()
        self._last_commit = time.perf_counter()

    def _entry(self, unit: Unit, patent: Patent) -> Entry:
        """The unit's entry with its bibliography noted; a new one where its drawings are not from this source."""
        entry = self._engine.journal.get(unit.key)
        if entry is None:
            entry = Entry(unit.key, unit.fingerprint, "{}", patent.number, 0, "described")
        return replace(entry, settings=replace(Settings.read(entry.settings), described=unit.fingerprint).text())

    def _pass_over(self, reason: str) -> None:
        self._report.skipped[reason] += 1
        self._advance()

    def _advance(self) -> None:
        self._done += 1
        if self._on_progress is not None:
            self._on_progress(Progress(self._done, None, 0, len(self._report.failed)))
