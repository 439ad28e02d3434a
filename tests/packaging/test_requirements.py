"""pyproject.toml names every package that the code and its tests import, and gives a reason for every upper bound."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from .conftest import ROOT

TEXT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
PROJECT = tomllib.loads(TEXT)["project"]
# Installed with another package and documented as the place to import from.
PARTS = {"markupsafe": "jinja2", "pydantic-core": "pydantic"}
FOLDERS = ("patsearch", "packages", "tests", "tools", "bench")


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;]", name.strip(), maxsplit=1)[0]).lower()


def declared(*extras: str) -> set[str]:
    """Names of the distributions in the base install and in extras, with what those extras refer to."""
    found = {normalised(line) for line in PROJECT["dependencies"]}
    for extra in extras:
        for line in PROJECT["optional-dependencies"][extra]:
            if line.startswith("patsearch["):
                found |= declared(*line.partition("[")[2].partition("]")[0].split(","))
            else:
                found.add(normalised(line))
    return found


def imports(path: Path) -> Iterator[str]:
    """Top-level names of the packages that a file imports, at its beginning or later."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("importorskip", "import_module"):
            words = (argument.value for argument in node.args if isinstance(argument, ast.Constant))
            yield from (word.partition(".")[0] for word in words if isinstance(word, str))


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_imported_package_is_named(folder: str) -> None:
    files = list((ROOT / folder).rglob("*.py"))
    if not files:
        pytest.skip(f"{folder} is not in this source distribution")
    own = {path.stem for f in FOLDERS for path in (ROOT / f).rglob("*.py")}
    own |= {path.name for path in (*ROOT.iterdir(), *ROOT.glob("packages/*/src/*"))}
    distributions = packages_distributions()
    extras = PROJECT["optional-dependencies"]
    named = declared(*(extras if folder != "patsearch" else set(extras) - {"dev", "test", "docs"}))
    seen = {name: path for path in files for name in imports(path)}
    unknown = {}
    for name in sorted(seen.keys() - sys.stdlib_module_names - own):
        found = {normalised(distribution) for distribution in distributions.get(name, ())}
        found = {PARTS.get(distribution, distribution) for distribution in found}
        if found and not found & named:
            unknown[name] = seen[name].relative_to(ROOT).as_posix()
    assert unknown == {}


def test_an_upper_bound_has_its_reason_next_to_it() -> None:
    bounded = [line for line in TEXT.splitlines() if re.match(r'\s.*"[^"]+(<|==|~=)[^"]*"', line)]
    assert bounded != []  # torch is one of them
    for line in bounded:
        assert len(line.partition("#")[2].split()) >= 5, line


def test_the_edge_of_qdrant_is_not_installed_with_its_client() -> None:
    assert "qdrant-edge-py" not in declared("qdrant", "web", "test")
    assert {"qdrant-edge-py", "qdrant-client"} <= declared("qdrant-edge")


def test_a_search_needs_nothing_heavy_and_nothing_of_the_tests() -> None:
    assert not declared("web", "pdf", "qdrant") & {"torch", "timm", "numba", "pytest", "patsearch-baseline"}
    assert "patsearch-baseline" in declared("bench")
    assert "patsearch-baseline" not in declared("dev")  # the Makefile installs the folder
