"""The files that the pages name: a corpus, an index, pictures to search with, and a server."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def _patsearch(*words: str | Path, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "patsearch", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a reader has it after a first ingest.

    `corpus`: two weekly archives, copied as `I20210105.tar` and `I20210112.tar`; `designs`: an index of the first;
    `sketch.png`, `photo.jpg`, `drawing.png`, `front.png`, `side.png`, `sheet.tif`: of a design in the first.
    """
    from patsearch.synth import rebuild, render_views
    from patsearch.synth.sketch import sketch

    folder = tmp_path_factory.mktemp("page")
    _patsearch("synth", "--designs", "10", "--weekly", "5", "--seed", "7", "--out", "corpus", "-q", folder=folder)
    first, second = sorted((folder / "corpus").glob("I*.tar"))
    shutil.copy(first, folder / "I20210105.tar")
    shutil.copy(second, folder / "I20210112.tar")
    _patsearch("ingest", "I20210105.tar", "--index", "designs", "-q", folder=folder)
    record = json.loads((folder / "corpus" / "designs.jsonl").read_text(encoding="utf-8").splitlines()[1])
    design, rng = rebuild(record), np.random.default_rng(1)
    drawn = Image.fromarray(sketch(design.mesh, design.views[0], rng))
    drawn.save(folder / "sketch.png")
    drawn.convert("RGB").rotate(90, expand=True).save(folder / "photo.jpg")
    views = render_views(design.mesh, design.views[:3], rng, size=512)
    for name, view in zip(("drawing.png", "front.png", "side.png"), views, strict=True):
        Image.fromarray(view).save(folder / name)
    Image.fromarray(views[0]).save(folder / "sheet.tif")
    return folder


@pytest.fixture
def page_folder(prepared: Path, tmp_path: Path) -> Path:
    """A copy of the prepared folder for one page."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def serve(page_folder: Path) -> Iterator[Callable[[], str]]:
    """Start `patsearch serve` over `designs` on a free port when called; its address."""
    servers: list[subprocess.Popen[str]] = []

    def start() -> str:
        words = [sys.executable, "-m", "patsearch", "serve", "--index", "designs", "--port", "0", "--workers", "1"]
        server = subprocess.Popen(
            words, cwd=page_folder, stderr=subprocess.PIPE, text=True, env=os.environ | {"NO_COLOR": "1"}
        )
        servers.append(server)
        assert server.stderr
        for line in server.stderr:
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                return found[0]
        pytest.fail(f"patsearch serve did not name its address; it ended with {server.wait()}")

    yield start
    for server in servers:
        server.terminate()
        server.communicate(timeout=30)
