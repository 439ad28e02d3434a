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
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from patsearch.backends.embedded.catalogue import (
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

        def terms() -> Iterator[tuple[str, str]]:
            yield from ((c.scheme, ancestor) for c in d.classes for ancestor in c.ancestors)
            yield from (("title", word) for word in text_words(d.title))
            yield "kind", comparable("kind", d.kind)
            yield "patent", comparable("patent", d.patent)

        return self._number(db, d, ("facts", d.patent, d.title, d.kind, granted, filed, classes, d.source), terms)

    def _caption(self, db: sqlite3.Connection, d: Drawing) -> int:
        def terms() -> Iterator[tuple[str, str]]:
            yield from (("view", word) for word in text_words(d.view or ""))
            if d.figure is not None:
                yield "figure", comparable("figure", d.figure)

        return self._number(db, d, ("captions", d.figure, d.view), terms)

    def _number(
        self,
        db: sqlite3.Connection,
        drawing: Drawing,
        values: tuple[object, ...],
        terms: Callable[[], Iterable[tuple[str, str]]],
    ) -> int:
        """The number of a record in facts or captions (`values` begins with the table); a new one is stored."""
        table = values[0]
        try:
            key = digest(values)
            f"{drawing.id}{drawing.sheet}".encode()
        except UnicodeEncodeError as error:
            raise UsageError(f"A text of the drawing {drawing.id!r} is not valid Unicode.") from error
        if (number := self._known.get(key)) is not None:
            return number
        row = db.execute(f"SELECT id FROM {table} WHERE digest = ?", (key,)).fetchone()  # noqa: S608  two own names
        if row is None:
            number = _state(db, str(table))
            pairs = dict.fromkeys(terms())
            crc = sum(term_crc(field, text) for field, text in pairs) % TERMS_MODULUS
            stored = (number, key, *values[1:], crc)
            marks = ", ".join("?" * len(stored))
            db.execute(f"INSERT INTO {table} VALUES ({marks})", stored)  # noqa: S608  own names
            db.executemany(
                "INSERT INTO postings VALUES (?, ?)", [(self._term(db, field, text), number) for field, text in pairs]
            )
            _set_state(db, str(table), number + 1)
        else:
            number = int(row[0])
        self._known[key] = number
        return number

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
