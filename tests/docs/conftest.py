"""The files that the pages name: archives, an index, pictures to search with, and a server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock
from pdf_makers import pdf_bytes, scanned, text_page
from PIL import Image

from patsearch import IngestOptions, ingest, open_index

if TYPE_CHECKING:
    from conftest import Demo

GRANTS = 5  # of each week: few, since every page ingests some


@pytest.fixture(scope="session")
def prepared(demo: Demo, shared_folder: Path) -> Path:
    """A folder as a reader has it after a first ingest; made once for all processes.

    `I20210105.tar` and `I20210112.tar`: weekly archives of a few grants each; `designs`: an index of the first;
    `sketch.png`, `photo.jpg`, `drawing.png`, `front.png`, `side.png`, `sheet.tif`, `application.pdf`: of a design in
    the first.
    """
    folder, ready = shared_folder / "pages", shared_folder / "pages.ready"
    with FileLock(shared_folder / "pages.lock"):
        if not ready.exists():
            folder.mkdir()
            _fill(folder, demo.folder)
            ready.touch()
    return folder


def _fill(folder: Path, demo: Path) -> None:
    weeks = (folder / "I20210105.tar", folder / "I20210112.tar")
    sheet = _weeks(min((demo / "corpus").glob("I*.tar")), weeks)
    ingest.ingest([weeks[0]], folder / "designs", IngestOptions(workers=1))
    (folder / "sheet.tif").write_bytes(sheet)
    with Image.open(BytesIO(sheet)) as scan:
        (folder / "application.pdf").write_bytes(pdf_bytes([text_page(), scanned(scan)]))
    shutil.copy(demo / "sketch.png", folder / "sketch.png")
    with Image.open(demo / "sketch.png") as sketch:
        sketch.convert("RGB").rotate(90, expand=True).save(folder / "photo.jpg")
    with open_index(folder / "designs") as index:
        views, _ = index.drawings_of("USD9000002")  # the design of the sketch
        for name, view in zip(("drawing.png", "front.png", "side.png"), views[:3], strict=True):
            png = index.thumbnails.get(view.id)
            assert png is not None
            (folder / name).write_bytes(png)


def _weeks(archive: Path, weeks: tuple[Path, ...]) -> bytes:
    """Write the first grants of an archive as weeks; a sheet of the first one."""
    with tarfile.open(archive) as tar:
        grants = [member for member in tar if member.name.upper().endswith(".ZIP")]
        for place, week in enumerate(weeks):
            with tarfile.open(week, "w") as part:
                for member in grants[place * GRANTS : (place + 1) * GRANTS]:
                    part.addfile(member, tar.extractfile(member))
        first = tar.extractfile(grants[0])
        assert first is not None
        with zipfile.ZipFile(BytesIO(first.read())) as grant:
            sheet = next(name for name in grant.namelist() if name.upper().endswith("D00001.TIF"))
            return grant.read(sheet)


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
