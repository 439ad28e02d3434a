"""Search with every query of a folder; a run that was killed resumes, and its reports are those of any other.

    REPORTS/batch.json            when the batch was begun, with what, and whether it is complete
    REPORTS/records/NAME.html     the search record of a query
    REPORTS/records/NAME.json     the same for programs; written last: a query that has it is done
    REPORTS/overview.csv, .html   a row a query, bad files among them

Every file is written whole or not at all. A record holds a key of all that it was made from: the contents of the
query's files, options, filter, index, encoder, program. A query whose record has the right key is left as it is.
"""

from __future__ import annotations

import hashlib
import json
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from patsearch import __version__
from patsearch.batch.overview import Row, write_overview
from patsearch.batch.queries import BatchQuery, queries_of
from patsearch.drawings.grey import to_grey
from patsearch.drawings.opening import open_image
from patsearch.drawings.thumbnail import thumbnail
from patsearch.engine import Engine, Picture, Question, open_index, search
from patsearch.errors import ImageError, InputError, StorageError, TimedOut, UsageError
from patsearch.files import check_seal, parse_json, printable, sealed, storage_errors, write_text
from patsearch.record import Collection, Cover, SearchRecord, render_page
from patsearch.types import JsonDict

EXIT_FAILED_QUERIES = 9
SMALL = 160  # pixels: the side of a picture in the overview
_FORMAT = 1
_STATE, _RECORDS, _LOCK = "batch.json", "records", "batch.lock"
_PICTURES = 3  # of a query, in the overview


@dataclass(frozen=True, slots=True)
class Failure:
    """A query that could not be searched."""

    query: str
    reason: str


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """How far a run is: queries done of all; those of an earlier run and those that failed are among the done."""

    done: int
    total: int
    kept: int
    failed: int


@dataclass(slots=True)
class BatchReport:
    """What a run did.

    Attributes:
        begun: when the batch was begun; the time of its records.
        searched: queries of this run.
        kept: queries whose records an earlier run has written.
        overview: the files with a row a query.
        seconds: wall time of this run.
    """

    reports: Path
    begun: str = ""
    searched: int = 0
    kept: int = 0
    failed: list[Failure] = field(default_factory=list)
    overview: list[Path] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def exit_code(self) -> int:
        """0 where every query has its record; 9 where one could not be searched."""
        return EXIT_FAILED_QUERIES if self.failed else 0

    def to_json(self) -> JsonDict:
        return {
            "reports": printable(self.reports),
            "begun": self.begun,
            "queries": self.searched + self.kept + len(self.failed),
            "searched": self.searched,
            "kept": self.kept,
            "failed": [{"query": one.query, "reason": one.reason} for one in self.failed],
            "overview": [printable(path) for path in self.overview],
            "seconds": round(self.seconds, 3),
            "exit_code": self.exit_code,
        }


def run_batch(
    folder: Path,
    index: Path,
    reports: Path,
    *,
    options: Question | None = None,
    table: Path | None = None,
    on_progress: Callable[[BatchProgress], None] = lambda _: None,
) -> BatchReport:
    """Search with every query in a folder and write the reports.

    Args:
        reports: a new or empty folder, or one of an earlier run.
        options: the search, without pictures: its filter holds for all queries.
        table: filters of single queries, see `queries_of`.

    Raises:
        InputError, FilterError: the folder or the table cannot be used.
        UsageError: the options name pictures, or the folder of reports holds something else.
        IndexNotFound, EncoderMismatch, StorageError: index, encoder or disk; what is written remains.
    """
    asked = options or Question()
    if asked.pictures or asked.like or asked.relevant:
        raise UsageError("The queries of a batch are its files.", hint="Leave pictures, like and relevant out.")
    queries = queries_of(folder, table, leave_out=[reports])
    start = time.monotonic()
    with _locked(reports), open_index(index) as engine:
        batch = _Batch(engine, asked, reports)
        report = BatchReport(reports)
        for done, query in enumerate(queries):
            on_progress(BatchProgress(done, len(queries), report.kept, len(report.failed)))
            batch.answer(query, report)
        on_progress(BatchProgress(len(queries), len(queries), report.kept, len(report.failed)))
        report.overview = batch.overview(queries, report)
        batch.complete()
        report.begun = batch.begun
    report.seconds = time.monotonic() - start
    return report


@contextmanager
def _locked(reports: Path) -> Iterator[None]:
    """The folder of reports, made where it is missing, for this process alone."""
    if reports.is_dir() and not (reports / _STATE).exists():
        others = [one.name for one in reports.iterdir() if one.name not in (_LOCK, f"{_STATE}.new", _RECORDS)]
        if others:
            raise UsageError(
                f"{printable(reports)} holds no batch, but {others[0]!r}.", hint="Name a new or an empty folder."
            )
    with storage_errors(f"Writing the reports {printable(reports)}"):
        (reports / _RECORDS).mkdir(parents=True, exist_ok=True)
        lock = FileLock(reports / _LOCK)
        try:
            lock.acquire(blocking=False)
        except Timeout as error:
            raise StorageError(
                f"Another process is writing the reports in {printable(reports)}.", hint="Wait until it has finished."
            ) from error
    try:
        yield
    finally:
        lock.release()


class _Batch:
    """One run over an open index."""

    def __init__(self, engine: Engine, asked: Question, reports: Path) -> None:
        self.engine = engine
        self.asked = asked
        self.reports = reports
        self._with = {
            "format": _FORMAT,
            "patsearch": __version__,
            "index": printable(engine.path),
            "fingerprint": engine.fingerprint(),
            "encoder": engine.spec.encoder_sha256,
            "filter": str(asked.where),
            **asked.options(),
        }
        self._collection = Collection.of(engine)
        earlier = _state(reports / _STATE)
        if earlier is None or earlier["with"] != _hash(self._with):
            self._begin()
        else:
            self.begun, self._completed = str(earlier["begun"]), bool(earlier["complete"])

    def _begin(self) -> None:
        self.begun, self._completed = _now(), False
        self._save()

    def answer(self, query: BatchQuery, report: BatchReport) -> None:
        """Write a query's record, unless it is there."""
        page, data = self._files(query)
        try:
            if query.problem:
                raise InputError(f"{query.problem}.")
            key = _hash({**self._with, "files": query.digest(), "where": str(query.where)})
            if _key_of(data) == key and page.exists():
                report.kept += 1
                return
            if self._completed:  # a run that was cut off resumes as what it was; this one is a new one
                self._begin()
            question = self.asked.replaced(pictures=tuple(query.pictures()), where=self.asked.where & query.where)
            answer = search(self.engine, question)
        except (InputError, TimedOut) as error:
            report.failed.append(Failure(query.shown, str(error)))
            for path in (page, data):  # of an earlier, sound state of the query
                with storage_errors(f"Removing {path}"):
                    path.unlink(missing_ok=True)
            return
        record = replace(SearchRecord.of(self.engine, answer), asked=self.begun, seconds=None)
        filed = record.filed(self.engine, Cover(), self._collection)
        write_text(page, render_page(filed, self.engine.thumbnails))
        small = [_small(picture) for picture in record.pictures[:_PICTURES]]
        own = {"name": query.shown, "key": key, "pictures": [b64encode(png).decode() for png in small if png]}
        write_text(data, json.dumps({**record.to_json(), "batch": own}, indent=2, ensure_ascii=False) + "\n")
        report.searched += 1

    def overview(self, queries: Sequence[BatchQuery], report: BatchReport) -> list[Path]:
        """Write the overview of all queries."""
        problems = {failure.query: failure.reason for failure in report.failed}
        facts = [
            ("Queries", f"{len(queries):,}, {len(problems):,} of them could not be searched"),
            ("Filter of all", str(self.asked.where) or "none"),
            ("Options", ", ".join(self.asked.words())),
            ("Begun", self.begun),
            ("Index", f"{self._with['index']}: {self.engine.backend.count():,} drawings, "
             f"fingerprint {self._with['fingerprint']}"),
            ("Encoder", f"{self.engine.spec.encoder}, sha256 {self.engine.spec.encoder_sha256}"),
            ("Program", f"patsearch {__version__}"),
        ]  # fmt: skip

        def rows() -> Iterator[Row]:
            for query in queries:
                problem = problems.get(query.shown, "")
                page, data = self._files(query)
                record = None if problem else _record(data)
                yield Row(query.shown, len(query.files), str(query.where), page, problem, record)

        return write_overview(self.reports, facts, rows, self._thumbnail)

    def complete(self) -> None:
        """All queries were tried, and the overview is written."""
        self._completed = True
        self._save()

    def _save(self) -> None:
        state = {"format": _FORMAT, "begun": self.begun, "with": _hash(self._with), "complete": self._completed}
        write_text(self.reports / _STATE, json.dumps(sealed(state), indent=2) + "\n")

    def _files(self, query: BatchQuery) -> tuple[Path, Path]:
        folder = self.reports / _RECORDS
        return folder / f"{query.stem}.html", folder / f"{query.stem}.json"

    def _thumbnail(self, drawing: str) -> bytes | None:
        png = self.engine.thumbnails.get(drawing)
        return _reduced(png, drawing) if png else None


def _small(picture: Picture) -> bytes | None:
    return _reduced(picture.png, picture.name)


def _reduced(png: bytes, name: str) -> bytes | None:
    """A picture for the overview; None for one that cannot be read."""
    with suppress(ImageError):
        return thumbnail(to_grey(open_image(png, name=name)), side=SMALL)
    return None


def _state(path: Path) -> JsonDict | None:
    """Raises InputError where the file is something else."""
    if not path.exists():
        return None
    try:
        state = parse_json(path.read_bytes())
        check_seal(state)
        if state["format"] != _FORMAT:
            raise ValueError(f"its format is {state['format']!r}, of another version")
        return {"begun": str(state["begun"]), "with": state["with"], "complete": bool(state["complete"])}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{printable(path)} is damaged: {error}.", hint="Remove it: the next run writes all reports again."
        ) from error


def _record(path: Path) -> JsonDict | None:
    """A record as it was written; None where it is missing or damaged."""
    try:
        record = parse_json(path.read_bytes())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def _key_of(path: Path) -> str | None:
    own = (_record(path) or {}).get("batch")
    return own.get("key") if isinstance(own, dict) else None


def _hash(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _now() -> str:
    return datetime.now(UTC).astimezone().isoformat(timespec="seconds")
