"""Compaction and verification of the embedded index."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from patsearch.backends.embedded import approximate
from patsearch.backends.embedded.generation import Generation
from patsearch.backends.embedded.manifest import Manifest
from patsearch.files import remove, storage_errors

_ROWS = 8192
_SHOWN = 5  # ids named in one sentence


def copy_live(source: Generation, target: Generation) -> None:
    """Copy the live drawings of one generation, in the order of their rows, into an empty one."""
    seen = source.snapshot
    live = np.arange(seen.state.rows) if seen.dead is None else np.flatnonzero(~seen.dead)
    for start in range(0, len(live), _ROWS):
        rows = live[start : start + _ROWS]
        drawings = source.catalogue.drawings(rows.tolist())
        target.append([drawings[row] for row in rows.tolist()], source.segments.take(rows))


def remove_leftovers(root: Path, manifest: Manifest) -> None:
    """Remove generations that do not count: what a killed compaction left."""
    with storage_errors(f"Cleaning {root}"):
        for folder in root.glob("g[0-9]*"):
            if folder.name != manifest.folder and folder.is_dir():
                remove(folder)


def problems(generation: Generation) -> Iterator[str]:
    """Everything that contradicts itself in a generation, one sentence each."""
    seen, catalogue = generation.snapshot, generation.catalogue
    for (text,) in catalogue.query("PRAGMA integrity_check(10)"):
        if text != "ok":
            yield f"The catalogue is malformed: {text}."
    yield from _rows(generation)
    expected = 0
    for batch in catalogue.batches(seen.state.rows):
        if batch.first != expected:
            yield f"Rows {expected} to {batch.first - 1} belong to no batch."
        expected = batch.first + batch.rows
        yield from generation.segments.check(batch)
    if expected != seen.state.rows:
        yield f"The batches hold {expected} rows, the catalogue {seen.state.rows}."
    yield from approximate.check(generation.folder)
    if generation.stale():
        yield (
            f"The approximate structure covers {seen.covered} of {seen.state.rows} rows; searches are right but slow "
            "until `patsearch index compact`."
        )


def _rows(generation: Generation) -> Iterator[str]:
    seen, catalogue = generation.snapshot, generation.catalogue
    rows = seen.state.rows
    (count,) = catalogue.integers("SELECT count(*) FROM drawings WHERE row < ?", (rows,))
    if count != rows:
        yield f"The catalogue has payloads for {count} of {rows} rows."
    double = catalogue.query(
        "SELECT id FROM drawings WHERE row < ? AND (dead IS NULL OR dead > ?) GROUP BY id HAVING count(*) > 1",
        (rows, seen.state.version),
    )
    if double:
        yield f"{len(double)} drawings are there twice: {', '.join(str(i) for (i,) in double[:_SHOWN])} ..."
    for table, column in (("facts", "fact"), ("captions", "caption")):
        (orphans,) = catalogue.integers(
            f"SELECT count(*) FROM drawings WHERE {column} NOT IN (SELECT id FROM {table})"  # noqa: S608  own names
        )
        if orphans:
            yield f"{orphans} rows name missing {table}."
    stored = catalogue.table("SELECT fact, caption FROM drawings WHERE row < ? ORDER BY row", (rows,), columns=2)
    columns = np.concatenate([*seen.columns, np.empty((0, 2), dtype=np.int32)])
    if len(stored) == len(columns) and not np.array_equal(stored, columns):
        yield f"The columns of {int((stored != columns).any(axis=1).sum())} rows differ from the catalogue."
