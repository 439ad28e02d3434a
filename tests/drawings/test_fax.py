"""Fax-coded sheets read straight into an array: the same pixels as by Pillow, or not at all."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
from makers import draw_design
from PIL import Image, TiffImagePlugin

from patsearch.drawings import faxlines
from patsearch.drawings.document import Reading, read_figures
from patsearch.drawings.fax import read_fax
from patsearch.drawings.faxlines import damaged_lines
from patsearch.drawings.grey import to_grey
from patsearch.drawings.opening import MAX_PIXELS_BILEVEL, open_image
from patsearch.drawings.photo import open_sheet
from patsearch.errors import ImageError


def _sheet(width: int, height: int, seed: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    rng = np.random.default_rng(seed)
    grey = np.full((height, width), 255, np.uint8)
    for y in rng.integers(0, height, 5):
        grey[y, : rng.integers(1, width + 1)] = 0
    grey[rng.random(grey.shape) < 0.02] = 0
    return grey


def _tiff(grey: np.ndarray, *, mode: str = "1", **options: object) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(grey).convert(mode)
    image.save(buffer, "TIFF", **({"compression": "group4"} | options))
    return buffer.getvalue()


@pytest.mark.parametrize("black_set", [True, False])
@pytest.mark.parametrize("size", [(1, 1), (7, 3), (8, 8), (9, 16), (300, 201), (2560, 40)])
def test_every_pixel_is_as_pillow_reads_it(size: tuple[int, int], black_set: bool) -> None:
    grey = _sheet(*size)
    data = _tiff(grey, tiffinfo={262: 0 if black_set else 1})
    read = read_fax(data, MAX_PIXELS_BILEVEL)
    assert read is not None
    assert read.gone == 0
    np.testing.assert_array_equal(read.grey, grey)
    np.testing.assert_array_equal(read.grey, to_grey(open_image(data)))


def test_a_sheet_in_strips() -> None:
    grey = _sheet(200, 100)
    read = read_fax(_tiff(grey, tiffinfo={278: 16}), MAX_PIXELS_BILEVEL)
    assert read is not None
    assert read.gone == 0
    np.testing.assert_array_equal(read.grey, grey)


@pytest.mark.parametrize(
    "data",
    [
        _tiff(_sheet(40, 30), compression="raw"),
        _tiff(_sheet(40, 30), compression="tiff_lzw"),
        _tiff(_sheet(40, 30), mode="L", compression="tiff_lzw"),
        _tiff(_sheet(40, 30), tiffinfo={274: 6}),
        b"",
        b"II*\0",
        b"MM\0*\0\0\0\x08\xff\xff",
        b"II*\0\xff\xff\xff\xff" + bytes(20),
        b"\x89PNG\r\n\x1a\n" + bytes(100),
    ],
    ids=["plain", "lzw", "grey", "turned", "empty", "cut", "tags cut", "far off", "png"],
)
def test_everything_else_is_left_to_pillow(data: bytes) -> None:
    assert read_fax(data, MAX_PIXELS_BILEVEL) is None


def test_a_sheet_beyond_the_bound_is_not_decoded() -> None:
    data = _tiff(_sheet(40, 30))
    assert read_fax(data, 40 * 30 - 1) is None
    assert read_fax(data, 40 * 30) is not None
    # What the directory states counts, not what the file holds.
    huge = data.replace(struct.pack("<HHII", 256, 3, 1, 40), struct.pack("<HHII", 256, 4, 1, 2_000_000_000))
    assert huge != data
    with pytest.raises(ImageError, match="pixels"):
        open_sheet(huge)


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_a_sheet_opens_as_its_image_does(mode: str) -> None:
    grey = _sheet(60, 50)
    for kind in ("PNG", "TIFF"):
        buffer = io.BytesIO()
        Image.fromarray(grey).convert(mode).save(buffer, kind)
        np.testing.assert_array_equal(open_sheet(buffer.getvalue())[0], grey)


def _drawn(seed: int = 0) -> np.ndarray:
    """(1200, 900) uint8, lines on white in all parts."""
    several = [np.asarray(draw_design(seed + n, 0).rotate(90 * n)) for n in range(4)]
    return np.where(np.minimum.reduce(several) < 128, np.uint8(0), np.uint8(255))


def _strip(data: bytes) -> tuple[int, int]:
    """Where the first strip of a file begins, and its size."""
    tags = TiffImagePlugin.TiffImageFile(io.BytesIO(data)).tag_v2
    return tags[273][0], tags[279][0]


def _damaged(data: bytes, share: float, change: Callable[[bytes], bytes]) -> bytes:
    """A file with the strip changed from this share of it on."""
    start, size = _strip(data)
    at = start + int(share * size)
    changed = change(data[at : start + size])
    return data[:at] + changed + data[start + size :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "64 zero bytes": lambda part: bytes(64) + part[64:],
    "64 bytes of ones": lambda part: b"\xff" * 64 + part[64:],
    "64 other bytes": lambda part: bytes(np.random.default_rng(5).integers(0, 256, 64, np.uint8)) + part[64:],
    "a flipped bit": lambda part: bytes([part[0] ^ 0x10]) + part[1:],
    "zeros to the end": lambda part: bytes(len(part)),
    "ones to the end": lambda part: b"\xff" * len(part),
    "another's end": lambda part: part[len(part) // 2 :] + bytes(len(part) // 2),
}


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("reversed_bits", [False, True])
def test_what_is_damaged_is_counted_and_white(kind: str, reversed_bits: bool) -> None:
    grey = _drawn()
    data = _tiff(grey, strip_size=1 << 30)
    for share in (0.1, 0.5, 0.95):
        broken = _damaged(data, share, DAMAGE[kind])
        if reversed_bits:
            start, size = _strip(data)
            turned = broken[start : start + size].translate(bytes(int(f"{n:08b}"[::-1], 2) for n in range(256)))
            order = struct.pack("<HHII", 266, 3, 1, 2)
            broken = broken[:start] + turned + broken[start + size :]
            broken = _tag(broken, 284, order)
        read = read_fax(broken, MAX_PIXELS_BILEVEL)
        assert read is not None
        assert 0 < read.gone < len(grey)
        sound = len(grey) - read.gone
        assert (read.grey[sound:] == 255).all()
        # Damage may look like lines for some bits.
        assert (read.grey[:sound] != grey[:sound]).any(axis=1).sum() <= (64 if kind == "64 bytes of ones" else 4)


def _tag(data: bytes, old: int, new: bytes) -> bytes:
    """A file with the entry of one tag replaced; readers do not need their order."""
    at = data.index(struct.pack("<HHII", old, 3, 1, 1))
    return data[:at] + new + data[at + 12 :]


def test_damage_in_one_strip_leaves_the_others() -> None:
    grey = _drawn()
    data = _tiff(grey, tiffinfo={278: 100})
    read = read_fax(_damaged(data, 0.0, DAMAGE["zeros to the end"]), MAX_PIXELS_BILEVEL)
    assert read is not None
    assert 0 < read.gone <= 100
    np.testing.assert_array_equal(read.grey[100:], grey[100:])


def test_a_sheet_without_end_mark_is_sound() -> None:
    """Some programs write none; the last line ends the data then."""
    grey = _drawn()
    data = _tiff(grey, strip_size=1 << 30)
    start, size = _strip(data)
    end = start + size
    # The mark's 24 bits begin within one of the last bytes.
    cut = data.replace(struct.pack("<HHII", 279, 4, 1, size), struct.pack("<HHII", 279, 4, 1, size - 3))
    assert cut != data
    read = read_fax(cut[: end - 3] + bytes(3) + cut[end:], MAX_PIXELS_BILEVEL)
    assert read is not None
    assert read.gone == 0
    np.testing.assert_array_equal(read.grey, grey)


def test_a_damaged_sheet_is_kept_with_a_remark_or_refused() -> None:
    data = _tiff(_drawn(), strip_size=1 << 30)
    last = 1 - 12 / _strip(data)[1]
    grey, remark = open_sheet(_damaged(data, last, DAMAGE["zeros to the end"]), name="D00001")
    assert grey.shape == (1200, 900)
    assert remark is not None
    assert "of 1200 lines cannot be read" in remark
    broken = _damaged(data, 0.3, DAMAGE["64 zero bytes"])
    for way in (open_sheet, open_image):
        with pytest.raises(ImageError, match=r"D00001 is a damaged TIFF file: \d+ of 1200 lines cannot be read"):
            way(broken, name="D00001")


def test_damage_of_other_fax_codings_is_found(capfd: pytest.CaptureFixture[str]) -> None:
    data = _tiff(_drawn(), compression="group3", strip_size=1 << 30)
    np.testing.assert_array_equal(open_sheet(data)[0], _drawn())
    with pytest.raises(ImageError, match="damaged"):
        open_sheet(_damaged(data, 0.2, lambda part: b"\x5a" * len(part)))
    assert capfd.readouterr().err == ""  # libtiff prints nothing, and what it says is in the error


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("coding", ["tiff_ccitt", "group3"])
@pytest.mark.parametrize("black_set", [True, False])
def test_damage_of_lines_that_are_coded_by_themselves(kind: str, coding: str, black_set: bool) -> None:
    """libtiff makes white lines of zeros, and does not miss a line of group 3."""
    grey = _drawn()
    data = _tiff(grey, strip_size=1 << 30, tiffinfo={262: 0 if black_set else 1}, compression=coding)
    read, remark = open_sheet(data)
    np.testing.assert_array_equal(read, grey)
    assert remark is None
    broken = _damaged(data, 0.93, DAMAGE[kind])
    if _said(broken) is None:  # the changed bit gives another line, as long and as well coded
        assert kind == "a flipped bit"
        assert (open_sheet(broken)[0] != grey).any(axis=1).sum() == 1
    if "end" in kind:
        assert "is a damaged TIFF file" in (_said(_damaged(data, 0.3, DAMAGE[kind])) or "")


def _said(data: bytes) -> str | None:
    """The remark on a sheet, or the error; damaged lines are white."""
    try:
        read, remark = open_sheet(data)
    except ImageError as error:
        return error.message
    lines = damaged_lines(data, 1, TiffImagePlugin.TiffImageFile(io.BytesIO(data)))
    assert (read[lines] == 255).all()
    return remark


def test_damage_of_two_dimensional_lines() -> None:
    data = _tiff(_drawn(), compression="group3", strip_size=1 << 30, tiffinfo={292: 1})
    assert open_sheet(data)[1] is None
    assert _said(_damaged(data, 0.9, DAMAGE["64 zero bytes"])) is not None
    assert "damaged" in (_said(_damaged(data, 0.3, DAMAGE["zeros to the end"])) or "")


def test_zeros_are_looked_through_once() -> None:
    """A megabyte of them behind a line, as a file of a hundred pages may have."""
    data = _tiff(_drawn(), compression="group3", strip_size=1 << 30)
    start, size = _strip(data)
    old = struct.pack("<HHII", 279, 4, 1, size)
    assert old in data
    longer = data[: start + size].replace(old, struct.pack("<HHII", 279, 4, 1, size + (1 << 20))) + bytes(1 << 20)
    if start > data.index(old):  # the tags come first
        assert open_sheet(longer)[1] is None


@pytest.mark.parametrize("coding", ["tiff_ccitt", "group3"])
def test_lines_as_another_program_codes_them_are_sound(coding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A white line of no length before each, which nothing forbids; only this test's coder sees a difference."""
    real = faxlines._coded
    monkeypatch.setattr(faxlines, "_coded", lambda lines, each: [b"\x35" + part for part in real(lines, each)])
    read, remark = open_sheet(_tiff(_drawn(), compression=coding, strip_size=1 << 30))
    assert remark is None
    np.testing.assert_array_equal(read, _drawn())


@pytest.mark.parametrize("big", [False, True])
def test_large_files_are_looked_at_as_well(big: bool) -> None:
    data = _tiff(_drawn(), strip_size=1 << 30, big_tiff=big)
    assert read_fax(data, MAX_PIXELS_BILEVEL) is not None
    with pytest.raises(ImageError, match="lines cannot be read"):
        open_sheet(_damaged(data, 0.3, DAMAGE["zeros to the end"]))


def test_a_query_with_a_damaged_sheet_says_so() -> None:
    data = _tiff(_drawn(), strip_size=1 << 30)
    broken = _damaged(data, 1 - 12 / _strip(data)[1], DAMAGE["zeros to the end"])
    (remark,) = read_figures(broken, Reading(), name="a.tif").remarks
    assert remark.startswith("a.tif: the file is damaged: ")
    assert read_figures(data, Reading(), name="a.tif").remarks == ()


def test_bytes_changed_anywhere_give_a_sheet_or_an_error() -> None:
    data = _tiff(_sheet(200, 150))
    rng = np.random.default_rng(1)
    broken = [data[: int(n)] for n in rng.integers(0, len(data), 20)]
    for at, value in zip(rng.integers(0, len(data), 60), rng.integers(0, 256, 60), strict=True):
        broken.append(data[:at] + bytes([value]) + data[at + 1 :])
    errors = 0
    for changed in broken:
        try:
            open_sheet(changed, name="D00001")
        except ImageError:
            errors += 1
    assert 0 < errors < len(broken)
