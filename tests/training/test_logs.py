from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from patsearch.training.logs import COLUMNS, RunLog


def test_rows_behind_the_state_are_made_again(tmp_path: Path) -> None:
    log = RunLog(tmp_path, step=0)
    for step in (2, 4, 6):
        log.add({"step": step, "loss": 1 / step, "norm": float("inf"), "map": 0.5 if step == 4 else float("nan")})
    with (tmp_path / "log.csv").open("a") as file:
        file.write("8,0.5,ab")  # killed in the middle of a line
    again = RunLog(tmp_path, step=4)
    assert [row["step"] for row in again.rows] == [2, 4]
    again.add({"step": 6, "loss": 0.125})
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert [line.split(",")[0] for line in lines[1:]] == ["2", "4", "6"]
    assert RunLog(tmp_path, step=9).rows == [
        {"step": 2, "loss": 0.5},
        {"step": 4, "loss": 0.25, "map": 0.5},
        {"step": 6, "loss": 0.125},
    ]


class FakeWriter:
    """Stands for TensorBoard's, which need not be installed."""

    made: list[FakeWriter]

    def __init__(self, folder: str, purge_step: int) -> None:
        self.folder, self.purge_step, self.closed = folder, purge_step, False
        self.scalars: list[tuple[Any, ...]] = []
        FakeWriter.made.append(self)

    def add_scalar(self, *values: Any) -> None:
        self.scalars.append(values)

    def close(self) -> None:
        self.closed = True


def test_tensorboard_gets_every_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = FakeWriter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    FakeWriter.made = []
    log = RunLog(tmp_path, step=3, tensorboard=True)
    log.add({"step": 4, "loss": 0.5, "map": 0.25})
    log.close()
    (writer,) = FakeWriter.made
    assert (writer.folder, writer.purge_step, writer.closed) == (str(tmp_path / "tensorboard"), 4, True)
    assert writer.scalars == [("loss", 0.5, 4), ("map", 0.25, 4)]


@pytest.mark.parametrize(
    ("rows", "lines"),
    [
        ([], 0),
        ([{"step": 1.0, "loss": 0.0}], 1),
        ([{"step": 1.0, "loss": float("nan")}, {"step": 2.0, "loss": 1e-9, "map_groups": 1.0}], 2),
        ([{"step": float(step), "loss": 1e5 / step} for step in range(1, 200)], 1),
    ],
)
def test_curves_of_any_log(tmp_path: Path, rows: list[dict[str, float]], lines: int) -> None:
    log = RunLog(tmp_path, step=0)
    for row in rows:
        log.add(row)
    log.draw()
    page = (tmp_path / "curves.html").read_text(encoding="utf-8")
    drawn = re.findall(r'<polyline points="([^"]+)"', page)
    assert len(drawn) == lines
    for points in drawn:
        for x, y in (map(float, point.split(",")) for point in points.split()):
            assert 46 <= x <= 448
            assert 14 <= y <= 220
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves.html", "log.csv"]
