"""What an ingest did, skipped and failed at: the one place that counts, and that owns the exit code."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from patsearch.files import write_text
from patsearch.ingest.sources import Problem
from patsearch.types import JsonDict

EXIT_FAILED_FILES = 9
FOLDER = "reports"


@dataclass(slots=True)
class IngestReport:
    """Counts of one run.

    Attributes:
        kinds: of each source, the names of the kinds that it was read as.
        patents: patents added or replaced, with drawings.
        drawings: drawings added or replaced.
        sheets: sheets read, front pages included.
        removed: drawings that a newer version of their patent no longer has.
        skipped: number of patents passed over, by reason.
        failed: files, sheets and patents that could not be read or were left out, with the reason.
        left_out: a line for each kind of files below the sources that belong to no patent, those that are left out
            by rule among them; the others are in `failed` too.
        remarks: what of patents that were read is left out by rule, such as pages of text.
        files: files below the sources that were read.
        stages: CPU seconds by stage, over all processes.
        seconds: wall time.
        interrupted: whether the run was stopped before the end.
    """

    sources: list[str] = field(default_factory=list)
    kinds: dict[str, tuple[str, ...]] = field(default_factory=dict)
    patents: int = 0
    drawings: int = 0
    sheets: int = 0
    removed: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    failed: list[Problem] = field(default_factory=list)
    left_out: list[Problem] = field(default_factory=list)
    remarks: list[Problem] = field(default_factory=list)
    files: int = 0
    stages: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    seconds: float = 0.0
    interrupted: bool = False
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))

    def add(self, problem: Problem) -> None:
        """What a source says of its files."""
        if problem.left_out:
            self.left_out.append(problem)
        if not problem.expected:
            self.failed.append(problem)

    def include(self, part: IngestReport) -> None:
        """Add what another process did of this run."""
        self.patents += part.patents
        self.drawings += part.drawings
        self.sheets += part.sheets
        self.skipped += part.skipped
        self.failed += part.failed
        self.remarks += part.remarks
        for stage, seconds in part.stages.items():
            self.stages[stage] += seconds

    @property
    def exit_code(self) -> int:
        """0 where everything that was named is in the index; 9 where a file failed; 130 where stopped."""
        if self.interrupted:
            return 130
        return EXIT_FAILED_FILES if self.failed else 0

    def to_json(self) -> JsonDict:
        return {
            "started": self.started,
            "seconds": round(self.seconds, 3),
            "sources": self.sources,
            "kinds": {source: list(names) for source, names in self.kinds.items()},
            "patents": self.patents,
            "drawings": self.drawings,
            "sheets": self.sheets,
            "removed": self.removed,
            "skipped": dict(self.skipped),
            "failed": [{"file": p.where, "reason": p.reason} for p in self.failed],
            "remarks": [{"file": p.where, "reason": p.reason} for p in self.remarks],
            "files": {"read": self.files, "left_out": sum(p.left_out for p in self.left_out)},
            "left_out": [
                {"file": p.where, "reason": p.reason, "files": p.left_out, "expected": p.expected}
                for p in self.left_out
            ],
            "rate": {
                "drawings_per_second": round(self.drawings / self.seconds, 2) if self.seconds else None,
                "cpu_seconds": {stage: round(seconds, 3) for stage, seconds in self.stages.items()},
                "cpu_ms_per_drawing": {
                    stage: round(1000 * seconds / self.drawings, 3)
                    for stage, seconds in self.stages.items()
                    if self.drawings
                },
            },
            "interrupted": self.interrupted,
            "exit_code": self.exit_code,
        }

    def save(self, folder: Path, run: str = "ingest") -> Path:
        """Write the report into a folder of reports, under the name of what was run; returns its path."""
        folder.mkdir(exist_ok=True)
        stamp = self.started.replace(":", "").replace("+0000", "Z").replace("-", "")
        path = folder / f"{run}-{stamp}.json"
        write_text(path, json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n")
        return path
