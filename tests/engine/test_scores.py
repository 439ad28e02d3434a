"""A score has one meaning: the cosine with what is closest in the query, 1 for the same picture, in every mode."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from makers import draw_design
from PIL import Image

from patsearch.encoder import Encoder, load_encoder
from patsearch.encoder.shape import by_shape_where_unsure, compared_cosines, shape_part
from patsearch.engine import Engine, Question, open_index, search
from patsearch.engine.explain import explain
from patsearch.ingest import IngestOptions, ingest
from patsearch.record import SavedSearch, SearchRecord

# Two patents show the same drawing; "small" is a copy too small to recognise its drawing style.
SAME, TWIN, SMALL, OTHERS = "USD900001", "USD900002", "USD900003", range(4, 9)
STYLES = (0.0, 0.3, 1.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scores")
    pictures = {SAME: draw_design(1, 0), TWIN: draw_design(1, 0), SMALL: draw_design(2, 0).resize((150, 200))}
    pictures |= {f"USD90000{seed}": draw_design(seed, 0) for seed in OTHERS}
    (folder / "in").mkdir()
    for number, picture in pictures.items():
        picture.save(folder / "in" / f"{number}.png")
    assert ingest([folder / "in"], folder / "index", IngestOptions(workers=1)).exit_code == 0
    return folder


@pytest.fixture
def engine(folder: Path) -> Iterator[Engine]:
    with open_index(folder / "index") as opened:
        yield opened


def drawing(engine: Engine, number: str) -> str:
    (found,), _ = engine.drawings_of(number)
    return found.id


def modes(engine: Engine, folder: Path, number: str) -> dict[str, dict[str, Any]]:
    """Ways of querying with one indexed drawing."""
    picture = {"pictures": folder / "in" / f"{number}.png"}
    id_, other = drawing(engine, number), drawing(engine, "USD900008")
    return {
        "upload": picture,
        "drawings": {**picture, "drawings": True},
        "re-ranked": {**picture, "rerank": "3,2,0.3"},
        "expanded": {**picture, "expand": "2,3"},
        "exact": {**picture, "exact": True},
        "rotations": {**picture, "rotations": True},
        "by mark": {"relevant": [id_]},
        "with marks": {**picture, "relevant": [other], "irrelevant": [drawing(engine, "USD900005")]},
        "by number": {"like": number},
    }


def scores(engine: Engine, options: dict[str, Any]) -> dict[str, float]:
    return {hit.patent: hit.score for hit in search(engine, Question(**options, top=100)).hits}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("number", [SAME, SMALL])
def test_the_same_drawing_scores_one_in_every_mode(engine: Engine, folder: Path, number: str, style: float) -> None:
    for name, asked in modes(engine, folder, number).items():
        options = {**asked, "style": style}
        found = scores(engine, options)
        if name == "by number":  # the patent itself is not found
            assert number not in found
            assert number != SAME or found[TWIN] == pytest.approx(1, abs=1e-5)
        else:
            assert found[number] == pytest.approx(1, abs=1e-5), name
        assert max(found.values()) <= 1
        assert scores(engine, {**options, "min_score": 0.999}).keys() == {p for p, s in found.items() if s >= 0.999}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("number", [SAME, SMALL])
def test_a_pair_scores_the_same_in_every_mode(engine: Engine, folder: Path, number: str, style: float) -> None:
    asked = {name: {**options, "style": style} for name, options in modes(engine, folder, number).items()}
    upload = scores(engine, asked["upload"])
    for name in ("drawings", "re-ranked", "expanded", "exact", "by mark", "with marks", "by number"):
        found = scores(engine, asked[name])
        assert found == pytest.approx({patent: upload[patent] for patent in found}, abs=1e-5), name
    by_shape = scores(engine, {**asked["upload"], "style": 0})
    assert (by_shape == pytest.approx(upload, abs=1e-5)) == (number == SMALL or style == 0)
    for patent in ("USD900005", SMALL):
        (only,), (vector,) = engine.drawings_of(patent)
        picture, png = Image.open(folder / "in" / f"{number}.png"), engine.thumbnails.get(only.id) or b""
        why = explain(engine.encoder, [picture], png, found_vector=vector, style=style)
        assert why.score == pytest.approx(upload[patent], abs=1e-4)


@pytest.mark.parametrize("style", STYLES)
def test_scores_and_order_are_those_of_the_formula(engine: Engine, folder: Path, style: float) -> None:
    dim = engine.shape_dim
    (chosen,), (query,) = engine.drawings_of(SAME)
    found = search(engine, Question(relevant=(chosen.id,), style=style, top=100, drawings=True)).hits
    weights = np.where(np.arange(len(query)) < (dim or 0), 1.0, style)
    wanted = {}
    for patent in (SAME, TWIN, SMALL, *(f"USD90000{seed}" for seed in OTHERS)):
        _, vectors = engine.drawings_of(patent)
        lengths = np.sqrt((query**2 @ weights) * (vectors**2 @ weights))
        wanted[patent] = float(((vectors * weights) @ query / lengths).max())
    assert [hit.patent for hit in found] == sorted(wanted, key=lambda number: (-round(wanted[number], 6), number))
    assert [hit.score for hit in found] == pytest.approx([wanted[hit.patent] for hit in found], abs=1e-5)


def test_the_best_drawing_has_the_score_of_its_patent(engine: Engine, folder: Path) -> None:
    pictures = [folder / "in" / f"{SAME}.png", folder / "in" / f"{SMALL}.png"]
    for hit in engine.search(pictures, rerank="3,2,0.3"):
        assert hit.score == hit.drawings[0].score == max(found.score for found in hit.drawings)
    assert {h.patent for h in engine.search(pictures, min_score=0.999)} == {SAME, TWIN, SMALL}


def test_words_say_how_similar_the_shapes_are(engine: Engine, folder: Path) -> None:
    for name, options in modes(engine, folder, SAME).items():
        found = {hit.patent: hit.likeness for hit in search(engine, Question(**options, top=100)).hits}
        assert found[TWIN] == "same drawing", name
        assert set(found.values()) <= {"same drawing", "same shape", "alike", "far"}
    with open_index(folder / "index", encoder=replace_likeness(engine)) as without:
        assert {hit.likeness for hit in without.search(folder / "in" / f"{SAME}.png")} == {None}


def replace_likeness(engine: Engine) -> Encoder:
    """The index's encoder, as if nobody had measured its words."""
    encoder = load_encoder(engine.spec.encoder)
    encoder.card = replace(encoder.card, likeness=None)
    return encoder


def test_a_saved_search_with_marks_scores_as_before(engine: Engine, folder: Path) -> None:
    question = Question(**modes(engine, folder, SAME)["with marks"])
    first = search(engine, question)
    saved = SavedSearch.of(SearchRecord.of(engine, first), first.vectors, name="marks")
    again = SavedSearch.read(saved.model_dump_json().encode(), name="file").rerun(engine).record
    assert [(h.patent, h.score) for h in again.hits] == [(h.patent, h.score) for h in first.hits]
    plain = search(engine, Question(**modes(engine, folder, SAME)["upload"]))
    written = SavedSearch.of(SearchRecord.of(engine, plain), plain.vectors, name="plain").model_dump_json()
    assert "shown_vectors" not in written  # earlier versions can read it
    damaged = saved.model_copy(update={"shown_vectors": saved.vectors[:400]})
    with pytest.raises(ValueError, match="belong together"):
        damaged.query()


def test_what_is_compared() -> None:
    rng = np.random.default_rng(4)
    vectors = rng.normal(size=(6, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[0, 5:] = (0, 0, np.linalg.norm(vectors[0, 5:]))  # its style is unclear
    asked = by_shape_where_unsure(vectors, 5)
    assert not asked[0, 5:].any()
    cosines = compared_cosines(asked, vectors, 5)
    np.testing.assert_allclose(np.diag(cosines), 1, atol=1e-6)
    np.testing.assert_allclose(cosines[0], shape_part(vectors, 5) @ asked[0], atol=1e-6)
    np.testing.assert_allclose(cosines[2], vectors @ vectors[2], atol=1e-6)
    np.testing.assert_array_equal(by_shape_where_unsure(vectors, None), vectors)
