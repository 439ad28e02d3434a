"""bench/sketches.py measures what it says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

scipy_io = pytest.importorskip("scipy.io")

PATH = Path(__file__).resolve().parents[2] / "bench" / "sketches.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sketches_bench", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Fixed:
    """Gives each image the vector that its first pixel numbers."""

    def __init__(self, *angles: float) -> None:
        self.vectors = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)

    def encode_batch(self, images: list[np.ndarray]) -> np.ndarray:
        return self.vectors[[int(image[0, 0]) for image in images]]


def numbered(*numbers: int) -> np.ndarray:
    images = np.full((len(numbers), 4, 4), 255, np.uint8)
    images[:, 0, 0] = numbers
    return images


def test_hit_rates_count_sketches_whose_own_edge_map_is_near(bench: ModuleType) -> None:
    # Sketches at 0, 1, 2 and their edge maps at 0.1, 1.95, 2.04: the second sketch is nearer to the first
    # edge map (0.9) than to its own (0.95), the others find theirs first.
    encoder = Fixed(0.0, 1.0, 2.0, 0.1, 1.95, 2.04)
    rates = bench.hit_rates(encoder, numbered(0, 1, 2), numbered(3, 4, 5))
    assert rates == {"hit_rate@1": pytest.approx(2 / 3), "hit_rate@5": 1.0, "hit_rate@10": 1.0}
    same = Fixed(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert bench.hit_rates(same, numbered(0, 1, 2), numbered(3, 4, 5))["hit_rate@1"] == 0.0


def test_pairs_are_white_paper_without_the_border_line(bench: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "chairs"
    folder.mkdir(parents=True)
    sketches = np.full((2, 20, 20), 255, np.uint8)
    sketches[:, 5:9, 5] = 0
    edges = 255 - sketches  # white lines on black
    edges[:, -1, :] = edges[:, :, -1] = 255
    scipy_io.savemat(folder / "chairs_sketch_db_test.mat", {"data": sketches})
    scipy_io.savemat(folder / "chairs_edge_db_test.mat", {"data": edges})
    read_sketches, read_edges = bench.read_pairs(tmp_path, "chairs")
    np.testing.assert_array_equal(read_sketches, sketches)
    np.testing.assert_array_equal(read_edges, sketches[:, :18, :18])
    with pytest.raises(SystemExit, match="shoes_sketch"):
        bench.read_pairs(tmp_path, "shoes")
