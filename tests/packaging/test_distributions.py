"""What is published: small, complete, and the same weights in every wheel wherever it was built."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from makers import week

from .conftest import ROOT, Distributions, build

WEIGHTS = "patsearch/encoder/weights/lite0-drawings.onnx"
MB = 1_000_000


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(scope="module")
def weights() -> bytes:
    return (ROOT / WEIGHTS).read_bytes()


def test_the_sdist_is_small_and_lists_the_weights_that_it_lacks(built: Distributions, weights: bytes) -> None:
    assert built.sdist.stat().st_size < 6 * MB
    with tarfile.open(built.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "NOTICE", "README.md", "Makefile", "pyproject.toml", "hatch_build.py", ".ci/run"} <= names
    assert {"docs/shape-attributions.csv.gz", "patsearch/cli/__init__.py", "patsearch/py.typed"} <= names
    assert any(name.startswith("tests/golden/version-0.1.0/") for name in names)
    assert "patsearch/drawings/weights/label-reader.onnx" in names
    left_out = [
        name for name in names if name.startswith(("docs/images", "tools/checkpoints", "packages/patsearch-baseline"))
    ]
    assert left_out == []
    assert "packages/patsearch-contract/src/patsearch_contract/samples.py" in names  # the tests import it
    assert [name for name in names if name.startswith("patsearch/encoder/weights/") and name.endswith(".onnx")] == []
    assert json.loads((built.tree / "weights.json").read_text()) == [
        {"name": "lite0-drawings.onnx", "bytes": len(weights), "sha256": sha256(weights)}
    ]


def test_the_wheel_has_the_weights_and_the_notices(built: Distributions, weights: bytes) -> None:
    assert built.wheel.stat().st_size < 14 * MB
    with zipfile.ZipFile(built.wheel) as archive:
        names = set(archive.namelist())
        assert archive.read(WEIGHTS) == weights
        (licences,) = {name.rpartition("/")[0] for name in names if name.endswith("/NOTICE")}
        assert f"{licences}/LICENSE" in names
        # NOTICE refers to it: authors are named wherever the weights go.
        assert f"{licences}/docs/shape-attributions.csv.gz" in names
    assert not [name for name in names if "imagenet" in name]
    assert {name.partition("/")[0] for name in names if ".dist-info" not in name} == {"patsearch"}


@pytest.mark.slow
def test_the_wheel_answers_without_the_checkout(built: Distributions, tmp_path: Path) -> None:
    site = tmp_path / "site"
    with zipfile.ZipFile(built.wheel) as archive:
        archive.extractall(site)

    def run(*words: object) -> str:
        command = [sys.executable, "-m", "patsearch", *map(str, words)]
        environment = os.environ | {"PYTHONPATH": str(site)}
        return subprocess.run(command, cwd=tmp_path, env=environment, check=True, text=True, capture_output=True).stdout

    where = [sys.executable, "-c", "import patsearch; print(patsearch.__file__)"]
    environment = os.environ | {"PYTHONPATH": str(site)}
    found = subprocess.run(where, cwd=tmp_path, env=environment, check=True, text=True, capture_output=True).stdout
    assert Path(found.strip()).is_relative_to(site)
    run("ingest", week(tmp_path / "w", range(3)), "--index", "designs", "--workers", 1)
    answer = json.loads(run("query", "--like", "USD900001", "--index", "designs", "--json"))
    assert {hit["patent"] for hit in answer["hits"]} == {"USD900000", "USD900002"}


def test_a_wheel_takes_the_weights_from_a_named_folder(built: Distributions, weights: bytes, tmp_path: Path) -> None:
    build(built.tree, tmp_path / "out", "--wheel", cache=tmp_path / "empty", weights=(ROOT / WEIGHTS).parent)
    (wheel,) = (tmp_path / "out").iterdir()
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(WEIGHTS) == weights
    assert not (built.tree / WEIGHTS).exists()
    assert not (tmp_path / "empty").exists()


@pytest.mark.parametrize("where", ["nowhere", "another file in the folder", "another file in the cache"])
def test_without_the_right_weights_one_sentence_says_what_to_do(
    built: Distributions, weights: bytes, where: str, tmp_path: Path
) -> None:
    named, cache = tmp_path / "named", tmp_path / "cache"
    changed = weights[:-1] + bytes([weights[-1] ^ 1])
    if where == "another file in the folder":
        named.mkdir()
        (named / "lite0-drawings.onnx").write_bytes(changed)
    if where == "another file in the cache":
        (cache / "patsearch" / "weights").mkdir(parents=True)
        (cache / "patsearch" / "weights" / sha256(weights)).write_bytes(changed)
    with pytest.raises(subprocess.CalledProcessError) as failed:
        build(built.tree, tmp_path / "out", "--wheel", cache=cache, weights=named if named.exists() else None)
    lines = [line for line in failed.value.stdout.splitlines() if sha256(weights) in line]
    (line,) = lines
    assert line.startswith(f"lite0-drawings.onnx ({len(weights):,} bytes, sha256 ")
    assert "set PATSEARCH_WEIGHTS to a folder with that file" in line
    assert "Traceback" not in failed.value.stdout.partition(line)[0]


def test_an_sdist_of_an_sdist_keeps_the_list(built: Distributions, tmp_path: Path) -> None:
    build(built.tree, tmp_path / "out", "--sdist", cache=tmp_path / "cache")
    (again,) = (tmp_path / "out").iterdir()
    with tarfile.open(again) as archive:
        (member,) = [name for name in archive.getnames() if name.endswith("/weights.json")]
        listed = archive.extractfile(member)
        assert listed is not None
        assert listed.read() == (built.tree / "weights.json").read_bytes()


def test_an_editable_install_of_an_sdist_puts_the_weights_into_its_tree(
    built: Distributions, weights: bytes, tmp_path: Path
) -> None:
    pytest.importorskip("editables", reason="hatchling needs it for editable installs")
    tree = shutil.copytree(built.tree, tmp_path / "tree")
    code = f"import hatchling.build; hatchling.build.build_editable({str(tmp_path)!r})"
    environment = os.environ | {"XDG_CACHE_HOME": str(built.cache), "LOCALAPPDATA": str(built.cache)}
    subprocess.run([sys.executable, "-c", code], cwd=tree, env=environment, check=True, capture_output=True)
    assert (tree / WEIGHTS).read_bytes() == weights
