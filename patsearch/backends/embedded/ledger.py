"""Writing drawings into the catalogue: facts and captions once each, and the inverted lists of the filters.

| field                        | items    | term                                        |
|------------------------------|----------|---------------------------------------------|
| locarno, uspc, cpc, ipc      | facts    | each code and each of its ancestors         |
| title                        | facts    | each word (`text_words`)                    |
| kind, patent                 | facts    | the value (`comparable`)                    |
| view                         | captions | each word (`text_words`)                    |
| figure                       | captions | the value (`comparable`); none without one  |
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence

import numpy as np

from patsearch.backends.embedded.catalogue import (
    FACTS,
    STORED,
    TERMS_MODULUS,
    Catalogue,
    digest,
    payload_crc,
    term_crc,
)
from patsearch.backends.embedded.segments import Batch, Columns
from patsearch.errors import UsageError
from patsearch.filters import comparable
from patsearch.text import text_words
from patsearch.types import Drawing

_REMEMBERED = 20_000


class Ledger:
    """The writer's side of a catalogue. Used inside `Catalogue.transaction`."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._known: dict[bytes, int] = {}
        self._terms: dict[tuple[str, str], int] = {}

    def forget(self) -> None:
        """After a transaction that was rolled back: its numbers do not exist."""
        self._known.clear()
        self._terms.clear()

    def columns(self, db: sqlite3.Connection, drawings: Sequence[Drawing]) -> Columns:
        """The numbers (N, 2) of each drawing's facts and caption; new ones are stored."""
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        if len(self._terms) > _REMEMBERED:
            self._terms.clear()
        return np.array([(self._fact(db, d), self._caption(db, d)) for d in drawings], dtype=np.int32).reshape(-1, 2)

    def insert(
        self, db: sqlite3.Connection, first: int, drawings: Sequence[Drawing], columns: Columns, batches: list[Batch]
    ) -> None:
        """Store the rows `first` on, kill the rows that they replace, and make all visible at the commit."""
        version = _state(db, "version") + 1
        _kill(db, [d.id for d in drawings], version)
        db.executemany(
            f"INSERT INTO drawings ({STORED}, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608  own names
            [
                (*values, payload_crc(*values))
                for values in (
                    (first + i, d.id, d.sheet, int(d.front_page), d.turned, json.dumps(d.box) if d.box else None,
                     fact, caption, None)
                    for i, (d, (fact, caption)) in enumerate(zip(drawings, columns.tolist(), strict=True))
                )
            ],
        )  # fmt: skip
        db.executemany(
            "INSERT INTO batches VALUES (?, ?, ?, ?)",
            [(b.first, b.rows, b.vectors_crc, b.columns_crc) for b in batches],
        )
        _set_state(db, "rows", first + len(drawings))
        _set_state(db, "version", version)

    def delete(self, db: sqlite3.Connection, ids: Sequence[str]) -> int:
        """Kill the drawings of these ids; returns how many were alive."""
        version = _state(db, "version") + 1
        killed = _kill(db, ids, version)
        if killed:
            _set_state(db, "version", version)
        return killed

    # ------------------------------------------------------------------ facts, captions, terms

    def _fact(self, db: sqlite3.Connection, d: Drawing) -> int:
        classes = json.dumps([(c.scheme, c.code) for c in d.classes])
        granted = d.granted.toordinal() if d.granted else None
        filed = d.filed.toordinal() if d.filed else None
        values = (d.patent, d.title, d.kind, granted, filed, classes, d.source)
        number, new = self._number(db, "facts", FACTS, values, d)
        if new:
            pairs: list[tuple[str, str]] = [(c.scheme, ancestor) for c in d.classes for ancestor in c.ancestors]
            pairs += [("title", word) for word in text_words(d.title)]
            pairs += [("kind", comparable("kind", d.kind)), ("patent", comparable("patent", d.patent))]
            self._post(db, "facts", pairs, number)
        return number

    def _caption(self, db: sqlite3.Connection, d: Drawing) -> int:
        number, new = self._number(db, "captions", "figure, view", (d.figure, d.view), d)
        if new:
            pairs = [("view", word) for word in text_words(d.view or "")]
            if d.figure is not None:
                pairs.append(("figure", comparable("figure", d.figure)))
            self._post(db, "captions", pairs, number)
        return number

    def _number(
        self, db: sqlite3.Connection, table: str, names: str, values: tuple[object, ...], drawing: Drawing
    ) -> tuple[int, bool]:
        """The number of a record in facts or captions, and whether it is new; its terms are then to be posted."""
        try:
            key = digest((table, *values))
            f"{drawing.id}{drawing.sheet}".encode()
        except UnicodeEncodeError as error:
            raise UsageError(f"A text of the drawing {drawing.id!r} is not valid Unicode.") from error
        if (number := self._known.get(key)) is not None:
            return number, False
        row = db.execute(f"SELECT id FROM {table} WHERE digest = ?", (key,)).fetchone()  # noqa: S608  two own names
        if row is None:
            number = _state(db, table)
            marks = ", ".join("?" * (len(values) + 2))
            sql = f"INSERT INTO {table} (id, digest, {names}) VALUES ({marks})"  # noqa: S608  own names
            db.execute(sql, (number, key, *values))
            _set_state(db, table, number + 1)
        else:
            number = int(row[0])
        self._known[key] = number
        return number, row is None

    def _post(self, db: sqlite3.Connection, table: str, pairs: Iterable[tuple[str, str]], item: int) -> None:
        terms = dict.fromkeys(pairs)
        rows = [(self._term(db, field, text), item) for field, text in terms]
        db.executemany("INSERT INTO postings VALUES (?, ?)", rows)
        crc = sum(term_crc(field, text) for field, text in terms) % TERMS_MODULUS
        db.execute(f"UPDATE {table} SET terms_crc = ? WHERE id = ?", (crc, item))  # noqa: S608  own names

    def _term(self, db: sqlite3.Connection, field: str, text: str) -> int:
        key = (field, text)
        if key not in self._terms:
            found = db.execute("SELECT id FROM terms WHERE field = ? AND text = ?", key).fetchone()
            if found is None:
                found = db.execute("INSERT INTO terms (field, text) VALUES (?, ?) RETURNING id", key).fetchone()
            self._terms[key] = int(found[0])
        return self._terms[key]


def _kill(db: sqlite3.Connection, ids: Sequence[str], version: int) -> int:
    sql = f"""UPDATE drawings SET dead = ?1, crc = payload_crc({STORED.removesuffix("dead")} ?1)
              WHERE dead IS NULL AND row IN (
              SELECT d.row FROM json_each(?2) AS wanted CROSS JOIN drawings AS d ON d.id = wanted.value)"""  # noqa: S608
    return db.execute(sql, (version, json.dumps(list(ids)))).rowcount


def _state(db: sqlite3.Connection, key: str) -> int:
    return int(db.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()[0])


def _set_state(db: sqlite3.Connection, key: str, value: int) -> None:
    db.execute("UPDATE state SET value = ? WHERE key = ?", (value, key))
