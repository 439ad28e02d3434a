"""A question: validated once, written down once, and all of it known to the library's own search."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from makers import draw_design, week
from photo_makers import paper_photo

from patsearch.engine import Engine, Expansion, Picture, Question, Rerank, open_index, search
from patsearch.engine.question import form_fields
from patsearch.engine.wire import HitAnswer, hits_json
from patsearch.errors import FilterError, ImageError, InputError, UsageError
from patsearch.ingest import IngestOptions, ingest
from patsearch.text import counted
from patsearch.types import PatentHit

GIVEN: dict[str, Any] = {
    "like": "D907,292",
    "where": ["uspc=D14", "granted=2015..2018"],
    "top": 7,
    "rotations": True,
    "crop": (10, 20, 300, 400),
    "page": 2,
    "up": "y",
    "flatten": False,
    "drawings": True,
    "min_score": 0.25,
    "exact": True,
    "mirror": True,
    "rerank": Rerank(7, 2, 0.5),
    "expansion": Expansion(3, 2.0),
    "relevant": ("USD900001-D00001-1",),
    "irrelevant": ("USD900002-D00001-1", "USD900003-D00001-1"),
    "max_per_class": 2,
    "max_per_registration": 1,
    "style": 0.5,
    "shape": False,
}
DESIGNS = 6


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("question")
    ingest([week(folder / "w", range(DESIGNS))], folder / "index", IngestOptions(workers=1))
    return folder / "index"


@pytest.fixture
def engine(index: Path) -> Any:
    with open_index(index) as opened:
        yield opened


def test_every_option_survives_json_and_the_form() -> None:
    question = Question(**GIVEN)
    unset = [name for name in Question.model_fields if getattr(question, name) == Question.model_fields[name].default]
    assert unset == ["pictures", "encoded"]  # GIVEN has all the others: a new option belongs in there
    kept = json.loads(json.dumps(question.options()))
    assert Question.of((), **kept, like=question.like, where=str(question.where)) == question
    form = question.replaced(pictures=(Picture("a.png", b""),)).form()
    assert (form.pop("crop"), form.pop("page"), form.pop("up")) == (["10,20,300,400"], ["2"], ["y"])
    assert form.pop("flatten") == ["no"]
    assert set(form) == {name for _, name, _ in form_fields()} - {"shape"}  # which follows from the style
    assert Question.of((), **form, crop="10,20,300,400", page="2", up="y", flatten="no") == question
    assert Question().form() == {}
    assert len({question, Question(**GIVEN), Question()}) == 2


def test_a_photo_of_paper_is_searched_flattened_or_as_it_is(engine: Engine) -> None:
    data, _ = paper_photo(draw_design(2, 0, (900, 700)))
    flat, plain = (
        search(engine, Question(pictures=(Picture("picture 1", data),), flatten=flatten)) for flatten in (True, False)
    )
    assert flat.remarks == ("picture 1: a photo of a sheet of paper, which is searched flattened and without shadows",)
    assert not any("paper" in remark for remark in plain.remarks)
    assert [one.pictures[0].name for one in (flat, plain)] == ["picture 1, the paper flattened", "picture 1"]
    assert flat.hits[0].patent == "USD900002"


def test_options_of_a_saved_search_of_version_0_1_0() -> None:
    kept = {
        "top": 5, "rotations": False, "crop": [1, 2, 3, 4], "drawings": False, "min_score": None, "exact": False,
        "mirror": True, "rerank": {"k1": 7, "k2": 2, "weight": 0.5, "candidates": 200},
        "expansion": {"count": 3, "alpha": 3.0}, "relevant": [], "irrelevant": ["x"], "shape": True,
    }  # fmt: skip
    question = Question.of((), **kept)
    assert (question.rerank, question.expansion) == (Rerank(7, 2, 0.5), Expansion(3, 3.0))
    assert {name: question.options()[name] for name in kept} == kept


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top": 0}, "Invalid top 0"),
        ({"k": "many"}, "Invalid top 'many'"),
        ({"min_score": 2}, "Invalid min_score 2"),
        ({"min_score": float("nan")}, "Invalid min_score nan"),
        ({"rotations": "perhaps"}, "Invalid rotations 'perhaps'"),
        ({"relevant": 7}, "Invalid relevant 7"),
        ({"max_per_class": 0}, "Invalid max_per_class 0"),
        ({"colour": "red"}, "no option 'colour'"),
        ({"where": "colour=red"}, "Unknown filter key"),
        ({"crop": "1,2,3"}, "crop"),
        ({"rerank": "20"}, "Invalid rerank '20'"),
        ({"rerank": {"k1": 2, "k2": 3}}, "out of range"),
        ({"expansion": "x"}, "Invalid expand 'x'"),
    ],
)
def test_what_is_not_valid_is_said(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Question.of((), **options)
    assert issubclass(FilterError, UsageError)


def test_a_question_is_taken_as_it_is() -> None:
    question = Question(like="D900001")
    assert Question.of(question) is question
    with pytest.raises(UsageError, match="its own options: top"):
        Question.of(question, top=3)
    with pytest.raises(UsageError, match="Invalid picture 1: int"):
        Question.of(7)  # type: ignore[arg-type]
    assert [p.name for p in Question.of(["a/b.png", b"", draw_design(0, 0)]).pictures] == [
        "b.png", "picture 2", "picture 3"
    ]  # fmt: skip


def test_the_library_knows_what_the_command_line_knows(engine: Engine, tmp_path: Path) -> None:
    picture = draw_design(2, 0)
    plain = engine.search(picture)
    assert plain[0].patent == "USD900002"
    assert engine.search(picture, min_score=plain[1].score) == plain[:2]
    assert "USD900002" not in [hit.patent for hit in engine.search(like="USD900002")]
    last = plain[-1].drawing.id
    marked = engine.search(picture, relevant=last, irrelevant=[plain[1].drawing.id])
    assert [h.patent for h in marked].index(plain[-1].patent) < len(plain) - 1
    assert engine.search(relevant=[last])[0].patent == plain[-1].patent
    singles = engine.search(picture, drawings=True, k=50)
    assert [len(hit.drawings) for hit in singles] == [1] * engine.backend.count()
    assert [hit.rank for hit in singles] == list(range(1, len(singles) + 1))
    picture.save(tmp_path / "two.png")
    for given in (tmp_path / "two.png", str(tmp_path / "two.png"), (tmp_path / "two.png").read_bytes()):
        assert [h.patent for h in engine.search(given)] == [h.patent for h in plain]
    with pytest.raises(ImageError, match="is not within"):
        engine.search(picture, crop="0,0,99999,5")
    with pytest.raises(InputError, match="The drawing x is not in the index"):
        engine.search(picture, relevant="x")
    with pytest.raises(UsageError, match="nothing to search with but"):
        engine.search(irrelevant=[last])


@pytest.mark.parametrize("most", [1, 2])
def test_results_of_one_main_class_are_limited(engine: Engine, most: int) -> None:
    def main_class(hit: PatentHit) -> str:
        return next(code.ancestors[0] for code in hit.classes if code.scheme == "locarno")

    picture = draw_design(0, 0)
    everything = engine.search(picture, k=50)
    wanted = [
        hit.patent
        for place, hit in enumerate(everything)
        if [main_class(other) for other in everything[:place]].count(main_class(hit)) < most
    ]
    assert len(wanted) < len(everything)
    limited = engine.search(picture, k=len(wanted), max_per_class=most)
    assert [hit.patent for hit in limited] == wanted
    assert [hit.rank for hit in limited] == list(range(1, len(wanted) + 1))
    assert engine.search(picture, k=2, max_per_class=most) == limited[:2]
    singles = engine.search(picture, k=50, max_per_class=most, drawings=True)
    assert {hit.patent for hit in singles} == set(wanted)
    assert f"up to {counted(most, 'patent')} per class" in Question(max_per_class=most).words()


def test_an_answer_can_be_asked_for_again_with_its_vectors(engine: Engine) -> None:
    question = Question.of(draw_design(3, 0), like="USD900001", relevant="USD900004-D00001-1", shape=True)
    first = search(engine, question)
    assert [p.name for p in first.pictures] == ["picture 1", "USD900001-D00001-1", "USD900001-D00002-1"]
    assert all(p.png.startswith(b"\x89PNG") for p in first.pictures)
    again = search(engine, question.replaced(pictures=()), first.vectors)
    assert [(h.patent, h.score) for h in again.hits] == [(h.patent, h.score) for h in first.hits]


def test_a_hit_survives_its_json(engine: Engine) -> None:
    hits = engine.search(draw_design(4, 0), k=3)
    written = json.loads(json.dumps(hits_json(hits)))
    assert list(written[0])[:4] == ["rank", "patent", "score", "title"]
    for hit, read in zip(hits, (HitAnswer.model_validate(one).hit() for one in written), strict=True):
        assert (read.rank, read.patent, read.title, read.granted, read.classes) == (
            hit.rank, hit.patent, hit.title, hit.granted, hit.classes
        )  # fmt: skip
        assert read.score == pytest.approx(hit.score, abs=1e-6)
        assert [d.drawing.id for d in read.drawings] == [d.drawing.id for d in hit.drawings]
