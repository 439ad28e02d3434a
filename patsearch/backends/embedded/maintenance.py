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
    malformed = list(catalogue.problems())
    yield from malformed
    if not malformed:
        yield from _rows(generation)
        yield from _checksums(generation)
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
    for key, table in (("rows", "drawings"), ("facts", "facts"), ("captions", "captions")):
        (count,) = catalogue.integers(f"SELECT count(*) FROM {table}")  # noqa: S608  own names
        if count != getattr(seen.state, key):
            yield f"The catalogue counts {getattr(seen.state, key)} {key}, and holds {count}."
    (latest,) = catalogue.integers("SELECT ifnull(max(dead), 0) FROM drawings")
    if latest > seen.state.version:
        yield f"The catalogue has version {seen.state.version}, and drawings that were deleted in version {latest}."
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


def _checksums(generation: Generation) -> Iterator[str]:
    seen, catalogue = generation.snapshot, generation.catalogue
    for table, what in (("drawings", "payloads"), ("facts", "facts"), ("captions", "captions")):
        if wrong := list(catalogue.damaged(table)):
            yield f"The {what} {_some(wrong)} differ from their checksum."
    for table, size in (("facts", seen.state.facts), ("captions", seen.state.captions)):
        stored, found = catalogue.terms_crc(table, size)
        if len(wrong := np.flatnonzero((stored >= 0) & (stored != found)).tolist()):
            yield f"The terms of the {table} {_some(wrong)} differ from their checksum: filters may miss drawings."


def _some(numbers: list[int]) -> str:
    return ", ".join(str(number) for number in numbers[:_SHOWN]) + (" ..." if len(numbers) > _SHOWN else "")
