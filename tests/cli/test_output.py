"""What goes to a terminal page by page, and what opens a browser."""

from __future__ import annotations

import os
import sys

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
