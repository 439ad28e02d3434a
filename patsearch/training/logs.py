"""The log of a run: a CSV file, curves, and TensorBoard's files on request."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from patsearch import pages
from patsearch.errors import UsageError
from patsearch.evaluation.plots import curves
from patsearch.files import replacing, write_text

SCORES = ("map", "map_groups", "map_families", "sketch_groups", "sketch_families")
COLUMNS = ("step", "epoch", "samples", "cpu_seconds", "seconds", "size", "rate", "loss", "norm", *SCORES)
_DRAWN = {
    "map_groups": "mAP, held-out groups",
    "map_families": "mAP, held-out families",
    "sketch_groups": "sketch hit@1, groups",
    "sketch_families": "sketch hit@1, families",
}
Row = Mapping[str, float]


class RunLog:
    """The log of a run, in its folder: `log.csv`, `curves.html`, `tensorboard/`.

    Args:
        folder: of the run.
        step: rows of later steps are removed; a run that resumes from a state writes them again.
        tensorboard: write its files too.

    Attributes:
        rows: all of them, oldest first.

    Raises:
        UsageError: TensorBoard is requested but not installed.
    """

    def __init__(self, folder: Path, *, step: int, tensorboard: bool = False) -> None:
        self._path, self._folder = folder / "log.csv", folder
        self.rows = [row for row in _read(self._path) if row.get("step", math.inf) <= step]
        with replacing(self._path) as part, part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(_formatted(row) for row in self.rows)
        self._board = _board(folder / "tensorboard", step) if tensorboard else None

    def add(self, row: Row) -> None:
        """One more row; columns that it lacks stay empty."""
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, COLUMNS, lineterminator="\n").writerow(_formatted(row))
        self.rows.append(dict(row))
        if self._board is not None:
            for name, value in row.items():
                if name != "step":
                    self._board.add_scalar(name, value, int(row["step"]))

    def draw(self) -> None:
        """Write the curves of all rows: loss, and retrieval on held-out designs."""
        lines = {name: self._line(name) for name in ("loss", *_DRAWN)}
        highest = max((value for _, value in lines["loss"]), default=0.0) or 1.0
        scores = {title: lines[name] for name, title in _DRAWN.items()}
        plots = [
            curves("Training loss", {"loss": lines["loss"]}, x_label="step", highest=highest, logarithmic=False),
            curves("Retrieval on held-out designs", scores, x_label="step", logarithmic=False),
        ]
        write_text(self._folder / "curves.html", pages.render("curves.html", title="Training", plots=plots))

    def close(self) -> None:
        """Finish what is open."""
        if self._board is not None:
            self._board.close()

    def _line(self, name: str) -> list[tuple[float, float]]:
        return [(row["step"], row[name]) for row in self.rows if math.isfinite(row.get(name, math.nan))]


def _read(path: Path) -> list[dict[str, float]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        # A run that was killed may have left half a line.
        return [row for line in csv.DictReader(file) if (row := _numbers(line))]


def _numbers(line: Mapping[str | Any, str | Any]) -> dict[str, float]:
    try:
        return {name: float(line[name]) for name in COLUMNS if line.get(name)}
    except ValueError:
        return {}


def _formatted(row: Row) -> dict[str, str]:
    return {
        name: f"{value:.6g}" if value != int(value) else str(int(value))
        for name, value in row.items()
        if math.isfinite(value)
    }


def _board(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UsageError("TensorBoard is not installed.", hint="pip install tensorboard") from error
    return SummaryWriter(str(folder), purge_step=step + 1)
