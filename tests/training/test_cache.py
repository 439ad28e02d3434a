from __future__ import annotations

import json
import pickle
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from patsearch.errors import ImageError, InputError
from patsearch.training.data.cache import SKETCH, VIEW, DrawingCache, Record, pack, shard_path, unpack, write_shard


@given(st.integers(1, 24).flatmap(lambda side: arrays(np.uint8, (side, side), fill=st.just(255))))
def test_packing_loses_nothing(drawing: np.ndarray) -> None:
    np.testing.assert_array_equal(unpack(pack(drawing), len(drawing)), drawing)


@given(data=st.data())
def test_a_damaged_drawing_is_no_other_drawing(data: st.DataObject) -> None:
    drawing = data.draw(arrays(np.uint8, (12, 12), fill=st.just(255)))
    packed = bytearray(pack(drawing))
    if data.draw(st.booleans()):
        packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        del packed[data.draw(st.integers(0, len(packed) - 1)) :]
    # Or a bit was hit that says nothing, such as the window size in a stream's head.
    with suppress(ImageError):
        np.testing.assert_array_equal(unpack(bytes(packed), 12), drawing)


def test_a_line_drawing_takes_a_tenth(tmp_path: Path) -> None:
    drawing = np.full((256, 256), 255, np.uint8)
    for i in range(20, 240, 24):
        drawing[i : i + 2, 16:240] = drawing[16:240, i : i + 2] = 0
    assert len(pack(drawing)) < 256 * 256 / 10
    with pytest.raises(ImageError, match="damaged"):
        unpack(pack(drawing), 64)


def test_drawings_come_back_from_all_shards_and_folders(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 256, (9, 16, 16), dtype=np.uint8)
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
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
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000.bin", "00000.json", "00001.bin"]


def test_bad_caches_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No drawings"):
        DrawingCache(tmp_path)
    with pytest.raises(ValueError, match="differ in number"):
        write_shard(tmp_path, 0, [Record("a", "g", "f", (VIEW,))], np.zeros((2, 8, 8), np.uint8))
    write_shard(tmp_path, 0, [Record("a", "g", "f", (VIEW,))], np.zeros((1, 8, 8), np.uint8))
    write_shard(tmp_path, 1, [Record("b", "g", "f", (VIEW,))], np.zeros((1, 9, 9), np.uint8))
    with pytest.raises(InputError, match="differ in size"):
        DrawingCache(tmp_path)
    (tmp_path / "00001.bin").write_bytes(b"")
    with pytest.raises(InputError, match="not the number in its list"):
        DrawingCache(tmp_path)
    shard_path(tmp_path, 1).write_text('{"records": [{"design": "b"}]}')
    with pytest.raises(InputError, match="cannot be read"):
        DrawingCache(tmp_path)


def test_records_come_back_as_they_were_written(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (4, 8, 8), dtype=np.uint8)
    records = [Record("a", "g", "f", (VIEW, VIEW, SKETCH)), Record("b", "h", "f", (VIEW,), ("front view",), "train")]
    write_shard(tmp_path, 0, records, rows)
    assert DrawingCache(tmp_path).records == records
    shard = shard_path(tmp_path, 0)
    content = json.loads(shard.read_text())
    shard.write_text(json.dumps(content | {"records": content["records"][:1]}))
    with pytest.raises(InputError, match="do not fit"):
        DrawingCache(tmp_path)


def test_what_is_damaged_or_gone_later_is_named_with_its_place(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (3, 8, 8), dtype=np.uint8)
    write_shard(tmp_path, 0, [Record("a", "g", "f", (VIEW,) * 3)], rows)
    cache = DrawingCache(tmp_path)
    path = tmp_path / "00000.bin"
    data = bytearray(path.read_bytes())
    middle = json.loads(shard_path(tmp_path, 0).read_text())["ends"][1] - 20
    data[middle] ^= 0xFF
    path.write_bytes(data)
    np.testing.assert_array_equal(cache.drawing(0, 0), rows[0])
    np.testing.assert_array_equal(cache.drawing(0, 2), rows[2])
    with pytest.raises(ImageError, match=r"00000\.bin, drawing 1: A drawing is damaged"):
        cache.drawing(0, 1)
    path.unlink()
    with pytest.raises(ImageError, match=r"00000\.bin, drawing 0: No such file"):
        cache.drawing(0, 0)


def test_a_cache_travels_to_other_processes_as_its_folders(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (2, 64, 64), dtype=np.uint8)
    write_shard(tmp_path, 0, [Record("a", "g", "f", (VIEW,) * 2)], rows)
    data = pickle.dumps(DrawingCache(tmp_path))
    assert len(data) < 500
    np.testing.assert_array_equal(pickle.loads(data).drawing(0, 1), rows[1])
