"""One patent in a worker process: unpack, decode, split, shrink, encode, thumbnail."""

from __future__ import annotations

import hashlib
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patsearch.drawings import SplitSheet, name_figures, split_sheet, whole_sheet
from patsearch.drawings.document import FRAMES, LOST_PAGES
from patsearch.drawings.opening import count_pages, has_frames
from patsearch.drawings.photo import open_sheet
from patsearch.drawings.sheets import LONGEST_SIDE
from patsearch.drawings.thumbnail import thumbnail
from patsearch.drawings.tiff import has_lost_pages
from patsearch.encoder import Encoder, load_encoder
from patsearch.encoder.base import ArrayEncoder, Embeddings
from patsearch.encoder.preprocess import Preprocessing, is_blank, preprocess
from patsearch.errors import PatsearchError
from patsearch.ingest.sources import Problem, Unit
from patsearch.types import Drawing, Patent, Sheet

_ENCODE_BATCH = 16  # larger batches gain nothing on one thread and hold more memory
_TAKEN = np.empty((0, 0), np.uint8)  # instead of a figure's image that is no longer needed
_SAFE = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What a worker needs to know; it is sent to each once.

    Attributes:
        encoder: name of the encoder that each worker loads for itself; None where the main process
            encodes (an encoder on a GPU, one that cannot be loaded by its name).
        preprocessing: what to make of the figures where the main process encodes; None where its
            encoder needs the images themselves.
        thumbnails: make them; a cache of drawings for training needs none.
        data_only: read what is known of patents, and none of their sheets.
        full_size: where the main process's encoder needs images, it needs them as large as on the sheet.
    """

    encoder: str | None
    preprocessing: Preprocessing | None
    whole_sheets: bool = False
    front_pages: bool = False
    thumbnails: bool = True
    full_size: bool = False
    data_only: bool = False


@dataclass(slots=True)
class UnitResult:
    """One patent, ready to be stored.

    Attributes:
        figures: (N, size, size) uint8 or images, where the main process still has to encode.
        vectors: (N, dim) float32, where the worker encoded.
        thumbnails: drawing id (front pages too) and PNG bytes.
        problems: sheets that could not be read.
        remarks: what was left out by rule.
        known: the patent's data, where nothing else was requested.
        failed: why nothing of the patent could be read, None where it could.
        stages: CPU seconds by stage.
    """

    patent: str = ""
    drawings: list[Drawing] = field(default_factory=list)
    figures: NDArray[np.uint8] | list[Image.Image] | None = None
    vectors: Embeddings | None = None
    thumbnails: list[tuple[str, bytes]] = field(default_factory=list)
    sheets: int = 0
    problems: list[Problem] = field(default_factory=list)
    remarks: list[Problem] = field(default_factory=list)
    known: Patent | None = None
    failed: str | None = None
    stages: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))


class Worker:
    """Processes units one after another. Runs in a worker process, or in the caller's for tests."""

    def __init__(self, settings: WorkerSettings) -> None:
        self.settings = settings
        self.encoder = load_encoder(settings.encoder, threads=1) if settings.encoder else None
        encoder = self.encoder
        self.preprocessing = encoder.preprocessing if isinstance(encoder, ArrayEncoder) else settings.preprocessing
        # Windows are cut out of a drawing as it is on the sheet.
        spec = encoder.card.preprocessing if encoder else self.preprocessing
        self._longest = None if settings.full_size or (spec and spec.windows) else LONGEST_SIDE

    def process(self, unit: Unit) -> UnitResult:
        """Everything for one unit; never raises what a bad file can cause."""
        result = UnitResult()
        only = self.settings.data_only
        try:
            with _timed(result.stages, "unpack"):
                patent = unit.known() if only else unit.load()
            result.patent = patent.number
            where = f"{unit.origin}: {unit.key}"
            result.problems = [Problem(where, text) for text in patent.problems]
            result.remarks = [Problem(where, text, expected=True) for text in patent.remarks]
            if only:
                result.known = patent
                return result
            self._figures(unit, patent, result)
            self._encode(result)
        except (PatsearchError, OSError, MemoryError) as error:
            text = str(error) or type(error).__name__
            result = UnitResult(patent=result.patent, failed=text, stages=result.stages)
        return result

    def _figures(self, unit: Unit, patent: Patent, result: UnitResult) -> None:
        made: list[NDArray[np.uint8]] = []
        pictures: list[bytes] = []
        sheets: list[Sheet] = []
        splits: list[SplitSheet] = []
        slug = _slug(patent.number)
        expected = [caption.figure for caption in patent.captions]
        _say_what_is_not_read(unit, patent.sheets, result)
        for sheet, page in _pages(patent.sheets):
            try:
                with _timed(result.stages, "decode"):
                    image, remark = open_sheet(sheet.data, name=sheet.name, page=page)
                if remark is not None:
                    result.problems.append(Problem(f"{unit.origin}: {unit.key}: {sheet.name}", remark))
                result.sheets += 1
                if sheet.front_page and not self.settings.front_pages:
                    with _timed(result.stages, "thumbnail"):
                        result.thumbnails.append(
                            (f"{slug}-{sheet.name}", thumbnail(whole_sheet(image).figures[0].image))
                        )
                    continue
                with _timed(result.stages, "split"):
                    split = self._split(image, expected)
                if _is_blank(split):
                    result.problems.append(Problem(f"{unit.origin}: {unit.key}: {sheet.name}", "the sheet is blank"))
                    continue
                # One sheet after another: figures as large as sheets are too much for the memory, by the hundred.
                arrays, shown = self._prepared([figure.image for figure in split.figures], result)
                made += arrays
                pictures += shown
                sheets.append(sheet)
                splits.append(replace(split, figures=tuple(replace(f, image=_TAKEN) for f in split.figures)))
            except (PatsearchError, OSError, MemoryError) as error:
                reason = str(error) or type(error).__name__
                result.problems.append(Problem(f"{unit.origin}: {unit.key}: {sheet.name}", reason))
        with _timed(result.stages, "split"):
            if not self.settings.whole_sheets:
                splits = name_figures(splits, patent.captions, patent.figure_count)
        result.drawings = self._drawings(unit, patent, sheets, splits)
        if self.settings.thumbnails:
            result.thumbnails += [(d.id, png) for d, png in zip(result.drawings, pictures, strict=True)]
        if self.preprocessing is None:
            result.figures = [Image.fromarray(image) for image in made]
        else:
            size = self.preprocessing.size
            result.figures = np.stack(made) if made else np.empty((0, size, size), np.uint8)

    def _drawings(
        self, unit: Unit, patent: Patent, sheets: Sequence[Sheet], splits: Sequence[SplitSheet]
    ) -> list[Drawing]:
        """The drawings of the sheets, with the number and view of each."""
        found: list[Drawing] = []
        slug = _slug(patent.number)
        views = {caption.figure: caption.view for caption in patent.captions}
        for sheet, split in zip(sheets, splits, strict=True):
            for number, figure in enumerate(split.figures, start=1):
                suffix = "" if self.settings.whole_sheets else f"-{number}"
                drawing = _drawing(patent, unit, f"{slug}-{sheet.name}{suffix}", sheet, split.turned)
                if self.settings.whole_sheets:
                    drawing = replace(drawing, figure=sheet.figure or None, view=sheet.view or None)
                else:
                    # What the source says of a sheet's only figure counts more than what is read on it.
                    label = (sheet.figure if len(split.figures) == 1 else "") or figure.label or None
                    view = views.get(label or "") or sheet.view or None
                    drawing = replace(drawing, figure=label, view=view, box=figure.box)
                found.append(drawing)
        return found

    def _split(self, image: NDArray[np.uint8], expected: Sequence[str]) -> SplitSheet:
        if self.settings.whole_sheets:
            return whole_sheet(image, longest=self._longest)
        return split_sheet(image, expected=expected, longest=self._longest)

    def _prepared(
        self, images: list[NDArray[np.uint8]], result: UnitResult
    ) -> tuple[list[NDArray[np.uint8]], list[bytes]]:
        """Figures as the encoder takes them, and their thumbnails."""
        with _timed(result.stages, "thumbnail"):
            pictures = [thumbnail(image) for image in images] if self.settings.thumbnails else []
        if self.preprocessing is None:
            return images, pictures
        with _timed(result.stages, "shrink"):
            return [preprocess(image, self.preprocessing) for image in images], pictures

    def _encode(self, result: UnitResult) -> None:
        if self.encoder is None or result.figures is None:
            return
        with _timed(result.stages, "encode"):
            result.vectors = encode(self.encoder, result.figures)
        result.figures = None


def encode(encoder: Encoder, figures: NDArray[np.uint8] | list[Image.Image]) -> Embeddings:
    """(N, dim) vectors of figures that a worker prepared, in batches."""
    parts = [np.empty((0, encoder.card.dim), np.float32)]
    for start in range(0, len(figures), _ENCODE_BATCH):
        batch: Any = figures[start : start + _ENCODE_BATCH]
        if isinstance(encoder, ArrayEncoder) and isinstance(batch, np.ndarray):
            parts.append(encoder.encode_arrays(batch))
        else:
            parts.append(encoder.encode_batch(batch))
    return np.concatenate(parts)


def _pages(sheets: Sequence[Sheet]) -> Iterator[tuple[Sheet, int]]:
    """Each page of each file as a sheet, with its number in the file; the first keeps the file's name."""
    names = {sheet.name for sheet in sheets}
    for sheet in sheets:
        yield sheet, 1
        for page in range(2, count_pages(sheet.data) + 1):
            name = f"{sheet.name}-page{page}"
            while name in names:
                name += "-2"
            names.add(name)
            yield replace(sheet, name=name), page


def _say_what_is_not_read(unit: Unit, sheets: Sequence[Sheet], result: UnitResult) -> None:
    """Pages that a file only says it has, and the further pictures of animations."""
    for sheet in sheets:
        where = f"{unit.origin}: {unit.key}: {sheet.name}"
        if has_lost_pages(sheet.data):
            result.problems.append(Problem(where, LOST_PAGES))
        if has_frames(sheet.data):
            result.remarks.append(Problem(where, FRAMES, expected=True))


def _is_blank(split: SplitSheet) -> bool:
    return all(is_blank(figure.image) for figure in split.figures)


def _drawing(patent: Patent, unit: Unit, drawing_id: str, sheet: Sheet, turned: int) -> Drawing:
    return Drawing(
        id=drawing_id,
        patent=patent.number,
        sheet=sheet.name,
        front_page=sheet.front_page,
        turned=turned,
        title=patent.title,
        kind=patent.kind,
        granted=patent.granted,
        filed=patent.filed,
        classes=patent.classes,
        source=sheet.origin or unit.origin,
        bibliography=patent.bibliography,
    )


def _slug(number: str) -> str:
    """The patent's number as the safe beginning of ids; unequal numbers never share one."""
    safe = _SAFE.sub("_", number)
    return safe if safe == number else f"{safe}-{hashlib.blake2b(number.encode(), digest_size=4).hexdigest()}"


@contextmanager
def _timed(stages: defaultdict[str, float], stage: str) -> Iterator[None]:
    start = time.process_time()
    try:
        yield
    finally:
        stages[stage] += time.process_time() - start


# ---------------------------------------------------------------------- the worker process

_worker: Worker | None = None


def start_worker(settings: WorkerSettings) -> None:
    """Initialise a worker process: one thread each, the encoder loaded once."""
    global _worker  # noqa: PLW0603 - the one piece of state of a worker process
    cv2.setNumThreads(1)
    _worker = Worker(settings)


def run_unit(unit: Unit) -> UnitResult:
    """Process one unit in this worker process."""
    if _worker is None:
        raise RuntimeError("start_worker has not run in this process")
    return _worker.process(unit)
