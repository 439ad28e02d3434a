"""Disks that are full for a while.

A small file system in memory, which takes the rights of root, and a limit on the size of files.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from patsearch.cli import main

Full = Callable[[], AbstractContextManager[None]]


def run(*arguments: object) -> int:
    """Exit code of the command line, in this process."""
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    return int(stop.value.code or 0)


@contextmanager
def no_large_files() -> Iterator[None]:
    """No file may grow beyond 64 bytes: to a program it looks like a full disk."""
    resource = pytest.importorskip("resource", reason="Windows cannot limit the size of files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(params=["mount", "limit"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, Full]]:
    """A folder, and what makes its disk full for a while."""
    if request.param == "limit":
        yield tmp_path, no_large_files
        return
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder)]
    if subprocess.run(mounting, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small tmpfs needs the rights of root")

    @contextmanager
    def full() -> Iterator[None]:
        filler = folder / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1 << 12))
            except OSError:
                pass
        try:
            yield
        finally:
            filler.unlink()

    try:
        yield folder, full
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def names_in(folder: Path) -> list[str]:
    """What is in a folder, without what fills its disk."""
    return sorted(path.name for path in folder.iterdir() if path.name != "filler")
