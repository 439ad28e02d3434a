"""What only some systems have is not needed: Windows has neither fcntl nor resource, and opens no folders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from extras import not_installed
from makers import draw_design

import patsearch
from patsearch import files
from patsearch.backends.embedded.segments import Segments
from patsearch.errors import StorageError

# Run by every interpreter that starts with the folder of this file on its path: worker processes too.
ELSEWHERE = """
import os, sys

for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None  # an import of it raises ModuleNotFoundError
for name in ("fdatasync", "fork", "forkpty", "getuid", "geteuid", "killpg", "posix_fadvise", "pread", "preadv",
             "pwrite", "pwritev", "O_DIRECTORY"):  # asyncio itself needs sysconf here
    if hasattr(os, name):
        delattr(os, name)
import signal
for name in ("SIGKILL", "SIGHUP", "SIGALRM", "alarm"):
    delattr(signal, name)
_open = os.open

def refuse_folders(path, *arguments, **options):
    if os.path.isdir(path):
        raise PermissionError(13, "Permission denied", str(path))
    return _open(path, *arguments, **options)

os.open = refuse_folders
"""
# Packages that have a branch for Windows and choose it by the platform's name: they cannot be imported here.
NEEDS_FCNTL = ("qdrant_client", "torch", "mcp")


@pytest.fixture
def elsewhere(tmp_path: Path) -> dict[str, str]:
    """An environment in which Python finds nothing that POSIX systems alone have."""
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "sitecustomize.py").write_text(ELSEWHERE, encoding="utf-8")
    package = Path(patsearch.__file__).parent.parent
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "path"), str(package)])}


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done


def test_every_module_can_be_imported(elsewhere: dict[str, str]) -> None:
    code = f"""
import pkgutil, traceback
from importlib import import_module
import patsearch
failed = []
for module in pkgutil.walk_packages(patsearch.__path__, "patsearch.", onerror=lambda name: None):
    if module.name.endswith("__main__"):
        continue
    try:
        import_module(module.name)
    except Exception as error:
        lost = error if isinstance(error, ImportError) else error.__cause__
        if str(getattr(lost, "name", "")).partition(".")[0] in {not_installed()!r}:
            continue
        called = {{frame.filename for frame in traceback.extract_tb(error.__traceback__)}}
        if not any(f"{{package}}" in name for package in {NEEDS_FCNTL!r} for name in called):
            failed.append(f"{{module.name}}: {{error}}")
print(failed)
import sys
print("filelock" in sys.modules and sys.modules["fcntl"] is None)
"""
    assert run(elsewhere, "-c", code).stdout.splitlines() == ["[]", "True"]


# Commands one after the other, each of which must end with 0; a line of dashes follows what each prints.
COMMANDS = """
import json, sys
from patsearch.cli import main

if __name__ == "__main__":  # workers import this file too
    for words in json.load(open(sys.argv[1], encoding="utf-8")):
        try:
            main(words)
        except SystemExit as end:
            if end.code:
                raise
        print("-----", flush=True)
"""


def test_ingest_and_query(elsewhere: dict[str, str], tmp_path: Path) -> None:
    folder, index, saved = tmp_path / "drawings", str(tmp_path / "index"), str(tmp_path / "saved.tar")
    folder.mkdir()
    for number in range(3):
        draw_design(number, 0).save(folder / f"D{number}.png")
    commands = [
        ["ingest", str(folder), "--index", index, "--workers", "2", "--quiet"],
        ["ingest", str(folder), "--index", index, "--workers", "1", "--json", "--quiet"],
        ["query", str(folder / "D1.png"), "--index", index, "--json"],
        ["index", "compact", index],
        ["index", "snapshot", index, saved],
        ["index", "restore", saved, str(tmp_path / "restored")],
        ["index", "verify", str(tmp_path / "restored")],
    ]
    (tmp_path / "commands.json").write_text(json.dumps(commands), encoding="utf-8")
    (tmp_path / "commands.py").write_text(COMMANDS, encoding="utf-8")
    done = run(elsewhere, str(tmp_path / "commands.py"), str(tmp_path / "commands.json"))
    printed = done.stdout.split("-----\n")
    assert len(printed) == len(commands) + 1
    assert json.loads(printed[1])["skipped"] == {"already in the index": 3}
    assert json.loads(printed[2])["hits"][0]["patent"] == "D1"
    assert run(elsewhere, "-m", "patsearch", "index", "info", str(tmp_path / "restored")).stdout


@pytest.mark.slow
def test_the_demo(elsewhere: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("numba")
    run(elsewhere, "-m", "patsearch", "demo", "--out", str(tmp_path / "demo"), "--designs", "10")
    assert (tmp_path / "demo" / "result.html").is_file()


@pytest.mark.parametrize("missing", [(), ("preadv", "pwrite", "fdatasync")])
def test_segments_without_positional_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: tuple[str, ...]
) -> None:
    for name in missing:
        monkeypatch.delattr(os, name)
    vectors = np.random.default_rng(3).standard_normal((50, 8)).astype(np.float32)
    segments = Segments(tmp_path, 8, writable=True)
    segments.append(0, vectors[:30], np.zeros((30, 2), np.int32))
    segments.append(30, vectors[30:], np.zeros((20, 2), np.int32))
    rows = np.array([0, 7, 8, 9, 29, 30, 49])
    np.testing.assert_array_equal(segments.take(rows), vectors[rows])
    segments.close()


def test_a_file_in_use_is_replaced_when_its_reader_has_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "manifest.json"
    path.write_text("old", encoding="utf-8")
    replace, attempts = Path.replace, []

    def in_use(self: Path, target: Path) -> Path:
        attempts.append(self)
        if len(attempts) < 3:
            raise PermissionError(13, "in use")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", in_use)
    monkeypatch.setattr(files, "_WAITS", (0.0, 0.0, 0.0))
    with pytest.raises(StorageError, match="in use"):
        files.write_text(path, "new")
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]
    attempts.clear()
    monkeypatch.setattr(files, "IN_USE", (PermissionError,))
    files.write_text(path, "new")
    assert path.read_text(encoding="utf-8") == "new"
