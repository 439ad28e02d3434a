from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from patsearch.errors import InputError
from patsearch.training.cache import SKETCH, VIEW, DrawingCache, Record, shard_path, write_shard


def test_drawings_come_back_from_all_shards_and_folders(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 256, (9, 16, 16), dtype=np.uint8)
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir(), two.mkdir()
    write_shard(one, 0, [Record("a", "g", "f", (VIEW, SKETCH)), Record("b", "g", "f", (VIEW,))], rows[:3])
    write_shard(one, 3, [Record("c", "h", "f", (VIEW, VIEW))], rows[3:5])
    write_shard(two, 0, [Record("d", "i", "k", (VIEW,) * 4)], rows[5:])
    cache = DrawingCache(one, two)
    assert [record.design for record in cache.records] == ["a", "b", "c", "d"]
    assert cache.records[0].kinds == ("view", "sketch")
    assert cache.size == 16
    row = 0
    for design, record in enumerate(cache.records):
        for number in range(len(record.kinds)):
            np.testing.assert_array_equal(cache.drawing(design, number), rows[row])
            row += 1
    assert row == 9


def test_a_shard_without_its_record_is_not_there_yet(tmp_path: Path) -> None:
    write_shard(tmp_path, 0, [Record("a", "g", "f", (VIEW,))], np.zeros((1, 8, 8), np.uint8))
    write_shard(tmp_path, 1, [Record("b", "h", "f", (VIEW,))], np.zeros((1, 8, 8), np.uint8))
    shard_path(tmp_path, 1).unlink()
    assert [record.design for record in DrawingCache(tmp_path).records] == ["a"]
    assert not list(tmp_path.glob("*.part"))


def test_bad_caches_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no drawings"):
        DrawingCache(tmp_path)
    with pytest.raises(ValueError, match="differ in number"):
        write_shard(tmp_path, 0, [Record("a", "g", "f", (VIEW,))], np.zeros((2, 8, 8), np.uint8))
    write_shard(tmp_path, 0, [Record("a", "g", "f", (VIEW,))], np.zeros((1, 8, 8), np.uint8))
    write_shard(tmp_path, 1, [Record("b", "g", "f", (VIEW,))], np.zeros((1, 9, 9), np.uint8))
    with pytest.raises(InputError, match="differ in size"):
        DrawingCache(tmp_path)
    np.save(tmp_path / "00001.npy", np.zeros((3, 8, 8), np.uint8))
    with pytest.raises(InputError, match="do not fit"):
        DrawingCache(tmp_path)
    shard_path(tmp_path, 1).write_text('{"records": [{"design": "b"}]}')
    with pytest.raises(InputError, match="cannot be read"):
        DrawingCache(tmp_path)
