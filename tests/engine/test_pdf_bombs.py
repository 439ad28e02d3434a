"""Small PDFs that cost much to draw end in one line, and take neither the program down nor its time."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import pytest
from pdf_makers import PdfPage, pdf_bytes

from patsearch.drawings.document import Reading
from patsearch.engine import picture
from patsearch.errors import ImageError

_FORM = "/Type/XObject/Subtype/Form/BBox[0 0 612 792]"
_REFERS = _FORM + "/Resources<</XObject<</N {} 0 R>>>>"
_TIMES = 10


def drawn_within_each_other(depth: int = 12) -> bytes:
    """A form that draws another ten times, which draws another ten times, and so on."""
    page = PdfPage("/I Do", {"I": (_REFERS.format(6), b"/N Do " * _TIMES)})  # objects 3 to 5; the others follow
    inner = [(_REFERS.format(7 + level), b"/N Do " * _TIMES) for level in range(depth)]
    streams = [*inner, (_FORM, b"0 0 100 100 re f ")]
    objects = [f"<<{head}/Length {len(body)}>>stream\n".encode() + body + b"\nendstream" for head, body in streams]
    return pdf_bytes([page], objects=objects)


def within_itself() -> bytes:
    """A form that draws itself."""
    return pdf_bytes([PdfPage("/I Do", {"I": (_REFERS.format(3), b"/N Do ")})])


def inflated() -> bytes:
    """A gigabyte of lines, packed into two megabytes."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(b"0 0 m 9 9 l S " * (1 << 16)) for _ in range(1100)) + packer.flush()
    assert len(packed) < 3 << 20
    return pdf_bytes([PdfPage("/I Do", {"I": (_FORM + "/Filter/FlateDecode", packed)})])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bomb", "said"),
    [
        (drawn_within_each_other, "a.pdf took too long to read. Choose one page: --page N, or export it as PNG."),
        (inflated, "a.pdf (took too long to read|cannot be read: it ended the process)"),
        (within_itself, r"No drawings found in a.pdf \(left out: 1 blank page \(1\)\)."),
    ],
)
def test_a_bomb_ends_in_one_line(bomb: Callable[[], bytes], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bomb()
    monkeypatch.setattr(picture, "_GRACE", 5.0)
    with pytest.raises(ImageError, match=said) as refused:
        picture.Picture("a.pdf", data).read(Reading(seconds=1.0))
    assert "\n" not in str(refused.value)
