"""The house stays in order: who imports whom, what is public, what `--help` loads."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import patsearch

PACKAGE = Path(patsearch.__file__).parent

# From the cellar to the roof; a part may import what is named before it, and its own modules.
LAYERS = [
    {"text"},
    {"dates"},
    {"errors", "interrupts", "pages"},
    {"deadline", "files"},
    {"lock", "processes", "servers", "sqlite"},
    {"bibliography", "classification", "numbers", "plugins"},
    {"terms", "titles"},
    {"types"},
    {"filters", "models", "settings"},
    {"backends", "drawings"},
    {"encoder"},
    {"engine"},
    {"ingest", "record", "synth"},
    {"batch", "evaluation", "plate"},
    {"training"},
    {"suite"},
    {"web", "client"},
    {"assistants"},
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


def test_functions_are_of_80_lines_at_most() -> None:
    long = [
        f"{path.relative_to(PACKAGE)}: {node.name}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (node.end_lineno or 0) - node.lineno >= 80
    ]
    assert long == []


def test_torch_stays_in_its_corner() -> None:
    wrong = []
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = str(path.relative_to(PACKAGE))
        text = path.read_text(encoding="utf-8")
        if ("import torch" in text or "from torch" in text) and not relative.startswith("training/"):
            wrong.append(relative)
    assert [w for w in wrong if not w.startswith("encoder/torch")] == []


def test_public_names_are_those_that_are_there() -> None:
    """`__all__`, the lazy homes and what type checkers see name the same things; each is what its home has."""
    assert sorted(patsearch.__all__) == patsearch.__all__ == dir(patsearch)
    assert {*patsearch._HOMES, "__version__", "ingest"} == set(patsearch.__all__)
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    (checked,) = (n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")
    typed = {
        alias.name: str(node.module)
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    homes = {name: f"patsearch.{home}" for name, home in patsearch._HOMES.items()}
    assert typed == {**homes, "ingest": "patsearch"}
    for name, home in homes.items():
        module = importlib.import_module(home)
        assert getattr(patsearch, name) is getattr(module, name)
        assert name in getattr(module, "__all__", [name])
    with pytest.raises(AttributeError, match="no attribute 'search_engine'"):
        patsearch.search_engine  # noqa: B018 - the access is the test


def test_public_names_do_what_the_package_promises() -> None:
    assert {"Question", "Rerank", "Expansion", "ingest", "open_index", "connect"} <= set(patsearch.__all__)
    assert patsearch.ingest is importlib.import_module("patsearch.ingest")
    assert callable(patsearch.ingest.ingest)
    question = patsearch.Question(like="D907,292", rerank=patsearch.Rerank(7, 2, 0.5), top=3)
    assert (question.like, question.options()["rerank"]["k1"]) == ("USD907292", 7)


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
