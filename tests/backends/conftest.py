"""Fixtures that the tests of the backends share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


@pytest.fixture(scope="session")
def quick_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in memory where the machine has one: engines that call fsync for each point are slow on disks."""
    memory = Path("/dev/shm")
    if not (memory.is_dir() and os.access(memory, os.W_OK)):
        yield tmp_path_factory.mktemp("quick")
        return
    with TemporaryDirectory(dir=memory, prefix="patsearch-test-") as folder:
        yield Path(folder)


@pytest.fixture
def quick_path(quick_folder: Path) -> Iterator[Path]:
    """Such a folder for one test."""
    with TemporaryDirectory(dir=quick_folder) as folder:
        yield Path(folder)


@pytest.fixture(scope="class")
def quick_class_path(quick_folder: Path) -> Iterator[Path]:
    """Such a folder for one class of tests."""
    with TemporaryDirectory(dir=quick_folder) as folder:
        yield Path(folder)
