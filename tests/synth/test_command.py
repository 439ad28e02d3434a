"""`patsearch synth` from the shell."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from patsearch.cli import main

for package in ("mapbox_earcut", "numba"):  # without them the command answers with an exit code
    pytest.importorskip(package, reason=f"needs {package}: pip install 'patsearch[synth]'")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(["synth", *arguments])
    captured = capsys.readouterr()
    return int(stop.value.code or 0), captured.out, captured.err


def test_json_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(
        capsys, "--designs", "2", "--out", str(tmp_path), "--layout", "images", "--size", "64",
        "--processes", "1", "--family", "chair", "--json",
    )  # fmt: skip
    report = json.loads(out)
    assert code == 0
    assert (report["designs"], report["layout"], report["families"]) == (2, "images", {"chair": 2})


def test_summary_goes_to_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "-n", "1", "-o", str(tmp_path), "--size", "128", "--processes", "1")
    assert (code, out) == (0, "")
    assert "1 designs of 1 families" in err
    assert (tmp_path / "I20240102.tar").exists()


def test_families_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--families", "--json")
    assert code == 0
    assert json.loads(out)["chair"]["locarno"] == "06-01"


def test_folder_with_something_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x").touch()
    code, out, err = run(capsys, "--out", str(tmp_path))
    assert (code, out) == (2, "")
    assert "not empty" in err


def test_without_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys)
    assert code == 2
    assert "--out" in err


@pytest.mark.parametrize("missing", ["numba", "mapbox_earcut"])
def test_missing_package_is_told(tmp_path: Path, missing: str) -> None:
    script = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from patsearch.cli import main\n"
        f"main(['synth', '--designs', '2', '--family', 'phone', '--processes', '1', '--out', {str(tmp_path / 'c')!r}])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 7
    assert done.stdout == ""
    assert "pip install 'patsearch[synth]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_package_loads_nothing_heavy() -> None:
    script = "import sys, patsearch.synth, patsearch.cli; print('numba' in sys.modules, 'cv2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
