"""`patsearch demo`, whole: a corpus is drawn, ingested and searched; a second run uses what the first one left."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Demo


@pytest.mark.slow
def test_the_demo_runs_twice(demo: Demo, tmp_path: Path) -> None:
    assert "Added 60 patents" in demo.stderr
    out = shutil.copytree(demo.folder, tmp_path / "out")
    command = [sys.executable, "-m", "patsearch", "demo", "--out", str(out)]
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert "Skipped 60 patents" in again.stderr
    first, second = demo.stdout.replace(str(demo.folder), "OUT"), again.stdout.replace(str(out), "OUT")
    assert first.endswith(second)
    for folder in (demo.folder, out):
        page = (folder / "result.html").read_text(encoding="utf-8")
        assert page.count("<li>") == 8
        assert page.count("data:image/png;base64,") >= 9
