"""Run files: everything comes back, other tools can read them, damage is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench_makers import make_index, use_tiny_encoders

from patsearch.errors import InputError
from patsearch.evaluation import metrics
from patsearch.evaluation.results import BenchOptions, BenchResult
from patsearch.evaluation.runfile import read_run, result_json, save_runs, timings
from patsearch.evaluation.runner import run_bench
from patsearch.evaluation.specs import parse_dataset


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> BenchResult:
    with pytest.MonkeyPatch.context() as patch:
        use_tiny_encoders(patch)
        index = make_index(tmp_path_factory.mktemp("runs") / "index")
        return run_bench(BenchOptions(dataset=parse_dataset([f"index:{index}"]), all_protocols=True, searches=10))


@pytest.fixture
def saved(result: BenchResult, tmp_path: Path) -> Path:
    """The run with front pages: it has ties."""
    paths = save_runs(result, tmp_path / "new" / "folder")
    protocols = ("figures", "figures-front-pages")
    assert [p.name for p in paths] == [f"{p}-tiny{style}.json" for p in protocols for style in ("", "-style_1")]
    return paths[2]


def test_a_run_comes_back_as_it_was(result: BenchResult, saved: Path) -> None:
    evaluation = result.evaluations[2]
    run = read_run(saved)
    assert run.dataset == evaluation.dataset
    assert run.encoder == evaluation.encoder
    assert run.metrics == evaluation.quality.metrics
    assert run.ids == tuple(r.id for r in evaluation.quality.records)
    again = metrics.aggregate(metrics.per_query(run.ranks))
    again["map_by_patent"] = metrics.mean_over_groups(metrics.per_query(run.ranks)["map"], run.patents)
    assert again == pytest.approx(evaluation.quality.metrics)
    assert again["map"] != again["map_ties"]  # the ties came back too


def test_the_file_says_how_it_was_made(saved: Path) -> None:
    document = json.loads(saved.read_text())
    assert document["environment"]["packages"]["numpy"] == np.__version__
    assert document["environment"]["cores"] >= 1
    assert document["settings"]["searches"] == 10
    assert document["encoder"]["sha256"]
    assert document["per_query"][0]["average_precision"] > 0
    assert {"id", "rank", "score", "relevant"} <= document["per_query"][0]["top"][0].keys()


def test_the_metrics_follow_from_the_trec_files_alone(result: BenchResult, saved: Path) -> None:
    right: dict[str, set[str]] = {}
    for line in saved.with_suffix(".qrels").read_text().splitlines():
        query, _, drawing, _ = line.split()
        right.setdefault(query, set()).add(drawing)
    ranking: dict[str, list[tuple[int, float, str]]] = {}
    for line in saved.with_suffix(".run").read_text().splitlines():
        query, _, drawing, rank, score, _ = line.split()
        ranking.setdefault(query, []).append((int(rank), float(score), drawing))
    precisions = []
    for query, relevant in right.items():
        places = sorted(ranking[query])
        assert [score for _, score, _ in places] == sorted((s for _, s, _ in places), reverse=True)
        flags = [drawing in relevant for _, _, drawing in places]
        precisions.append(sum(sum(flags[: i + 1]) / (i + 1) for i, f in enumerate(flags) if f) / len(relevant))
    assert np.mean(precisions) == pytest.approx(result.evaluations[2].quality.metrics["map"])


def test_trec_lines(result: BenchResult, saved: Path) -> None:
    first = saved.with_suffix(".run").read_text().splitlines()[0].split()
    assert (first[1], first[3], first[5]) == ("Q0", "1", "figures-front-pages-tiny")
    lines = saved.with_suffix(".qrels").read_text().splitlines()
    assert lines[0].split()[1::2] == ["0", "1"]
    assert len(lines) == sum(r.ranks.relevant for r in result.evaluations[2].quality.records)


def test_names_that_scripts_rely_on(result: BenchResult) -> None:
    document = result_json(result)
    named = {"map", "map@10", "hit_rate@1", "hit_rate@10", "recall@10", "mrr", "ndcg@10", "map_ties"}
    assert named <= document["metrics"].keys()
    measured = {"search_p50_ms", "search_p95_ms", "search_p99_ms", "queries_per_second", "bytes_per_vector"}
    assert measured | {"ann_recall@10", "ranking_seconds"} <= document["timings"].keys()
    assert len(document["evaluations"]) == 4
    assert "per_query" not in json.dumps(document)
    json.dumps(document, allow_nan=False)


def test_what_was_not_measured_is_left_out(result: BenchResult) -> None:
    quality_alone = BenchResult(result.options, result.evaluations, (), result.environment)
    assert timings(quality_alone).keys() == {"ranking_seconds"}


def _change(path: Path, **values: Any) -> Path:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    return path


def test_damage_is_told(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_run(tmp_path / "none.json")
    with pytest.raises(InputError, match="not a run of patsearch bench"):
        read_run(_change(tmp_path / saved.rename(tmp_path / "a.json").name, format="other"))
    (tmp_path / "b.json").write_text("not json")
    with pytest.raises(InputError, match="is not JSON"):
        read_run(tmp_path / "b.json")
    for deep in ("[" * 100_000, '{"a":' * 100_000):
        (tmp_path / "b.json").write_text(deep)
        with pytest.raises(InputError, match="nested too deeply"):
            read_run(tmp_path / "b.json")
    with pytest.raises(InputError, match="format version 99"):
        read_run(_change(tmp_path / "a.json", format="patsearch-bench", version=99))
    with pytest.raises(InputError, match="is damaged"):
        read_run(_change(tmp_path / "a.json", version=1, per_query=[{"id": "x", "patent": "y", "ranks": [3, 2]}]))
    with pytest.raises(InputError, match="is damaged"):
        read_run(_change(tmp_path / "a.json", per_query=[{"id": "x"}]))
    for ranks in ([10**400], [[1]], ["x"]):
        with pytest.raises(InputError, match="is damaged"):
            read_run(_change(tmp_path / "a.json", per_query=[{"id": "x", "patent": "y", "ranks": ranks}]))
