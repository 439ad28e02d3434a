"""From sources to a cache of drawings."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from makers import draw_design, tiff_bytes, week

from patsearch.drawings import split_sheet
from patsearch.drawings.aspects import aspect
from patsearch.drawings.photo import open_sheet
from patsearch.encoder.preprocess import Preprocessing, preprocess
from patsearch.errors import InputError, SourceError, UsageError
from patsearch.ingest import Progress
from patsearch.ingest.sources import SourceOptions
from patsearch.ingest.sources.deeppatent import DeepPatentSource, read_list
from patsearch.numbers import normal_number
from patsearch.synth import corpus
from patsearch.synth.corpus import write_corpus
from patsearch.training.data.build import REPORT, BuildOptions, build_cache, is_cache, open_data
from patsearch.training.data.cache import TEST, TRAIN, VALIDATION, DrawingCache
from patsearch.training.data.facts import SIDECAR, Labels
from patsearch.training.data.sampler import sampler_kind
from patsearch.training.data.splits import split_designs
from patsearch.types import Drawing

SPEC = Preprocessing(size=48)
HERE = BuildOptions(processes=0)


def sheet(folder: Path, name: str, seed: int, view: int = 0) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    draw_design(seed, view, (300, 400)).save(path)


def test_a_grants_figures_are_those_of_a_query(tmp_path: Path) -> None:
    archive = week(tmp_path / "in", range(3), sheets=2)
    report = build_cache([archive], tmp_path / "out", SPEC, HERE)
    assert (report.designs, report.added, report.failed, report.exit_code) == (3, 3, [], 0)
    cache = DrawingCache(tmp_path / "out")
    assert cache.preprocessing == SPEC
    assert [record.design for record in cache.records] == ["USD900000", "USD900001", "USD900002"]
    assert {record.family.split()[0] for record in cache.records} == {"locarno"}
    assert all(record.group == record.design and record.hand for record in cache.records)
    number = 0
    for view in range(2):  # the front page is left out
        figures = split_sheet(open_sheet(tiff_bytes(draw_design(1, view)), name="a")[0], expected=["1", "2"]).figures
        for figure in figures:
            np.testing.assert_array_equal(cache.drawing(1, number), preprocess(figure.image, SPEC))
            number += 1
    assert number == len(cache.records[1].kinds)


def test_deeppatents_lists_choose_the_drawings_and_the_sides(tmp_path: Path) -> None:
    names = {n: f"I20180220/USD08104{n:02d}-20180220/USD08104{n:02d}-20180220-D0000{{}}.png" for n in range(4)}
    for n, name in names.items():
        for view in (1, 2, 3):
            sheet(tmp_path / "in", name.format(view), n, view)
    lists = {
        "train_patent_trn.txt": [(0, 1, 0), (0, 2, 0), (1, 1, 1), (1, 2, 1)],
        "train_patent_val.txt": [(2, 1, 4)],
        "val_query_patent.txt": [(2, 1, 0)],
        "val_db_patent.txt": [(2, 2, 0), (2, 3, 0), (2, 9, 0)],
        "test_db_patent.txt": [(3, 1, 0), (3, 2, 7), (1, 3, 5)],
    }
    paths = []
    for name, rows in lists.items():
        paths.append(tmp_path / name)
        paths[-1].write_text("".join(f"{names[n].format(view)} {label}\n" for n, view, label in rows))
    options = BuildOptions(processes=0, source=SourceOptions(lists=tuple(paths)))
    report = build_cache([tmp_path / "in"], tmp_path / "out", SPEC, options)
    cache = DrawingCache(tmp_path / "out")
    sides = {record.design: (record.split, len(record.kinds)) for record in cache.records}
    assert sides == {
        "USD810400": (TRAIN, 2),
        "USD810401": (TEST, 3),  # in both: what is tested must not be learned
        "USD810402": (VALIDATION, 3),
        "USD810403": (TEST, 2),
    }
    reasons = [str(problem) for problem in report.failed]
    assert any("1 listed files are missing" in text and "D00009.png" in text for text in reasons)
    assert any("USD810401 is in the lists of two splits" in text for text in reasons)
    assert report.exit_code == 9
    assert split_designs(cache.records).train == (0,)


@pytest.mark.data
def test_deeppatents_own_lists_put_every_patent_on_one_side(data_dir: Path) -> None:
    folder = data_dir / "deeppatent-lists"
    lists = tuple(sorted(folder.glob("*_patent*.txt")))
    labels = Labels(DeepPatentSource(folder, SourceOptions(lists=lists)))
    assert labels.problems == []
    patents = {"USD810412": VALIDATION}
    counts = Counter[str]()
    for path in lists:
        names = {name.split("/")[1].split("-")[0] for name, _ in read_list(path)}
        patents |= {normal_number(name): VALIDATION if "val" in path.name else TEST for name in names}
    for patent, side in patents.items():
        record = labels.record(patent, [Drawing(id="a", patent=patent)])
        assert record.split == side
        counts[side] += 1
    assert counts == {VALIDATION: 5_888, TEST: 6_927}


def test_a_label_of_two_patents_is_reported(tmp_path: Path) -> None:
    rows = []
    for n in range(2):
        name = f"USD08104{n:02d}-20180220-D00001.png"
        sheet(tmp_path / "in", name, n)
        rows.append(f"{name} 5\n")
    listed = tmp_path / "train.txt"
    listed.write_text("".join(rows))
    options = BuildOptions(processes=0, source=SourceOptions(lists=(listed,)))
    report = build_cache([tmp_path / "in"], tmp_path / "out", SPEC, options)
    assert [p.reason for p in report.failed] == ["label 5 means USD810400 and USD810401"]


@pytest.mark.parametrize("layout", ["uspto", "deeppatent", "images"])
def test_the_synthetic_corpus_brings_families_and_near_duplicates(tmp_path: Path, layout: str) -> None:
    write_corpus(tmp_path / "in", designs=4, seed=3, layout=layout, near_duplicates=0.5, size=300, families=["phone"])
    made = [json.loads(line) for line in (tmp_path / "in" / "designs.jsonl").read_text().splitlines()]
    # The sidecar is also found next to an archive.
    source = next((tmp_path / "in").glob("*.tar")) if layout == "uspto" else tmp_path / "in"
    report = build_cache([source], tmp_path / "out", SPEC, HERE)
    assert report.failed == []
    records = {record.design: record for record in DrawingCache(tmp_path / "out").records}
    assert sorted(records) == sorted(design["patent"] for design in made)
    near = [design for design in made if design["near_duplicate_of"]]
    assert near
    for design in near:
        assert records[design["patent"]].group == records[design["near_duplicate_of"]].group
    assert {record.family for record in records.values()} == {"phone"}
    first = records[made[0]["patent"]]
    assert len(first.aspects) == len(first.kinds)
    assert "perspective" in first.aspects


def test_what_cannot_be_read_is_reported_and_stops_nothing(tmp_path: Path) -> None:
    for n in range(3):
        for view in range(3):
            sheet(tmp_path / "in", f"USD90000{n}/{view}.png", n, view)
    (tmp_path / "in/USD900001/1.png").write_bytes(b"no picture")
    for view in range(3):
        (tmp_path / f"in/USD900002/{view}.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    sheet(tmp_path / "in", "USD900003/1.png", 3)
    progress: list[Progress] = []
    report = build_cache([tmp_path / "in"], tmp_path / "out", SPEC, HERE, on_progress=progress.append)
    cache = DrawingCache(tmp_path / "out")
    assert {record.design: len(record.kinds) for record in cache.records} == {
        "USD900000": 3,
        "USD900001": 2,
        "USD900003": 1,
    }
    assert len(report.failed) == 4
    assert report.exit_code == 9
    assert progress[-1] == Progress(4, 4, 6, 4)
    written = json.loads((tmp_path / "out" / REPORT).read_text())
    assert written["failed"][0]["file"].endswith("1")
    assert all(entry["reason"] for entry in written["failed"])
    # One drawing has no partner: it is kept, counted and not trained on.
    assert (report.designs, report.single) == (3, 1)
    assert sampler_kind("pk")(cache.records, range(3), designs=2, drawings=2).left_out == (2,)
    # What failed is known on the next run too.
    again = build_cache([tmp_path / "in"], tmp_path / "out", SPEC, HERE)
    assert (again.added, again.designs, again.drawings, again.single) == (0, 3, 6, 1)
    assert again.failed == report.failed


def test_the_same_patent_twice_counts_once(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        for view in range(2):
            sheet(tmp_path / folder, f"USD900000/{view}.png", ("one", "two").index(folder), view)
    report = build_cache([tmp_path / "one", tmp_path / "two"], tmp_path / "out", SPEC, HERE)
    assert (report.designs, report.drawings) == (1, 2)
    assert "already in the cache" in report.failed[0].reason


def test_a_cache_grows_by_what_is_new(tmp_path: Path) -> None:
    sheet(tmp_path / "in", "USD900000/1.png", 0)
    build_cache([tmp_path / "in"], tmp_path / "out", SPEC, HERE)
    sheet(tmp_path / "in", "USD900001/1.png", 1)
    report = build_cache([tmp_path / "in"], tmp_path / "out", SPEC, HERE)
    assert (report.added, report.designs) == (1, 2)
    assert is_cache(tmp_path / "out")
    assert not is_cache(tmp_path / "in")
    cache, nothing = open_data([tmp_path / "out"], tmp_path / "unused", SPEC)
    assert (len(cache), nothing, (tmp_path / "unused").exists()) == (2, None, False)
    cache, built = open_data([tmp_path / "in"], tmp_path / "other", SPEC, HERE)
    assert built is not None
    assert (len(cache), built.added) == (2, 2)
    with pytest.raises(UsageError, match="is a cache and"):
        open_data([tmp_path / "in", tmp_path / "out"], tmp_path / "unused", SPEC)


def test_useless_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No source given"):
        build_cache([], tmp_path / "out", SPEC)
    with pytest.raises(SourceError, match="does not exist"):
        build_cache([tmp_path / "nowhere"], tmp_path / "out", SPEC)
    (tmp_path / "bad/USD900000").mkdir(parents=True)
    (tmp_path / "bad/USD900000/1.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"No drawing could be read: .*USD900000"):
        build_cache([tmp_path / "bad"], tmp_path / "none", SPEC, HERE)
    sheet(tmp_path / "in", "USD900000/1.png", 0)
    build_cache([tmp_path / "in"], tmp_path / "out", SPEC, HERE)
    with pytest.raises(UsageError, match="different preprocessing"):
        build_cache([tmp_path / "in"], tmp_path / "out", Preprocessing(size=64), HERE)
    with pytest.raises(UsageError, match="different whole_sheets"):
        build_cache([tmp_path / "in"], tmp_path / "out", SPEC, BuildOptions(processes=0, whole_sheets=True))


def test_a_killed_run_goes_on_and_ends_with_the_same_cache(tmp_path: Path) -> None:
    for n in range(10):
        for view in range(2):
            sheet(tmp_path / "in", f"USD90000{n}/{view}.png", n, view)
    (tmp_path / "in/USD900003/1.png").write_bytes(b"no picture")
    program = """
import os, signal, sys
from pathlib import Path
from patsearch.encoder.preprocess import Preprocessing
from patsearch.training.data import build as data
data._SHARD = 3
def die(progress):
    if progress.done == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
if __name__ == "__main__":
    options = data.BuildOptions(processes=2)
    report = data.build_cache([sys.argv[1]], Path(sys.argv[2]), Preprocessing(size=48), options, on_progress=die)
    print(report.designs, report.added, len(report.failed))
"""
    script = tmp_path / "build.py"
    script.write_text(program)

    def run(out: str, kill_at: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(script), str(tmp_path / "in"), str(tmp_path / out), str(kill_at)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    whole = run("whole", -1)
    assert whole.stdout.split() == ["10", "10", "2"], whole.stderr
    assert run("killed", 8).returncode == -signal.SIGKILL
    assert len(DrawingCache(tmp_path / "killed").records) == 6
    resumed = run("killed", -1)
    assert resumed.stdout.split() == ["10", "4", "2"], resumed.stderr
    names = sorted(path.name for path in (tmp_path / "whole").iterdir() if path.name != REPORT)
    assert names == sorted(path.name for path in (tmp_path / "killed").iterdir() if path.name != REPORT)
    for name in names:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes()


def test_caches_are_built_without_the_synth_extra() -> None:
    assert SIDECAR == corpus.SIDECAR
    program = """
import sys
sys.modules |= dict.fromkeys(["numba", "mapbox_earcut"])
import patsearch.training.data.build
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a front, top, and left side perspective view of a pet treat", "perspective"),
        ("is a rear elevational view thereof", "rear"),
        ("a left side elevational view", "left"),
        ("a sectional view along line 4-4 of FIG. 2", "section"),
        ("a top plan view", "top"),
        ("front", "front"),
        ("another embodiment", ""),
        ("", ""),
    ],
)
def test_captions_tell_the_view(caption: str, expected: str) -> None:
    assert aspect(caption) == expected
