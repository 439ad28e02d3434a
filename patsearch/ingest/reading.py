"""The steps before storing: units out of sources, settings of the workers, results with their vectors.

What ingests and what encodes for later both go through here, so that the two give the same drawings.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from patsearch.encoder import Encoder
from patsearch.encoder.base import ArrayEncoder
from patsearch.errors import SourceError
from patsearch.files import printable
from patsearch.ingest.report import IngestReport
from patsearch.ingest.sources import Problem, Source, Unit
from patsearch.ingest.worker import UnitResult, WorkerSettings, encode
from patsearch.numbers import normal_number, registration_of

# Raised when the way from sheets to drawings changes so that old drawings ought to be made again.
RECIPE = 1
OTHER_SHARD = "of another shard"
_DATED = re.compile(r"-\d{8}$")  # the day of an edition, behind the number of the patent


@dataclass(frozen=True, slots=True)
class Progress:
    """What a progress display needs; `total` is None where a source cannot tell."""

    done: int
    total: int | None
    drawings: int
    failed: int


def read_units(sources: Sequence[Source], report: IngestReport) -> Iterator[Unit]:
    """The units of the sources, in their order; what cannot be read goes to the report, and stops nothing."""
    for source in sources:
        try:
            for unit in _timed(source, report):
                if isinstance(unit, Problem):
                    report.add(unit)
                else:
                    yield unit
        except (SourceError, OSError) as error:
            report.failed.append(Problem(printable(source.path), str(error)))
        report.files += len(source.taken)
        report.kinds[printable(source.path)] = source.kinds


def _timed(source: Source, report: IngestReport) -> Iterator[Unit | Problem]:
    """The source's units, with the CPU time that reading and hashing takes."""
    units = source.units()
    while True:
        before = time.process_time()
        unit = next(units, None)
        report.stages["read"] += time.process_time() - before
        if unit is None:
            return
        yield unit


def worker_settings(encoder: Encoder, *, name: str, whole_sheets: bool, front_pages: bool) -> WorkerSettings:
    """What workers need to know to prepare drawings for this encoder, which they load by its name where they can."""
    return WorkerSettings(
        encoder=name if encoder.portable else None,
        preprocessing=encoder.preprocessing if isinstance(encoder, ArrayEncoder) else None,
        whole_sheets=whole_sheets,
        front_pages=front_pages,
        full_size=bool(encoder.card.preprocessing.windows),
    )


def count(unit: Unit, result: UnitResult, report: IngestReport) -> None:
    """Count what a worker made of a unit, and report what went wrong."""
    for stage, seconds in result.stages.items():
        report.stages[stage] += seconds
    report.failed += result.problems
    report.remarks += result.remarks
    report.sheets += result.sheets
    if result.failed is not None:
        report.failed.append(Problem(f"{unit.origin}: {unit.key}", result.failed))


def finish(unit: Unit, result: UnitResult, encoder: Encoder, report: IngestReport) -> None:
    """Count what a worker made of a unit, and encode it here where the worker could not."""
    count(unit, result, report)
    if result.vectors is None and result.figures is not None:
        before = time.process_time()
        result.vectors = encode(encoder, result.figures)
        result.figures = None
        report.stages["encode"] += time.process_time() - before


def in_shard(key: str, shard: tuple[int, int] | None) -> bool:
    """Whether a unit belongs to the i-th of n parts. Those of a patent or registration are together."""
    if shard is None:
        return True
    index, total = shard
    patent = registration_of(normal_number(_DATED.sub("", key)))
    return int.from_bytes(hashlib.blake2b(patent.encode(), digest_size=8).digest(), "big") % total == index - 1


def total_of(sources: Sequence[Source]) -> int | None:
    totals = [source.total() for source in sources]
    return None if None in totals else sum(t for t in totals if t is not None)
