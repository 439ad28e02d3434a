"""TREC files and the names of datasets."""

from __future__ import annotations

from pathlib import Path

import pytest

from patsearch.errors import InputError, UsageError
from patsearch.evaluation.lists import read_images, read_qrels
from patsearch.evaluation.specs import DatasetSpec, parse_dataset


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_images_by_path_and_by_id(tmp_path: Path) -> None:
    images = read_images(write(tmp_path / "q.txt", "# comment\na.png\n\nq2\tsub folder/b.png\r\n"))
    assert [(i.id, i.path) for i in images] == [("a.png", tmp_path / "a.png"), ("q2", tmp_path / "sub folder/b.png")]


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "names no image"), ("a.png\na.png\n", "line 2: a.png occurs twice"), ("q1\t\n", "line 1 has no path")],
)
def test_bad_lists(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_images(write(tmp_path / "q.txt", text))


def test_list_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_images(tmp_path / "none.txt")
    (tmp_path / "image.png").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(InputError, match="not UTF-8 text"):
        read_images(tmp_path / "image.png")


def test_qrels(tmp_path: Path) -> None:
    path = write(tmp_path / "qrels.txt", "q1 0 d1 1\nq1\t0\td2  2\nq2 Q0 d1 0\n")
    assert read_qrels(path) == {"q1": {"d1": 1.0, "d2": 2.0}, "q2": {"d1": 0.0}}


@pytest.mark.parametrize("line", ["q1 0 d1", "q1 0 d1 yes", "q1 0 d1 1 more", "q1 0 d1 nan"])
def test_bad_qrels(tmp_path: Path, line: str) -> None:
    with pytest.raises(InputError, match=r"line 2: .* is not a judgement"):
        read_qrels(write(tmp_path / "qrels.txt", f"q1 0 d1 1\n{line}\n"))


def test_names_of_datasets() -> None:
    assert parse_dataset(["index:my/index"]) == DatasetSpec("index", (Path("my/index"),))
    assert parse_dataset(["trec:a"]).kind == "trec"
    assert parse_dataset(["a", "b.tar"]) == DatasetSpec("source", (Path("a"), Path("b.tar")))
    assert parse_dataset(["deeppatent:d"]).split == "test"
    spec = parse_dataset(["deeppatent:d?split=val&lists=l"])
    assert (spec.split, spec.lists, spec.name) == ("val", Path("l"), "deeppatent:d?split=val")
    # A question mark belongs to the parameters of DeepPatent alone.
    assert parse_dataset(["what?.tar"]).paths == (Path("what?.tar"),)


@pytest.mark.parametrize(
    "texts",
    [[], ["index:"], ["index:a", "b"], ["deeppatent:d?split=train"], ["deeppatent:d?splt=test"]],
)
def test_names_that_make_no_sense(texts: list[str]) -> None:
    with pytest.raises(UsageError):
        parse_dataset(texts)
