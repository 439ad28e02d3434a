"""Real sheets against what the eye sees."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from patsearch.drawings import split_sheet

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_sheets", ROOT / "bench" / "sheets.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.data
def test_sheets_labelled_by_eye(data_dir: Path, bench: ModuleType) -> None:
    labelled = json.loads((Path(__file__).parent / "labelled_sheets.json").read_text())
    assert len(labelled) == 60
    quality = bench.quality_of(list(bench.patents(data_dir)), labelled)
    assert quality.sheets == 60
    report = "\n".join(quality.wrong)
    assert quality.whole_share >= 0.95, report
    assert quality.text_left == 0, report
    assert quality.turned == 60, report
    assert quality.read_share >= 0.95, report
    assert quality.misread <= 1, report


@pytest.mark.data
def test_single_figures_stay_whole(data_dir: Path) -> None:
    wrong = []
    files = sorted((data_dir / "single-figures-2007").glob("*.png"))
    for file in files:
        with Image.open(file) as image:
            grey = np.asarray(image.convert("L"))
            split = split_sheet(image)
        kept = sum(int((figure.image < 175).sum()) for figure in split.figures)
        if len(split.figures) != 1 or split.turned or split.figures[0].label or kept != (grey < 175).sum():
            wrong.append(file.name)
    assert len(files) > 500
    assert not wrong


def test_measure_tells_good_from_bad(bench: ModuleType) -> None:
    page = np.full((400, 400), 255, np.uint8)
    page[40:120, 40:200] = 0
    page[240:320, 40:200] = 0
    page[140:160, 80:140] = 0  # stands for a label
    image = Image.fromarray(page)
    truth = {
        "patent": "X", "sheet": "Y", "turned": 0,
        "figures": [{"number": "1", "box": [40, 40, 200, 120]}, {"number": "2", "box": [40, 240, 200, 320]}],
        "text": [{"number": "1", "box": [80, 140, 140, 160]}],
    }  # fmt: skip
    from patsearch.drawings import Figure, SplitSheet

    black = np.zeros((80, 160), np.uint8)
    good = SplitSheet((Figure(black, (40, 40, 200, 120), "1"), Figure(black, (40, 240, 200, 320), "2")), 0)
    quality = bench.Quality()
    bench.measure(quality, image, good, truth)
    assert (quality.whole, quality.read, quality.text_left, quality.turned, quality.wrong) == (2, 2, 0, 1, [])

    uncut = SplitSheet((Figure(page[40:320, 40:200], (40, 40, 200, 320), "1"),), 0)
    quality = bench.Quality()
    bench.measure(quality, image, uncut, truth)
    assert (quality.whole, quality.read, quality.text_left) == (0, 1, 1)
    assert len(quality.wrong) == 3
