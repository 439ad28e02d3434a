"""Loading: partitions of encoded drawings into an index, in their order, by the way on which an ingest stores them.

The index is then what an ingest of the same sources would have made. What is stored is in the journal: a load that was
stopped or killed resumes, and another one adds nothing. No encoder is loaded.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from patsearch.errors import EncoderMismatch, SourceError
from patsearch.files import at_home, printable
from patsearch.ingest.pipeline import IngestOptions
from patsearch.ingest.reading import Progress, count
from patsearch.ingest.report import FOLDER, IngestReport
from patsearch.ingest.sources import Problem
from patsearch.ingest.storing import COMMIT_EVERY, Store
from patsearch.ingest.target import open_target
from patsearch.ingest.vectors.parquet import (
    About,
    files_of,
    read_about,
    read_digests,
    read_partition,
    read_units,
    require_pyarrow,
)
from patsearch.ingest.vectors.rows import unit_of
from patsearch.interrupts import shielded, stoppable

_KIND = "vectors"
_TOLD = 5


def load_vectors(
    vectors: Path | str,
    index: Path | str,
    *,
    backend: str | None = None,
    url: str | None = None,
    again: bool = False,
    commit_every: int = COMMIT_EVERY,
    on_progress: Callable[[Progress], None] | None = None,
) -> IngestReport:
    """Load what `encode_sources` wrote into an index, which is made if it is missing.

    Args:
        vectors: the folder of the partitions.
        index: the index directory.
        backend: plug-in name, for a new index.
        url: the server that holds drawings and vectors, for a new index.
        again: also load patents that are in the index, or were deleted from it.
        on_progress: called after each patent.

    Returns:
        What was done, skipped and failed; a partition that is damaged or missing is in there and stops nothing.

    Raises:
        SourceError: the folder has no partition that can be read.
        EncoderMismatch: the index has vectors of another encoder, or the partitions are of several.
        UsageError, IndexLocked, StorageError, BackendError: as `ingest`.
    """
    require_pyarrow()
    folder = at_home(vectors)
    report = IngestReport(sources=[printable(folder)])
    files = _open(folder, report)
    made = next(iter(files.values())).made
    options = IngestOptions(
        backend=backend, url=url, again=again, commit_every=commit_every, whole_sheets=made.whole_sheets
    )
    start = time.perf_counter()
    with stoppable(), closing(open_target(at_home(index), options, spec=made.spec)) as engine:
        store = Store(engine, report, shape=made.shape, again=again, commit_every=commit_every)
        run = _Run(store, report, on_progress, sum(about.units for about in files.values()))
        try:
            run.load(files)
        except KeyboardInterrupt:
            report.interrupted = True
        finally:
            report.seconds = time.perf_counter() - start
        report.kinds[printable(folder)] = (_KIND,)
        report.save(engine.path / FOLDER, "load")
        if not report.interrupted:
            engine.backend.optimize()
    return report


def _open(folder: Path, report: IngestReport) -> dict[Path, About]:
    """The partitions that can be read, in order; the report has the others."""
    files = files_of(folder) if folder.is_dir() else {}
    if not files:
        raise SourceError(
            f"{printable(folder)} holds no vectors (part-000001.parquet).",
            hint="Name a folder that patsearch encode wrote: patsearch encode SOURCE --out FOLDER.",
        )
    digests = _expected(folder, report)
    found: dict[Path, About] = {}
    for number, path in files.items():
        try:
            about = read_about(path)
        except SourceError as error:
            report.failed.append(Problem(printable(path), str(error)))
            continue
        if digests is not None and digests[number - 1 : number] != [about.digest]:
            reason = "it was made of other sources or options than the last run: run patsearch encode again"
            report.failed.append(Problem(printable(path), reason))
            continue
        found[path] = about
    if not found:
        raise SourceError(report.failed[-1].reason)
    if len({about.made for about in found.values()}) > 1:
        raise EncoderMismatch(
            f"The files in {printable(folder)} were made by several encoders, or with several options.",
            hint="Encode into a separate folder for each.",
        )
    if missing := sorted(set(range(1, len(digests or ()) + 1)) - files.keys()):
        told = ", ".join(map(str, missing[:_TOLD])) + (" ..." if len(missing) > _TOLD else "")
        reason = f"{len(missing)} of {len(digests or ())} partitions are missing: {told}; run patsearch encode again"
        report.failed.append(Problem(printable(folder), reason))
    return found


def _expected(folder: Path, report: IngestReport) -> list[str] | None:
    try:
        digests = read_digests(folder)
    except SourceError as error:
        report.failed.append(Problem(printable(folder), str(error)))
        return None
    if digests is None:
        report.failed.append(Problem(printable(folder), "the encoding has not ended: run patsearch encode again"))
    return digests


class _Run:
    """One load into one index."""

    def __init__(
        self, store: Store, report: IngestReport, on_progress: Callable[[Progress], None] | None, total: int
    ) -> None:
        self._store = store
        self._report = report
        self._on_progress = on_progress
        self._total = total
        self._done = 0

    def load(self, files: dict[Path, About]) -> None:
        try:
            for path, about in files.items():
                before = time.process_time()
                try:
                    if not self._is_stored(path):
                        self._load(path)
                    self._report.files += 1
                except SourceError as error:
                    self._report.failed.append(Problem(printable(path), str(error)))
                    self._advance(about.units)
                self._report.stages["load"] += time.process_time() - before
        finally:
            with shielded():
                self._store.commit()

    def _is_stored(self, path: Path) -> bool:
        """Whether the index has all of a partition; then its vectors are not read."""
        reasons = [self._store.skip(unit_of(unit)) for unit in read_units(path)]
        if None in reasons:
            return False
        self._report.skipped += Counter(reason for reason in reasons if reason)
        self._advance(len(reasons))
        return True

    def _load(self, path: Path) -> None:
        for unit, _, result in read_partition(path):
            with shielded():
                if (reason := self._store.skip(unit)) is not None:
                    self._report.skipped[reason] += 1
                else:
                    count(unit, result, self._report)
                    self._store.add(unit, result)
                self._advance()

    def _advance(self, units: int = 1) -> None:
        self._done += units
        if self._on_progress is not None:
            drawings = self._report.drawings + self._store.pending_drawings
            self._on_progress(Progress(self._done, self._total, drawings, len(self._report.failed)))
