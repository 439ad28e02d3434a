"""The suite: rows trained the same way on one corpus, one table, and resuming."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from patsearch.errors import SettingsError, UsageError
from patsearch.evaluation.specs import parse_dataset
from patsearch.suite import run as suite
from patsearch.suite import worker as suite_worker
from patsearch.suite.rows import SEED, recipe_of, rows_of, small_budget
from patsearch.suite.run import Stopped, SuiteOptions, run_suite
from patsearch.suite.table import cells, columns, save, to_html, to_markdown
from patsearch.suite.worker import ScoreSet, measure
from patsearch.training.data.cache import Record, write_shard
from patsearch.types import JsonDict

SMALL = (
    "network.architecture=test_efficientnet",
    "network.start=random",
    "network.projection=16",
    "schedule.frozen_stages=0",
    "batch.designs=6",
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 designs of 4 families: a pattern each, moved about in its four drawings."""
    folder = tmp_path_factory.mktemp("corpus")
    records, drawings = [], []
    rng = np.random.default_rng(0)
    for d in range(40):
        records.append(Record(f"d{d}", f"g{d}", f"family{d % 4}", ("view",) * 3 + ("sketch",)))
        pattern = np.kron(np.random.default_rng(d).integers(0, 2, (4, 4)), np.ones((6, 6)))
        for _ in range(4):
            page = np.full((32, 32), 255, np.uint8)
            top, left = rng.integers(1, 7, 2)
            page[top : top + 24, left : left + 24] = 255 - 200 * pattern
            drawings.append(page)
    write_shard(folder, 0, records, np.stack(drawings))
    return folder


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Rows run here and not in separate processes, which would import torch again; names of those that ran."""
    ran: list[str] = []

    def run(job: suite_worker.Job, progress: suite.Progress) -> JsonDict:
        ran.append(job.row.name)
        return measure(job, lambda what, share: progress(job.row.name, what, share))

    monkeypatch.setattr(suite, "_in_a_process", run)
    monkeypatch.setattr(suite_worker, "_RATE_SECONDS", 0.02)
    return ran


def options(
    corpus: Path, out: Path, *rows: str, cpu_seconds: float = 0.3, changes: tuple[str, ...] = SMALL
) -> SuiteOptions:
    return SuiteOptions("seed", (corpus,), out, cpu_seconds=cpu_seconds, rows=rows, size=32, changes=changes)


def test_a_table_of_trained_untrained_and_taken_rows(corpus: Path, tmp_path: Path, in_this_process: list[str]) -> None:
    chosen = options(corpus, tmp_path, "ri-lbp", "lite0-imagenet", "effnet-infonce", "patentnet")
    result = run_suite(chosen)
    figures = {row.name: found for row, found in result.rows}
    assert list(figures) == ["ri-lbp", "lite0-imagenet", "patentnet", "effnet-infonce"]
    assert in_this_process == list(figures)
    assert figures["lite0-imagenet"]["samples"] == figures["ri-lbp"]["parameters"] == 0
    assert figures["effnet-infonce"]["samples"] >= 12
    assert figures["effnet-infonce"]["cpu_seconds"] >= 0.3
    assert figures["effnet-infonce"]["start"] == "random"
    # Figures are those of the same held-out drawings, which no row was trained on.
    assert {found["held"]["designs"]["drawings"] for found in figures.values()} == {
        4 * result.corpus["held_out_designs"]
    }
    (held,) = result.corpus["held_out_families"]
    assert result.corpus["held_out_family_designs"] == 10
    for found in figures.values():
        assert 0 < found["held"]["families"]["map"] <= 1
    # Patterns that were only moved are found by counting them.
    assert figures["ri-lbp"]["held"]["families"]["map"] > 0.3

    table = to_markdown(result)
    assert held in table
    assert "schedule.cpu_seconds=0.3" in table
    assert "0.447 (EfficientNet-B0)" in table
    assert all(len(row) == len(columns(result)) for row in cells(result))
    save(result, tmp_path)
    content = json.loads((tmp_path / "table.json").read_text())
    assert [row["row"] for row in content["rows"]] == list(figures)
    page = (tmp_path / "table.html").read_text()
    assert page.count("<rect") >= 8
    assert "http" not in page.partition("<details>")[0].replace("http-equiv", "")

    # Again: nothing is trained again, and the figures are the same.
    in_this_process.clear()
    again = run_suite(chosen)
    assert in_this_process == []
    assert [found for _, found in again.rows] == [found for _, found in result.rows]


def test_a_row_that_was_stopped_goes_on(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import patsearch.training.run as run

    train = run.train

    def stop_halfway(*arguments: object, **more: object) -> object:
        seen = 0

        def watch(now: run.Progress) -> None:
            nonlocal seen
            seen += 1
            if seen == 2:
                import os
                import signal

                os.kill(os.getpid(), signal.SIGTERM)

        return train(*arguments, **{**more, "watch": watch})  # type: ignore[arg-type]

    chosen = options(corpus, tmp_path, "effnet-triplet", cpu_seconds=1.0)
    with monkeypatch.context() as patched:
        patched.setattr(run, "train", stop_halfway)
        with pytest.raises(Stopped, match="effnet-triplet was stopped"):
            run_suite(chosen)
    assert not (tmp_path / "rows" / "effnet-triplet" / "result.json").exists()
    steps: list[int] = []
    result = run_suite(
        chosen, progress=lambda _, what, __: steps.append(int(what.split()[2][:-1])) if "step" in what else None
    )
    assert steps[0] == 3  # the first two steps were not made again
    assert result.rows[0][1]["steps"] == steps[-1]


def test_a_row_that_fails_does_not_stop_the_others(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = suite._in_a_process

    def fail(job: suite_worker.Job, progress: suite.Progress) -> JsonDict:
        return {"failed": "No memory."} if job.row.name == "ri-lbp" else here(job, progress)

    monkeypatch.setattr(suite, "_in_a_process", fail)
    result = run_suite(options(corpus, tmp_path, "ri-lbp", "lite0-imagenet"))
    assert cells(result)[0][:2] == ["ri-lbp", "failed"]
    assert "No memory." in to_markdown(result)
    assert result.rows[1][1]["finished"]
    monkeypatch.setattr(suite, "_in_a_process", here)
    assert "failed" not in run_suite(options(corpus, tmp_path, "ri-lbp")).rows[0][1]


def test_a_test_set_is_added_without_training_again(
    corpus: Path, tmp_path: Path, in_this_process: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = options(corpus, tmp_path, "ri-lbp")
    before = run_suite(chosen).rows[0][1]
    monkeypatch.setattr(
        suite_worker, "_score", lambda test, encoder: {"map": 0.25, "name": test.name, "encoder": encoder}
    )
    more = replace(chosen, scores=(ScoreSet("real", parse_dataset(["somewhere.tar"])),))
    after = run_suite(more).rows[0][1]
    assert in_this_process == ["ri-lbp", "ri-lbp"]
    assert after["scores"]["real"]["map"] == 0.25
    assert {**after, "scores": {}} == before
    run_suite(more)
    assert len(in_this_process) == 2
    assert run_suite(chosen).rows[0][1] == before


def test_hostile_names_are_text_on_the_page(corpus: Path, tmp_path: Path) -> None:
    hostile = "<script>alert('x')</script>\"&"
    result = run_suite(options(corpus, tmp_path, "ri-lbp"))
    page = to_html(replace(result, corpus={**result.corpus, "name": hostile, "held_out_families": [hostile]}))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 4


def test_another_budget_needs_another_folder(corpus: Path, tmp_path: Path) -> None:
    run_suite(options(corpus, tmp_path, "ri-lbp"))
    with pytest.raises(UsageError, match="another corpus, budget or recipe"):
        run_suite(options(corpus, tmp_path, "ri-lbp", cpu_seconds=2.0))


def test_wrong_names_are_told_at_once(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Invalid suite 'nonsense'"):
        rows_of("nonsense", ())
    with pytest.raises(UsageError, match="Invalid --rows 'nonsense'"):
        rows_of("seed", ("nonsense",))
    with pytest.raises(SettingsError, match="unknown key"):
        run_suite(options(corpus, tmp_path, "ri-lbp", changes=("schedule.nonsense=1",)))
    with pytest.raises(UsageError, match="32 pixels, fewer than 64"):
        run_suite(SuiteOptions("seed", (corpus,), tmp_path, size=64))


def test_every_row_has_a_recipe_with_the_same_budget() -> None:
    common = small_budget(cpu_seconds=60, size=96, families=("a b", "c"))
    for row in SEED:
        recipe = recipe_of(row, common)
        assert recipe.schedule.budget(10).amount == 60
        assert recipe.stages == ((96, 1.0),)
        assert recipe.search_size == 96
        assert recipe.data.held_out_families == ("a b", "c")
        assert (recipe.network.embedding, recipe.schedule.rate) == ("pooled", 4e-4)
    assert len({recipe_of(row, common).loss.name for row in SEED if row.kind == "trained"}) == 5


def test_the_command(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from patsearch.cli import build_app, main

    arguments = ["bench", "suite", "seed", "-d", str(corpus), "--rows", "ri-lbp", "--size", "32", "-q"]
    build_app()([*arguments, "-o", str(tmp_path), "--json"], standalone_mode=False)
    found = json.loads(capsys.readouterr().out)
    assert found["rows"][0]["row"] == "ri-lbp"
    assert (tmp_path / "table.html").is_file()
    as_option = ["bench", "-d", str(corpus), "--suite", "seed", *arguments[5:], "-o", str(tmp_path)]
    build_app()(as_option, standalone_mode=False)
    assert "ri-lbp" in capsys.readouterr().out
    for wrong in ([], ["-o", str(tmp_path), "--score", "nothing"]):
        with pytest.raises(SystemExit) as stopped:
            main([*arguments, *wrong])
        assert stopped.value.code == 2


@pytest.mark.slow
def test_a_row_in_a_process_of_its_own(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="needs torch: pip install 'patsearch[train]'")  # the row imports it elsewhere
    monkeypatch.undo()
    result = run_suite(options(corpus, tmp_path, "effnet-arcface", changes=(*SMALL, "batch.designs=12")))
    (_, figures) = result.rows[0]
    assert figures["held"]["designs"]["map"] > 0
    assert figures["peak_bytes"] > 1e8
