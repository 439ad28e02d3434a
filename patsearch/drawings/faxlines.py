"""Damage in the fax codings whose lines are coded by themselves: Huffman lines in TIFF (compression 2) and group 3.

libtiff decodes any data: from zeros it makes white lines without a word, and a line of group 3 that is lost is not
missed. But every line has one coding alone. So the lines of the picture are coded again and compared with the data.
In group 3 each line begins with an end-of-line code of eleven zeros, which occurs nowhere else: these are counted.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patsearch.drawings.libtiff import listening
from patsearch.drawings.tiff import (
    COMPRESSION,
    COUNTS,
    OFFSETS,
    ORIENTATION,
    PHOTOMETRIC,
    Strip,
    one,
    strip_file,
    strips,
    tags_at,
    tiff_pages,
)

_HUFFMAN, _GROUP3 = 2, 3
_OPTIONS = 292  # of group 3
_TWO_DIMENSIONAL = 1  # bit of them: most lines are coded by the one above
_END_OF_LINE = re.compile("0{11,}1")
# With more lines that are coded in another way, and none of them missing, it is another program's way.
_OTHER_WAY = 0.5


def damaged_lines(data: bytes, page: int, picture: Image.Image) -> list[int] | None:
    """The lines of a one-bit page that are not what its data say.

    Args:
        data: the whole file.
        page: its number, from 1.
        picture: the page as Pillow decodes it.

    Returns:
        Numbers from 0, each once; as many of the last ones as are missing or too many. None for pages in other codings.
    """
    pages = tiff_pages(data)
    tags = tags_at(data, pages[page - 1][1]) if 1 <= page <= len(pages) else None
    if tags is None or picture.mode != "1" or tags.get(ORIENTATION, [1]) != [1]:
        return None
    coding, parts = one(tags, COMPRESSION), strips(data, tags)
    if coding not in (_HUFFMAN, _GROUP3) or parts is None:
        return None
    # What the coding calls black is white where the photometric tag says so.
    ink = np.asarray(picture) == (one(tags, PHOTOMETRIC) == 1)
    bad: set[int] = set()
    for part in parts:
        lines = ink[part.top : part.top + part.lines]
        if len(lines) != part.lines:
            return None
        if coding == _HUFFMAN:
            found = _unlike(part, lines)
        else:
            found = _uncounted(part, lines, bool(tags.get(_OPTIONS, [0])[0] & _TWO_DIMENSIONAL))
        bad.update(part.top + line for line in found)
    return sorted(bad)


def _unlike(strip: Strip, lines: NDArray[np.bool_]) -> Sequence[int]:
    """The lines of a strip of Huffman lines between those that its data begin and end with."""
    whole = _coded(lines, len(lines))[0]
    data = strip.data
    if data.startswith(whole):
        return ()
    each = _coded(lines, 1)
    end, above = 0, 0
    while above < len(each) and data.startswith(each[above], end):
        end += len(each[above])
        above += 1
    below, end = len(each), len(data)
    while below > above and data.endswith(each[below - 1], 0, end):
        end -= len(each[below - 1])
        below -= 1
    if below - above > _OTHER_WAY * len(each) and _ends_with(strip, lines.shape[1]):
        return ()
    return range(above, below)


def _ends_with(strip: Strip, width: int) -> bool:
    """Whether the data end with the last line, as another program may have coded them: there are no two more."""
    data = strip.data.rstrip(b"\0")

    def has(lines: int) -> bool:
        with listening() as messages:
            try:
                Image.open(io.BytesIO(strip_file(width, lines, data, _HUFFMAN))).load()
            except OSError:
                return False
        return not messages

    # Of what is missing at the end, libtiff makes one line up.
    return has(strip.lines) and not has(strip.lines + 2)


def _uncounted(strip: Strip, lines: NDArray[np.bool_], two_dimensional: bool) -> Sequence[int]:
    """The lines of a strip in group 3 that are coded in another way than its data, and those too few or too many."""
    bits = (np.unpackbits(np.frombuffer(strip.data, np.uint8)) + ord("0")).tobytes().decode("ascii")
    _, *found = _END_OF_LINE.split(bits.rstrip("0"))  # zeros at the end would be tried one by one
    if len(found) < 2:
        return ()  # without end-of-line codes, as some programs write it
    # Two-dimensional lines begin with a bit that says how they are coded; at the end are codes without lines.
    least = 1 if two_dimensional else 0
    while found and len(found[-1].rstrip("0")) <= least:
        found.pop()
    missing = min(abs(len(lines) - len(found)), len(lines))
    if two_dimensional:
        return range(len(lines) - missing, len(lines))
    coded = _as_bits(_coded(lines, 1))
    unlike = [n for n, (is_, ought) in enumerate(zip(found, coded, strict=False)) if is_.rstrip("0") != ought]
    if not missing and len(unlike) > _OTHER_WAY * len(lines):
        return ()
    return sorted({*unlike, *range(len(lines) - missing, len(lines))})


def _as_bits(lines: Sequence[bytes]) -> list[str]:
    """Each without the zeros at its end, which fill a byte."""
    return [f"{int.from_bytes(line, 'big'):0{8 * len(line)}b}".rstrip("0") for line in lines]


def _coded(lines: NDArray[np.bool_], each: int) -> list[bytes]:
    """Lines in Huffman coding, in parts of `each` lines."""
    sheet = io.BytesIO()
    # Pillow sets the bits of what is white, and a bit that is set is black to the coder.
    image = Image.fromarray(lines * np.uint8(255)).convert("1", dither=Image.Dither.NONE)
    image.save(sheet, "TIFF", compression="tiff_ccitt", strip_size=each * -(-lines.shape[1] // 8))
    data = sheet.getvalue()
    tags = tags_at(data, tiff_pages(data)[0][1]) or {}
    places = zip(tags.get(OFFSETS, []), tags.get(COUNTS, []), strict=True)
    return [data[at : at + size] for at, size in places]
