"""Fixtures that all tests share."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from extras import pytest_pycollect_makemodule, pytest_runtest_call, pytest_runtest_setup  # noqa: F401  (hooks)
from hypothesis import settings

# A machine under load is no fault of the code: no example is held to a time. Continuous integration
# tries the same examples every time; a run by hand tries new ones.
settings.register_profile("patsearch", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("patsearch")

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
