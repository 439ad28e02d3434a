"""Fixtures that all tests share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from extras import pytest_pycollect_makemodule, pytest_runtest_call, pytest_runtest_setup  # noqa: F401  (hooks)
from filelock import FileLock
from hypothesis import settings

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
            command = [sys.executable, "-m", "patsearch", "demo", "--out", str(folder)]
            run = subprocess.run(command, capture_output=True, text=True, check=False)
            assert run.returncode == 0, run.stderr
            (shared_folder / "demo.stdout").write_text(run.stdout, encoding="utf-8")
            done.write_text(run.stderr, encoding="utf-8")
    stdout = (shared_folder / "demo.stdout").read_text(encoding="utf-8")
    return Demo(folder, stdout, done.read_text(encoding="utf-8"))
