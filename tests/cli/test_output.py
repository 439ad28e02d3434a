"""What goes to a terminal page by page, and what opens a browser."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from patsearch.cli.output import print_long
from patsearch.cli.serve import _announce


def test_text_longer_than_the_terminal_is_paged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paged: list[str] = []
    monkeypatch.setattr(click, "echo_via_pager", paged.append)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((80, 24)))
    short, long = "a line\n" * 23, "a line\n" * 24
    print_long(long)  # into a pipe
    assert (paged, capsys.readouterr().out) == ([], long)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    print_long(short)
    print_long(long)
    assert (paged, capsys.readouterr().out) == ([long], short)


def test_the_page_is_opened_when_it_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(click, "launch", opened.append)
    _announce("http://127.0.0.1:1/", loopback=True, guarded=False, browse=False)
    assert opened == []
    _announce("http://127.0.0.1:1/", loopback=True, guarded=False, browse=True)
    assert opened == ["http://127.0.0.1:1/"]


def test_too_little_memory_is_said_before_it_is_missing(tmp_path: Path) -> None:
    """Libraries that are loaded with less crash."""
    pytest.importorskip("resource", reason="Windows has no limits of a process' memory")
    code = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_AS, (400 << 20, resource.RLIM_INFINITY))\n"
        f"from patsearch.cli import main\nmain(['index', 'info', {str(tmp_path)!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("patsearch: This process may use 400 MB of address space")
    assert len(done.stderr.splitlines()) == 1
