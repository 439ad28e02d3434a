"""A server over a small index, asked in this process and over a real socket."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from chromium import chromium, opened
from fastapi.testclient import TestClient
from makers import draw_design, week
from web_makers import HOSTILE_TITLE, png

from patsearch.engine import open_index
from patsearch.ingest import IngestOptions, ingest
from patsearch.web.app import create_app
from patsearch.web.settings import ServerSettings

if TYPE_CHECKING:
    from conftest import Demo
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve designs of two weeks; the title of the patent USD900000 is markup."""
    folder = tmp_path_factory.mktemp("web")
    ingest([week(folder / "w", range(6))], folder / "index", IngestOptions(workers=1))
    ingest([week(folder / "v", range(6, 12), date="20220104")], folder / "index", IngestOptions(workers=1))
    _rename(folder / "index", "USD900000", HOSTILE_TITLE)
    return folder / "index"


def _rename(index: Path, patent: str, title: str) -> None:
    with open_index(index, read_only=False) as engine:
        drawings, vectors = engine.drawings_of(patent)
        engine.add([replace(drawing, title=title) for drawing in drawings], vectors)


@pytest.fixture(scope="session")
def drawing() -> bytes:
    """The picture of an indexed design, USD900001."""
    return png(draw_design(1, 0))


@pytest.fixture(scope="session")
def client(index: Path) -> Iterator[TestClient]:
    """A server without a token, in this process; its workers are separate processes."""
    settings = ServerSettings(index, workers=1, max_bytes=8 << 20, max_picture_bytes=4 << 20, body_seconds=20)
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8765", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="session")
def start() -> Iterator[Callable[..., str]]:
    """Starts `patsearch serve` as a user does; returns its address. All are stopped at the end."""
    running: list[subprocess.Popen[str]] = []
    readers: list[threading.Thread] = []

    def serve(index: Path, *options: str, env: dict[str, str] | None = None) -> str:
        command = [sys.executable, "-m", "patsearch", "serve", "--index", str(index), "--port", "0", "--workers", "1"]
        process = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True, env=env)
        running.append(process)
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r"http://\S+", line):
                # A pipe that nobody reads fills up and stops it.
                readers.append(threading.Thread(target=process.stderr.read))
                readers[-1].start()
                return found[0].rstrip("/")
        raise AssertionError("the server did not start")

    yield serve
    for process in running:
        process.terminate()
    for process in running:
        assert process.wait(timeout=30) == 0
    for reader in readers:
        reader.join()
    for process in running:
        if process.stderr is not None:
            process.stderr.close()


@pytest.fixture(scope="module")
def address(demo: Demo, start: Callable[..., str]) -> str:
    """A server over the demo corpus."""
    return start(demo.folder / "index")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The page of the server at `address`, opened."""
    yield from opened(browser, address, width=1280, height=900)
