"""Workers that die or hang on a file: that file fails, the run continues, results keep their order."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostile_units import Hostile

from patsearch import processes
from patsearch.errors import PatsearchError
from patsearch.ingest.pool import WorkerPool
from patsearch.ingest.worker import WorkerSettings

SETTINGS = WorkerSettings(encoder=None, preprocessing=None)


@pytest.fixture(autouse=True)
def _as_for_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "START", "spawn")


def unit(number: int, folder: Path, does: str = "") -> Hostile:
    return Hostile(key=f"D{number}", fingerprint="f", origin="test", size=1, does=does, memory=folder / "tried")


@pytest.mark.slow
def test_a_dead_or_hung_worker_costs_one_unit(tmp_path: Path) -> None:
    does = ["", "die", "", "die once", "hang", *[""] * 60]
    units = [unit(number, tmp_path, does) for number, does in enumerate(does)]
    with WorkerPool(SETTINGS, 2, most_seconds=4.0) as pool:
        results = list(pool.results(units))
    assert [u.key for u, _ in results] == [u.key for u in units]
    failed = {u.key: result.failed for u, result in results if result.failed}
    assert set(failed) == {"D1", "D4"}
    assert "ended the worker process" in str(failed["D1"])
    assert "took longer than 4 seconds" in str(failed["D4"])
    assert {result.patent for _, result in results if not result.failed} == {u.key for u in units} - set(failed)


def test_a_bug_is_not_taken_for_a_bad_file(tmp_path: Path) -> None:
    with WorkerPool(SETTINGS, 1) as pool, pytest.raises(LookupError, match="a bug"):
        list(pool.results([unit(0, tmp_path, "raise")]))


def test_workers_that_cannot_start_are_an_error(tmp_path: Path) -> None:
    settings = WorkerSettings(encoder="there-is-no-such-encoder", preprocessing=None)
    with WorkerPool(settings, 1) as pool, pytest.raises(PatsearchError, match="worker processes ended"):
        list(pool.results([unit(0, tmp_path)]))
