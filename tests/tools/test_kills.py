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
def test_killed_commands() -> None:
    kills = 8  # `python tools/kills.py --kills 200` takes a minute
    done = subprocess.run([sys.executable, SCRIPT, "--kills", str(kills)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert sum(result["kills"].values()) == kills
    assert result["faults"] == []
