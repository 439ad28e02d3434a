"""A short run of `tools/kills.py`: nothing that is killed leaves an index that does not verify."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "kills.py"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="its processes are forked")
@pytest.mark.parametrize("kills", [8, pytest.param(200, marks=pytest.mark.slow)])
def test_killed_commands(kills: int) -> None:
    done = subprocess.run([sys.executable, SCRIPT, "--kills", str(kills)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert sum(result["kills"].values()) == kills
    assert result["faults"] == []
