"""Files with several pages."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

import numpy as np
import pytest
from makers import draw_design
from PIL import Image

from patsearch.drawings.document import FRAMES, LOST_PAGES, Reading, read_figures
from patsearch.drawings.grey import to_grey
from patsearch.drawings.opening import count_pages, open_image
from patsearch.drawings.photo import open_sheet
from patsearch.drawings.tiff import has_lost_pages, tiff_pages
from patsearch.errors import ImageError
from patsearch.ingest.sources import Unit
from patsearch.ingest.worker import Worker, WorkerSettings
from patsearch.types import Patent, Sheet

KINDS = {"group4": "1", "group3": "1", "tiff_lzw": "L", "jpeg": "RGB"}


def paged(pages: list[Image.Image], mode: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    first, *others = (page.convert(mode) for page in pages)
    first.save(buffer, "TIFF", save_all=True, append_images=others, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("compression", KINDS)
@pytest.mark.parametrize("big", [False, True])
def test_every_page_is_read(compression: str, big: bool) -> None:
    drawn = [draw_design(n, 0, (500 + n, 700)) for n in range(3)]
    data = paged(drawn, KINDS[compression], compression=compression, big_tiff=big)
    assert count_pages(data) == 3
    for number, page in enumerate(drawn, start=1):
        read, remark = open_sheet(data, page=number)
        assert remark is None
        assert read.shape == (700, page.width)
        np.testing.assert_array_equal(read, to_grey(open_image(data, page=number)))
        assert np.abs(read.astype(int) - np.asarray(page)).mean() < 12
    for number in (0, 4):
        with pytest.raises(ImageError, match=f"no page {number}.*has 3"):
            open_sheet(data, page=number)


@pytest.mark.parametrize("kind", [1, 4])
def test_thumbnails_and_masks_are_not_pages(kind: int) -> None:
    small, large = draw_design(1, 0, (60, 80)), draw_design(1, 0, (500, 700))
    data = paged([small, large], "1", compression="group4", tiffinfo={254: kind})
    # The option is of all pages: the last directory becomes a page again.
    at = data.rindex(struct.pack("<HHII", 254, 4, 1, kind))
    data = data[:at] + struct.pack("<HHII", 254, 4, 1, 0) + data[at + 12 :]
    assert [frame for frame, _ in tiff_pages(data)] == [1]
    assert count_pages(data) == 1
    assert open_sheet(data)[0].shape == (700, 500)
    assert open_image(data).size == (500, 700)


def test_pages_that_lead_in_a_circle_end() -> None:
    data = bytearray(paged([draw_design(n, 0, (60, 80)) for n in range(2)], "1", compression="group4"))
    first, second = (offset for _, offset in tiff_pages(bytes(data)))
    (count,) = struct.unpack_from("<H", data, second)
    struct.pack_into("<I", data, second + 2 + 12 * count, first)
    assert count_pages(bytes(data)) == 2


@pytest.mark.parametrize("big", [False, True])
def test_pages_that_a_file_only_says_it_has(big: bool) -> None:
    """Cut where its last page begins: what is left is sound, and is not all."""
    data = paged([draw_design(n, 0, (500, 700)) for n in range(3)], "1", compression="group4", big_tiff=big)
    assert not has_lost_pages(data)
    cut = data[: tiff_pages(data)[-1][1]]
    assert has_lost_pages(cut)
    assert count_pages(cut) == 2
    read = read_figures(cut, Reading(split=False), name="a.tif")
    assert [figure.page for figure in read.figures] == [1, 2]
    assert read.remarks[-1] == f"a.tif: {LOST_PAGES}"
    unit = _Made(key="a", fingerprint="", origin="own", size=0, sheets=(Sheet("a", cut),))
    result = Worker(WorkerSettings(None, None)).process(unit)
    assert (len(result.drawings), [str(problem) for problem in result.problems]) == (2, [f"own: a: a: {LOST_PAGES}"])


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_further_pictures_of_an_animation_are_said(kind: str) -> None:
    first, *others = (draw_design(n, 0, (300, 400)).convert("RGB") for n in range(3))
    buffer = io.BytesIO()
    first.save(buffer, kind, save_all=True, append_images=others)
    data = buffer.getvalue()
    assert read_figures(data, Reading(), name="a").remarks == (f"a: {FRAMES}",)
    unit = _Made(key="a", fingerprint="", origin="own", size=0, sheets=(Sheet("a", data),))
    result = Worker(WorkerSettings(None, None)).process(unit)
    assert (result.problems, [str(remark) for remark in result.remarks]) == ([], [f"own: a: a: {FRAMES}"])
    buffer = io.BytesIO()
    first.save(buffer, kind)
    assert read_figures(buffer.getvalue(), Reading(), name="a").remarks == ()


@dataclass(frozen=True, kw_only=True)
class _Made(Unit):
    sheets: tuple[Sheet, ...]

    def load(self) -> Patent:
        return Patent(number=self.key, sheets=self.sheets)


@pytest.mark.parametrize("data", [b"", b"II*\0", b"II+\0" + bytes(30), b"II*\0\xff\xff\xff\xff", b"\x89PNG\r\n\x1a\n"])
def test_other_files_have_one(data: bytes) -> None:
    assert count_pages(data) == 1
