"""What the tests read of a Dockerfile and of .dockerignore: instructions by stage, and what reaches the builder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path


@dataclass(frozen=True)
class Instruction:
    """One instruction: its name in capitals, and the rest of it on one line."""

    name: str
    value: str


def read_stages(path: Path) -> list[list[Instruction]]:
    """The instructions of each stage; those before the first FROM are left out."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    stages: list[list[Instruction]] = []
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        name, _, value = line.strip().partition(" ")
        if name == "FROM":
            stages.append([])
        if name and stages:
            stages[-1].append(Instruction(name.upper(), re.sub(r"\s+", " ", value.strip())))
    return stages


def copied(stage: list[Instruction]) -> list[tuple[list[str], str]]:
    """Sources in the build context and the target of every COPY that does not copy from another stage."""
    found = []
    for instruction in stage:
        if instruction.name == "COPY" and "--from=" not in instruction.value:
            *sources, target = [word for word in instruction.value.split() if not word.startswith("--")]
            found.append((sources, target))
    return found


def is_ignored(path: str, patterns: list[str]) -> bool:
    """Whether .dockerignore keeps a path of the context from the builder: the last pattern that matches decides."""
    parts = path.strip("/").split("/")
    prefixes = ["/".join(parts[: i + 1]) for i in range(len(parts))]
    ignored = False
    for pattern in patterns:
        wanted = pattern.removeprefix("!")
        if any(_matches(prefix, wanted) for prefix in prefixes):
            ignored = not pattern.startswith("!")
    return ignored


def _matches(path: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatchcase(path.rpartition("/")[2], pattern[3:])
    return path.count("/") == pattern.count("/") and fnmatchcase(path, pattern)


def read_patterns(path: Path) -> list[str]:
    """The patterns of a .dockerignore."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]
