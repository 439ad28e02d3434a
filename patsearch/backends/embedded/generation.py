"""One generation of an embedded index: catalogue, segments and derived structure, seen as of one version."""

from __future__ import annotations

import contextlib
import json
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from patsearch.backends.base import Embeddings
from patsearch.backends.embedded import approximate
from patsearch.backends.embedded.approximate import Approximate
from patsearch.backends.embedded.catalogue import Catalogue, Rows, State
from patsearch.backends.embedded.ledger import Ledger
from patsearch.backends.embedded.masks import Mask, Masks
from patsearch.backends.embedded.scan import candidates, rank
from patsearch.backends.embedded.segments import Columns, Segments
from patsearch.backends.planner import Tuning, Way, plan
from patsearch.bibliography import Bibliography
from patsearch.errors import IndexDamaged
from patsearch.files import storage_errors, sync_folder
from patsearch.filters import Filter
from patsearch.types import Drawing, Hit, Patent

CATALOGUE = "catalogue.db"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one moment's searches see; never changed.

    Attributes:
        dead: (rows,) rows replaced or deleted, None if there are none.
        columns: the rows' numbers of facts and captions, one array a segment.
        derived: the approximate structure, None without one.
    """

    state: State
    dead: Mask | None
    columns: list[Columns]
    derived: Approximate | None

    @property
    def dead_count(self) -> int:
        return 0 if self.dead is None else int(np.count_nonzero(self.dead))

    @property
    def live(self) -> int:
        """Drawings that count."""
        return self.state.rows - self.dead_count

    @property
    def covered(self) -> int:
        """Rows in the approximate structure."""
        return self.derived.rows if self.derived else 0


class Generation:
    """The open files of one generation. Closed explicitly, or when the last search that uses it ends."""

    def __init__(self, folder: Path, dim: int, tuning: Tuning, *, read_only: bool) -> None:
        self.folder = folder
        self.read_only = read_only
        self.catalogue = Catalogue(folder / CATALOGUE, read_only=read_only)
        self.segments = Segments(folder, dim, writable=not read_only)
        self._close = weakref.finalize(self, _close_parts, self.catalogue, self.segments)
        self._dim = dim
        self._tuning = tuning
        self._masks = Masks(self.catalogue)
        self._ledger = Ledger(self.catalogue)
        self._seen = (-1, -1)
        self._derived_seen = (-1, -1)
        self.snapshot = Snapshot(State(-1, 0, 0, 0), None, [], None)
        try:
            self.refresh()
            if not read_only:
                self.segments.truncate(self.snapshot.state.rows)
        except BaseException:
            self.close()
            raise

    @staticmethod
    def create(folder: Path) -> None:
        """Make the files of an empty generation."""
        with storage_errors(f"Creating {folder}"):
            folder.mkdir()
            Catalogue.create(folder / CATALOGUE)
            sync_folder(folder)
            sync_folder(folder.parent)

    def close(self) -> None:
        """Release the files. Twice is fine."""
        self._close()

    # ------------------------------------------------------------------ seeing

    def refresh(self) -> bool:
        """Take a new snapshot where something was committed; returns whether there was."""
        before = self.snapshot
        seen, derived_seen = self.catalogue.changes(), approximate.stamp(self.folder)
        if self.read_only and seen == self._seen and derived_seen == self._derived_seen:
            return False
        state, dead_rows = self.catalogue.state(before.state.version)
        if state.version != before.state.version or before.state.rows != state.rows:
            self.segments.check_sizes(state.rows)
            with storage_errors(f"Reading {self.folder}"):
                self.segments.open_files(state.rows)
                columns = self.segments.columns(state.rows)
            dead = before.dead
            if len(dead_rows) or dead is not None:
                dead = np.zeros(state.rows, dtype=np.bool_)
                if before.dead is not None:
                    dead[: len(before.dead)] = before.dead
                dead[dead_rows] = True
        else:
            columns, dead = before.columns, before.dead
        derived = before.derived
        if derived_seen != self._derived_seen:
            derived = approximate.load(self.folder, self._dim, state.rows)
        self.snapshot = Snapshot(state, dead, columns, derived)
        self._seen, self._derived_seen = seen, derived_seen
        return self.snapshot.state != before.state or derived is not before.derived

    def keep(self, snapshot: Snapshot, where: Filter | None) -> Mask | None:
        """(rows,) the live rows that match; None for all rows."""
        if not where:
            return None if snapshot.dead is None else ~snapshot.dead
        mask = self._masks.rows(where, snapshot.state, snapshot.columns)
        if snapshot.dead is not None:
            mask &= ~snapshot.dead
        return mask

    def lacking(self, snapshot: Snapshot, fields: Sequence[str]) -> int:
        """How many live drawings have no value in any of these fields."""
        none = np.ones(snapshot.state.rows, dtype=np.bool_) if snapshot.dead is None else ~snapshot.dead
        for field in fields:
            none &= self._masks.lacking(field, snapshot.state, snapshot.columns)
        return int(np.count_nonzero(none))

    def rows_by_id(self, snapshot: Snapshot, where: Filter | None) -> Rows:
        """The live rows that match, in the order of the drawings' ids."""
        rows = self.catalogue.rows_by_id(snapshot.state)
        mask = self.keep(snapshot, where)
        return rows if mask is None else rows[mask[rows]]

    def patents(self, snapshot: Snapshot, where: Filter | None) -> int:
        """Distinct patents among the live rows that match."""
        sql = "SELECT count(DISTINCT f.patent) FROM json_each(?) AS w CROSS JOIN facts AS f ON f.id = w.value"
        return int(self.catalogue.integers(sql, (json.dumps(self._facts(snapshot, where).tolist()),))[0])

    def bibliographies(self, snapshot: Snapshot, where: Filter | None) -> Iterator[Bibliography]:
        """Of the facts of the live rows that match, those that have one."""
        return self.catalogue.bibliographies(self._facts(snapshot, where).tolist())

    def _facts(self, snapshot: Snapshot, where: Filter | None) -> Rows:
        """The numbers of the facts of the live rows that match."""
        used = np.zeros(snapshot.state.facts, dtype=np.bool_)
        mask, done = self.keep(snapshot, where), 0
        for part in snapshot.columns:
            facts = part[:, 0] if mask is None else part[mask[done : done + len(part)], 0]
            if len(facts) and not 0 <= int(facts.min()) <= int(facts.max()) < len(used):
                raise IndexDamaged(
                    f"The columns in {self.folder} name missing facts.", hint="Run patsearch index verify."
                )
            used[facts] = True
            done += len(part)
        return np.flatnonzero(used)

    def search(self, queries: Embeddings, k: int, where: Filter, *, exact: bool) -> list[list[Hit]]:
        """The k best live drawings that match, for each query (Q, dim)."""
        seen, tuning = self.snapshot, self._tuning
        keep = self.keep(seen, where)
        rows = seen.state.rows
        matches = rows if keep is None else int(np.count_nonzero(keep))
        way = plan(tuning, covered=seen.covered, matches=matches, filtered=keep is not None, exact=exact)
        if way is Way.EMPTY:
            return [[] for _ in queries]
        if way is Way.FLAT or seen.derived is None:
            if matches <= tuning.flat_matches and keep is not None:
                found = [np.flatnonzero(keep)] * len(queries)
            else:
                found = candidates(self.segments, (0, rows), queries, k, keep)
                if rows >= tuning.exact_limit:
                    self.segments.release_pages()
            return rank(self.segments, self.catalogue, queries, found, k)
        n = tuning.candidates(k)
        if way is Way.CODES and keep is not None:
            found = seen.derived.codes(queries, tuning, keep, n)
        else:
            found = seen.derived.probe(queries, k, tuning, keep, n)
        if seen.covered < rows:
            newer = candidates(self.segments, (seen.covered, rows), queries, k, keep)
            found = [np.concatenate(pair) for pair in zip(found, newer, strict=True)]
        short = [i for i, line in enumerate(found) if len(line) < min(k, matches)]
        if short:
            # Approximation came back with too few: only comparing everything is right.
            everything = candidates(self.segments, (0, rows), queries[short], k, keep)
            for i, line in zip(short, everything, strict=True):
                found[i] = line
            self.segments.release_pages()
        return rank(self.segments, self.catalogue, queries, found, k)

    # ------------------------------------------------------------------ writing

    def append(self, drawings: Sequence[Drawing], embeddings: Embeddings) -> None:
        """Store durably: segments flushed first, then one transaction that makes the rows count."""
        first = self.snapshot.state.rows
        try:
            with storage_errors(f"Writing {self.folder}"), self.catalogue.transaction() as db:
                columns = self._ledger.columns(db, drawings)
                batches = self.segments.append(first, embeddings, columns)
                self._ledger.insert(db, first, drawings, columns, batches)
        except BaseException:
            self._ledger.forget()
            with contextlib.suppress(Exception):
                # What the catalogue says counts, even where the interruption came just behind its commit.
                self.refresh()
                self.segments.truncate(self.snapshot.state.rows)
            raise
        self.refresh()

    def amend(self, patents: Sequence[Patent]) -> set[str]:
        """Add what is known of patents to their facts; returns the numbers of those with live drawings."""
        alive = self._facts(self.snapshot, None)
        found: set[str] = set()
        clashing: dict[int, Patent] = {}
        try:
            with self.catalogue.transaction() as db:
                for patent in patents:
                    facts = np.intersect1d(self._ledger.facts_of(db, patent.number), alive).tolist()
                    found |= {patent.number} if facts else set()
                    clashing |= dict.fromkeys(self._ledger.amend(db, patent, facts), patent)
                self._ledger.count_amendment(db)
        except BaseException:
            self._ledger.forget()
            raise
        self.refresh()
        self._store_again(clashing)
        return found

    def _store_again(self, patents: dict[int, Patent]) -> None:
        """Store the drawings of some facts again, amended."""
        if not patents:
            return
        keep, done = self.keep(self.snapshot, None), 0
        for part in list(self.snapshot.columns):
            wanted = np.isin(part[:, 0], list(patents))
            if keep is not None:
                wanted &= keep[done : done + len(part)]
            rows, facts = done + np.flatnonzero(wanted), part[wanted, 0].tolist()
            drawings = self.catalogue.drawings(rows.tolist())
            new = [drawings[row].amended(patents[fact]) for row, fact in zip(rows.tolist(), facts, strict=True)]
            if new:
                self.append(new, self.segments.take(rows))
            done += len(part)

    def delete(self, ids: Sequence[str]) -> int:
        """Mark drawings as dead; returns how many were alive."""
        with self.catalogue.transaction() as db:
            killed = self._ledger.delete(db, ids)
        self.refresh()
        return killed

    def stale(self) -> bool:
        """Whether the approximate structure should be built again."""
        seen = self.snapshot
        if seen.live < self._tuning.exact_limit:
            return False
        newer = seen.state.rows - seen.covered
        return seen.derived is None or newer > self._tuning.stale_share * seen.state.rows

    def build(self) -> None:
        """Make the approximate structure of all live rows."""
        seen = self.snapshot
        approximate.build(self.folder, self.segments, seen.state.rows, self._dim, seen.dead)
        self.refresh()


def _close_parts(catalogue: Catalogue, segments: Segments) -> None:
    catalogue.close()
    segments.close()
