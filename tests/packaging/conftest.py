"""The source distribution and the wheel, built as `python -m build` does."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def build(source: Path, out: Path, *options: str, cache: Path, weights: Path | None = None) -> str:
    """Run `python -m build` with the packages that are installed; what it printed.

    Raises:
        subprocess.CalledProcessError: the build failed; its `stdout` has the output.
    """
    environment = os.environ | {"XDG_CACHE_HOME": str(cache), "LOCALAPPDATA": str(cache)}
    environment.pop("PATSEARCH_WEIGHTS", None)
    if weights is not None:
        environment["PATSEARCH_WEIGHTS"] = str(weights)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), *options, str(source)]
    return subprocess.run(
        command,
        env=environment,
        cwd=out.parent,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ).stdout


@dataclass(frozen=True)
class Distributions:
    """What was built.

    Attributes:
        sdist: the .tar.gz.
        tree: the same, unpacked: it lacks the large weights.
        wheel: built from that tree.
        cache: that building the sdist filled.
    """

    sdist: Path
    tree: Path
    wheel: Path
    cache: Path


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """Sdist and wheel of this checkout, the wheel from the sdist."""
    pytest.importorskip("build", reason="needs build: pip install 'patsearch[test]'")
    pytest.importorskip("hatchling", reason="needs hatchling: pip install 'patsearch[test]'")
    folder = tmp_path_factory.mktemp("dist")
    cache, out = folder / "cache", folder / "out"
    build(ROOT, out, "--sdist", cache=cache)
    (sdist,) = out.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "tree", filter="data")
    (tree,) = (folder / "tree").iterdir()
    build(tree, out, "--wheel", cache=cache)
    (wheel,) = out.glob("*.whl")
    return Distributions(sdist, tree, wheel, cache)
