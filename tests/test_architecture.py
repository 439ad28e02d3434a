"""The house stays in order: who imports whom, what is public, what `--help` loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import patsearch

PACKAGE = Path(patsearch.__file__).parent

# From the cellar to the roof; a part may import what stands before it, and its own modules.
LAYERS = [
    {"errors", "pages"},
    {"files"},
    {"lock", "processes", "sqlite"},
    {"classification", "numbers", "plugins"},
    {"titles"},
    {"types"},
    {"filters", "settings"},
    {"backends", "drawings"},
    {"encoder"},
    {"engine"},
    {"ingest", "record", "synth"},
    {"evaluation"},
    {"training"},
    {"suite"},
    {"web", "client"},
    {"cli"},
    {"__main__"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def imports() -> list[tuple[str, str, str]]:
    """(file, importing part, imported part) for every import inside the package."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if part == "__init__":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module == "patsearch":
                names = [f"patsearch.{alias.name}" for alias in node.names]
            for name in names:
                if name.startswith("patsearch.") and (imported := name.split(".")[1]) not in (part, "__version__"):
                    found.append((str(path.relative_to(PACKAGE)), part, imported))
    return found


def test_every_part_has_its_place() -> None:
    parts = {p.name.removesuffix(".py") for p in PACKAGE.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert parts - {"__init__"} == set(LEVEL)


def test_imports_go_down_only() -> None:
    wrong = [f"{file} imports {imported}" for file, part, imported in imports() if LEVEL[imported] >= LEVEL[part]]
    assert wrong == []


def test_torch_stays_in_its_corner() -> None:
    wrong = []
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = str(path.relative_to(PACKAGE))
        text = path.read_text(encoding="utf-8")
        if ("import torch" in text or "from torch" in text) and not relative.startswith("training/"):
            wrong.append(relative)
    assert [w for w in wrong if not w.startswith("encoder/torch")] == []


def test_public_names_are_there() -> None:
    for name in patsearch.__all__:
        assert getattr(patsearch, name) is not None
    assert sorted(patsearch.__all__) == patsearch.__all__
    assert callable(patsearch.load_encoder)
    assert callable(patsearch.open_index)
    assert callable(patsearch.parse_filter)
    with pytest.raises(AttributeError, match="no attribute 'search_engine'"):
        patsearch.search_engine  # noqa: B018 - the access is the test


def test_help_loads_nothing_heavy() -> None:
    heavy = (
        "numpy",
        "faiss",
        "onnxruntime",
        "cv2",
        "PIL",
        "torch",
        "pydantic",
        "numba",
        "qdrant_client",
        "qdrant_edge",
    )
    code = (
        "import sys\n"
        "from patsearch.cli import build_app\n"
        "try:\n    build_app()(['--help'])\n"
        "except SystemExit:\n    pass\n"
        f"print('LOADED', [m for m in {heavy!r} if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED []"
