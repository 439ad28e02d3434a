"""Fixtures that all tests share."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from unittest import mock

import pytest
from commands import run_here
from extras import pytest_pycollect_makemodule, pytest_runtest_call, pytest_runtest_setup  # noqa: F401  (hooks)
from filelock import FileLock
from hypothesis import settings

from patsearch import processes
from patsearch.training import memory

# One test process for each core: threads beyond that would only get in each other's way. Set before NumPy and torch
# are imported, and passed on to the processes that the tests start.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Processes that tests start find the contract of the backends as the tests themselves do, installed or not.
_CONTRACT = str(Path(__file__).parents[1] / "packages" / "patsearch-contract" / "src")
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [_CONTRACT, os.environ.get("PYTHONPATH")]))

# The code is not to blame for a machine under load: no example is held to a time. Continuous integration
# tries the same examples every time; a run by hand tries new ones.
settings.register_profile("patsearch", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("patsearch")

# The user's own folder of settings is not for tests: what they name there ends with the run.
_SETTINGS = tempfile.TemporaryDirectory(prefix="patsearch-settings-")
for _variable in ("XDG_CONFIG_HOME", "APPDATA"):
    os.environ[_variable] = _SETTINGS.name

# A shell that starts a job in the background lets it ignore Ctrl-C, and every process below inherits that.
# Tests that interrupt the commands they start need the terminal's way of it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# A test process would keep what it once used until its end, for all the tests that follow: gigabytes.
pytest.MonkeyPatch().setattr(memory, "keep_memory", lambda: False)


@pytest.fixture(scope="session", autouse=True)
def _networks_that_load_fast() -> Iterator[None]:
    """Most tests load the shipped encoder: a process optimises its network once. A session keeps nothing of a call."""
    from patsearch.encoder import onnx

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx, "_session", lru_cache(maxsize=4)(onnx._session))
        yield


@pytest.fixture(scope="session", autouse=True)
def _workers_that_start_fast() -> Iterator[None]:
    """Pools of this process, and `index_makers`, fork from a process that has imported what they need, without threads.

    The hundred pools of a test run would import it for each worker otherwise. Commands that tests run, and
    `tests/ingest/test_pool.py`, start workers as they do for everybody.
    """
    with pytest.MonkeyPatch.context() as patch:
        if sys.platform == "linux":
            patch.setattr(processes, "START", "forkserver")
            needed = ["patsearch.ingest.worker", "patsearch.encoder.onnx", "patsearch.engine"]
            needed += ["patsearch.backends.faiss", "patsearch_contract.samples"]
            multiprocessing.set_forkserver_preload(needed)
        yield


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One test process more than cores: at any time some test waits for a process that it has started."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real drawings that the environment variable PATSEARCH_DATA names.

    Tests that use it have the mark `data`. They are skipped where the variable is not set, so that the
    project's own tests need nothing but the repository.
    """
    given = os.environ.get("PATSEARCH_DATA")
    if not given:
        pytest.skip("needs real drawings: set PATSEARCH_DATA to their folder")
    folder = Path(given)
    if not folder.is_dir():
        pytest.fail(f"PATSEARCH_DATA is {given}, which is not a folder")
    return folder


@dataclass(frozen=True)
class Demo:
    """What one run of `patsearch demo` left: its folder, and what it printed."""

    folder: Path
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this test run share."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    (folder / "shared").mkdir(exist_ok=True)
    return folder / "shared"


@pytest.fixture(scope="session")
def demo(shared_folder: Path) -> Demo:
    """`patsearch demo` where an earlier run was stopped; made once for all processes. Tests that write copy it."""
    for package in ("mapbox_earcut", "numba"):
        pytest.importorskip(package, reason=f"needs {package}: pip install 'patsearch[synth]'")
    folder, done = shared_folder / "demo", shared_folder / "demo.stderr"
    with FileLock(shared_folder / "demo.lock"):
        if not done.exists():
            (folder / "corpus").mkdir(parents=True)
            (folder / "corpus" / "I20240102.tar.part").write_bytes(b"a stopped run")
            with mock.patch("os.cpu_count", return_value=1):  # each test process has one core
                run = run_here(["demo", "--out", folder])
            assert run.returncode == 0, run.stderr
            (shared_folder / "demo.stdout").write_text(run.stdout, encoding="utf-8")
            done.write_text(run.stderr, encoding="utf-8")
    stdout = (shared_folder / "demo.stdout").read_text(encoding="utf-8")
    return Demo(folder, stdout, done.read_text(encoding="utf-8"))
