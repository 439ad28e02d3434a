"""Encoding apart from loading: the same index as an ingest makes, the same bytes in every run, damage as one line."""

from __future__ import annotations

import contextlib
import io
import json
import random
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import run_here
from makers import add_member, grant_zip, week
from register_makers import bulletins, three_weeks
from waiting import wait_until

from patsearch.engine import open_index
from patsearch.errors import EncoderMismatch, PluginError, SourceError, UsageError
from patsearch.ingest import IngestOptions, IngestReport, ingest
from patsearch.ingest.vectors import EncodeOptions, encode_sources, load_vectors
from patsearch.ingest.vectors.parquet import files_of, read_about, read_partition

pytest.importorskip("pyarrow", reason="needs pyarrow: pip install 'patsearch[parquet]'")
ENCODER = "ri-lbp"  # needs no network to be loaded
TWO = EncodeOptions(encoder=ENCODER, workers=1, patents=2)
ONE = IngestOptions(encoder=ENCODER, workers=1)


def contents(index: Path) -> dict[str, object]:
    """Everything that an index holds, vectors bit by bit."""
    with open_index(index) as engine:
        stored = [
            (drawing, vector.tobytes())
            for drawings, vectors in engine.backend.scan()
            for drawing, vector in zip(drawings, vectors, strict=True)
        ]
        assert engine.verify() == []
        return {
            "drawings": stored,
            "thumbnails": list(engine.thumbnails.items()),
            "journal": engine.journal.entries(),
            "fingerprint": engine.fingerprint(),
            "spec": engine.spec,
        }


def files(folder: Path) -> dict[str, bytes]:
    """The files of a folder of vectors, without the reports."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def with_damage(folder: Path) -> Path:
    """A weekly archive: four patents that can be read, one with a damaged sheet, two that are not grants."""
    folder.mkdir()
    path = folder / "I20210105.tar"
    with tarfile.open(path, "w") as archive:
        for seed in range(7):
            name, data = grant_zip(seed)
            if seed == 2:
                data = data[: len(data) // 2]
            elif seed == 4:
                data = b"not a zip at all"
            elif seed == 5:
                at = data.index(b"D00002.TIF") + 60
                data = data[:at] + bytes(20) + data[at + 20 :]
            add_member(archive, f"I20210105/DESIGN/{name}", data)
    return path


def said(report: IngestReport) -> tuple[object, ...]:
    """What a report counts, without times."""
    failed = sorted((problem.where, problem.reason) for problem in report.failed)
    return report.patents, report.drawings, report.sheets, report.skipped, failed, report.exit_code


# ---------------------------------------------------------------------- the same index


def test_encode_and_load_are_an_ingest(tmp_path: Path) -> None:
    path = with_damage(tmp_path / "w")
    straight = ingest([path], tmp_path / "straight", ONE)
    encoded = encode_sources([path], tmp_path / "vectors", TWO)
    loaded = load_vectors(tmp_path / "vectors", tmp_path / "loaded")
    assert contents(tmp_path / "loaded") == contents(tmp_path / "straight")
    assert said(encoded.ingest) == said(loaded) == said(straight)
    assert (straight.exit_code, straight.patents, encoded.made) == (9, 5, 4)


@pytest.mark.parametrize("source", [three_weeks, bulletins])
def test_records_and_events_of_registers_are_settled_when_they_are_loaded(
    tmp_path: Path, source: Callable[[Path], list[Path]]
) -> None:
    """Each delivery by itself, the later ones first: what an office amended, deleted and refused."""
    deliveries = source(tmp_path / "register")
    for name, order in (("forward", deliveries), ("backward", deliveries[::-1])):
        for place, delivery in enumerate(order):
            ingest([delivery], tmp_path / name, ONE)
            vectors = tmp_path / f"{name}-{place}"
            encode_sources([delivery], vectors, replace(TWO, patents=1))
            load_vectors(vectors, tmp_path / f"{name}-loaded")
            assert contents(tmp_path / f"{name}-loaded") == contents(tmp_path / name)
    assert len(files_of(tmp_path / "forward-0")) >= 2


def test_options_that_shape_drawings_travel(tmp_path: Path) -> None:
    path = week(tmp_path / "w", range(2))
    ingest([path], tmp_path / "straight", replace(ONE, whole_sheets=True, front_pages=True))
    encode_sources([path], tmp_path / "vectors", replace(TWO, whole_sheets=True, front_pages=True))
    load_vectors(tmp_path / "vectors", tmp_path / "loaded")
    assert contents(tmp_path / "loaded") == contents(tmp_path / "straight")
    # The index knows that it is up to date: an ingest of the same source adds nothing.
    again = ingest([path], tmp_path / "loaded", replace(ONE, whole_sheets=True, front_pages=True))
    assert (again.patents, again.skipped) == (0, {"already in the index": 2})


def test_into_another_backend(tmp_path: Path) -> None:
    pytest.importorskip("qdrant_edge", reason="needs qdrant_edge: pip install 'patsearch[qdrant-edge]'")
    path = week(tmp_path / "w", range(3))
    ingest([path], tmp_path / "straight", ONE)
    encode_sources([path], tmp_path / "vectors", TWO)
    load_vectors(tmp_path / "vectors", tmp_path / "loaded", backend="qdrant")
    with open_index(tmp_path / "straight") as straight, open_index(tmp_path / "loaded") as loaded:
        assert loaded.manifest.backend == "qdrant"
        for (ours, vectors), (theirs, others) in zip(loaded.backend.scan(), straight.backend.scan(), strict=True):
            assert ours == theirs
            np.testing.assert_allclose(vectors, others, atol=1e-6)
        assert loaded.fingerprint() == straight.fingerprint()


@pytest.mark.data
@pytest.mark.slow
def test_real_archives(tmp_path: Path, data_dir: Path) -> None:
    weeks = sorted((data_dir / "uspto-weekly").glob("I*.tar"), key=lambda path: path.stat().st_size)[:3]
    straight = ingest(weeks, tmp_path / "straight", IngestOptions())
    encode_sources(weeks, tmp_path / "vectors", EncodeOptions(patents=2))
    loaded = load_vectors(tmp_path / "vectors", tmp_path / "loaded")
    assert said(loaded) == said(straight)
    assert straight.patents >= len(weeks)
    assert contents(tmp_path / "loaded") == contents(tmp_path / "straight")


# ---------------------------------------------------------------------- the same bytes


def test_two_shards_together_are_one_run(tmp_path: Path) -> None:
    path = with_damage(tmp_path / "w")
    whole = encode_sources([path], tmp_path / "whole", TWO)
    first = encode_sources([path], tmp_path / "shards", replace(TWO, shard=(1, 2)))
    assert sorted(files_of(tmp_path / "shards")) == [1, 3]
    second = encode_sources([path], tmp_path / "shards", replace(TWO, shard=(2, 2), workers=2))
    assert files(tmp_path / "shards") == files(tmp_path / "whole")
    assert [(r.made, r.finished, r.others) for r in (whole, first, second)] == [(4, 0, 0), (2, 0, 2), (2, 0, 2)]
    assert first.ingest.drawings + second.ingest.drawings == whole.ingest.drawings


def test_finished_files_are_skipped_and_damaged_ones_made_again(tmp_path: Path) -> None:
    path, out = with_damage(tmp_path / "w"), tmp_path / "vectors"
    first = encode_sources([path], out, TWO)
    before = files(out)
    again = encode_sources([path], out, TWO)
    assert (again.made, again.finished, again.ingest.drawings) == (0, 4, 0)
    # What could not be read is said in every run.
    assert [str(p) for p in again.ingest.failed] == [str(p) for p in first.ingest.failed]
    assert again.exit_code == 9
    whole = (out / "part-000002.parquet").read_bytes()
    (out / "part-000002.parquet").write_bytes(whole[:-100])
    (out / "part-000001.parquet").unlink()
    mended = encode_sources([path], out, TWO)
    assert (mended.made, mended.finished) == (2, 2)
    assert files(out) == before
    assert encode_sources([path], out, replace(TWO, again=True)).made == 4
    assert files(out) == before


def test_a_new_week_adds_its_own_files_and_one_that_is_gone_takes_them_along(tmp_path: Path) -> None:
    folder, out = tmp_path / "w", tmp_path / "vectors"
    week(folder, range(4))
    encode_sources([folder], out, TWO)
    later = week(folder, range(4, 7), date="20210112")
    more = encode_sources([folder], out, TWO)
    assert (more.made, more.finished) == (2, 2)
    assert load_vectors(out, tmp_path / "index").patents == 7
    later.unlink()
    assert encode_sources([folder], out, TWO).made == 0
    assert sorted(files_of(out)) == [1, 2]


@pytest.mark.slow
def test_a_killed_run_gives_the_same_bytes_when_it_is_run_again(tmp_path: Path) -> None:
    path, out = week(tmp_path / "w", range(16)), tmp_path / "killed"
    encode_sources([path], tmp_path / "calm", TWO)
    command = [sys.executable, "-m", "patsearch", "encode", str(path), "--out", str(out), "--encoder", ENCODER,
               "--workers", "1", "--partition", "2"]  # fmt: skip
    for made in (1, 3):
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
        wait_until(partial(_has_files, out, made), process)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=120)
        assert made <= len(files_of(out)) < 8
        assert not (out / "_partitions.json").exists()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {n: d for n, d in files(out).items() if not n.endswith(".new")} == files(tmp_path / "calm")


@pytest.mark.slow
def test_a_killed_process_of_a_ray_cluster_costs_no_drawing(tmp_path: Path) -> None:
    """A cluster of two workers on this machine; one is killed while it makes a partition."""
    for package in ("ray", "psutil"):
        pytest.importorskip(package, reason=f"needs {package}: pip install 'patsearch[dev]'")
    path, out = with_damage(tmp_path / "w"), tmp_path / "ray"
    calm = encode_sources([path], tmp_path / "calm", TWO)
    command = [sys.executable, "-m", "patsearch", "encode", str(path), "--out", str(out), "--encoder", ENCODER,
               "--partition", "2", "--on", "ray", "--json"]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    killed: list[int] = []
    wait_until(partial(_kill_a_task, process.pid, killed), process)
    printed, errors = process.communicate(timeout=300)
    assert (process.returncode, len(killed)) == (9, 1), errors
    report = json.loads(printed)
    assert (report["partitions"]["made"], report["drawings"]) == (4, calm.ingest.drawings)
    assert sorted(one["reason"] for one in report["failed"]) == sorted(one.reason for one in calm.ingest.failed)
    assert files(out) == files(tmp_path / "calm")


def _kill_a_task(parent: int, killed: list[int]) -> bool:
    """Kill the first process of the cluster that is at a partition."""
    import psutil

    for one in psutil.Process(parent).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if one.cmdline()[:1] == ["ray::run_task"]:
                one.kill()
                killed.append(one.pid)
                return True
    return False


def test_a_place_that_is_not_known_is_refused(tmp_path: Path) -> None:
    done = run_here(["encode", week(tmp_path / "w", range(1)), "--out", tmp_path / "out", "--on", "moon"])
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "Invalid --on 'moon': expected ray." in done.stderr


def _has_files(folder: Path, count: int) -> bool:
    return folder.is_dir() and len(files_of(folder)) >= count


# ---------------------------------------------------------------------- loading again, and what does not fit


def test_loading_again_adds_nothing_and_a_stopped_load_resumes(tmp_path: Path) -> None:
    path, out = week(tmp_path / "w", range(6)), tmp_path / "vectors"
    encode_sources([path], out, TWO)

    def stop(progress: Any) -> None:
        if progress.done == 3:
            raise KeyboardInterrupt

    stopped = load_vectors(out, tmp_path / "index", commit_every=2, on_progress=stop)
    assert (stopped.interrupted, stopped.exit_code, stopped.patents) == (True, 130, 3)
    resumed = load_vectors(out, tmp_path / "index")
    assert (resumed.patents, resumed.skipped) == (3, {"already in the index": 3})
    before = contents(tmp_path / "index")
    assert load_vectors(out, tmp_path / "index").skipped == {"already in the index": 6}
    assert contents(tmp_path / "index") == before
    with open_index(tmp_path / "index", read_only=False) as engine:
        engine.delete([d.id for d in engine.drawings_of("USD900001")[0]])
    assert load_vectors(out, tmp_path / "index").patents == 0
    assert load_vectors(out, tmp_path / "index", again=True).patents == 6


def test_vectors_of_another_encoder_are_refused(tmp_path: Path) -> None:
    path, out = week(tmp_path / "w", range(1)), tmp_path / "vectors"
    encode_sources([path], out, TWO)
    ingest([path], tmp_path / "index", IngestOptions(workers=1))
    before = contents(tmp_path / "index")
    with pytest.raises(EncoderMismatch, match=r"was made with the encoder .*, the vectors with 'ri-lbp'"):
        load_vectors(out, tmp_path / "index")
    assert contents(tmp_path / "index") == before
    with pytest.raises(EncoderMismatch, match="holds vectors of the encoder 'ri-lbp'"):
        encode_sources([path], out, replace(TWO, encoder=None))
    with pytest.raises(EncoderMismatch, match="made with other options"):
        encode_sources([path], out, replace(TWO, front_pages=True))
    encode_sources([path], tmp_path / "sheets", replace(TWO, whole_sheets=True))
    load_vectors(out, tmp_path / "figures")
    with pytest.raises(UsageError, match="holds figures"):
        load_vectors(tmp_path / "sheets", tmp_path / "figures")
    (out / "part-000002.parquet").write_bytes((tmp_path / "sheets" / "part-000001.parquet").read_bytes())
    (out / "_partitions.json").unlink()
    with pytest.raises(EncoderMismatch, match="by several encoders, or with several options"):
        load_vectors(out, tmp_path / "mixed")


def test_files_that_are_missing_or_of_another_run_are_said(tmp_path: Path) -> None:
    folder, out = tmp_path / "w", tmp_path / "vectors"
    week(folder, range(6))
    encode_sources([folder], out, TWO)
    other = (out / "part-000001.parquet").read_bytes()
    (out / "part-000001.parquet").unlink()
    (out / "part-000003.parquet").write_bytes(other)
    report = load_vectors(out, tmp_path / "index")
    assert (report.patents, report.exit_code) == (2, 9)
    assert [problem.reason for problem in report.failed] == [
        "it was made of other sources or options than the last run: run patsearch encode again",
        "1 of 3 partitions are missing: 1; run patsearch encode again",
    ]
    (out / "_partitions.json").unlink()
    report = load_vectors(out, tmp_path / "index")
    assert [problem.reason for problem in report.failed] == ["the encoding has not ended: run patsearch encode again"]


def test_a_folder_without_vectors_is_one_line(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(SourceError, match="holds no vectors"):
            load_vectors(folder, tmp_path / "index")
    assert not (tmp_path / "index").exists()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file"):
        encode_sources([week(tmp_path / "w", range(1))], tmp_path / "file", TWO)


# ---------------------------------------------------------------------- hostile files


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files of vectors, for tests that damage copies."""
    folder = tmp_path_factory.mktemp("encoded")
    encode_sources([week(folder / "w", range(4))], folder / "vectors", TWO)
    return folder / "vectors"


def test_a_damaged_file_is_one_line_and_the_others_are_loaded(tmp_path: Path, encoded: Path) -> None:
    out = tmp_path / "vectors"
    out.mkdir()
    for name, data in files(encoded).items():
        (out / name).write_bytes(data)
    whole = (out / "part-000001.parquet").read_bytes()
    for place, data in enumerate((whole[:-1], whole[: len(whole) // 2], b"", b"PAR1", b"PAR1" * 50, b"\xff" * 999)):
        (out / "part-000001.parquet").write_bytes(data)
        report = load_vectors(out, tmp_path / f"index-{place}")
        assert (report.patents, report.exit_code, len(report.failed)) == (2, 9, 1)
        reason = report.failed[0].reason
        assert "part-000001.parquet cannot be read: " in reason
        assert "\n" not in reason
        assert reason.endswith("Make it again: patsearch encode, with the same sources and folder.")


def test_no_flipped_bit_changes_what_is_loaded(tmp_path: Path, encoded: Path) -> None:
    whole = (encoded / "part-000001.parquet").read_bytes()
    path = tmp_path / "part-000001.parquet"
    path.write_bytes(whole)
    right = _described(path)
    dice = random.Random(7)
    refused = 0
    for _ in range(150):
        data = bytearray(whole)
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        path.write_bytes(data)
        try:
            assert _described(path) == right
        except SourceError:
            refused += 1
    assert refused > 100


def _described(path: Path) -> list[object]:
    return [
        (written, result.drawings, result.vectors.tobytes(), result.thumbnails)
        for _, written, result in read_partition(path)
        if result.vectors is not None
    ]


def _set(name: str, row: int, value: object) -> Callable[[dict[str, list[Any]]], None]:
    def change(columns: dict[str, list[Any]]) -> None:
        columns[name][row] = value

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_set("unit", 0, None), "drawings come before their patent"),
        (_set("unit", 0, '{"key": 3}'), "validation error"),
        (_set("unit", 0, "[" * 100_000), "validation error"),
        (_set("id", 1, "other"), "is another drawing's"),
        (_set("id", 1, None), "neither a drawing nor a picture"),
        (_set("payload", 1, None), "neither a drawing nor a picture"),
        (_set("payload", 1, "{}"), "validation error"),
        (_set("payload", 1, "null"), "validation error"),
        (_set("vector", 1, [1.0]), "a vector does not have"),
        (_set("vector", 1, None), "neither a drawing nor a picture"),
        (_set("vector", 1, "zeros"), "not of unit length"),
        (_set("vector", 1, "nan"), "not of unit length"),
        (_set("vector", 1, "null"), "a vector lacks a number"),
        (_set("thumbnail", 1, b"<svg>"), "is not a PNG"),
        (lambda columns: [values.__delitem__(slice(-2, None)) for values in columns.values()], "states other numbers"),
    ],
)
def test_rows_that_nobody_wrote(tmp_path: Path, encoded: Path, change: Callable[[Any], object], reason: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(encoded / "part-000001.parquet")
    columns = table.to_pydict()
    change(columns)
    dim = read_about(encoded / "part-000001.parquet").made.dim
    made = {"zeros": [0.0] * dim, "nan": [float("nan")] * dim, "null": [None] * dim}
    columns["vector"] = [made[v] if isinstance(v, str) else v for v in columns["vector"]]
    path = tmp_path / "part-000001.parquet"
    pq.write_table(pa.table(columns, schema=table.schema), path)
    with pytest.raises(SourceError, match=reason) as caught:
        read_partition(path)
    assert "\n" not in str(caught.value)


def test_parquet_of_other_programs_is_not_loaded(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "part-000001.parquet")
    with pytest.raises(SourceError, match="patsearch encode did not write it"):
        load_vectors(tmp_path, tmp_path / "index")


# ---------------------------------------------------------------------- the commands


def test_the_commands(tmp_path: Path) -> None:
    path, out, index = with_damage(tmp_path / "w"), tmp_path / "vectors", tmp_path / "index"
    words = ["encode", path, "--out", out, "--encoder", ENCODER, "--partition", 4, "--workers", 1]
    done = run_here([*words, "--shard", "1/2", "--json"])
    report = json.loads(done.stdout)
    assert (done.returncode, report["partitions"]) == (9, {"made": 1, "finished": 0, "of_other_shards": 1})
    done = run_here(words)
    assert "Wrote 1 file, 1 were finished." in done.stderr
    assert "not a zip" in done.stderr.lower() or "USD0900004" in done.stderr
    assert len(list((out / "_reports").glob("encode-*.json"))) == 2
    done = run_here(["load", out, "--index", index])
    assert (done.returncode, done.stdout) == (9, "")
    assert "Loaded 5 patents with 9 drawings" in done.stderr
    done = run_here(["load", out, "--index", index, "--json"])
    assert json.loads(done.stdout)["skipped"]["already in the index"] == 4
    assert len(list((index / "reports").glob("load-*.json"))) == 2
    for shard in ("0/2", "3/2", "x"):
        done = run_here([*words, "--shard", shard])
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    for run in (
        partial(encode_sources, [week(tmp_path / "w", range(1))], tmp_path / "out", TWO),
        partial(load_vectors, tmp_path / "out", tmp_path / "index"),
    ):
        with pytest.raises(PluginError, match=r"pip install 'patsearch\[parquet\]'"):
            run()


def test_other_programs_read_the_drawings(encoded: Path) -> None:
    """The folder as a data set: drawings are the rows with a vector."""
    import pyarrow.dataset as ds

    table = ds.dataset(encoded, format="parquet").to_table(filter=ds.field("vector").is_valid())
    assert table.column("id").to_pylist()[:2] == ["USD900000-D00001-1", "USD900000-D00002-1"]
    assert json.loads(table.column("payload")[0].as_py())["title"] == "Chair with arm rest"
    assert io.BytesIO(table.column("thumbnail")[0].as_py()).read(4) == b"\x89PNG"
    assert table.num_rows == 8
