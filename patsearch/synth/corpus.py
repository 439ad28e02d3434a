"""Writing a corpus: the office's weekly archives, the DeepPatent layout, or plain images.

The same seed gives the same bytes with any number of processes: a design follows from seed and
number alone, and archives carry the day of the issue as their only time.
"""

from __future__ import annotations

import csv
import io
import json
import signal
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, time
from functools import partial
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal, get_args

import cv2

from patsearch.errors import UsageError
from patsearch.files import new_parents, storage_errors
from patsearch.lock import scratch_folder
from patsearch.synth.design import STYLE as STYLE_STREAM
from patsearch.synth.design import Design, Plan, make_design, plan_design, render_views
from patsearch.synth.families import FAMILIES
from patsearch.synth.grant import FIRST_NUMBER, Grant, captions, grant_of, grant_xml
from patsearch.synth.sheets import FULL_SIZE, DrawnSheet, PlacedFigure, draw_sheets, png_bytes, tiff_bytes

Layout = Literal["uspto", "deeppatent", "images"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
SIDECAR = "designs.jsonl"
_SCRATCH = "synth"  # of what a killed run left

_DEFAULT_SIZE: dict[Layout, int] = {"uspto": FULL_SIZE, "deeppatent": 512, "images": 512}
_SMALLEST, _LARGEST = 64, 3000
_QUERIES = 2  # of each design's drawings, in the DeepPatent layout's lists


@dataclass(frozen=True, slots=True)
class CorpusReport:
    """What `write_corpus` wrote.

    Attributes:
        files: paths of what a source reads, relative to the folder.
    """

    out: Path
    layout: Layout
    seed: int
    designs: int
    drawings: int
    sheets: int
    near_duplicates: int
    families: dict[str, int]
    files: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"out": str(self.out), "files": list(self.files)}


@dataclass(frozen=True, slots=True)
class _Made:
    """One finished design on its way from a worker: its files by path within the corpus, and its record."""

    granted: date
    stem: str
    files: tuple[tuple[str, bytes], ...] = field(repr=False)
    record: dict[str, Any] = field(repr=False)


def rebuild(record: Mapping[str, Any]) -> Design:
    """The design of a line of `designs.jsonl`, made again."""
    near = record["near_duplicate_of"]
    original = None if near is None else int(str(near)[3:]) - FIRST_NUMBER
    return make_design(Plan(record["seed"], record["index"], FAMILIES[record["family"]], original))


def write_corpus(
    out: Path,
    *,
    designs: int,
    seed: int = 0,
    layout: str = "uspto",
    processes: int = 1,
    size: int | None = None,
    families: Sequence[str] | None = None,
    near_duplicates: float = 0.1,
    weekly: int = 50,
    on_progress: Callable[[int, int], None] | None = None,
) -> CorpusReport:
    """Write designs, numbered from USD9000001, and `designs.jsonl` next to them.

    Args:
        out: a folder that is empty or does not exist.
        layout: "uspto" (weekly archives with grants and TIFF sheets), "deeppatent" (a PNG a figure and
            its list files) or "images" (a folder a design and `metadata.csv`).
        processes: workers; 1 works in this process.
        size: longer side of a drawing in pixels; 1500 for sheets at 300 dpi, 512 for single figures.
        families: names of those to draw from, None for all.
        near_duplicates: share of the designs that repeat an earlier one in other proportions.
        weekly: designs granted in one week.
        on_progress: called after each design with the numbers done and requested.

    Raises:
        UsageError: the folder is not empty, or an argument makes no sense.
        StorageError: it cannot be written; nothing is left.
        PluginError: numba or mapbox-earcut is not installed.
    """
    # Compiled here once, if at all: workers that start together find it done.
    from patsearch.models import _kernels  # noqa: F401

    kind = _known(layout)
    size = _checked_size(kind, size)
    if designs < 1 or processes < 1 or weekly < 1:
        raise UsageError("Invalid --designs, --processes or --weekly: each is at least 1.")
    _refuse_unless_empty(out)
    plans = [plan_design(seed, i, families=families, near_duplicates=near_duplicates) for i in range(designs)]
    make = partial(_make, layout=kind, size=size, weekly=weekly)
    records: list[dict[str, Any]] = []

    def counted() -> Iterator[_Made]:
        for made in _mapped(make, plans, processes):
            records.append(made.record)
            yield made
            if on_progress is not None:
                on_progress(len(records), designs)

    with (
        storage_errors(f"Writing {out}"),
        new_parents(out / SIDECAR),
        scratch_folder(out / SIDECAR, _SCRATCH) as scratch,
    ):
        folder = scratch / "corpus"
        folder.mkdir()
        files = _write_weeks(folder, counted()) if kind == "uspto" else _write_folders(folder, counted())
        files += _write_lists(folder, kind, records)
        with (folder / SIDECAR).open("w", encoding="utf-8", newline="\n") as sidecar:
            sidecar.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        for path in sorted(folder.iterdir(), key=lambda path: path.name == SIDECAR):  # where it is, all is
            path.rename(out / path.name)
    counts = [record["family"] for record in records]
    return CorpusReport(
        out=out,
        layout=kind,
        seed=seed,
        designs=designs,
        drawings=sum(len(record["figures"]) for record in records),
        sheets=sum(record["sheets"] for record in records),
        near_duplicates=sum(record["near_duplicate_of"] is not None for record in records),
        families={name: counts.count(name) for name in sorted(set(counts))},
        files=tuple(files),
    )


def _known(layout: str) -> Layout:
    for known in LAYOUTS:
        if layout == known:
            return known
    raise UsageError(f"Invalid --layout {layout!r}: expected {', '.join(LAYOUTS)}.")


def _checked_size(layout: Layout, size: int | None) -> int:
    chosen = _DEFAULT_SIZE[layout] if size is None else size
    if not _SMALLEST <= chosen <= _LARGEST:
        raise UsageError(f"Invalid --size {chosen}: expected {_SMALLEST} to {_LARGEST} pixels.")
    return chosen


def _refuse_unless_empty(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is not a folder.", hint="Give --out a folder to write to.")
    if out.is_dir() and not all(path.name.startswith(f".{_SCRATCH}-") for path in out.iterdir()):
        raise UsageError(f"{out} is not empty.", hint="Name a new folder, or remove its contents.")


def _mapped(make: Callable[[Plan], _Made], plans: list[Plan], processes: int) -> Iterable[_Made]:
    if processes == 1:
        return map(make, plans)
    return _pooled(make, plans, min(processes, len(plans)))


def _pooled(make: Callable[[Plan], _Made], plans: list[Plan], processes: int) -> Iterator[_Made]:
    # Families travel by name: their builders are registered again in each worker.
    tasks = [(p.seed, p.index, p.family.name, p.near_duplicate_of) for p in plans]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_single_threaded) as pool:
        try:
            yield from pool.map(partial(_from_task, make=make), tasks, chunksize=1)
        finally:
            pool.shutdown(cancel_futures=True)


def _single_threaded() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process ends the others
    cv2.setNumThreads(1)


def _from_task(task: tuple[int, int, str, int | None], make: Callable[[Plan], _Made]) -> _Made:
    seed, index, name, near_duplicate_of = task
    return make(Plan(seed, index, FAMILIES[name], near_duplicate_of))


def _make(plan: Plan, *, layout: Layout, size: int, weekly: int) -> _Made:
    design = make_design(plan)
    grant = grant_of(design, plan.index // weekly)
    record = _record(design, grant)
    if layout == "uspto":
        sheets = list(draw_sheets(design, size=size))
        record["sheets"] = len(sheets) - 1  # as the grant counts: without the front page
        record["figures"] = [_figure_record(s, f) for s in sheets if s.name != "D00000" for f in s.figures]
        name = f"{grant.stem}.ZIP"
        return _Made(grant.granted, grant.stem, ((name, _grant_zip(design, grant, sheets)),), record)
    drawings = render_views(design.mesh, design.views, plan.rng(STYLE_STREAM), size=size, unclaimed=design.unclaimed)
    folder = f"I{grant.granted:%Y%m%d}/{grant.stem}/{grant.stem}-D" if layout == "deeppatent" else f"{grant.number}/"
    width = 5 if layout == "deeppatent" else 1
    names = [f"{folder}{i:0{width}d}.png" for i in range(1, len(drawings) + 1)]
    record["sheets"] = len(drawings)
    record["figures"] = [
        {"figure": str(i), "view": view.name, "file": name}
        for i, (view, name) in enumerate(zip(design.views, names, strict=True), 1)
    ]
    files = tuple((name, png_bytes(drawing)) for name, drawing in zip(names, drawings, strict=True))
    return _Made(grant.granted, grant.stem, files, record)


def _record(design: Design, grant: Grant) -> dict[str, Any]:
    """A line of `designs.jsonl`."""
    other = design.plan.near_duplicate_of
    return {
        "patent": grant.number,
        "title": grant.title,
        "family": design.family.name,
        "seed": design.plan.seed,
        "index": design.index,
        "near_duplicate_of": None if other is None else f"USD{FIRST_NUMBER + other}",
        "granted": grant.granted.isoformat(),
        "filed": grant.filed.isoformat(),
        "uspc": grant.uspc.code,
        "locarno": grant.locarno.code,
        "captions": captions(design),
        "unclaimed_parts": len(design.unclaimed),
    }


def _figure_record(sheet: DrawnSheet, figure: PlacedFigure) -> dict[str, Any]:
    return {
        "figure": figure.figure,
        "view": figure.view,
        "sheet": sheet.name,
        "turned": sheet.turned,
        "box": figure.box,
        "label_box": figure.label_box,
    }


def _grant_zip(design: Design, grant: Grant, sheets: list[DrawnSheet]) -> bytes:
    buffer = io.BytesIO()
    day = (grant.granted.year, grant.granted.month, grant.granted.day, 0, 0, 0)
    contents = [(f"{grant.stem}.XML", grant_xml(design, grant, sheets))]
    contents += [(f"{grant.stem}-{sheet.name}.TIF", tiff_bytes(sheet)) for sheet in sheets]
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents:
            entry = zipfile.ZipInfo(f"{grant.stem}/{name}", day)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            entry.create_system = 3  # the same on every system
            archive.writestr(entry, data)
    return buffer.getvalue()


def _write_weeks(out: Path, designs: Iterator[_Made]) -> list[str]:
    """One archive per week; an unfinished one has another name."""
    names = []
    for granted, week in groupby(designs, key=lambda made: made.granted):
        issue = f"I{granted:%Y%m%d}"
        part = out / f"{issue}.tar.part"
        midnight = int(datetime.combine(granted, time(), UTC).timestamp())
        with tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as archive:
            for made in week:
                for name, data in made.files:
                    entry = tarfile.TarInfo(f"{issue}/DESIGN/{name}")
                    entry.size, entry.mtime, entry.mode = len(data), midnight, 0o644
                    archive.addfile(entry, io.BytesIO(data))
        part.replace(out / f"{issue}.tar")
        names.append(f"{issue}.tar")
    return names


def _write_folders(out: Path, designs: Iterator[_Made]) -> list[str]:
    names = []
    for made in designs:
        for name, data in made.files:
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            names.append(name)
    return names


def _write_lists(out: Path, layout: Layout, records: list[dict[str, Any]]) -> list[str]:
    if layout == "images":
        with (out / "metadata.csv").open("w", encoding="utf-8", newline="") as table:
            columns = ["patent", "title", "kind", "granted", "filed", "locarno", "uspc"]
            writer = csv.DictWriter(table, columns, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows({**record, "kind": "S1"} for record in records)
        return ["metadata.csv"]
    if layout == "deeppatent":
        labelled = [
            [f"{figure['file']} {label}" for figure in record["figures"]] for label, record in enumerate(records, 1)
        ]
        lists = {
            "val_query_patent.txt": [line for lines in labelled for line in lines[:_QUERIES]],
            "val_db_patent.txt": [line for lines in labelled for line in lines[_QUERIES:]],
        }
        for name, lines in lists.items():
            (out / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
        return list(lists)
    return []
