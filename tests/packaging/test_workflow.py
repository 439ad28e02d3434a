"""Continuous integration: every system and Python that pyproject.toml promises, and no command that does not exist."""

from __future__ import annotations

import os
import re
import tomllib
from typing import Any

import pytest

from .conftest import ROOT

yaml = pytest.importorskip("yaml", reason="needs PyYAML: pip install 'patsearch[test]'")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SYSTEMS = {"POSIX :: Linux": "ubuntu", "MacOS": "macos", "Microsoft :: Windows": "windows"}


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def classified(prefix: str) -> list[str]:
    return [entry.removeprefix(prefix) for entry in PROJECT["classifiers"] if entry.startswith(prefix)]


def test_tests_run_on_every_system_and_python_that_is_promised(workflow: dict[str, Any]) -> None:
    job = workflow["jobs"]["test"]
    matrix = job["strategy"]["matrix"]
    promised = [
        version for version in classified("Programming Language :: Python :: ") if re.match(r"3\.\d+$", version)
    ]
    assert matrix["python"] == promised == ["3.11", "3.12", "3.13", "3.14"]
    assert f">={promised[0]}" == PROJECT["requires-python"]
    assert {name.partition("-")[0] for name in matrix["os"]} == {SYSTEMS[s] for s in classified("Operating System :: ")}
    assert set(matrix) == {"os", "python"}  # nothing is excluded
    assert job["runs-on"] == "${{ matrix.os }}"


def test_it_may_read_alone_and_an_older_run_is_cancelled(workflow: dict[str, Any], steps: list[dict[str, Any]]) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["cancel-in-progress"] is True
    assert not any("permissions" in job or "secrets" in str(job) for job in workflow["jobs"].values())
    assert all(job["timeout-minutes"] <= 60 for job in workflow["jobs"].values())
    for step in steps:
        assert re.match(r"actions/[a-z-]+@v\d+$", step.get("uses", "actions/none@v1"))
        if "setup-python" in step.get("uses", ""):
            assert step["with"]["cache"] == "pip"


def test_every_command_exists(steps: list[dict[str, Any]]) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = "\n".join(step.get("run", "") for step in steps)
    named = re.findall(r"^make (\S+)", text, re.MULTILINE)
    assert {"check", "docs", "dist"} == set(named) <= targets
    extras = {extra for group in re.findall(r"\"\.\[([a-z,-]+)\]\"", text) for extra in group.split(",")}
    assert {"dev", "test", "web"} == extras <= set(PROJECT["optional-dependencies"])
    for folder in re.findall(r"-e (packages/\S+)", text):
        assert (ROOT / folder / "pyproject.toml").is_file()
    from patsearch.cli import main

    for command in set(re.findall(r"patsearch (ingest|query)\b", text)):
        with pytest.raises(SystemExit) as stopped:
            main([command, "--help"])
        assert stopped.value.code == 0


def test_the_script_that_runs_everything_names_targets_that_exist() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.findall(r"make (\w+)", script) == ["test", "check"]
    assert os.name != "posix" or os.access(ROOT / ".ci" / "run", os.X_OK)
