"""Datasets of sketches: which drawing was a sketch made from?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from makers import draw_design
from PIL import Image

from patsearch.errors import InputError, UsageError
from patsearch.evaluation.results import BenchOptions
from patsearch.evaluation.runner import run_bench
from patsearch.evaluation.sketches import read_sketches
from patsearch.evaluation.specs import parse_dataset


def folder_of(tmp_path: Path, sketches: dict[str, int], drawings: dict[str, int]) -> Path:
    for name, pictures in (("sketches", sketches), ("drawings", drawings)):
        (tmp_path / name).mkdir()
        for file, seed in pictures.items():
            draw_design(seed, 0).save(tmp_path / name / file)
    return tmp_path


def test_a_sketch_is_of_the_drawing_of_its_name(tmp_path: Path) -> None:
    drawings = {"stool.png": 1, "stool_1.png": 2, "lamp.tif": 3}
    lists = read_sketches(
        folder_of(tmp_path, {"stool_2.png": 1, "stool_1_b_c.png": 2, "lamp.png": 3}, drawings), None, tmp_path / "work"
    )
    assert [image.id for image in lists.gallery] == ["drawings/lamp.tif", "drawings/stool.png", "drawings/stool_1.png"]
    assert lists.judgements == {
        "sketches/lamp.png": {"drawings/lamp.tif": 1},
        "sketches/stool_1_b_c.png": {"drawings/stool_1.png": 1},
        "sketches/stool_2.png": {"drawings/stool.png": 1},
    }
    assert not (tmp_path / "work").exists()


def test_a_benchmark_of_sketches(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"a.png": 1, "b.png": 2, "c.png": 3}, {"a.png": 1, "b.png": 2, "c.png": 4, "d.png": 3})
    options = BenchOptions(dataset=parse_dataset([f"sketches:{folder}"]), baseline=False, backends=())
    evaluation, _ = run_bench(options).evaluations
    assert (evaluation.dataset["queries"], evaluation.dataset["gallery"]) == (3, 4)
    assert evaluation.quality.metrics["hit_rate@1"] == pytest.approx(2 / 3)  # c's own is another design


def test_matlab_files_are_pairs_of_rows(tmp_path: Path) -> None:
    scipy_io = pytest.importorskip("scipy.io", reason="needs patsearch[bench]")
    folder = tmp_path / "deep" / "chairs"
    folder.mkdir(parents=True)
    sketches = np.full((2, 20, 20), 255, np.uint8)
    sketches[:, 5:9, 5] = 0
    edges = 255 - sketches  # white lines on black
    edges[:, -1, :] = edges[:, :, -1] = 255
    scipy_io.savemat(folder / "chairs_sketch_db_test.mat", {"data": sketches})
    scipy_io.savemat(folder / "chairs_edge_db_test.mat", {"data": edges})
    lists = read_sketches(tmp_path, None, tmp_path / "work")
    assert lists.judgements == {f"sketches/0000{i}.png": {f"drawings/0000{i}.png": 1} for i in range(2)}
    np.testing.assert_array_equal(np.array(Image.open(lists.queries[1].path)), sketches[1])
    np.testing.assert_array_equal(np.array(Image.open(lists.gallery[1].path)), sketches[1, :18, :18])
    assert read_sketches(tmp_path, "chairs", tmp_path / "work").judgements == lists.judgements
    scipy_io.savemat(folder / "shoes_sketch_db_test.mat", {"data": sketches})
    with pytest.raises(UsageError, match="several sets") as several:
        read_sketches(tmp_path, None, tmp_path / "work")
    assert several.value.hint == "Sets: chairs, shoes. Name one, as in ?set=chairs."
    with pytest.raises(UsageError, match="no set 'bags'"):
        read_sketches(tmp_path, "bags", tmp_path / "work")
    for damage, data in ((b"no MATLAB file", None), (None, np.zeros((3, 4)))):
        path = folder / "shoes_edge_db_test.mat"
        path.write_bytes(damage) if damage else scipy_io.savemat(path, {"data": data})
        with pytest.raises(InputError, match=r"shoes_edge_db_test\.mat"):
            read_sketches(tmp_path, "shoes", tmp_path / "work")


def test_what_is_no_set_of_sketches_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_sketches(tmp_path / "nowhere", None, tmp_path)
    with pytest.raises(InputError, match="No sketches were found"):
        read_sketches(tmp_path, None, tmp_path)
    folder = folder_of(tmp_path, {"stool.png": 1}, {"chair.png": 1})
    with pytest.raises(InputError, match=r"stool\.png has no drawing"):
        read_sketches(folder, None, tmp_path)
    with pytest.raises(UsageError, match="no sets"):
        read_sketches(folder, "chairs", tmp_path)
    (folder / "drawings" / "chair.png").unlink()
    with pytest.raises(InputError, match="no pictures"):
        read_sketches(folder, None, tmp_path)


def test_its_name_on_the_command_line() -> None:
    spec = parse_dataset(["sketches:some/where?set=chairs"])
    assert (spec.kind, spec.paths, spec.chosen) == ("sketches", (Path("some/where"),), "chairs")
    assert (spec.name, spec.listed) == ("sketches:where?set=chairs", True)
    for wrong in ("sketches:", "sketches:x?set=", "sketches:x?split=test", "sketches:x?"):
        with pytest.raises(UsageError, match="Invalid --dataset"):
            parse_dataset([wrong])
