"""`patsearch query` and `ingest` on a terminal and in scripts."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from makers import draw_design, grant_zip, week
from pdf_makers import encrypted, pdf_bytes, scanned, text_page
from photo_makers import product
from PIL import Image, ImageFilter

from patsearch.cli import main
from patsearch.engine import open_index
from patsearch.ingest.sources import SourceOptions

DESIGNS = 6


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    for seed in range(DESIGNS):
        draw_design(seed, 0).save(folder / f"design{seed}.png")
    week(folder / "w", range(DESIGNS))
    assert run("ingest", folder / "w", "--index", folder / "index", "--workers", 1) == 0
    return folder / "index"


def run(*arguments: object) -> int:
    """Exit code of the command line, in this process."""
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    return int(stop.value.code or 0)


def ask(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, object]:
    assert run("query", *arguments, "--json") == 0
    result: dict[str, object] = json.loads(capsys.readouterr().out)
    return result


def test_json_has_the_names_that_scripts_rely_on(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = ask(capsys, index.parent / "design2.png", "--index", index, "--top", 3)
    assert set(result) == {"query", "warnings", "hits"}
    hits = result["hits"]
    assert isinstance(hits, list)
    assert len(hits) == 3
    first = hits[0]
    assert (first["rank"], first["patent"], first["title"], first["granted"]) == (1, "USD900002", "Shoe", "2021-01-05")
    assert first["classes"] == {"locarno": ["02-04"], "uspc": ["D2/947"], "cpc": [], "ipc": []}
    assert (first["kind"], first["filed"]) == ("S1", "2019-04-05")
    assert first["link"].startswith("https://ppubs.uspto.gov/")
    assert first["class_titles"] == ["Articles of clothing and haberdashery", "Apparel and haberdashery"]
    best = first["drawing"]
    assert (best["id"], best["sheet"], best["view"]) == ("USD900002-D00001-1", "D00001", "a perspective view thereof")
    assert best == first["drawings"][0]
    assert best["score"] == first["score"]


def test_a_document_asks_with_all_its_pages_or_with_one(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = [Image.open(index.parent / f"design{n}.png") for n in (1, 2)]
    drawn[0].save(tmp_path / "two.tif", save_all=True, append_images=drawn[1:])
    (tmp_path / "two.pdf").write_bytes(pdf_bytes([text_page(), *map(scanned, drawn)]))
    for name, first in (("two.tif", 1), ("two.pdf", 2)):
        assert run("query", tmp_path / name, "--index", index, "--json") == 0
        printed = capsys.readouterr()
        record = json.loads(printed.out)
        assert {hit["patent"] for hit in record["hits"][:2]} == {"USD900001", "USD900002"}
        pages = [f"{tmp_path / name}, page {first}", f"{tmp_path / name}, page {first + 1}"]
        assert [shown.split(", FIG")[0] for shown in record["query"]["pictures"]] == pages
        said = [f"{tmp_path / name}: left out: 1 page of text (1)"] * (name == "two.pdf")
        assert record["warnings"] == said
        assert all(text in printed.err for text in said)
        second = ask(capsys, tmp_path / name, "--index", index, "--page", first + 1)
        assert second["hits"][0]["patent"] == "USD900002"  # type: ignore[index]
        assert second["query"]["page"] == first + 1  # type: ignore[index]


def test_a_photograph_says_that_its_lines_are_searched(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    product().save(tmp_path / "cube.jpg")
    said = f"{tmp_path / 'cube.jpg'}: a photograph, which is searched as it is and as the lines drawn from it"
    assert run("query", tmp_path / "cube.jpg", "--index", index, "--json") == 0
    printed = capsys.readouterr()
    assert said in printed.err
    assert json.loads(printed.out)["warnings"] == [said]


def test_a_pdf_that_cannot_be_read_is_one_line(index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = pdf_bytes([text_page()])
    for data, said in (
        (encrypted(whole), "a.pdf is encrypted with a password. Save a copy without a password."),
        (b"%PDF-1.7\nnothing", "a.pdf is a damaged PDF file."),
        (pdf_bytes([]), "a.pdf is a damaged PDF file."),
        (whole, "a.pdf (left out: 1 page of text (1)). Choose a page by its number: --page N."),
    ):
        (tmp_path / "a.pdf").write_bytes(data)
        assert run("query", tmp_path / "a.pdf", "--index", index) == 3
        printed = capsys.readouterr()
        assert said in printed.err
        assert (printed.out, len(printed.err.strip().splitlines())) == ("", 1)


def test_a_design_class_under_cpc_is_said_once(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run("query", index.parent / "design1.png", "--index", index, "--filter", "cpc=D14", "--json")
    printed = capsys.readouterr()
    assert code == 0
    assert printed.err.count("matched as US design class D14") == 1
    hits = json.loads(printed.out)["hits"]
    assert {hit["patent"] for hit in hits} == {"USD900000", "USD900001", "USD900005"}


def test_table_csv_and_page(index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = index.parent / "design3.png"
    assert run("query", picture, "--index", index) == 0
    assert "USD900003" in capsys.readouterr().out
    assert run("query", picture, "--index", index, "--csv", "--html", tmp_path / "page.html") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert rows[0]["patent"] == "USD900003"
    assert rows[0]["uspc"] == "D6/334"
    assert "USD900003" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_the_table_has_what_there_is_and_breaks_no_number(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "64")
    assert run("query", index.parent / "design3.png", "--index", index, "--top", 3) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.split() == ["#", "Patent", "Score", "Title", "Granted", "Classes", "Drawing"]
    assert "USD900003" in lines[0]
    assert "2021-01-05" in lines[0]
    assert "D6/334" in " ".join(lines).split()
    draw_design(3, 0).save(tmp_path / "chair.png")
    assert run("ingest", tmp_path / "chair.png", "--index", tmp_path / "i", "--workers", 1) == 0
    capsys.readouterr()
    assert run("query", tmp_path / "chair.png", "--index", tmp_path / "i") == 0
    first, line = capsys.readouterr().out.splitlines()
    assert first.split() == ["#", "Patent", "Score"]
    assert line.lower().split() == ["1", "chair", "1.000"]


def test_crop_rotations_like_and_least_score(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = index.parent / "design4.png"
    cropped = ask(capsys, picture, "--index", index, "--crop", "0,0,900,1200", "--rotations")
    assert cropped["hits"][0]["patent"] == "USD900004"  # type: ignore[index]
    like = ask(capsys, "--like", "D900,004", "--index", index)
    assert "USD900004" not in [hit["patent"] for hit in like["hits"]]  # type: ignore[attr-defined]
    assert like["query"]["like"] == "USD900004"  # type: ignore[index]
    smaller = index.parent / "smaller.png"
    with Image.open(picture) as drawn:
        drawn.resize((drawn.width * 2 // 3, drawn.height * 2 // 3)).save(smaller)
    assert ask(capsys, smaller, "--index", index, "--min-score", 1)["hits"] == []
    single = ask(capsys, picture, "--index", index, "--drawings", "--top", 50)
    assert len(single["hits"]) == 2 * DESIGNS  # type: ignore[arg-type]


def test_by_shape_alone_the_pen_does_not_count(index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, saved = tmp_path / "page.html", tmp_path / "saved.json"
    picture = tmp_path / "thicker.png"  # the same drawing with another pen
    with Image.open(index.parent / "design4.png") as drawn:
        drawn.convert("L").filter(ImageFilter.MinFilter(5)).save(picture)
    plain = ask(capsys, picture, "--index", index, "--drawings", "--html", page)
    assert "by shape alone" in page.read_text(encoding="utf-8")
    style = ask(capsys, picture, "--index", index, "--drawings", "--style", 0.5, "--html", page, "--save", saved)
    assert "drawing style counts 0.5" in page.read_text(encoding="utf-8")
    first = [found["hits"][0] for found in (plain, style)]  # type: ignore[index]
    assert {hit["patent"] for hit in first} == {"USD900004"}
    assert [(a["query"]["shape"], a["query"]["style"]) for a in (plain, style)] == [(True, 0), (False, 0.5)]  # type: ignore[index]
    assert first[0]["score"] > first[1]["score"]
    assert ask(capsys, picture, "--index", index, "--drawings", "--shape")["hits"] == plain["hits"]  # its older name
    assert run("query", picture, "--index", index, "--shape", "--style", 1) == 2
    assert "--shape and --style 1 contradict each other" in capsys.readouterr().err
    # A repeated search has the same options.
    assert run("watch", saved, "--index", index, "--json") == 0
    assert json.loads(capsys.readouterr().out)


def test_the_home_folder_is_found_where_no_shell_has_replaced_it(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "designs").symlink_to(index)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert run("query", "--index=~/designs", "--like", "D900001", "--html=~/page.html") == 0
    assert (tmp_path / "page.html").exists()
    (tmp_path / "patsearch.toml").write_text('index = "~/designs"\n', encoding="utf-8")
    assert run("query", "--like", "D900001") == 0
    (tmp_path / "patsearch.toml").unlink()
    monkeypatch.setenv("PATSEARCH_INDEX", "~/designs")
    assert run("index", "info") == 0
    assert not (tmp_path / "~").exists()


@pytest.mark.skipif(os.name == "nt", reason="users of POSIX")
def test_the_home_of_a_user_that_nobody_knows_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in (
        ["ingest", "~no-such-user/x", "--index", "x"],
        ["query", "--index=~no-such-user", "--like", "D1"],
        ["bench", "--dataset", "index:~no-such-user/x"],
    ):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == 2
        assert "No home folder found for ~no-such-user. " in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_home_folder_is_found_in_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "m.csv").write_text("patent\n", encoding="utf-8")
    draw_design(1, 0).save(tmp_path / "a.png")
    options = SourceOptions(metadata=Path("~/m.csv"), lists=(Path("~/l.txt"),))
    assert (options.metadata, options.lists) == (tmp_path / "m.csv", (tmp_path / "l.txt",))
    with open_index(index) as engine:
        assert engine.search("~/a.png", k=1)


def test_refined_searches_say_so_in_the_record(index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture, page = index.parent / "design4.png", tmp_path / "page.html"
    options = ("--mirror", "--rerank", "3,2,0.3", "--expand", "1,3", "--html", page)
    refined = ask(capsys, picture, "--index", index, *options)
    assert refined["hits"][0]["patent"] == "USD900004"  # type: ignore[index]
    asked = refined["query"]
    assert asked["rerank"] == {"k1": 3, "k2": 2, "weight": 0.3, "candidates": 200}  # type: ignore[index]
    assert asked["expansion"] == {"count": 1, "alpha": 3.0}  # type: ignore[index]
    text = page.read_text(encoding="utf-8")
    assert (
        "mirrored copies tried, by shape alone, expanded by 1 drawing, alpha 3, re-ranked by mutual neighbours, k1 3"
        in text
    )
    plain = ask(capsys, picture, "--index", index)
    assert plain["query"]["rerank"] is None  # type: ignore[index]
    assert [h["score"] for h in plain["hits"]] != [h["score"] for h in refined["hits"]]  # type: ignore[attr-defined]


def test_standard_input(index: Path) -> None:
    command = [sys.executable, "-m", "patsearch", "query", "-", "--index", str(index), "--json"]
    data = (index.parent / "design5.png").read_bytes()
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    assert json.loads(done.stdout)["hits"][0]["patent"] == "USD900005"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["{picture}", "--index", "{index}", "--filter", "colour=red"], 2, "Unknown filter key 'colour'"),
        (["{picture}", "--index", "{index}", "--filter", "granted=2021-13"], 2, "is not a date"),
        (["{picture}", "--index", "{index}", "--crop", "1,2,3"], 2, "is not a crop"),
        (["{picture}", "--index", "{index}", "--crop", "5000,0,10,10"], 3, "crop"),
        (["{picture}", "--index", "{folder}/none"], 4, "There is no index at"),
        (["{folder}/none.png", "--index", "{index}"], 3, "none.png"),
        (["{index}/index.json", "--index", "{index}"], 3, "index.json"),
        (["--index", "{index}"], 2, "nothing to search with"),
        (["{picture}", "--index", "{index}", "--rerank", "20"], 2, "Invalid rerank '20'"),
        (["{picture}", "--index", "{index}", "--rerank", "5,6,0.3"], 2, "out of range"),
        (["{picture}", "--index", "{index}", "--expand", "x"], 2, "Invalid expand 'x'"),
        (["--like", "D1234567", "--index", "{index}"], 3, "USD1234567 is not in the index"),
    ],
)
def test_what_is_wrong_is_one_line(
    index: Path, arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"picture": index.parent / "design0.png", "index": index, "folder": index.parent}
    assert run("query", *(a.format(**places) for a in arguments)) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err
    assert len(printed.err.strip().splitlines()) == 1


def test_failed_files_are_listed_and_the_exit_code_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "grants"
    folder.mkdir()
    name, data = grant_zip(1)
    (folder / name).write_bytes(data)
    (folder / "USD0900002-20210105.ZIP").write_bytes(data[:1000])
    assert run("ingest", folder, "--index", tmp_path / "index", "--workers", 1, "--json") == 9
    report = json.loads(capsys.readouterr().out)
    assert report["patents"] == 1
    assert [f["file"].split(":")[-1].strip()[:10] for f in report["failed"]] == ["USD0900002"]
    assert run("ingest", folder, "--index", tmp_path / "index", "--workers", 1) == 9
    assert "USD0900002" in capsys.readouterr().err


def test_marks_change_the_order(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = index.parent / "design2.png"
    plain = ask(capsys, picture, "--index", index)["hits"]
    last = plain[-1]  # type: ignore[index]
    marks = ("--relevant", last["drawing"]["id"], "--irrelevant", plain[1]["drawing"]["id"])  # type: ignore[index]
    marked = ask(capsys, picture, "--index", index, *marks)
    order = [hit["patent"] for hit in marked["hits"]]  # type: ignore[attr-defined]
    assert order.index(last["patent"]) < len(plain) - 1  # type: ignore[arg-type]
    assert marked["query"]["relevant"] == [last["drawing"]["id"]]  # type: ignore[index]
    alone = ask(capsys, "--relevant", last["drawing"]["id"], "--index", index)["hits"]
    assert alone[0]["patent"] == last["patent"]  # type: ignore[index]


def test_marks_that_cannot_be(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("query", "--relevant", "USD1-D00001-1", "--index", index) != 0
    assert "The drawing USD1-D00001-1 is not in the index" in capsys.readouterr().err
    assert run("query", "--irrelevant", "USD900002-D00001-1", "--index", index) != 0
    assert capsys.readouterr().err.startswith("patsearch: ")
