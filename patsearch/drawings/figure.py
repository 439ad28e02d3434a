"""What a sheet is turned into: its figures, upright and alone."""

from __future__ import annotations

from dataclasses import dataclass

from patsearch.drawings.grey import Grey

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a sheet.

    Attributes:
        image: (H, W) uint8 grey, white = 255, trimmed to the ink of this figure; label and foreign
            text removed; upright. Large figures may come at a reduced scale (area means), see `sheets`.
        box: left, top, right, bottom on the upright sheet, in pixels of the sheet's own resolution.
        label: the number as the label reads ("1", "2A", "1.1", "3(a)"), None where unread.
    """

    image: Grey
    box: Box
    label: str | None


@dataclass(frozen=True, slots=True)
class SplitSheet:
    """The figures of one sheet in reading order.

    Attributes:
        figures: at least one, even for an empty sheet.
        turned: degrees clockwise applied to make the sheet upright: 0, 90, 180 or 270.
    """

    figures: tuple[Figure, ...]
    turned: int
