"""Ctrl-C once and twice, at any moment: nothing hangs, nothing is left, and the index is whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from makers import week

from patsearch import cli, interrupts
from patsearch.interrupts import shielded, stoppable, stopped_by

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


def test_a_stop_waits_for_the_end_of_a_shielded_part() -> None:
    done = []
    before = signal.getsignal(signal.SIGTERM)

    def work() -> None:
        with shielded():
            with shielded():
                os.kill(os.getpid(), signal.SIGTERM)
                done.append("inner")
            done.append("outer")
        done.append("behind")

    with pytest.raises(KeyboardInterrupt), stoppable():
        work()
    assert done == ["inner", "outer"]
    assert stopped_by() == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_error_in_a_shielded_part_is_not_hidden() -> None:

    def fail() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        raise ValueError("first")

    with pytest.raises(ValueError, match="first"), stoppable(), shielded():
        fail()
    with stoppable(), shielded():
        pass  # a later part knows nothing of it


def test_the_second_ends_at_once(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    ended: list[int] = []
    monkeypatch.setattr(interrupts, "_end", ended.append)

    def twice() -> None:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt), stoppable(), shielded():
        twice()
    assert ended == [signal.SIGINT]
    assert capfd.readouterr().err == "Stopping: what is finished is being stored. Ctrl-C again ends at once.\n"


def test_signals_that_somebody_handles_are_left_alone() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: heard.append(number))
    try:
        with stoppable():
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]


def test_a_library_stopped_while_it_loads_is_a_stop(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def load() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt as stop:  # what the loading of a compiled module makes of it
            raise ImportError("initialization failed") from stop

    def app() -> Callable[..., None]:
        return lambda **_: load()

    monkeypatch.setattr(cli, "build_app", app)
    with pytest.raises(SystemExit) as end:
        cli.main([])
    assert end.value.code == 128 + signal.SIGINT
    assert capfd.readouterr().err.splitlines()[-1].startswith("Stopped. Finished work is kept")


@pytest.mark.parametrize("module", ["click", "patsearch.settings"])
def test_a_stop_while_the_command_line_is_loaded_says_nothing(tmp_path: Path, module: str) -> None:
    stop = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(30)\n"
    finder = (
        "import sys\n"
        "class Stops:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        f"            exec({stop!r})\n"
        "sys.meta_path.insert(0, Stops())\n"
    )
    (tmp_path / "sitecustomize.py").write_text(finder)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    command = [sys.executable, "-m", "patsearch", "--help"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def of_group(group: int) -> list[str]:
    """The processes of a group that have not ended."""
    listed = subprocess.run(["ps", "-eo", "pgid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    lines = (line.split(None, 2) for line in listed.splitlines())
    return [" ".join(line) for line in lines if line[0] == str(group) and not line[1].startswith("Z")]


@pytest.mark.slow
def test_twice_at_many_moments_never_hangs(tmp_path: Path) -> None:
    """The terminal signals all processes of the command."""
    source = week(tmp_path / "w", range(30))
    command = [sys.executable, "-m", "patsearch", "ingest", str(source), "--index", str(tmp_path / "index"),
               "--workers", "2", "--commit-every", "4"]  # fmt: skip
    for before, between in ((0.4, 0.0), (1.2, 0.02), (2.0, 0.3), (3.0, 0.0), (4.0, 0.1), (5.0, 1.0)):
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
        time.sleep(before)
        for pause in (between, 0.0):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
            time.sleep(pause)
        _, err = process.communicate(timeout=60)
        assert process.returncode in (0, 130, -signal.SIGINT), err
        if before >= 1.2:  # while Python itself starts, it says what it pleases
            assert "Traceback" not in err
            assert "leaked" not in err
        deadline = time.monotonic() + 20
        while of_group(process.pid):
            assert time.monotonic() < deadline, of_group(process.pid)
            time.sleep(0.1)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    verify = [sys.executable, "-m", "patsearch", "index", "verify", str(tmp_path / "index")]
    assert subprocess.run(verify, capture_output=True, check=False).returncode == 0


@pytest.mark.slow
def test_sigterm_leaves_no_worker_and_no_semaphore(tmp_path: Path) -> None:
    source = week(tmp_path / "w", range(30))
    command = [sys.executable, "-m", "patsearch", "ingest", str(source), "--index", str(tmp_path / "index")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 60
    while len(of_group(process.pid)) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode in (130, 143), err
    assert "leaked" not in err
    assert "Traceback" not in err
    while of_group(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)
