"""Figure labels in many hands: `FIG. 1`, `Fig. 1`, `FIGURE 1`.

Three sources of letters that are there on every machine: Pillow's built-in scalable font, OpenCV's
built-in ones, and a stroke alphabet drawn as by hand (`lettering.json`). The fonts of the system are
left alone, so that a seed means the same sheet everywhere.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TypedDict

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from patsearch.synth.dice import Dice
from patsearch.synth.solids import spline

_WORDINGS = ("FIG. {}", "FIG. {}", "FIG. {}", "Fig. {}", "Fig. {}", "FIG.{}", "FIGURE {}", "Figure {}", "fig. {}")
_OPENCV = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
)

_STRAIGHT = frozenset("FIEr471.")


class _Letter(TypedDict):
    """Strokes of capital height 1, y upwards; small letters reach 0.65. A point is a stroke of one point."""

    width: float
    strokes: list[list[tuple[float, float]]]


@cache
def _alphabet() -> dict[str, _Letter]:
    return dict(json.loads(files("patsearch.synth").joinpath("lettering.json").read_text(encoding="utf-8")))


@dataclass(frozen=True, slots=True)
class Lettering:
    """How all labels of one design are written.

    Attributes:
        wording: with `{}` where the number goes.
        height: of capitals, pixels.
        source: "pillow", "opencv" or "strokes".
        face: which of OpenCV's fonts.
        weight: stroke width as a share of the height.
        slant: shear to the right.
        stretch: factor of the width.
        underlined: a line below.
    """

    wording: str
    height: int
    source: str = "pillow"
    face: int = 0
    weight: float = 0.1
    slant: float = 0.0
    stretch: float = 1.0
    underlined: bool = False

    @classmethod
    def draw(cls, dice: Dice, *, scale: float = 1.0) -> Lettering:
        """A random hand. Labels are 30 to 64 pixels high at 300 dpi; `scale` is the sheet's size against that."""
        return cls(
            wording=dice.pick(*_WORDINGS),
            height=max(12, round(dice.between(30, 64) * scale)),
            source=dice.pick("pillow", "pillow", "opencv", "strokes"),
            face=dice.pick(*_OPENCV),
            weight=dice.between(0.07, 0.16),
            slant=dice.between(0.12, 0.3) if dice.chance(0.3) else 0.0,
            stretch=dice.between(0.8, 1.25),
            underlined=dice.chance(0.06),
        )

    def write(self, figure: str, rng: np.random.Generator) -> NDArray[np.uint8]:
        """(h, w) uint8, black on white, cropped to the ink.

        Args:
            rng: moves the strokes of the hand-drawn alphabet; the other letters do not use it.
        """
        text = self.wording.format(figure)
        if self.source == "strokes":
            page = self._strokes(text, rng)
        elif self.source == "opencv":
            page = self._opencv(text)
        else:
            page = self._pillow(text)
        high, wide = page.shape
        shear = np.array([[self.stretch, -self.slant, self.slant * high], [0, 1, 0]])
        size = (int(wide * self.stretch + self.slant * high) + 2, high)
        sheared = cv2.warpAffine(page, shear, size, flags=cv2.INTER_LINEAR, borderValue=(255.0,)) < 128
        ink = np.argwhere(sheared)
        (top, left), (bottom, right) = ink.min(axis=0), ink.max(axis=0) + 1
        label = np.where(sheared[top:bottom, left:right], 0, 255).astype(np.uint8)
        if self.underlined:
            bar = max(2, round(self.height * 0.06))
            label = np.pad(label, ((0, 3 * bar), (0, 0)), constant_values=255)
            label[-bar:] = 0
        return label

    def _pillow(self, text: str) -> NDArray[np.uint8]:
        font = ImageFont.load_default(self.height / 0.7)
        bold = int(self.weight * self.height * 0.35) if self.weight > 0.12 else 0
        box = font.getbbox(text, stroke_width=bold)
        page = Image.new("L", (int(box[2] - box[0]) + 8, int(box[3] - box[1]) + 8), 255)
        ImageDraw.Draw(page).text((4 - box[0], 4 - box[1]), text, 0, font, stroke_width=bold)
        return np.array(page)

    def _opencv(self, text: str) -> NDArray[np.uint8]:
        thickness = max(1, round(self.weight * self.height))
        factor = self.height / 21
        (wide, high), below = cv2.getTextSize(text, self.face, factor, thickness)
        page = np.full((high + below + 4 * thickness + 8, wide + 4 * thickness + 8), 255, np.uint8)
        where = (2 * thickness + 4, high + 2 * thickness + 2)
        cv2.putText(page, text, where, self.face, factor, (0.0,), thickness, cv2.LINE_AA)
        return page

    def _strokes(self, text: str, rng: np.random.Generator) -> NDArray[np.uint8]:
        margin, x = self.height, 0.0
        lines = []
        for character in text:
            letter = _alphabet()[character]
            for stroke in letter["strokes"]:
                points = np.array(stroke, np.float64) + rng.normal(0, 0.018, (len(stroke), 2)) + (x, 0.0)
                curve = points if character in _STRAIGHT or len(points) < 3 else spline(points, 8 * len(points))
                lines.append(np.column_stack([curve[:, 0], 1 - curve[:, 1]]) * self.height + margin)
            x += letter["width"] + 0.22
        page = np.full((int(3 * margin), int(x * self.height) + 2 * margin), 255, np.uint8)
        thickness = max(2, round(self.weight * self.height))
        for line in lines:
            cv2.polylines(
                page, [np.rint(line * 16).astype(np.int32)], len(line) == 1, (0.0,), thickness, cv2.LINE_AA, 4
            )
        return page
