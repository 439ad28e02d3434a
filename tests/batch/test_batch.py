"""Batches: queries of a folder, filters of a table, and reports that are the same whether a run was killed or not."""

from __future__ import annotations

import csv
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import run_here
from makers import draw_design, week

from patsearch.batch import queries_of, run_batch
from patsearch.engine import Question
from patsearch.errors import FilterError, InputError, PatsearchError, StorageError, UsageError

DESIGNS = 6


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("batch")
    week(folder / "w", range(DESIGNS))
    done = run_here(["ingest", folder / "w", "--index", folder / "index", "--workers", 1])
    assert done.returncode == 0, done.stderr
    return folder / "index"


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    """Two files, a folder with two views, and what file managers leave."""
    folder = tmp_path / "queries"
    (folder / "both").mkdir(parents=True)
    draw_design(1, 0).save(folder / "one.png")
    draw_design(2, 0).save(folder / "two.png")
    for view in (0, 1):
        draw_design(3, view).save(folder / "both" / f"view{view}.png")
    (folder / ".hidden").write_bytes(b"x")
    (folder / "both" / "Thumbs.db").write_bytes(b"x")
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    """All files of a folder of reports, without its lock."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "batch.lock"
    }


def rows_of(reports: Path) -> dict[str, dict[str, str]]:
    with (reports / "overview.csv").open(encoding="utf-8", newline="") as file:
        return {row["query"]: row for row in csv.DictReader(file)}


def test_a_file_or_a_folder_is_a_query_with_its_record(index: Path, queries: Path, tmp_path: Path) -> None:
    done = run_here(["batch", queries, "--index", index, "--out", tmp_path / "r", "--top", 3, "--json"])
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["queries"], said["searched"], said["kept"], said["failed"]) == (3, 3, 0, [])
    rows = rows_of(tmp_path / "r")
    expected = {"both": "USD900003", "one.png": "USD900001", "two.png": "USD900002"}
    assert {name: row["best"] for name, row in rows.items()} == expected
    assert [row["files"] for row in rows.values()] == ["2", "1", "1"]
    for name, patent in expected.items():
        record = json.loads((tmp_path / "r" / "records" / f"{name}.json").read_text(encoding="utf-8"))
        assert record["hits"][0]["patent"] == patent
        assert len(record["hits"]) == 3
        assert (record["query"]["time"], record["query"]["seconds"]) == (said["begun"], None)
        filed = (tmp_path / "r" / "records" / f"{name}.html").read_text(encoding="utf-8")
        assert all(text in filed for text in (patent, "Last ingested", "What the scores mean"))
    both = json.loads((tmp_path / "r" / "records" / "both.json").read_text(encoding="utf-8"))
    assert both["query"]["pictures"] == ["both/view0.png", "both/view1.png"]
    page = (tmp_path / "r" / "overview.html").read_text(encoding="utf-8")
    assert all(f'<a href="records/{name}.html">{name}</a>' in page for name in expected)
    assert page.count("<img") == 4 + 3 * 3
    assert said["overview"] == [str(tmp_path / "r" / f"overview.{kind}") for kind in ("csv", "html")]


def test_filters_of_a_table_hold_for_their_query_alone(index: Path, queries: Path, tmp_path: Path) -> None:
    table = tmp_path / "filters.csv"
    table.write_text("name;uspc;title;granted\none;D6;;\nboth;;lamp;>=2021\n", encoding="utf-8-sig")
    options = ["--table", table, "--filter", "granted<2022"]
    assert run_here(["batch", queries, "--index", index, "--out", tmp_path / "r", *options]).returncode == 0
    rows = rows_of(tmp_path / "r")
    assert (rows["one.png"]["best"], rows["one.png"]["filter"]) == ("USD900003", "uspc=D6")
    assert (rows["both"]["best"], rows["both"]["results"]) == ("USD900003", "1")
    assert rows["both"]["filter"] == "title~lamp and granted>=2021"
    assert (rows["two.png"]["best"], rows["two.png"]["results"]) == ("USD900002", "6")
    record = json.loads((tmp_path / "r" / "records" / "both.json").read_text(encoding="utf-8"))
    assert record["query"]["filter"] == "granted<2022 and title~lamp and granted>=2021"


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("file\none\n", InputError, "has no column 'name'"),
        ("name,colour\none,red\n", FilterError, "the column 'colour' is not a key of filters"),
        ("name,uspc,uspc\none,D1,D2\n", FilterError, "the column 'uspc' occurs twice"),
        ("name,granted\none,2021-13\n", FilterError, "t.csv, line 2: "),
        ("name,uspc\nnone,D6\n", InputError, "t.csv, line 2: 'none': no query has this name"),
        ("name,uspc\none,D6\none.png,D6\n", InputError, "t.csv, line 3: 'one.png' occurs twice"),
        ("name,uspc\none,D6,D7\n", InputError, "more cells than columns"),
        ('name,uspc\none,"D6\n', InputError, "not a readable row"),
        ("name,uspc\none,\xe9\n", InputError, "is not in UTF-8"),
    ],
)
def test_what_is_wrong_in_a_table_is_named(
    queries: Path, tmp_path: Path, text: str, error: type[PatsearchError], said: str
) -> None:
    (tmp_path / "t.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(error, match=said):
        queries_of(queries, tmp_path / "t.csv")


def test_a_name_without_its_ending_must_mean_one_query(queries: Path, tmp_path: Path) -> None:
    draw_design(1, 0).save(queries / "one.gif")
    (tmp_path / "t.csv").write_text("name,uspc\none,D6\n", encoding="utf-8")
    with pytest.raises(InputError, match="several queries have this name"):
        queries_of(queries, tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text("name,uspc\none.gif,D6\n", encoding="utf-8")
    assert {q.name: str(q.where) for q in queries_of(queries, tmp_path / "t.csv")}["one.gif"] == "uspc=D6"


def test_bad_files_are_named_and_the_exit_code_says_so(index: Path, queries: Path, tmp_path: Path) -> None:
    (queries / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (queries / "empty").mkdir()
    (queries / "half").mkdir()
    draw_design(1, 0).save(queries / "half" / "a.png")
    (queries / "half" / "b<i>.png").write_text("no picture", encoding="utf-8")
    words = ["batch", queries, "--index", index, "--out", tmp_path / "r"]
    done = run_here(words)
    assert done.returncode == 9
    assert "bad.png" in done.stderr
    rows = rows_of(tmp_path / "r")
    assert {name for name, row in rows.items() if row["problem"]} == {"bad.png", "empty", "half"}
    assert rows["empty"]["problem"].startswith("the folder holds no file")
    assert "half/b<i>.png" in rows["half"]["problem"]
    page = (tmp_path / "r" / "overview.html").read_text(encoding="utf-8")
    assert page.count("Could not be searched") == 3
    assert "b<i>.png" not in page
    # They are tried again; a query that has become bad loses its record.
    draw_design(4, 0).save(queries / "bad.png")
    (queries / "one.png").write_bytes(b"nothing")
    again = json.loads(run_here([*words, "--json"]).stdout)
    assert (again["searched"], again["kept"]) == (1, 2)
    assert {one["query"] for one in again["failed"]} == {"one.png", "empty", "half"}
    assert not (tmp_path / "r" / "records" / "one.png.json").exists()
    assert rows_of(tmp_path / "r")["bad.png"]["best"] == "USD900004"


def test_what_has_changed_is_searched_again(index: Path, queries: Path, tmp_path: Path) -> None:
    first = run_batch(queries, index, tmp_path / "r")
    before = files_of(tmp_path / "r")
    again = run_batch(queries, index, tmp_path / "r")
    assert (first.searched, again.searched, again.kept) == (3, 0, 3)
    assert files_of(tmp_path / "r") == before
    draw_design(5, 0).save(queries / "both" / "view1.png")
    changed = run_batch(queries, index, tmp_path / "r")
    assert (changed.searched, changed.kept) == (1, 2)
    other = run_batch(queries, index, tmp_path / "r", options=Question(top=1))
    assert (other.searched, other.kept) == (3, 0)


def test_a_folder_that_holds_something_else_is_left_alone(index: Path, queries: Path, tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "letter.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match=r"holds no batch, but 'letter\.txt'"):
        run_batch(queries, index, tmp_path / "r")
    assert [path.name for path in (tmp_path / "r").iterdir()] == ["letter.txt"]


def test_a_folder_without_queries_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".hidden.png").write_bytes(b"x")
    with pytest.raises(InputError, match="holds no query"):
        queries_of(tmp_path)
    with pytest.raises(InputError, match="Cannot read the folder"):
        queries_of(tmp_path / "none")


def test_damaged_state_and_two_writers_are_refused(index: Path, queries: Path, tmp_path: Path) -> None:
    reports = queries / "reports"  # within the folder of queries it is not one

    def meanwhile(_: object) -> None:
        with pytest.raises(StorageError, match="Another process is writing the reports"):
            run_batch(queries, index, reports)

    assert run_batch(queries, index, reports, on_progress=meanwhile).searched == 3
    state = reports / "batch.json"
    state.write_text(state.read_text(encoding="utf-8").replace("true", "false"), encoding="utf-8")
    with pytest.raises(InputError, match=r"batch\.json is damaged: it differs from its checksum"):
        run_batch(queries, index, reports)


def test_names_that_spreadsheets_and_pages_would_run(index: Path, tmp_path: Path) -> None:
    folder = tmp_path / "q"
    folder.mkdir()
    names = ["=1+1.png", "#a?b%20 c.png", f"{'x' * 230}.png"]
    for seed, name in enumerate(names):
        draw_design(seed, 0).save(folder / name)
    assert run_batch(folder, index, tmp_path / "r").failed == []
    rows = rows_of(tmp_path / "r")
    assert rows["'=1+1.png"]["best"] == "USD900000"
    assert rows["#a?b%20 c.png"]["record"] == "records/%23a%3Fb%2520%20c.png.html"
    assert len(list((tmp_path / "r" / "records").iterdir())) == 6


def test_an_overview_of_many_has_pages(
    index: Path, queries: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patsearch.batch.overview.ON_A_PAGE", 2)
    report = run_batch(queries, index, tmp_path / "r")
    assert [path.name for path in report.overview] == ["overview.csv", "overview.html", "overview-2.html"]
    assert '<a href="overview-2.html">2</a>' in (tmp_path / "r" / "overview.html").read_text(encoding="utf-8")
    assert "two.png" in (tmp_path / "r" / "overview-2.html").read_text(encoding="utf-8")
    (queries / "two.png").unlink()
    assert len(run_batch(queries, index, tmp_path / "r").overview) == 2
    assert not (tmp_path / "r" / "overview-2.html").exists()


@pytest.mark.slow
def test_a_run_that_was_killed_gives_the_same_reports(index: Path, tmp_path: Path) -> None:
    folder = tmp_path / "q"
    folder.mkdir()
    for seed in range(11):
        draw_design(seed, seed % 2).save(folder / f"{seed:02}.png")
    (folder / "bad.png").write_bytes(b"nothing")
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    dice = random.Random(7)

    def begun() -> bool:
        return (killed / "batch.json").exists()

    def recorded(count: int) -> Callable[[], bool]:
        return lambda: len(list((killed / "records").glob("*.json"))) >= count

    # Each kill is later than the one before; Ctrl-C is one of them.
    moments = [begun, *(recorded(count) for count in sorted(dice.sample(range(1, 11), 3)))]
    for place, moment in enumerate(moments):
        number = signal.SIGINT if place == 2 else signal.SIGKILL
        assert _stopped(folder, index, killed, moment, dice.uniform(0, 0.05), number) in (-signal.SIGKILL, 130)
    assert not (killed / "overview.csv").exists()
    # The undisturbed run has the same beginning: the time in the records.
    whole.mkdir()
    shutil.copy(killed / "batch.json", whole)
    reports = [run_batch(folder, index, out) for out in (killed, whole)]
    assert [report.searched + report.kept for report in reports] == [11, 11]
    assert (reports[0].kept > 0, reports[1].kept) == (True, 0)
    assert files_of(killed) == files_of(whole)
    assert len(files_of(whole)) == 2 * 11 + 3


def _stopped(folder: Path, index: Path, out: Path, moment: Callable[[], bool], wait: float, number: int) -> int:
    """Exit code of a run that is stopped a little after a moment."""
    words = [sys.executable, "-m", "patsearch", "batch", str(folder), "--index", str(index), "--out", str(out)]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not moment() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.002)
    time.sleep(wait)
    process.send_signal(number)
    return process.wait(timeout=120)
