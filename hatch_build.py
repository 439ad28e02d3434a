"""Build hook: keeps the large weights out of the source distribution, and puts them into every wheel.

The weights of the default encoder hardly compress: with them, the source distribution would be larger than package
indexes like to take. So the source distribution names them in a list (`weights.json`: name, bytes, sha256), and a
wheel is built from one of these, whichever has a file with that sha256 first:

1. the source tree (a clone of the repository has them);
2. the folder that the environment variable PATSEARCH_WEIGHTS names;
3. the user's cache, `patsearch/weights/SHA256` in $XDG_CACHE_HOME (~/.cache; %LOCALAPPDATA% on Windows). Building the
   source distribution from a clone fills it, because `python -m build` makes the wheel from the source distribution.

Nothing is downloaded. docs/operate/packaging.md is the page for packagers.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WEIGHTS = Path("patsearch/encoder/weights")  # `exclude` in pyproject.toml leaves its .onnx files out of the sdist
LIST = "weights.json"
VARIABLE = "PATSEARCH_WEIGHTS"


class Entry(NamedTuple):
    """One file of weights, as the list names it."""

    name: str
    bytes: int
    sha256: str


class WeightsHook(BuildHookInterface):  # type: ignore[type-arg]
    """Called by hatchling before it makes the sdist ("standard") or the wheel ("standard" or "editable")."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        entries = _listed(root)
        if self.target_name == "sdist":
            self._for_sdist(root, entries, build_data)
            return
        for entry in entries:
            found = _find(root, entry)
            inside = WEIGHTS / entry.name
            if found == root / inside:
                continue  # hatchling packs it with the rest of the tree
            if version == "editable":
                shutil.copyfile(found, root / inside)
            else:
                build_data["force_include"][str(found)] = inside.as_posix()

    def _for_sdist(self, root: Path, entries: list[Entry], build_data: dict[str, Any]) -> None:
        for entry in entries:
            if (root / WEIGHTS / entry.name).is_file():
                self._remember(root / WEIGHTS / entry.name, entry)
        if not (root / LIST).exists():
            self._made = Path(tempfile.mkdtemp()) / LIST
            text = json.dumps([entry._asdict() for entry in entries], indent=2) + "\n"
            self._made.write_text(text, encoding="utf-8")
            build_data["force_include"][str(self._made)] = LIST

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        if made := getattr(self, "_made", None):
            shutil.rmtree(made.parent)

    def _remember(self, path: Path, entry: Entry) -> None:
        """Copy a file into the cache; a cache that cannot be written only costs the wheel that is built from it."""
        kept = cache() / entry.sha256
        try:
            if kept.is_file() and _sha256(kept) == entry.sha256:
                return
            kept.parent.mkdir(parents=True, exist_ok=True)
            part = kept.with_name(f"{kept.name}.{os.getpid()}")
            shutil.copyfile(path, part)
            part.replace(kept)
        except OSError as error:
            self.app.display_warning(f"The cache {kept.parent} cannot be written ({error.strerror}): set {VARIABLE}.")


def cache() -> Path:
    """The user's cache of weights."""
    local = os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else os.environ.get("XDG_CACHE_HOME")
    return (Path(local) if local else Path.home() / ".cache") / "patsearch" / "weights"


def _listed(root: Path) -> list[Entry]:
    """What the list of a source distribution says, or else what the tree has."""
    if (root / LIST).is_file():
        return [Entry(**entry) for entry in json.loads((root / LIST).read_text(encoding="utf-8"))]
    found = sorted((root / WEIGHTS).glob("*.onnx"))
    if not found:
        raise SystemExit(f"{root / WEIGHTS} has no .onnx file: check out the repository again, then repeat the build.")
    return [Entry(path.name, path.stat().st_size, _sha256(path)) for path in found]


def _find(root: Path, entry: Entry) -> Path:
    named = os.environ.get(VARIABLE)
    candidates = [root / WEIGHTS / entry.name, cache() / entry.sha256]
    if named:
        candidates.insert(1, Path(named).absolute() / entry.name)
    for path in candidates:
        if path.is_file() and path.stat().st_size == entry.bytes and _sha256(path) == entry.sha256:
            return path
    where = f"the folder {named} of {VARIABLE}" if named else "this source distribution"
    raise SystemExit(
        f"{entry.name} ({entry.bytes:,} bytes, sha256 {entry.sha256}) is not in {where}: set {VARIABLE} to a folder "
        f"with that file, taken from {WEIGHTS.as_posix()}/ in patsearch's repository or wheel, then repeat the build."
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
