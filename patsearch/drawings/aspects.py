"""Which side of a thing a caption says that a figure shows."""

from __future__ import annotations

import re

# Words of a caption; the first that occurs decides the view: "front perspective view" is a perspective one.
ASPECTS = {
    "perspective": r"perspective|isometric|three-quarter|oblique",
    "exploded": r"exploded",
    "section": r"section(?:al)?|cross-section",
    "enlarged": r"enlarged|detail",
    "front": r"front|fore",
    "rear": r"rear|back",
    "left": r"left",
    "right": r"right",
    "top": r"top|plan|upper",
    "bottom": r"bottom|underside|lower|underneath",
    "side": r"side|end|profile|elevation(?:al)?",
}
_ASPECT = re.compile("|".join(rf"(?P<{name}>\b(?:{words})\b)" for name, words in ASPECTS.items()), re.IGNORECASE)


def aspects(caption: str) -> tuple[str, ...]:
    """All views that a caption names, in the order of `ASPECTS`: "front perspective view" names two."""
    found = {match.lastgroup for match in _ASPECT.finditer(caption)}
    return tuple(name for name in ASPECTS if name in found)


def aspect(caption: str) -> str:
    """The view that a caption names, one of `ASPECTS`; empty if it names none."""
    return next(iter(aspects(caption)), "")
