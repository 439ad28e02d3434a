"""How well and how fast sheets are cut into figures.

    python bench/sheets.py DATA [--labelled tests/drawings/labelled_sheets.json] [--json FILE]

DATA is a folder of weekly archives, or one that holds such a folder as `uspto-weekly`. Prints the
CPU time of each stage a sheet and a figure, and, on the sheets that were labelled by eye, the shares
of figures found whole, of numbers read, of sheets turned right, and the labels left in figures.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patsearch.drawings import SplitSheet, name_figures, sheets, split_sheet
from patsearch.drawings.opening import open_image
from patsearch.ingest.sources import Problem, open_source
from patsearch.types import Patent

LABELLED = Path(__file__).parents[1] / "tests" / "drawings" / "labelled_sheets.json"
Mask = NDArray[np.bool_]
_CELL = 4


@dataclass
class Quality:
    """Counts over labelled sheets; `wrong` says in words what went wrong where."""

    figures: int = 0
    whole: int = 0
    numbers: int = 0
    read: int = 0
    misread: int = 0
    sheets: int = 0
    turned: int = 0
    text: int = 0
    text_left: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def whole_share(self) -> float:
        """Share of the figures found whole and alone."""
        return self.whole / self.figures

    @property
    def read_share(self) -> float:
        """Share of the figure numbers read right."""
        return self.read / self.numbers


def measure(quality: Quality, image: Image.Image, split: SplitSheet, truth: dict[str, Any]) -> None:
    """Compare a split sheet with what the eye sees, in cells of 4 by 4 pixels, and count.

    A figure is whole when it holds at least 98 % of the ink in its true box and at most 2 % of its own
    ink is outside. Ink where true boxes overlap counts neither way. Text is left when more than 5 %
    of the ink of its box is found in a figure.
    """
    name = f"{truth['patent']} {truth['sheet']}"
    quality.sheets += 1
    quality.turned += split.turned == truth["turned"]
    if split.turned != truth["turned"]:
        quality.wrong.append(f"{name}: turned by {split.turned}, not {truth['turned']}")
    upright = np.asarray(image.convert("L").rotate(-truth["turned"], expand=True))
    page = _cells(upright)
    claims = [_box_mask(page.shape, figure["box"], 1) for figure in truth["figures"]]
    text = np.zeros_like(page)
    for entry in truth["text"]:
        text |= _box_mask(page.shape, entry["box"], 1)
    cut = [_painted(page.shape, figure.box, figure.image) for figure in split.figures]
    free = set(range(len(cut)))
    for k, figure in enumerate(truth["figures"]):
        quality.figures += 1
        quality.numbers += figure["number"] is not None
        others = np.any([c for j, c in enumerate(claims) if j != k], axis=0) if len(claims) > 1 else np.zeros_like(page)
        true = page & claims[k] & ~text & ~others
        match = max(free, key=lambda i: int((cut[i] & true).sum()), default=None)
        where = f"{name} FIG. {figure['number']}"
        if match is None or split.turned != truth["turned"]:
            quality.wrong.append(f"{where}: not found")
            continue
        free.discard(match)
        recall = (true & _grown(cut[match])).sum() / max(1, true.sum())
        foreign = (cut[match] & ~claims[k]).sum() / max(1, cut[match].sum())
        quality.whole += bool(recall >= 0.98 and foreign <= 0.02)
        if recall < 0.98 or foreign > 0.02:
            quality.wrong.append(f"{where}: {recall:.1%} of its ink, {foreign:.1%} foreign")
        label = split.figures[match].label
        quality.read += figure["number"] is not None and label == figure["number"]
        if figure["number"] is not None and label != figure["number"]:
            quality.misread += label is not None
            quality.wrong.append(f"{where}: read as {label}")
    for i in free:
        quality.wrong.append(f"{name}: a figure too many at {split.figures[i].box}")
    everything = np.any(cut, axis=0)
    for entry in truth["text"]:
        quality.text += 1
        ink = page & _box_mask(page.shape, entry["box"], 0)
        if (ink & everything).sum() > 0.05 * ink.sum():
            quality.text_left += 1
            quality.wrong.append(f"{name}: text left at {entry['box']}")


def _cells(grey: NDArray[np.uint8]) -> Mask:
    """(H/4, W/4): whether any pixel of the cell is ink."""
    height, width = grey.shape
    padded = np.pad(grey < 250, ((0, -height % _CELL), (0, -width % _CELL)))
    rows, columns = padded.shape[0] // _CELL, padded.shape[1] // _CELL
    return np.asarray(padded.reshape(rows, _CELL, columns, _CELL).any(axis=(1, 3)))


def _box_mask(shape: tuple[int, ...], box: list[int], margin: int) -> Mask:
    mask = np.zeros(shape, bool)
    left, top = max(0, box[0] // _CELL - margin), max(0, box[1] // _CELL - margin)
    mask[top : -(-box[3] // _CELL) + margin, left : -(-box[2] // _CELL) + margin] = True
    return mask


def _painted(shape: tuple[int, ...], box: tuple[int, int, int, int], image: NDArray[np.uint8]) -> Mask:
    """The ink of a figure where it stood on its sheet."""
    left, top, right, bottom = box
    page = np.zeros((shape[0] * _CELL, shape[1] * _CELL), np.uint8)
    size = (max(1, right - left), max(1, bottom - top))
    enlarged = cv2.resize((image < 250).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    region = page[top:bottom, left:right]
    region[:] = enlarged[: region.shape[0], : region.shape[1]]
    return np.asarray(page.reshape(shape[0], _CELL, shape[1], _CELL).any(axis=(1, 3)))


def _grown(mask: Mask) -> Mask:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)), dtype=bool)


def patents(data: Path) -> Iterator[Patent]:
    """Every grant of the weekly archives."""
    folder = data / "uspto-weekly" if (data / "uspto-weekly").is_dir() else data
    for unit in open_source(folder).units():
        if not isinstance(unit, Problem):
            yield unit.load()


def quality_of(grants: list[Patent], labelled: list[dict[str, Any]]) -> Quality:
    """Split the labelled sheets as ingest does, a patent at a time, and compare."""
    quality = Quality()
    truth = {(entry["patent"], entry["sheet"]): entry for entry in labelled}
    for patent in grants:
        if not any(number == patent.number for number, _ in truth):
            continue
        names = tuple(caption.figure for caption in patent.captions)
        pages = [open_image(sheet.data) for sheet in patent.sheets]
        splits = [split_sheet(page, expected=names) for page in pages]
        indexed = [i for i, sheet in enumerate(patent.sheets) if not sheet.front_page]
        named = name_figures([splits[i] for i in indexed], patent.captions, patent.figure_count)
        for i, split in zip(indexed, named, strict=True):
            splits[i] = split
        for sheet, page, split in zip(patent.sheets, pages, splits, strict=True):
            if (patent.number, sheet.name) in truth:
                measure(quality, page, split, truth[patent.number, sheet.name])
    return quality


_STAGES = {
    "rasterise": "rasterise",
    "pieces": "pieces_of",
    "find and read text": "sheet_text",
    "share out": "_shares",
    "cut figures": "_figure",
}


@contextmanager
def _timed(times: dict[str, float]) -> Iterator[None]:
    """Add up the CPU seconds of the stages of `split_sheet` while it runs."""

    def wrap(stage: str, function: Any) -> Any:
        def timed(*args: Any, **more: Any) -> Any:
            start = time.process_time()
            try:
                return function(*args, **more)
            finally:
                times[stage] = times.get(stage, 0.0) + time.process_time() - start

        return timed

    with mock.patch.multiple(sheets, **{n: wrap(s, getattr(sheets, n)) for s, n in _STAGES.items()}):
        yield


def timings(grants: list[Patent]) -> dict[str, Any]:
    """CPU milliseconds by stage over all sheets, after one warm-up sheet."""
    cv2.setNumThreads(1)
    times: dict[str, float] = {}
    count = figures = 0
    pixels, spent = [], []
    split_sheet(open_image(grants[0].sheets[0].data))
    for patent in grants:
        names = tuple(caption.figure for caption in patent.captions)
        for sheet in patent.sheets:
            start = time.process_time()
            page = open_image(sheet.data)
            page.load()
            middle = time.process_time()
            times["decode"] = times.get("decode", 0.0) + middle - start
            with _timed(times):
                split = split_sheet(page, expected=names)
            spent.append(time.process_time() - middle)
            count, figures = count + 1, figures + len(split.figures)
            pixels.append(page.width * page.height)
    return {
        "sheets": count,
        "figures": figures,
        "megapixels_median": float(np.median(pixels) / 1e6),
        "split_ms_median": float(np.median(spent) * 1e3),
        "split_ms_mean": float(np.mean(spent) * 1e3),
        "split_ms_p95": float(np.percentile(spent, 95) * 1e3),
        "ms_a_sheet": {stage: seconds / count * 1e3 for stage, seconds in times.items()},
        "ms_a_figure": (sum(spent) + times["decode"]) / figures * 1e3,
    }


def main() -> int:
    """Print quality and timings; exit code 1 where the quality is short of the project's bounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--labelled", type=Path, default=LABELLED)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    grants = list(patents(options.data))
    quality = quality_of(grants, json.loads(options.labelled.read_text()))
    for line in quality.wrong:
        print(line)
    print(f"figures whole    {quality.whole}/{quality.figures} = {quality.whole_share:.1%}")
    print(f"numbers read     {quality.read}/{quality.numbers} = {quality.read_share:.1%}, misread {quality.misread}")
    print(f"sheets upright   {quality.turned}/{quality.sheets}")
    print(f"text left        {quality.text_left}/{quality.text}")
    times = timings(grants)
    print(json.dumps(times, indent=2))
    if options.json:
        options.json.write_text(json.dumps({"quality": asdict(quality), "timings": times}, indent=2))
    return int(quality.whole_share < 0.95 or quality.text_left > 0)


if __name__ == "__main__":
    sys.exit(main())
