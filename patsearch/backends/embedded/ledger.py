"""Writing drawings into the catalogue: facts and captions once each, and the inverted lists of the filters.

| field                        | items    | term                                        |
|------------------------------|----------|---------------------------------------------|
| locarno, uspc, cpc, ipc      | facts    | each code and each of its ancestors         |
| title                        | facts    | each word (`text_words`)                    |
| kind, patent, country, office, status, cites | facts | the value (`comparable`)       |
| owner, inventor, agent       | facts    | each name (`name_term`)                     |
| expires                      | facts    | the last day, `2031-03-07`                  |
| inforce                      | facts    | each span, `2017-03-07 2031-03-07 US`       |
| has                          | facts    | each of these fields that has a value       |
| view                         | captions | each word (`text_words`)                    |
| figure                       | captions | the value (`comparable`); none without one  |
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from patsearch.backends.embedded.catalogue import (
    FACTS,
    STORED,
    TERMS_MODULUS,
    Catalogue,
    digest,
    drawing_of,
    facts_digest,
    payload_crc,
    term_crc,
)
from patsearch.backends.embedded.segments import Batch, Columns
from patsearch.bibliography import to_text
from patsearch.errors import UsageError
from patsearch.filters import NAME_FIELDS, ExactField, comparable
from patsearch.text import text_words
from patsearch.types import Drawing, Patent

_REMEMBERED = 20_000
_VALUES: tuple[ExactField, ...] = ("kind", "patent", "country", "office", "status", "cites")
HAS_TERMS = ("owner", "inventor", "agent", "country", "office", "status", "cites", "expires", "inforce")


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

    def facts_of(self, db: sqlite3.Connection, number: str) -> list[int]:
        """The numbers of a patent's facts, also of those that only dead rows name."""
        sql = """SELECT p.item FROM terms AS t CROSS JOIN postings AS p ON p.term = t.id
                 WHERE t.field = 'patent' AND t.text = ?"""
        return [int(item) for (item,) in db.execute(sql, (comparable("patent", number),))]

    def amend(self, db: sqlite3.Connection, patent: Patent, facts: Sequence[int]) -> list[int]:
        """Add what is known of a patent to some of its facts (`Drawing.amended`).

        Returns those that would be the same as others afterwards, and are left as they are.
        """
        clashing = []
        for number in facts:
            sql = f"SELECT terms_crc, {', '.join(FACTS)} FROM facts WHERE id = ?"  # noqa: S608  own names
            crc, *stored = db.execute(sql, (number,)).fetchone()
            values = tuple(stored)
            old = drawing_of(values)
            if comparable("patent", old.patent) != comparable("patent", patent.number):
                continue  # a design that is found by the number of its registration
            drawing = old.amended(patent)
            new = _fact_values(drawing)
            if new == values:
                continue
            key = _digest(drawing, lambda new=new: facts_digest(new))  # type: ignore[misc]
            if db.execute("SELECT 1 FROM facts WHERE digest = ?", (key,)).fetchone():
                clashing.append(number)
                continue
            db.executemany(
                "DELETE FROM postings WHERE item = ? AND term = (SELECT id FROM terms WHERE field = ? AND text = ?)",
                [(number, *term) for term in set(fact_terms(old)).difference(fact_terms(drawing))],
            )
            db.execute("DELETE FROM facts WHERE id = ?", (number,))
            columns = {"id": number, "digest": key, **dict(zip(FACTS, new, strict=True))}
            self._store(db, "facts", columns, fact_terms(drawing))
            if crc is None:  # 0.1.0 read words in another way: some of its terms may still be there
                db.execute("UPDATE facts SET terms_crc = NULL WHERE id = ?", (number,))
        self._known.clear()
        return clashing

    def count_amendment(self, db: sqlite3.Connection) -> None:
        """Let readers know that terms of facts have changed."""
        for key in ("amended", "version"):
            _set_state(db, key, _state(db, key) + 1)

    def _fact(self, db: sqlite3.Connection, d: Drawing) -> int:
        values = _fact_values(d)
        key = _digest(d, lambda: facts_digest(values))
        return self._number(db, "facts", key, dict(zip(FACTS, values, strict=True)), lambda: fact_terms(d))

    def _caption(self, db: sqlite3.Connection, d: Drawing) -> int:
        def terms() -> Iterator[tuple[str, str]]:
            yield from (("view", word) for word in text_words(d.view or ""))
            if d.figure is not None:
                yield "figure", comparable("figure", d.figure)

        key = _digest(d, lambda: digest(("captions", d.figure, d.view)))
        return self._number(db, "captions", key, {"figure": d.figure, "view": d.view}, terms)

    def _number(
        self,
        db: sqlite3.Connection,
        table: str,
        key: bytes,
        values: dict[str, object],
        terms: Callable[[], Iterable[tuple[str, str]]],
    ) -> int:
        """The number of a record in facts or captions, by its digest; a new one is stored."""
        if (number := self._known.get(key)) is not None:
            return number
        row = db.execute(f"SELECT id FROM {table} WHERE digest = ?", (key,)).fetchone()  # noqa: S608  two own names
        if row is None:
            number = _state(db, table)
            self._store(db, table, {"id": number, "digest": key, **values}, terms())
            _set_state(db, table, number + 1)
        else:
            number = int(row[0])
        self._known[key] = number
        return number

    def _store(
        self, db: sqlite3.Connection, table: str, columns: dict[str, object], terms: Iterable[tuple[str, str]]
    ) -> None:
        """Write a record, and its number in the inverted lists."""
        pairs = dict.fromkeys(terms)
        crc = sum(term_crc(field, text) for field, text in pairs) % TERMS_MODULUS
        columns = {**columns, "terms_crc": crc}
        marks = ", ".join("?" * len(columns))
        db.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})",  # noqa: S608  own names
            tuple(columns.values()),
        )
        items = [(self._term(db, field, text), columns["id"]) for field, text in pairs]
        db.executemany("INSERT OR IGNORE INTO postings VALUES (?, ?)", items)

    def _term(self, db: sqlite3.Connection, field: str, text: str) -> int:
        key = (field, text)
        if key not in self._terms:
            found = db.execute("SELECT id FROM terms WHERE field = ? AND text = ?", key).fetchone()
            if found is None:
                found = db.execute("INSERT INTO terms (field, text) VALUES (?, ?) RETURNING id", key).fetchone()
            self._terms[key] = int(found[0])
        return self._terms[key]


def fact_terms(d: Drawing) -> Iterator[tuple[str, str]]:
    """Field and text of every term of a drawing's facts; some more than once."""
    yield from ((c.scheme, ancestor) for c in d.classes for ancestor in c.ancestors)
    yield from (("title", word) for word in text_words(d.title))
    for field in _VALUES:
        yield from ((field, comparable(field, value)) for value in d.values(field))
    for name in NAME_FIELDS:
        yield from ((name, name_term(comparable(name, value))) for value in d.values(name))
    spans = [one for one in d.protections if one.first and one.last]
    yield from (("inforce", f"{one.first} {one.last} {one.country}") for one in spans)
    if (last := d.expires) is not None:
        yield "expires", str(last)
    yield from (("has", field) for field in HAS_TERMS if d.has(field))


def name_term(key: str) -> str:
    """A whole name, and behind `|`, as `cafe` finds `Café`, its words without accents."""
    words = key.split()
    bare = text_words(key)[len(words) :]
    return " ".join([*words, "|", *bare] if bare else words)


def _fact_values(d: Drawing) -> tuple[object, ...]:
    """In the order of `FACTS`."""
    classes = json.dumps([(c.scheme, c.code) for c in d.classes])
    granted = d.granted.toordinal() if d.granted else None
    filed = d.filed.toordinal() if d.filed else None
    return d.patent, d.title, d.kind, granted, filed, classes, d.source, to_text(d.bibliography)


def _digest(drawing: Drawing, make: Callable[[], bytes]) -> bytes:
    try:
        f"{drawing.id}{drawing.sheet}".encode()
        return make()
    except UnicodeEncodeError as error:
        raise UsageError(f"A text of the drawing {drawing.id!r} is not valid Unicode.") from error


def _kill(db: sqlite3.Connection, ids: Sequence[str], version: int) -> int:
    sql = f"""UPDATE drawings SET dead = ?1, crc = payload_crc({STORED.removesuffix("dead")} ?1)
              WHERE dead IS NULL AND row IN (
              SELECT d.row FROM json_each(?2) AS wanted CROSS JOIN drawings AS d ON d.id = wanted.value)"""  # noqa: S608
    return db.execute(sql, (version, json.dumps(list(ids)))).rowcount


def _state(db: sqlite3.Connection, key: str) -> int:
    return int(db.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()[0])


def _set_state(db: sqlite3.Connection, key: str, value: int) -> None:
    db.execute("UPDATE state SET value = ? WHERE key = ?", (value, key))
