"""`patsearch demo`, whole: a corpus is drawn, ingested and asked; a second run uses what is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_demo_runs_twice(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "patsearch", "demo", "--out", str(tmp_path / "out"), "--designs", "20"]
    (tmp_path / "out" / "corpus").mkdir(parents=True)
    (tmp_path / "out" / "corpus" / "I20240102.tar.part").write_bytes(b"a stopped run")
    first = subprocess.run(command, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    assert "Added 20 patents" in first.stderr
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert "Skipped 20 patents" in again.stderr
    assert first.stdout.endswith(again.stdout)
    page = (tmp_path / "out" / "result.html").read_text(encoding="utf-8")
    assert page.count("<li>") == 8
    assert page.count("data:image/png;base64,") >= 9
