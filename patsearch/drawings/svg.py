"""An SVG as a picture: drawn by resvg, without anything that it takes from elsewhere.

A drawing from a stranger may name files of this machine as its pictures, and resvg would read them: such references
are taken out before it sees them. Text is not drawn: its fonts differ from machine to machine, and labels are removed
from drawings anyway.
"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET

from patsearch.errors import ImageError, ImageTooLarge, PluginError

SIDE = 1600  # pixels of the longer side
MAX_SVG = 16 << 20
_MOST_ELEMENTS = 500_000
_HEAD = 1 << 16
_SVG = re.compile(rb"<(?:\w+:)?svg[\s>]")
_BEGINS = (b"<?xml", b"<!", b"<svg")
# What a reference may lead to: a part of the drawing, or a picture within the file.
_WITHIN = re.compile(r"\s*(?:#|data:image/(?:png|jpe?g|gif|webp);base64,)", re.IGNORECASE)
_LEFT_OUT = {"script", "foreignObject"}


def is_svg(data: bytes) -> bool:
    """Whether a file is an SVG, by its first bytes."""
    head = data[:_HEAD].removeprefix(b"\xef\xbb\xbf").lstrip()
    return head.startswith(_BEGINS) and _SVG.search(head) is not None


def draw_svg(data: bytes, *, name: str, side: int = SIDE) -> tuple[bytes, str | None]:
    """PNG of an SVG on white, and a remark on what is left out of it.

    Args:
        name: what errors call it.
        side: pixels of the longer side.

    Raises:
        ImageError: it is damaged.
        ImageTooLarge: it has more bytes or elements than are drawn.
        PluginError: resvg is not installed.
    """
    if len(data) > MAX_SVG:
        raise ImageTooLarge(
            f"{name} has {len(data):,} bytes; the limit of an SVG is {MAX_SVG:,}.", hint="Export it as PNG."
        )
    try:
        import resvg_py
    except ImportError as error:
        raise PluginError(
            "Reading SVG needs a package that is not installed: resvg-py.", hint="Run: pip install 'patsearch[svg]'."
        ) from error
    try:
        text, told = _within(data, name)
        png = resvg_py.svg_to_bytes(
            svg_string=text, background="white", skip_system_fonts=True, width=side, height=side, dpi=96
        )
    except (ET.ParseError, ValueError, LookupError, RecursionError) as error:
        raise ImageError(f"{name} is a damaged SVG file.", hint="Open it in a viewer and export it as PNG.") from error
    return bytes(png), f"left out: {', '.join(told)}" if told else None


def _within(data: bytes, name: str) -> tuple[str, list[str]]:
    """The text of an SVG without what it takes from elsewhere, and what that was."""
    text = files = 0
    parts = []
    # The parser reads no external entities, and bounds how much internal ones become.
    for count, (_, element) in enumerate(ET.iterparse(io.BytesIO(data), events=("start",)), start=1):  # noqa: S314
        if count > _MOST_ELEMENTS:
            raise ImageTooLarge(f"{name} has more than {_MOST_ELEMENTS:,} elements.", hint="Export it as PNG.")
        parts.append(element)
    for element in parts:
        text += _local(element.tag) == "text"
        for attribute in list(element.attrib):
            if _local(attribute) == "href" and not _WITHIN.match(element.attrib[attribute]):
                del element.attrib[attribute]
                files += _local(element.tag) in ("image", "feImage", "use")
        for child in list(element):
            if _local(child.tag) in _LEFT_OUT:
                element.remove(child)
    told = [f"{text} {'text' if text == 1 else 'texts'}"] if text else []
    told += [f"{files} {'picture' if files == 1 else 'pictures'} of other files"] if files else []
    return ET.tostring(parts[0], encoding="unicode"), told


def _local(name: str) -> str:
    """A name without its namespace."""
    return name.rpartition("}")[2]
