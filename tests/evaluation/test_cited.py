"""Relevance by citations on a stand-in with planted citations: every value here was computed by hand.

Seven designs, each a point on a circle; a score is the cosine of the angle between two. X1, X2 and X3 are patents
that are not in the index.

| design | granted | angle | class   | the examiner cited      | right, of what is earlier                     |
|--------|---------|-------|---------|-------------------------|-----------------------------------------------|
| USD1   | 2000    | 10    | D6/300  |                         |                                               |
| USD2   | 2001    | 5     | D6/300  |                         |                                               |
| USD3   | 2002    | 20    | D14/126 |                         |                                               |
| USD5   | 2005    | 30    | D6/400  | X1 X2 X3                | (USD6 shares three, and is later)             |
| USD6   | 2006    | 40    | D6/300  | X1 X2 X3 USD1           | USD1, and USD5 by three shared references     |
| USD9   | 2010    | 0     | D6/300  | USD1 USD5               | USD1 USD5; not USD2, which the applicant cited|
| USD7   | 2012    | 50    | D14/126 | USD9 USD1 X1 X2         | USD9 USD1, and USD6 by X1 X2 USD1             |
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from bench_makers import DIM, draw, drawing, make_index, unit, use_tiny_encoders

from patsearch.backends.base import Embeddings
from patsearch.bibliography import Bibliography, Citation
from patsearch.classification import ClassCode
from patsearch.cli import main
from patsearch.errors import UsageError
from patsearch.evaluation.cited import cited_relevance
from patsearch.evaluation.collection import Collection
from patsearch.evaluation.datasets import Protocol, RetrievalDataset, leave_one_out
from patsearch.evaluation.quality import Quality, measure_quality
from patsearch.evaluation.results import BenchOptions
from patsearch.evaluation.runfile import save_runs
from patsearch.evaluation.runner import run_bench
from patsearch.evaluation.specs import parse_dataset
from patsearch.evaluation.without_pictures import class_and_date
from patsearch.types import Drawing

FIGURES = Protocol(whole_sheets=False, front_pages=False)
DESIGNS: dict[str, tuple[int, int, str, str]] = {
    "USD1": (2000, 10, "D6/300", ""),
    "USD2": (2001, 5, "D6/300", ""),
    "USD3": (2002, 20, "D14/126", ""),
    "USD5": (2005, 30, "D6/400", "X1 X2 X3"),
    "USD6": (2006, 40, "D6/300", "X1 X2 X3 USD1"),
    "USD9": (2010, 0, "D6/300", "USD1 USD5"),
    "USD7": (2012, 50, "D14/126", "USD9 USD1 X1 X2"),
}
RIGHT = {"USD6": {"USD1", "USD5"}, "USD9": {"USD1", "USD5"}, "USD7": {"USD9", "USD1", "USD6"}}
# Earlier designs by angle, with those that are right in capitals.
#   USD9: 2 ONE 3 FIVE 6              (1/2 + 2/4) / 2
#   USD6: FIVE 3 ONE 2                (1/1 + 2/3) / 2
#   USD7: SIX 5 3 ONE 2 NINE          (1/1 + 2/4 + 3/6) / 3
PRECISION = {"USD9": 1 / 2, "USD6": 5 / 6, "USD7": 2 / 3}
# By class, main class and day:
#   USD9: 6 2 ONE FIVE 3              (1/3 + 2/4) / 2
#   USD6: 2 ONE FIVE 3                (1/2 + 2/3) / 2
#   USD7: 3 NINE SIX 5 2 ONE          (1/2 + 2/3 + 3/6) / 3
WITHOUT_PICTURES = {"USD9": 5 / 12, "USD6": 7 / 12, "USD7": 5 / 9}


def design(number: str, sheet: int = 1) -> Drawing:
    year, _, code, cited = DESIGNS[number]
    citations = [Citation(text, "examiner") for text in cited.split()]
    citations += [Citation("USD2", "applicant")] if number == "USD9" else []
    known = Bibliography(citations=tuple(citations), status="granted")
    classes = (ClassCode("uspc", code),)
    return drawing(number, sheet, granted=date(year, 3, 7), classes=classes, bibliography=known)


def vector(angle: int) -> Embeddings:
    """By shape, the first numbers, a point on a circle; the rest is the same for all."""
    found = np.zeros(DIM, dtype=np.float32)
    found[:2] = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    found[-1] = 1
    (row,) = unit(found[None])
    return np.asarray(row, dtype=np.float32)


@pytest.fixture
def planted() -> Collection:
    drawings = sorted((design(number) for number in DESIGNS), key=lambda d: d.id)
    return Collection.of(drawings, np.stack([vector(DESIGNS[d.patent][1]) for d in drawings]))


def dataset(collection: Collection, shared: int = 3) -> RetrievalDataset:
    return leave_one_out("planted", collection, protocol=FIGURES, relevant="cited", shared=shared)


def right(made: RetrievalDataset) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for query in range(len(made.queries)):
        for position in made.relevance.row(query)[0]:
            found.setdefault(made.query(query).patent, set()).add(made.at(int(position)).patent)
    return found


def precisions(quality: Quality) -> dict[str, float]:
    return {r.patent: r.average_precision for r in quality.records if r.ranks.relevant}


def test_what_is_right(planted: Collection) -> None:
    made = dataset(planted)
    assert right(made) == RIGHT
    assert (len(made.queries), made.judged) == (7, 3)
    assert any("4 of 7 queries have nothing to find" in note for note in made.notes)
    assert right(dataset(planted, shared=4)) == {**RIGHT, "USD6": {"USD1"}, "USD7": {"USD9", "USD1"}}
    assert right(dataset(planted, shared=2))["USD7"] == {"USD9", "USD1", "USD6", "USD5"}


def test_the_value_computed_by_hand(planted: Collection) -> None:
    quality = measure_quality(dataset(planted))
    assert precisions(quality) == pytest.approx(PRECISION)
    assert quality.metrics["map"] == pytest.approx(2 / 3)
    assert quality.metrics["hit_rate@1"] == pytest.approx(2 / 3)
    assert [place.patent for place in quality.top(quality.records[5])] == [
        "USD6",
        "USD5",
        "USD3",
        "USD1",
        "USD2",
        "USD9",
    ]


def test_the_value_without_pictures_computed_by_hand(planted: Collection) -> None:
    made = dataset(planted)
    quality = measure_quality(made, scores=class_and_date(made))
    assert precisions(quality) == pytest.approx(WITHOUT_PICTURES)
    assert quality.metrics["map"] == pytest.approx(14 / 27)


def test_drawings_of_the_query_are_left_out_and_those_of_an_answer_all_count(planted: Collection) -> None:
    more = [design("USD9", 2), design("USD1", 2)]
    both = planted.joined(Collection.of(more, np.stack([vector(0), vector(41)])))
    made = dataset(both)
    assert right(made) == RIGHT
    quality = measure_quality(made)
    for record in quality.records:
        if record.patent == "USD9":  # 2 ONE 3 FIVE 6 ONE: (1/2 + 2/4 + 3/6) / 3
            assert record.average_precision == pytest.approx(1 / 2)
            assert "USD9" not in {place.patent for place in quality.top(record)}


def test_a_sample_keeps_what_is_left_out(planted: Collection) -> None:
    made = dataset(planted).sampled(2)
    assert made.ignored is not None
    assert len(made.queries) == len(made.ignored) == 2
    chosen = {made.query(number).patent for number in range(2)}
    expected = [PRECISION[patent] for patent in sorted(chosen)]
    assert sorted(precisions(measure_quality(made)).values()) == pytest.approx(sorted(expected))
    assert made.fingerprint() != dataset(planted).fingerprint()


def test_days_that_are_not_known() -> None:
    """A citation counts without them, a shared reference does not, and nothing is left out by them."""
    undated = [replace(design(number), granted=None) for number in sorted(DESIGNS)]
    relevance, left_out = cited_relevance(undated, np.arange(len(undated)), shared=3)
    found = {undated[q].patent: {undated[p].patent for p in relevance.row(q)[0]} for q in range(len(undated))}
    assert {patent: numbers for patent, numbers in found.items() if numbers} == {
        "USD6": {"USD1"},
        "USD9": {"USD1", "USD5"},
        "USD7": {"USD9", "USD1"},
    }
    assert [left_out.row(q)[0].tolist() for q in range(len(undated))] == [[q] for q in range(len(undated))]


def test_nothing_of_the_same_day_or_later_is_right(planted: Collection) -> None:
    same_day = [replace(d, granted=date(2000, 1, 4)) for d in planted.drawings]
    made = dataset(Collection.of(same_day, planted.vectors))
    assert made.judged == 0


def test_without_citations_it_says_what_to_do(planted: Collection) -> None:
    bare = [replace(d, bibliography=None) for d in planted.drawings]
    with pytest.raises(UsageError, match="No patent of planted has citations by an examiner") as caught:
        dataset(Collection.of(bare, planted.vectors))
    assert "--bibliography-only" in str(caught.value.hint)
    applicants = [
        replace(d, bibliography=Bibliography(citations=(Citation("USD1", "applicant"),))) for d in planted.drawings
    ]
    with pytest.raises(UsageError, match="No patent of planted"):
        dataset(Collection.of(applicants, planted.vectors))
    with pytest.raises(UsageError, match="Invalid --shared 0"):
        dataset(planted, shared=0)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    use_tiny_encoders(monkeypatch)


@pytest.mark.usefixtures("tiny")
def test_a_benchmark_of_an_index(planted: Collection, tmp_path: Path) -> None:
    index = make_index(tmp_path / "index", planted)
    options = BenchOptions(dataset=parse_dataset([f"index:{index}"]), relevant="cited", backends=(), baseline=False)
    result = run_bench(options)
    assert [(e.encoder["name"], e.baseline, e.asking.style) for e in result.evaluations] == [
        ("tiny", False, 0),
        ("tiny", False, 1),
        ("class-and-date", True, 0),
    ]
    by_shape, _, without = result.evaluations
    assert by_shape.quality.metrics["map"] == pytest.approx(2 / 3)
    assert without.quality.metrics["map"] == pytest.approx(14 / 27)
    assert (by_shape.dataset["queries"], by_shape.dataset["judged_queries"]) == (7, 3)
    assert result.options.to_json()["shared"] == 3
    save_runs(result, tmp_path / "runs")
    for name in ("figures-tiny", "figures-class-and-date"):
        lines = (tmp_path / "runs" / f"{name}.qrels").read_text(encoding="utf-8").split("\n")
        judged = {tuple(line.split()) for line in lines if line}
        assert judged == {
            (f"{query}-D00001", "0", f"{other}-D00001", "1") for query, others in RIGHT.items() for other in others
        }
    ranking = (tmp_path / "runs" / "figures-tiny.run").read_text(encoding="utf-8").splitlines()
    assert sum(line.startswith("USD9-D00001 Q0 ") for line in ranking) == 5  # what is earlier, and no more


@pytest.mark.usefixtures("tiny")
def test_the_command(planted: Collection, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    index = make_index(tmp_path / "index", planted)
    words = ["bench", "--dataset", f"index:{index}", "--relevance", "cited", "--no-engines", "--quiet"]
    with pytest.raises(SystemExit) as stop:
        main([*words, "--shared", "4", "--json"])
    assert not stop.value.code
    answer = json.loads(capsys.readouterr().out)
    assert answer["settings"]["relevance"] == answer["dataset"]["relevance"] == "cited"
    assert answer["settings"]["shared"] == 4
    assert answer["against_baseline"]["queries"] == 3
    with pytest.raises(SystemExit):
        main(words)
    printed = capsys.readouterr()
    assert "class and date, without pictures" in printed.out
    assert "7 queries of 7 patents, 3 with something to find" in printed.err
    with pytest.raises(SystemExit) as stop:
        main([*words, "--shared", "0"])
    assert stop.value.code == 2


@pytest.mark.usefixtures("tiny")
def test_citations_from_a_table(tmp_path: Path) -> None:
    for number in range(3):
        draw(tmp_path / "designs" / f"USD90000{number}" / "1.png", number, 0)
    (table := tmp_path / "t.csv").write_text(
        "patent,granted,cites_examiner\nD900000,2001-01-02,\nD900001,2002-01-01,D900000\n"
        "D900002,2003-01-07,D900000;D900001\n",
        encoding="utf-8",
    )
    options = BenchOptions(
        dataset=parse_dataset([str(tmp_path / "designs")]), metadata=table, relevant="cited", backends=(), workers=1,
        baseline=False, whole_sheets=True,
    )  # fmt: skip
    first = run_bench(options).evaluations[0]
    assert (first.dataset["queries"], first.dataset["judged_queries"]) == (3, 2)
    assert first.quality.metrics["map"] == 1  # nothing else is earlier
