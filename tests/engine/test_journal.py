"""The journal: its digest depends on the content alone."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from patsearch.engine.engine import create_from_spec
from patsearch.engine.journal import Entry, Journal
from patsearch.errors import IndexDamaged, IndexVersionError
from patsearch.sqlite import Database, Schema
from patsearch_contract.samples import SPEC


def entry(number: int, fingerprint: str = "f") -> Entry:
    return Entry(f"key{number}", fingerprint, "{}", f"USD{number}", 3, "done")


def test_the_digest_does_not_depend_on_order_or_repetition(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    one, two = Journal(tmp_path / "a", read_only=False), Journal(tmp_path / "b", read_only=False)
    one.put([entry(1), entry(2), entry(3)])
    two.put([entry(3), entry(1, "old")])
    assert one.digest() != two.digest()
    two.put([entry(2)])
    two.put([entry(1), entry(1)])
    assert one.digest() == two.digest()
    one.close()
    two.close()


def test_deleted_drawings_are_remembered(tmp_path: Path) -> None:
    journal = Journal(tmp_path, read_only=False)
    journal.put([entry(1), entry(2)])
    journal.forget_drawings({"USD1", "USD2"}, {"USD1": 0, "USD2": 2}.__getitem__)
    assert journal.counts() == {"deleted": 1, "done": 1}
    assert journal.drawings() == {"USD2": 2}
    journal.close()


def test_a_reader_of_what_is_not_there_sees_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path, read_only=True)
    assert journal.get("key1") is None
    assert not (tmp_path / "journal.sqlite").exists()
    journal.close()


def test_a_damaged_or_newer_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"this is not a database, " * 100)
    with pytest.raises(IndexDamaged, match=r"journal\.sqlite is damaged"):
        Journal(tmp_path, read_only=False)
    path.unlink()
    Database(path, Schema("", version=7), read_only=False).close()
    with pytest.raises(IndexVersionError, match="newer patsearch"):
        Journal(tmp_path, read_only=False)


def test_a_reader_of_a_journal_that_its_writer_is_about_to_fill_sees_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
    journal = Journal(tmp_path, read_only=True)
    assert journal.counts() == {}
    journal.close()
    database = Database(path, Schema("", version=7), read_only=False)  # the reader left it as it was
    assert database.rows("PRAGMA user_version") == [(7,)]
    database.close()


def test_changed_entries_are_found(tmp_path: Path) -> None:
    journal = Journal(tmp_path, read_only=False)
    journal.put([entry(1), entry(2)])
    assert list(journal.problems()) == []
    journal.close()
    for sql, words in (("UPDATE unit SET reason = 'x' WHERE key = 'key1'", "entry of 'key1' differs"),
                       ("UPDATE unit SET crc = NULL, drawings = 4", "differ from their digest")):  # fmt: skip
        with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as db, db:
            db.execute(sql)
        journal = Journal(tmp_path, read_only=True)
        assert words in " ".join(journal.problems())
        journal.close()


def test_a_journal_of_an_earlier_version_gets_checksums(tmp_path: Path) -> None:
    Journal(tmp_path, read_only=False).close()
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as db, db:
        db.execute("ALTER TABLE unit DROP COLUMN crc")
        db.execute("DROP TABLE begun")
    reader = Journal(tmp_path, read_only=True)
    assert list(reader.problems()) == []
    reader.close()
    journal = Journal(tmp_path, read_only=False)
    journal.put([entry(1)])
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as db, db:
        db.execute("UPDATE unit SET crc = NULL")
    journal.add_checksums()
    assert list(journal.problems()) == []
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as db, db:
        assert db.execute("SELECT count(crc) FROM unit").fetchone() == (1,)
    journal.close()


def test_a_database_whose_making_was_killed_is_empty_for_readers(tmp_path: Path) -> None:
    """Its writer left a rollback journal, which a reader may not use."""
    with closing(sqlite3.connect(tmp_path / "making.sqlite", isolation_level=None)) as db:
        db.execute("PRAGMA cache_size = 1")  # pages reach the disk before the end of the transaction
        db.execute("BEGIN")
        db.execute("CREATE TABLE filled (row TEXT)")
        db.executemany("INSERT INTO filled VALUES (?)", [("x" * 500,)] * 2000)
        for suffix in ("", "-journal"):
            shutil.copy(tmp_path / f"making.sqlite{suffix}", tmp_path / f"journal.sqlite{suffix}")
    with closing(Journal(tmp_path, read_only=True)) as reader:
        assert reader.entries() == []


def test_an_index_whose_making_was_killed_is_made_again(tmp_path: Path) -> None:
    """The writer was killed while it put index.json in its place."""
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "index.json.new").write_text('{"format"')
    with create_from_spec(tmp_path / "index", SPEC, backend="faiss") as engine:
        assert engine.verify() == []
    assert sorted(path.name for path in (tmp_path / "index").glob("index*")) == ["index.json"]
