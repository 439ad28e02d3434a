"""Waiting for what another process or thread does, never without an end."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

import pytest


def wait_until(
    condition: Callable[[], bool], process: subprocess.Popen[str] | None = None, *, seconds: float = 300.0
) -> None:
    """Return as soon as `condition` holds; fail if `process` ends first.

    `seconds` only guards against hanging: it is far more than a machine under load needs.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if process is not None and process.poll() is not None:
            pytest.fail(f"the process ended with {process.returncode} too early: {process.communicate()}")
        if time.monotonic() > deadline:
            pytest.fail(f"nothing happened in {seconds:g} seconds")
        time.sleep(0.01)
