"""Queries of several vectors, expanded and re-ranked: the ranking, the encoder that turns, whole benchmarks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench_makers import TinyEncoder, draw, make_collection, make_index, unit, use_tiny_encoders
from PIL import Image

from patsearch.encoder import BASELINE_ENCODER
from patsearch.engine import Expansion, Rerank
from patsearch.errors import UsageError
from patsearch.evaluation.asking import Asking, OrientedEncoder, asked_vectors
from patsearch.evaluation.collection import Collection
from patsearch.evaluation.compare import compare_with_baseline
from patsearch.evaluation.datasets import Protocol, leave_one_out
from patsearch.evaluation.page import render_page
from patsearch.evaluation.ranking import rank, score_block
from patsearch.evaluation.relevance import Relevance
from patsearch.evaluation.results import BenchOptions, BenchResult
from patsearch.evaluation.runfile import result_json, save_runs
from patsearch.evaluation.runner import run_bench
from patsearch.evaluation.specs import parse_dataset

OWN = np.arange(30)


@pytest.fixture
def vectors() -> np.ndarray:
    rng = np.random.default_rng(4)
    return unit(np.repeat(rng.standard_normal((6, 12)), 5, axis=0) + 0.9 * rng.standard_normal((30, 12)))


def rows(queries: np.ndarray, gallery: np.ndarray, **options: Any) -> list[np.ndarray]:
    """Scores of each query by gallery position, NaN for the one left out."""
    none = Relevance.from_rows([np.empty(0, np.int64)] * len(queries))
    result = []
    for one in rank(queries, gallery, none, top=len(gallery), **options):
        row = np.full(len(gallery), np.nan)
        row[one.top] = one.top_scores
        result.append(row)
    return result


@pytest.mark.parametrize("block_bytes", [1, 2000, 1 << 20])
def test_the_best_of_several_vectors_counts(vectors: np.ndarray, block_bytes: int) -> None:
    rng = np.random.default_rng(8)
    queries = unit(rng.standard_normal((30 * 3, 12))).reshape(30, 3, 12)
    for query, row in enumerate(rows(queries, vectors, own=OWN, block_bytes=block_bytes)):
        wanted = score_block(queries[query], vectors).max(axis=0).astype(np.float64)
        wanted[query] = np.nan
        np.testing.assert_array_equal(row, wanted)


def test_expansion_leaves_the_query_itself_out(vectors: np.ndarray) -> None:
    method = Expansion(3, 2.0)
    for query, row in enumerate(rows(vectors, vectors, own=OWN, expansion=method)):
        cosines = score_block(vectors[query : query + 1], vectors)[0]
        others = sorted((p for p in range(30) if p != query), key=lambda p: (-cosines[p], p))[:3]
        new = method.expanded(vectors[query], vectors[others], cosines[others])
        wanted = (vectors @ new).astype(np.float64)
        wanted[query] = np.nan
        np.testing.assert_allclose(row, wanted, atol=1e-6)


def test_re_ranking_leaves_the_query_itself_out(vectors: np.ndarray) -> None:
    method = Rerank(4, 2, 0.3)
    for query, row in enumerate(rows(vectors, vectors, own=OWN, rerank=method)):
        cosines = np.delete(score_block(vectors[query : query + 1], vectors)[0], query)
        wanted = np.insert(method.scores(cosines, np.delete(vectors, query, axis=0)), query, np.nan)
        np.testing.assert_allclose(row, wanted, atol=1e-6)


def test_refinements_help_where_designs_are_clusters() -> None:
    rng = np.random.default_rng(3)
    vectors = unit(np.repeat(rng.standard_normal((12, 32)), 5, axis=0) + 1.1 * rng.standard_normal((60, 32)))
    labels = [str(row // 5) for row in range(60)]
    own = np.arange(60)
    relevance = Relevance.same_group(labels, labels, own)

    def precision(**options: Any) -> float:
        results = rank(vectors, vectors, relevance, own=own, **options)
        return float(np.mean([np.mean(np.arange(1, 5) / r.ranks.ranks) for r in results]))

    plain = precision()
    assert precision(rerank=Rerank(5, 2, 0.3)) > plain + 0.02
    assert precision(expansion=Expansion(2, 3.0)) > plain + 0.02


# ------------------------------------------------------------------ orientations


@pytest.mark.parametrize(
    ("asking", "count"),
    [
        (Asking(turn=90), 1),
        (Asking(rotations=True), 4),
        (Asking(mirror=True), 2),
        (Asking(turn=90, rotations=True, mirror=True), 8),
    ],
)
def test_vectors_of_all_orientations_stand_side_by_side(tmp_path: Path, asking: Asking, count: int) -> None:
    tiny = TinyEncoder()
    images = []
    for number in range(3):
        draw(tmp_path / f"{number}.png", number, 1)
        images.append(Image.open(tmp_path / f"{number}.png"))
    encoder = OrientedEncoder(tiny, asking)
    assert (encoder.card.dim, asking.orientations) == (64 * count, count)
    wide = encoder.encode_batch(images)
    np.testing.assert_allclose(np.linalg.norm(wide, axis=1), 1, atol=1e-5)
    for image, row in zip(images, wide, strict=True):
        for variant, part in zip(asking.orient(image), row.reshape(count, 64), strict=True):
            np.testing.assert_allclose(part * np.sqrt(count), tiny.encode_batch([variant])[0], atol=1e-6)


def test_a_turned_drawing_has_the_orientations_of_an_upright_one() -> None:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 255, (9, 7), dtype=np.uint8))
    upright = {(v.size, v.tobytes()) for v in Asking(rotations=True).orient(image)}
    for turn in (90, 180, 270):
        assert {(v.size, v.tobytes()) for v in Asking(turn=turn, rotations=True).orient(image)} == upright
        assert Asking(turn=turn).orient(image)[0].tobytes() == image.rotate(turn, expand=True).tobytes()


def test_each_orientation_has_a_fingerprint_of_its_own() -> None:
    askings = [Asking(turn=t, rotations=r, mirror=m) for t in (0, 90) for r in (False, True) for m in (False, True)]
    cards = [OrientedEncoder(TinyEncoder(), a).card for a in askings]
    assert len({c.sha256 for c in cards}) == len({c.name for c in cards}) == len(askings)


def test_queries_find_their_vectors_by_id() -> None:
    collection = make_collection(patents=3)
    dataset = leave_one_out("d", collection, protocol=Protocol(True, False))
    asking = Asking(mirror=True)
    wide = Collection(collection.drawings, unit(np.concatenate([collection.vectors, -collection.vectors], axis=1)))
    asked = asked_vectors(dataset, wide, asking)
    np.testing.assert_allclose(asked[:, 0], dataset.query_vectors(), atol=1e-6)
    np.testing.assert_allclose(asked[:, 1], -dataset.query_vectors(), atol=1e-6)
    with pytest.raises(UsageError, match="9 queries were not found"):
        asked_vectors(dataset, wide.kept([False] * 12), asking)


def test_queries_turn_by_right_angles_only() -> None:
    with pytest.raises(UsageError, match="Invalid --turn 45"):
        Asking(turn=45)


# ------------------------------------------------------------------ benchmarks


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    use_tiny_encoders(monkeypatch)
    for patent in range(6):
        for view in range(3):
            draw(tmp_path / "designs" / f"chair{patent}" / f"{view}.png", patent, view)
    return tmp_path / "designs"


def bench(dataset: str | Path, asking: Asking, **values: Any) -> BenchResult:
    fixed = {"workers": 1, "baseline": False, "backends": (), "whole_sheets": True}
    return run_bench(BenchOptions(dataset=parse_dataset([str(dataset)]), asking=asking, **{**fixed, **values}))


def test_a_turned_query_is_as_good_as_an_upright_one_where_turned_copies_are_tried(folder: Path) -> None:
    tried = [bench(folder, Asking(turn=turn, rotations=True)).evaluations for turn in (0, 270)]
    values = [e[0].quality.metrics["map"] for e in tried]
    assert values == pytest.approx([values[0]] * 2, abs=1e-6)
    refined, plain, _ = bench(folder, Asking(turn=90)).evaluations
    assert (refined.asking, plain.asking) == (Asking(turn=90), Asking())
    assert refined.quality.metrics["map"] < plain.quality.metrics["map"] - 0.05
    assert refined.quality.metrics["map"] < values[1]
    assert refined.dataset["fingerprint"] == plain.dataset["fingerprint"]


def test_asking_by_shape_leaves_out_what_the_encoder_says_of_the_pen(folder: Path) -> None:
    shape, style = bench(folder, Asking(shape=True)).evaluations
    assert (shape.asking, style.asking) == (Asking(), Asking(style=1))
    assert (str(style.asking), style.asking.to_json()["shape"]) == ("style 1", False)
    between, *_ = bench(folder, Asking(style=0.4)).evaluations
    qualities = [evaluation.quality for evaluation in (shape, style, between)]
    assert len({quality.top(quality.records[0], 5)[-1].score for quality in qualities}) == 3
    turned, _, _ = bench(folder, Asking(rotations=True)).evaluations
    assert (
        turned.quality.top(turned.quality.records[0], 5)[-1].score
        > qualities[0].top(qualities[0].records[0], 5)[-1].score
    )


def test_turned_queries_of_a_trec_dataset(folder: Path, tmp_path: Path) -> None:
    paths = sorted(folder.rglob("*.png"))
    (tmp_path / "trec").mkdir()
    for name, chosen in (("queries", paths[::3]), ("gallery", paths)):
        lines = [f"{p.parent.name}-{p.stem}\t{p}" for p in chosen]
        (tmp_path / "trec" / f"{name}.txt").write_text("\n".join(lines) + "\n")
    judged = [f"{q.parent.name}-{q.stem} 0 {p.parent.name}-{p.stem} 1" for q in paths[::3] for p in paths
              if p.parent == q.parent and p != q]  # fmt: skip
    (tmp_path / "trec" / "qrels.txt").write_text("\n".join(judged) + "\n")
    refined, plain, _ = bench(
        f"trec:{tmp_path / 'trec'}", Asking(turn=180, rotations=True), whole_sheets=None
    ).evaluations
    assert refined.dataset["queries"] == 6
    assert refined.quality.metrics["map"] == pytest.approx(plain.quality.metrics["map"], abs=0.2)
    turned, *_ = bench(f"trec:{tmp_path / 'trec'}", Asking(turn=180), whole_sheets=None).evaluations
    assert turned.quality.metrics["map"] < refined.quality.metrics["map"]


def test_refinements_stand_beside_plain_asking_and_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_tiny_encoders(monkeypatch)
    index = make_index(tmp_path / "index")
    asking = Asking(rerank=Rerank(4, 2, 0.3), expansion=Expansion(1, 3.0))
    result = bench(f"index:{index}", asking, whole_sheets=None)
    refined, plain, with_style = result.evaluations
    assert with_style.asking == Asking(style=1)
    assert refined.quality.metrics != plain.quality.metrics
    written = {path.name for path in save_runs(result, tmp_path / "out")}
    assert written == {
        "figures-tiny-expand_1_3-rerank_4_2_0.3_200.json",
        "figures-tiny.json",
        "figures-tiny-style_1.json",
    }
    document = result_json(result)
    assert document["settings"]["asking"] == document["evaluations"][0]["asking"]
    assert document["evaluations"][0]["asking"]["rerank"] == "4,2,0.3,200"
    assert document["evaluations"][1]["asking"]["rerank"] is None
    assert "rerank 4,2,0.3,200" in render_page(result)
    only, _ = bench(f"index:{index}", Asking(), whole_sheets=None).evaluations
    assert only.quality.metrics == plain.quality.metrics


def test_the_baseline_is_queried_in_the_same_way(folder: Path) -> None:
    result = bench(folder, Asking(rerank=Rerank(3, 1, 0.5)), baseline=True, encoder="mine")
    assert [(e.encoder["name"], bool(e.asking.parts())) for e in result.evaluations] == [
        ("mine", True), ("mine", False), ("mine", True),
        (BASELINE_ENCODER, True), (BASELINE_ENCODER, False), (BASELINE_ENCODER, True),
    ]  # fmt: skip
    assert [e.asking.shape for e in result.evaluations] == [True, True, False] * 2
    against = compare_with_baseline(result)
    assert against is not None
    assert {d.difference for d in against.differences} == {0}  # both encode equally here


def test_an_index_has_no_pictures_to_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_tiny_encoders(monkeypatch)
    index = make_index(tmp_path / "index")
    with pytest.raises(UsageError, match="vectors, not pictures"):
        bench(f"index:{index}", Asking(rotations=True), whole_sheets=None)
