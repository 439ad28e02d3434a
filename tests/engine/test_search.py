"""The engine on a small index: fusion of pictures, grouping, filters, turned queries, mismatches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from makers import CLASSES, draw_design, week
from PIL import Image

from patsearch import parse_filter
from patsearch.encoder.shape import Comparison, shape_part
from patsearch.engine import Engine, Expansion, Question, Rerank, open_index
from patsearch.engine.fusion import Fusion
from patsearch.engine.query import QueryVectors, turned
from patsearch.errors import ImageError, IndexDamaged, IndexNotFound, IndexVersionError, InputError, UsageError
from patsearch.filters import Filter
from patsearch.ingest import IngestOptions, ingest
from patsearch.types import PatentHit

DESIGNS = 10


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engine")
    ingest([week(folder / "w", range(DESIGNS))], folder / "index", IngestOptions(workers=1))
    return folder / "index"


@pytest.fixture
def engine(index: Path) -> Iterator[Engine]:
    with open_index(index) as opened:
        yield opened


def test_a_drawing_finds_its_own_patent_first(engine: Engine) -> None:
    for seed in range(DESIGNS):
        hits = engine.search(draw_design(seed, 0), k=3)
        assert hits[0].patent == f"USD{900000 + seed}"
        assert [h.rank for h in hits] == [1, 2, 3]
        assert hits[0].score >= hits[1].score >= hits[2].score


def test_several_pictures_are_one_query(engine: Engine) -> None:
    both = engine.search([draw_design(3, 0), draw_design(6, 0)], k=2)
    assert {h.patent for h in both} == {"USD900003", "USD900006"}
    views = engine.search([draw_design(3, 0), draw_design(3, 1)], k=1)[0]
    assert views.patent == "USD900003"
    assert len(views.drawings) == 2
    # A patent that shows both views comes before one that shows a single one, and both scores are of the closest pair.
    assert rated(engine, [draw_design(3, 0), draw_design(3, 1)])[0].score > rated(engine, pictures_of_two())[0].score


def pictures_of_two() -> list[Image.Image]:
    return [draw_design(3, 0), draw_design(6, 0)]


def rated(engine: Engine, pictures: list[Image.Image], *, rerank: Rerank | None = None) -> list[PatentHit]:
    """All patents with what decides their order."""
    return Fusion(engine.backend, engine.encode(pictures), Filter(), rerank=rerank).patents(DESIGNS)


def drawings_rated(fusion: Fusion) -> dict[str, float]:
    """What decides the order of all drawings, best first."""
    return {hit.drawing.id: hit.score for hit in fusion.drawings(100)}


def test_the_fused_rating_is_the_mean_of_the_best_cosines(engine: Engine) -> None:
    query = engine.encode(pictures_of_two())
    for hit in rated(engine, pictures_of_two()):
        _, vectors = engine.drawings_of(hit.patent)
        cosines = vectors @ query.vectors.T  # (drawings, vectors)
        best = [cosines[:, query.picture == p].max() for p in range(2)]
        assert hit.score == pytest.approx(float(np.mean(best)), abs=2e-3)


def test_asking_for_more_than_there_is_gives_every_patent_once(engine: Engine) -> None:
    hits = engine.search(draw_design(0, 0), k=500)
    assert sorted(h.patent for h in hits) == [f"USD{900000 + s}" for s in range(DESIGNS)]
    assert sum(len(h.drawings) for h in hits) == engine.backend.count()


def test_single_drawings_are_not_grouped(engine: Engine) -> None:
    hits = engine.search_drawings(draw_design(2, 1), k=4)
    assert hits[0].drawing.id == "USD900002-D00002-1"
    assert len({h.drawing.id for h in hits}) == 4


def test_filters_narrow_the_search(engine: Engine) -> None:
    hits = engine.search(draw_design(1, 0), k=20, where="cpc=D14")
    expected = {f"USD{900000 + s}" for s in range(DESIGNS) if CLASSES[s % len(CLASSES)][1].startswith("D14")}
    assert {h.patent for h in hits} == expected
    assert engine.search(draw_design(1, 0), where="granted>2021") == []
    assert engine.search(draw_design(1, 0), k=1, where=parse_filter("patent=D900004"))[0].patent == "USD900004"


def test_a_turned_query_finds_its_design_with_rotations(engine: Engine) -> None:
    upright = draw_design(5, 0)
    on_its_side = upright.transpose(Image.Transpose.ROTATE_90)
    best = engine.search(on_its_side, k=1, rotations=True)[0]
    assert best.patent == "USD900005"
    assert best.score > engine.search(on_its_side, k=1)[0].score


def test_a_mirrored_query_finds_its_design_with_mirror(engine: Engine) -> None:
    mirrored = draw_design(5, 0).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    plain, asked = (engine.search(mirrored, k=DESIGNS, mirror=m) for m in (False, True))
    score = {h.patent: h.score for h in plain}["USD900005"]
    assert asked[0].patent == "USD900005"
    assert asked[0].score > score


@pytest.mark.parametrize(("rotations", "mirror", "count"), [(True, True, 8), (True, False, 4), (False, True, 2)])
def test_the_orientations_are_different(rotations: bool, mirror: bool, count: int) -> None:
    corner = Image.new("L", (8, 6), 255)
    corner.putpixel((1, 0), 0)
    images = turned(corner, rotations=rotations, mirror=mirror)
    assert len({(image.size, image.tobytes()) for image in images}) == len(images) == count
    assert images[0] is corner


def test_re_ranking_gives_the_scores_of_its_formula(engine: Engine) -> None:
    method = Rerank(k1=3, k2=2, weight=0.3)
    query = engine.encode(draw_design(4, 0))
    drawings, vectors = zip(
        *((d, v) for ds, vs in engine.backend.scan() for d, v in zip(ds, vs, strict=True)), strict=True
    )
    # Summed as exactly as the engine does: the order of copies must not hang on rounding.
    cosines = np.stack(vectors).astype(np.float64) @ query.vectors[0].astype(np.float64)
    wanted = method.scores(cosines.astype(np.float32), np.stack(vectors))
    score = {d.id: float(s) for d, s in zip(drawings, wanted, strict=True)}
    fusion = Fusion(engine.backend, query, Filter(), rerank=method)
    ratings = drawings_rated(fusion)
    assert ratings == pytest.approx(score, abs=1e-5)
    hits = engine.search_drawings(draw_design(4, 0), k=len(drawings), rerank=method, style=1)
    assert [hit.drawing.id for hit in hits] == list(ratings)
    best = engine.search(draw_design(4, 0), k=3, rerank=method, style=1)
    assert best[0].patent == "USD900004"
    assert fusion.patents(1)[0].score == pytest.approx(max(score.values()), abs=1e-5)


def test_re_ranking_of_several_pictures_is_the_mean_over_them(engine: Engine) -> None:
    method = Rerank(k1=3, k2=2)
    single = [
        drawings_rated(Fusion(engine.backend, engine.encode(picture), Filter(), rerank=method))
        for picture in pictures_of_two()
    ]
    both = drawings_rated(Fusion(engine.backend, engine.encode(pictures_of_two()), Filter(), rerank=method))
    assert both == pytest.approx({i: float(np.mean([s[i] for s in single])) for i in both}, abs=1e-5)


def test_expansion_asks_again_with_what_was_found(engine: Engine) -> None:
    method = Expansion(2, 3.0)
    query = engine.encode(draw_design(4, 0)).vectors[0]
    found = engine.search_drawings(draw_design(4, 0), k=2)
    vectors = np.stack([engine.backend.get([h.drawing.id])[h.drawing.id][1] for h in found])
    new = method.expanded(query, vectors, vectors @ query)
    fusion = Fusion(engine.backend, engine.encode(draw_design(4, 0)), Filter()).expanded(method)
    for id_, rating in drawings_rated(fusion).items():
        assert rating == pytest.approx(float(engine.backend.get([id_])[id_][1] @ new), abs=1e-3)
    assert engine.search(draw_design(4, 0), k=1, expansion=method, rerank=Rerank())[0].patent == "USD900004"


def test_refinements_keep_to_the_filter_and_to_an_empty_answer(engine: Engine) -> None:
    both = {"rerank": Rerank(), "expansion": Expansion()}
    hits = engine.search(draw_design(1, 0), k=20, where="patent=D900004", **both)
    assert [h.patent for h in hits] == ["USD900004"]
    assert engine.search(draw_design(1, 0), where="granted>2021", **both) == []


def test_like_a_patent_leaves_it_out(engine: Engine) -> None:
    hits = engine.search(like="US D0900,002 S1", k=20)
    assert len(hits) == DESIGNS - 1
    assert "USD900002" not in {h.patent for h in hits}
    with pytest.raises(InputError, match="USD123456 is not in the index"):
        engine.search(like="D123456")


def test_a_blank_picture_is_refused(engine: Engine) -> None:
    with pytest.raises(ImageError, match="picture 2 is blank"):
        engine.search([draw_design(1, 0), Image.new("L", (300, 300), 255)])
    with pytest.raises(UsageError, match="nothing to search with"):
        engine.search([])


def test_k_must_be_positive(engine: Engine) -> None:
    with pytest.raises(UsageError, match="Invalid top 0"):
        engine.search(draw_design(1, 0), k=0)


def test_what_is_no_index_says_so(tmp_path: Path) -> None:
    with pytest.raises(IndexNotFound, match="There is no index at"):
        open_index(tmp_path / "nowhere")
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(IndexDamaged, match="is damaged"):
        open_index(tmp_path)
    (tmp_path / "index.json").write_text('{"format": 99, "patsearch": "9.0"}')
    with pytest.raises(IndexVersionError, match=r"written by patsearch 9\.0"):
        open_index(tmp_path)


def test_what_a_comparison_makes_of_vectors() -> None:
    vectors = np.array([[0.6, 0.0, 0.8], [0.0, 0.0, 1.0]], np.float32)
    query = QueryVectors(vectors, np.array([0, 1]), vectors)
    np.testing.assert_array_equal(query.compared(Comparison(None, 0)).vectors, vectors)
    np.testing.assert_array_equal(query.compared(Comparison(2, 1)).vectors, vectors)
    alone = query.compared(Comparison(2, 0))
    np.testing.assert_allclose(alone.vectors, [[1, 0, 0], [0, 0, 0]])
    assert alone.picture is query.picture
    assert alone.shown is not None
    np.testing.assert_array_equal(alone.shown, alone.vectors)
    weighed = Comparison(2, 0.25).of(vectors)
    np.testing.assert_allclose(weighed[0], np.array([0.6, 0, 0.4]) / np.sqrt(0.52), rtol=1e-6)
    np.testing.assert_allclose(Comparison(2, 0.25).asked(weighed)[0], np.array([0.6, 0, 0.2]) / np.sqrt(0.4), rtol=1e-6)
    assert shape_part(vectors[None], 1).shape == (1, 2, 3)


def test_style_and_its_older_name_are_one_option() -> None:
    def ask(given: dict[str, Any]) -> Question:
        return Question(like="USD900000", **given)

    assert [ask(given).style for given in ({}, {"shape": True}, {"shape": False})] == [0, 0, 1]
    asked = ask({"style": "0.3"})
    assert asked.shape is False
    assert asked.replaced(top=3).style == 0.3
    assert asked.replaced(style=0).shape is True
    assert asked.form() == {"like": "USD900000", "style": "0.3"}
    for wrong in ({"style": 1.0, "shape": True}, {"style": 1.01}, {"style": -0.1}, {"style": float("nan")}):
        with pytest.raises(UsageError, match="style"):
            ask(wrong)


def test_a_picture_too_small_to_tell_the_pen_asks_by_shape(engine: Engine) -> None:
    dim = engine.encoder.card.shape_dim
    assert dim is not None
    large = draw_design(4, 0)
    small = large.resize((large.width // 4, large.height // 4), Image.Resampling.BOX)
    told, untold = (engine.encode(picture).vectors[0] for picture in (large, small))
    assert np.linalg.norm(told[dim:]) > 0.5
    assert not untold[dim:].any()
    assert np.linalg.norm(untold) == pytest.approx(1, abs=1e-5)
    assert engine.search(small, k=1)[0].patent == "USD900004"
