"""Finds and reads the text of a sheet that does not belong to its figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from patsearch.drawings.labels import Meaning, canonical, foreseen, meaning, spelling
from patsearch.drawings.lines import LineFinder, TextLine, cut_out, with_marks
from patsearch.drawings.raster import Boxes, Pieces, Raster, union
from patsearch.drawings.reader import Line, read_lines

_FIRST, _MORE = 4, 14  # candidates a pass
_DOUBTFUL = 1.0  # not worth reading: twice what any label of 488 real sheets had
_DOUBTFUL_BESIDE = 0.7  # not worth reading next to a label
_SURE = 0.55
_VERY_SURE = 0.8
_WIDEST_SYMBOL = 2.5  # heights, of a label without a number; a row of dashes reads as few symbols


@dataclass(frozen=True, eq=False)
class SheetText:
    """A line that was read.

        Attributes:
    line: where it is.
            meaning: what it means.
            turn: degrees clockwise by which the sheet must turn for it to be upright.
            sure: mean probability of its symbols.
            text: as read.
            candidate: the line as it was found, before its dots were added.
            start, end: between which shares of its length in reading direction the text was seen.
    """

    line: TextLine
    meaning: Meaning
    turn: int
    sure: float
    text: str
    candidate: TextLine
    start: float = 0.0
    end: float = 1.0


_Key = tuple[int, int, bytes]  # turn, height and members of a line with its marks: all that its reading depends on


@dataclass(frozen=True, eq=False)
class _Page:
    """A sheet, and what has been read of it: several candidates often come to the same line.

    Attributes:
        raster, pieces: the sheet.
        known: the text of each line, None for unreadable ones.
    """

    raster: Raster
    pieces: Pieces
    known: dict[_Key, Line | None] = field(default_factory=dict)


def sheet_text(raster: Raster, pieces: Pieces, expected: Sequence[str]) -> tuple[list[SheetText], list[SheetText]]:
    """The labels of a sheet, and its other text that does not belong to a figure."""
    page = _Page(raster, pieces)
    finder = LineFinder(raster.ink, pieces)

    @cache
    def finish(label: SheetText) -> SheetText:
        return _completed(page, _trimmed(page, label))

    lines = finder.upright
    texts, labels = _search(page, lines, (0,), expected, finish=finish)
    if not any(_plain(label) for label in labels):
        # Most sheets are upright: the other direction is tried where no label stands out.
        lines = finder.every
        more, labels = _search(page, lines, (0, 90), expected, finish=finish, known=texts)
        texts += more
    if not any(label.meaning.number for label in labels):
        turned_texts, turned = _search(page, lines, (180, 270), expected, finish=finish)
        labels = turned if any(label.meaning.number for label in turned) else labels
    if not labels:
        short = [line for line in lines if line.aspect < 1.3 and line.crowding < 0.2][:_FIRST]
        more = texts + _read(page, short, (0,))
        heads = [text.line.members for text in _headers(more, lines, raster)]
        figures = np.delete(pieces.boxes, np.concatenate(heads) if heads else [], axis=0)
        # Of a number on its head, or that runs down the sheet, "1.1" alone is as sure as that.
        dotted = [text for text in turned_texts if "." in (text.meaning.number or "")]
        labels = _bare(figures, more, expected) or _bare(figures, dotted, expected)
    labels = [
        replace(text, meaning=replace(text.meaning, number=spelling(text.meaning.number, expected))) for text in labels
    ]
    labels, repeated = _once_each(labels)
    others = [text for text in texts if _remark(text, labels)]
    others += repeated + _headers(texts, lines, raster)
    return labels, others


def _search(
    page: _Page,
    lines: Sequence[TextLine],
    turns: tuple[int, ...],
    expected: Sequence[str],
    *,
    finish: Callable[[SheetText], SheetText],
    known: Sequence[SheetText] = (),
) -> tuple[list[SheetText], list[SheetText]]:
    """Read the most promising lines that are not known yet; then more, as long as labels may be among them.

    Args:
        finish: trims and completes a label; remembers, as the labels are judged again in each pass.

    Returns:
        What was read, and the labels among that and what was known.
    """
    old = {id(text.candidate) for text in known}
    lines = [line for line in lines if line.aspect >= 1.3 and line.doubt < _DOUBTFUL and id(line) not in old]
    texts = _read(page, lines[:_FIRST], turns)
    labels = _labels([*known, *texts], expected, finish)
    # Other labels look like those found; without any, look further.
    like = [text.line for text in labels]
    more = lines[_FIRST:]
    if like:
        parts = _members(text for text in labels if _plain(text))
        more = [
            line
            for line in more
            if line.doubt < _DOUBTFUL_BESIDE
            and any(_alike(line, other) for other in like)
            and not any(part.issuperset(line.members.tolist()) for part in parts)
        ]
    more = more[:_MORE]
    if more and (like or turns == (0, 90)):
        texts += _read(page, more, turns)
        labels = _labels([*known, *texts], expected, finish)
    return texts, labels


def _read(page: _Page, lines: Sequence[TextLine], turns: tuple[int, ...]) -> list[SheetText]:
    """Read each line as it is: upright ones at turn 0 or 180, the others at 90 or 270."""
    marked: dict[int, tuple[TextLine, int]] = {}  # instead of each candidate, and its turn
    for turn in turns:
        part = [i for i, line in enumerate(lines) if line.upright == (turn % 180 == 0)]
        if part:
            ready = with_marks(page.pieces, [lines[i] for i in part], turn)
            marked.update((i, (line, turn)) for i, line in zip(part, ready, strict=True))
    found = [(lines[i], *marked[i]) for i in sorted(marked)]
    keys = [(turn, line.glyph, line.members.tobytes()) for _, line, turn in found]
    crops = {
        key: cut_out(page.raster, page.pieces, line, turn)
        for key, (_, line, turn) in zip(keys, found, strict=True)
        if key not in page.known
    }
    readable = {key: crop for key, crop in crops.items() if crop is not None}
    page.known.update(dict.fromkeys(crops))
    page.known.update(zip(readable, read_lines(list(readable.values())), strict=True))
    texts = []
    for key, (candidate, line, turn) in zip(keys, found, strict=True):
        if (read := page.known[key]) is not None:
            texts.append(
                SheetText(line, meaning(read.text), turn, read.sure, read.text, candidate, read.start, read.end)
            )
    return texts


def _plain(label: SheetText) -> bool:
    """Whether a label is beyond doubt."""
    certain = label.meaning.number is not None and label.meaning.exact and label.sure >= 0.9
    return certain and label.line.crowding < 0.3 and label.line.glyphs > 1 and label.line.glyph >= 6


def _members(texts: Iterable[SheetText]) -> list[set[int]]:
    return [set(text.line.members.tolist()) for text in texts]


def _alike(line: TextLine, other: TextLine) -> bool:
    return line.upright == other.upright and 0.6 <= line.glyph / other.glyph <= 1.7


def _labels(
    texts: Sequence[SheetText], expected: Sequence[str], finish: Callable[[SheetText], SheetText]
) -> list[SheetText]:
    """Labels with a number, and those without that look just like them."""
    labels = [_worded(text, expected) for text in texts if text.sure >= _SURE]
    labels = [text for text in labels if text.meaning.kind == "label"]
    # The word alone, where it was read with its number too, need not be completed.
    wholes = _members(text for text in labels if _plain(text))
    labels = [
        finish(text)
        for text in labels
        if text.meaning.number is not None or not any(whole.issuperset(text.line.members.tolist()) for whole in wholes)
    ]
    read = [text for text in labels if _convincing(text, expected)]
    if read:  # the labels of a sheet are of one kind
        best = max(read, key=lambda text: (text.meaning.exact, text.sure - text.line.crowding))
        read = [t for t in read if _alike(t.line, best.line) and (t.line.crowding < 0.5 or t.sure >= 0.9)]
    usual = float(np.median([text.line.glyph for text in read])) if read else None
    turns = {text.turn for text in read}
    for text in labels:
        if turns and text.turn not in turns:
            continue
        wide = text.line.aspect > _WIDEST_SYMBOL * len(text.text)
        if text.meaning.number is None and text.sure >= _VERY_SURE and text.line.crowding < 0.15 and not wide:
            glyph = text.line.glyph
            if text.line.glyphs > 1 and (0.7 <= glyph / usual <= 1.4 if usual else glyph >= 8):
                read.append(text)
    return _apart(read, expected)


def _worded(text: SheetText, expected: Sequence[str]) -> SheetText:
    """A number that the grant names, behind a word that was not read, is a label."""
    number, line = text.meaning.number, text.line
    if text.meaning.kind != "bare" or text.start < 0.35 or text.sure < _VERY_SURE or line.crowding > 0.1:
        return text
    if (
        line.aspect < 1.8
        or line.glyphs < 3
        or line.glyph < 6
        or canonical(number or "") not in {canonical(name) for name in expected}
    ):
        return text
    return replace(text, meaning=Meaning("label", number, exact=False))


def _convincing(text: SheetText, expected: Sequence[str]) -> bool:
    """Whether a label was read well enough, given its place and what the grant leads to expect."""
    number, crowding = text.meaning.number, text.line.crowding
    if number is None:
        return False
    if foreseen(number, expected):
        return text.sure >= (_SURE if crowding < 0.5 else _VERY_SURE)
    if text.meaning.exact:
        return text.sure >= (_VERY_SURE if expected or crowding >= 0.5 else _SURE)
    return text.sure >= _VERY_SURE and crowding < 0.2 and not expected


def _apart(labels: Sequence[SheetText], expected: Sequence[str]) -> list[SheetText]:
    """One label of those that share pieces.

    The one whose number the grant names; else the longer number (12C, not 12), else the surer one;
    of like readings the one of fewer pieces.
    """
    names = {canonical(name) for name in expected}

    def rank(label: SheetText) -> tuple[bool, bool, int, float]:
        number = label.meaning.number
        return number is None, canonical(number or "") not in names, -len(number or ""), -label.sure

    kept: list[SheetText] = []
    for label in sorted(labels, key=rank):
        own = set(label.line.members.tolist())
        rivals = [k for k in kept if not own.isdisjoint(k.line.members.tolist())]
        if not rivals:
            kept.append(label)
        elif label.meaning == rivals[0].meaning and len(label.line.members) < len(rivals[0].line.members):
            kept[kept.index(rivals[0])] = label
    return kept


def _trimmed(page: _Page, label: SheetText) -> SheetText:
    """A label without the pieces of a drawing that are in its row before or after the text."""
    line = label.line
    along = 0 if line.upright else 1
    first, length = line.box[along], line.box[along + 2] - line.box[along]
    start, end = label.start, label.end
    if max(start, 1 - end) * length < 1.5 * line.glyph:
        return label
    if label.turn in (90, 180):  # reads against the direction of the axis
        start, end = 1 - end, 1 - start
    boxes = page.pieces.boxes[line.members]
    middle = boxes[:, along] + boxes[:, along + 2] / 2
    slack = 0.7 * line.glyph
    members = line.members[(middle >= first + start * length - slack) & (middle <= first + end * length + slack)]
    if len(members) in (0, len(line.members)):
        return label
    box = union(page.pieces.boxes[members])
    again = _read(page, [replace(line, members=members, box=box)], (label.turn,))
    return again[0] if again and again[0].meaning.kind == "label" else label


def _completed(page: _Page, label: SheetText) -> SheetText:
    """A label whose number is so far away that it was left out is read again with what follows it."""
    if label.meaning.number is not None:
        return label
    line = label.line
    along = 0 if line.upright else 1
    boxes, glyph = page.pieces.boxes, line.glyph
    size = boxes[:, 3 - along]
    top, bottom = line.box[1 - along], line.box[3 - along]
    level = (boxes[:, 1 - along] >= top - glyph // 3) & (boxes[:, 1 - along] + size <= bottom + glyph // 3)
    level &= (size >= 0.4 * glyph) & (size <= 1.5 * glyph) & (boxes[:, along + 2] <= 3 * glyph)
    level[0] = False
    level[line.members] = False
    start, end = boxes[:, along], boxes[:, along] + boxes[:, along + 2]
    onward = label.turn in (0, 270)  # does it read along the axis?
    members, edge = line.members, line.box[along + 2] if onward else line.box[along]
    for _ in range(4):
        gap = start - edge if onward else edge - end
        near = np.flatnonzero(level & (gap >= -1) & (gap <= 3.2 * glyph))
        if not len(near):
            break
        piece = near[gap[near].argmin()]
        level[piece] = False
        members, edge = np.append(members, piece), int(end[piece] if onward else start[piece])
        joined = replace(line, members=members, box=union(boxes[members]))
        again = _read(page, [joined], (label.turn,))
        if again and again[0].meaning.kind == "label" and again[0].meaning.number is not None:
            label = again[0]
        elif label.meaning.number is not None:
            break
    return label


def _bare(figures: Boxes, texts: Sequence[SheetText], expected: Sequence[str]) -> list[SheetText]:
    """Labels without the word: "1.1", or a lone digit that the grant's captions name.

    Args:
        figures: boxes of all pieces but those of running heads; row 0 is paper.
    """
    names = {canonical(name) for name in expected}
    bare = [text for text in texts if text.meaning.kind == "bare" and text.sure >= _SURE]
    bare = [text for text in bare if text.line.crowding < 0.1 and _outermost(text.line, figures)]
    dotted = [
        t for t in bare if "." in (t.meaning.number or "") and (not names or canonical(t.meaning.number or "") in names)
    ]
    if dotted:
        return dotted
    # A stroke reads as 1.
    bare = [text for text in bare if text.sure >= _VERY_SURE and set(text.text) - set("1.,")]
    known = [t for t in bare if canonical(t.meaning.number or "") in names]
    # More than one number without the word: reference numerals.
    numerals = sum(t.meaning.kind in ("bare", "numeral") and t.sure >= _SURE for t in texts)
    return known if len(known) == 1 == numerals else []


def _outermost(line: TextLine, figures: Boxes) -> bool:
    """Whether a line reaches as far out as anything on the sheet, on one side at least."""
    left, top, right, bottom = union(figures[1:])
    box = line.box
    return box[0] <= left + 2 or box[1] <= top + 2 or box[2] >= right - 2 or box[3] >= bottom - 2


def _once_each(labels: Sequence[SheetText]) -> tuple[list[SheetText], list[SheetText]]:
    """Of labels with the same text the largest is the figure's own, smaller ones refer to it.

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


def _remark(text: SheetText, labels: Sequence[SheetText]) -> bool:
    """Whether a line is "Prior Art" or another remark right below or above a label."""
    if text.meaning.kind == "remark" and text.sure > _SURE and labels:
        return True
    if text.meaning.kind == "label" or len(text.text) < 3 or text.line.glyphs < 4 or text.line.crowding >= 0.1:
        return False
    for label in labels:
        a, b = text.line, label.line
        if a.upright != b.upright or not 0.45 <= a.glyph / b.glyph <= 1.3 or a.aspect < 2:
            continue
        along = 0 if a.upright else 1
        gap = max(a.box[1 - along] - b.box[3 - along], b.box[1 - along] - a.box[3 - along])
        shared = min(a.box[along + 2], b.box[along + 2]) - max(a.box[along], b.box[along])
        length = min(a.box[along + 2] - a.box[along], b.box[along + 2] - b.box[along])
        if 0 <= gap <= 1.2 * b.glyph and shared >= 0.8 * length:
            return True
    return False


def _headers(texts: Sequence[SheetText], lines: Sequence[TextLine], raster: Raster) -> list[SheetText]:
    """Running heads with everything in their row, and page numbers at the margin."""
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
