"""Files with several pages."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from makers import draw_design
from PIL import Image

from patsearch.drawings.fax import tiff_pages
from patsearch.drawings.grey import to_grey
from patsearch.drawings.opening import count_pages, open_image
from patsearch.drawings.photo import open_sheet
from patsearch.errors import ImageError

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


@pytest.mark.parametrize("data", [b"", b"II*\0", b"II+\0" + bytes(30), b"II*\0\xff\xff\xff\xff", b"\x89PNG\r\n\x1a\n"])
def test_other_files_have_one(data: bytes) -> None:
    assert count_pages(data) == 1
