"""Finds and reads the text of a sheet that is no part of its figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from patsearch.drawings.labels import Meaning, canonical, meaning, spelling
from patsearch.drawings.lines import TextLine, cut_out, text_lines, with_marks
from patsearch.drawings.raster import Pieces, Raster, union
from patsearch.drawings.reader import read_lines

_FIRST, _MORE = 8, 14  # candidates a pass: reading is a third of a sheet's time
_SURE = 0.55
_VERY_SURE = 0.8


@dataclass(frozen=True)
class SheetText:
    """A line that was read.

    Attributes:
        line: where it stands.
        meaning: what it means.
        turn: degrees clockwise by which the sheet must turn for it to be upright.
        sure: mean probability of its symbols.
        text: as read.
    """

    line: TextLine
    meaning: Meaning
    turn: int
    sure: float
    text: str


def sheet_text(raster: Raster, pieces: Pieces, expected: Sequence[str]) -> tuple[list[SheetText], list[SheetText]]:
    """The labels of a sheet, and its other text that is no part of a figure."""
    lines = text_lines(raster.ink, pieces)
    long = [line for line in lines if line.aspect >= 1.3][: _FIRST + _MORE]
    texts = _read(raster, pieces, long[:_FIRST], (0, 90))
    labels = _labels(raster, pieces, texts, lines)
    # Where there are labels, others look like them; where there are none, look further.
    more = [line for line in long[_FIRST:] if not labels or any(_alike(line, text.line) for text in labels)]
    if more:
        texts += _read(raster, pieces, more, (0, 90))
        labels = _labels(raster, pieces, texts, lines)
    if not labels:
        turned = _read(raster, pieces, long[:_FIRST], (180, 270))
        labels = _labels(raster, pieces, [text for text in turned if text.sure >= _VERY_SURE], lines)
    if not labels:
        short = [line for line in lines if line.aspect < 1.3 and line.crowding < 0.2][:_FIRST]
        labels = _bare(texts + _read(raster, pieces, short, (0,)), expected)
    labels = [replace(label, meaning=Meaning("label", spelling(label.meaning.number, expected))) for label in labels]
    labels, repeated = _once_each(labels)
    others = [text for text in texts if text.meaning.kind == "remark" and text.sure > _SURE]
    others += repeated + _headers(texts, lines, raster)
    return labels, others


def _read(raster: Raster, pieces: Pieces, lines: Sequence[TextLine], turns: tuple[int, ...]) -> list[SheetText]:
    """Read each line as it stands: upright ones at turn 0 or 180, the others at 90 or 270."""
    found, crops = [], []
    for candidate in lines:
        turn = next((t for t in turns if (t % 180 == 0) == candidate.upright), None)
        if turn is None:
            continue
        line = with_marks(pieces, candidate)
        crop = cut_out(raster, pieces, line, turn)
        if crop is not None:
            found.append((line, turn))
            crops.append(crop)
    return [
        SheetText(line, meaning(read.text), turn, read.sure, read.text)
        for (line, turn), read in zip(found, read_lines(crops), strict=True)
    ]


def _alike(line: TextLine, other: TextLine) -> bool:
    return line.upright == other.upright and 0.6 <= line.glyph / other.glyph <= 1.7 and line.doubt < 1.0


def _labels(raster: Raster, pieces: Pieces, texts: Sequence[SheetText], lines: Sequence[TextLine]) -> list[SheetText]:
    """Labels with a number, and those without that look just like them."""
    labels = [text for text in texts if text.meaning.kind == "label" and text.sure >= _SURE]
    labels = [_completed(raster, pieces, label, lines) for label in labels]
    read = [t for t in labels if t.meaning.number and t.sure >= (_SURE if t.line.crowding < 0.5 else _VERY_SURE)]
    usual = float(np.median([text.line.glyph for text in read])) if read else None
    turns = {text.turn for text in read}
    for text in labels:
        if turns and text.turn not in turns:
            continue
        if text.meaning.number is None and text.sure >= _VERY_SURE and text.line.crowding < 0.15:
            glyph = text.line.glyph
            if text.line.glyphs > 1 and (0.7 <= glyph / usual <= 1.4 if usual else glyph >= 6):
                read.append(text)
    return read


def _completed(raster: Raster, pieces: Pieces, label: SheetText, lines: Sequence[TextLine]) -> SheetText:
    """A label whose number stands so far off that it made a line of its own is read again with it."""
    if label.meaning.number is not None:
        return label
    along = 0 if label.line.upright else 1
    for line in lines:
        if line.upright != label.line.upright or np.isin(line.members, label.line.members).any():
            continue
        gap = line.box[along] - label.line.box[along + 2]
        if label.turn in (90, 180):
            gap = label.line.box[along] - line.box[along + 2]
        middle = sum(line.box[1 - along :: 2]) - sum(label.line.box[1 - along :: 2])
        if 0 <= gap <= 4 * label.line.glyph and abs(middle) <= label.line.glyph:
            members = np.union1d(line.members, label.line.members)
            joined = replace(label.line, members=members, box=union(pieces.boxes[members]))
            again = _read(raster, pieces, [joined], (label.turn,))
            if again and again[0].meaning.kind == "label" and again[0].meaning.number is not None:
                return again[0]
    return label


def _bare(texts: Sequence[SheetText], expected: Sequence[str]) -> list[SheetText]:
    """Labels without the word: "1.1", or a lone digit that the grant's captions name."""
    names = {canonical(name) for name in expected}
    bare = [text for text in texts if text.meaning.kind == "bare" and text.sure >= _SURE]
    bare = [text for text in bare if text.line.crowding < 0.1]
    dotted = [
        t for t in bare if "." in (t.meaning.number or "") and (not names or canonical(t.meaning.number or "") in names)
    ]
    if dotted:
        return dotted
    bare = [text for text in bare if text.sure >= _VERY_SURE]
    known = [t for t in bare if canonical(t.meaning.number or "") in names]
    # More than one number without the word: reference numerals.
    numerals = sum(t.meaning.kind in ("bare", "numeral") and t.sure >= _SURE for t in texts)
    return known if len(known) == 1 == numerals else []


def _once_each(labels: Sequence[SheetText]) -> tuple[list[SheetText], list[SheetText]]:
    """Of labels that read alike the largest is the figure's own, smaller ones refer to it.

    Two of one size are two labels, one of them misread: the less sure one loses its number.
    """
    kept: list[SheetText] = []
    repeated: list[SheetText] = []
    for label in sorted(labels, key=lambda text: (-text.line.glyph, -text.sure)):
        same = [k for k in kept if label.meaning.number and k.meaning.number == label.meaning.number]
        if same and label.line.glyph < 0.85 * same[0].line.glyph:
            repeated.append(label)
        elif same:
            kept.append(replace(label, meaning=Meaning("label")))
        else:
            kept.append(label)
    return kept, repeated


def _headers(texts: Sequence[SheetText], lines: Sequence[TextLine], raster: Raster) -> list[SheetText]:
    """Running heads with everything that stands in their row, and page numbers at the margin."""
    height, width = raster.ink.shape
    found = [text for text in texts if text.meaning.kind == "header" and text.sure > _SURE]
    for text in texts:
        if text.meaning.kind == "page" and text.sure > _VERY_SURE:
            left, top, right, bottom = text.line.box
            if min(top, left, height - bottom, width - right) <= 0.03 * max(height, width):
                found.append(text)
    known = np.concatenate([text.line.members for text in found]) if found else np.empty(0, np.intp)
    rows = []
    for head in [t for t in found if t.meaning.kind == "header"]:
        along = 0 if head.line.upright else 1
        for line in lines:
            overlap = min(line.box[3 - along], head.line.box[3 - along]) - max(
                line.box[1 - along], head.line.box[1 - along]
            )
            if (
                line.upright == head.line.upright
                and overlap > 0.5 * line.glyph
                and not np.isin(line.members, known).any()
            ):
                rows.append(replace(head, line=line, text=""))
    return found + rows
