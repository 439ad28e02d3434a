"""Fixtures that all tests share."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
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
    """The folder of real development data: from PATSEARCH_DATA, else beside the checkout.

    Tests that use it bear the mark `data`; they are skipped where there is none, so that the
    project's own tests need nothing but the repository.
    """
    given = os.environ.get("PATSEARCH_DATA")
    folder = Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no development data at {folder}: set PATSEARCH_DATA to their folder")
    return folder
