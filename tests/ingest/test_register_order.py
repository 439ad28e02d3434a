"""Notices of an office apply by their day: in whatever order, twice, or after a kill, the index ends the same."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from register_makers import design, packed, picture, st86, three_weeks

from patsearch.engine import Engine, Journal, open_index
from patsearch.engine.thumbnails import Thumbnails
from patsearch.ingest import IngestOptions, IngestReport, ingest

ONE = IngestOptions(workers=1)


def contents(index: Path) -> tuple[dict[str, Any], list[str], str]:
    """Drawings with their vectors, ids of the thumbnails, and the journal's digest."""
    with open_index(index) as engine:
        assert engine.verify() == []
        drawings = {
            d.id: (d, np.round(v, 5).tobytes())
            for batch, vectors in engine.backend.scan()
            for d, v in zip(batch, vectors, strict=True)
        }
        return drawings, [name for name, _ in engine.thumbnails.items()], engine.journal.digest()


class Killed(BaseException):
    """Ends a run where it is, as a signal does that cannot be handled."""


def cut_off(patch: pytest.MonkeyPatch, step: str) -> None:
    """From here on, a step of storing is done, and nothing after it."""

    def done_then_killed(whole: Callable[..., object]) -> Callable[..., object]:
        def step(*args: object, **options: object) -> object:
            whole(*args, **options)
            raise Killed

        return step

    home: type = {"begin": Journal, "put": Thumbnails}.get(step, Engine)
    if step == "delete":
        patch.setattr(Thumbnails, step, done_then_killed(Thumbnails.delete))
    else:
        patch.setattr(home, step, done_then_killed(getattr(home, step)))


def run(index: Path, *sources: Path) -> list[IngestReport]:
    return [ingest([source], index, ONE) for source in sources]


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return three_weeks(tmp_path_factory.mktemp("weeks"))


@pytest.fixture(scope="module")
def at_once(weeks: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    index = tmp_path_factory.mktemp("at-once") / "index"
    report = ingest([weeks[0].parent], index, ONE)
    assert report.failed == []
    return index


def test_the_latest_notice_counts(at_once: Path) -> None:
    with open_index(at_once) as engine:
        drawings, _ = engine.drawings_of("FR20211234-0001")
        assert engine.drawings_of("FR20211234-0002")[0] == []
        assert [(d.sheet, d.figure, d.view, d.source) for d in drawings] == [
            ("614463", "1", "Vue 1", "FR_FRNEWST86_2021-14.zip"),
            ("614464", "2", "Vue 2", "FR_FRNEWST86_2021-14.zip"),
            ("614480", "3", "Vue 3", "FR_FRAMDST86_2021-20.zip"),
        ]
        assert {d.title for d in drawings} == {"Fauteuil"}
        assert {d.values("owner") for d in drawings} == {("Sièges SA",)}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_any_order_ends_the_same(order: tuple[int, ...], weeks: list[Path], at_once: Path, tmp_path: Path) -> None:
    run(tmp_path / "index", *(weeks[place] for place in order))
    assert contents(tmp_path / "index") == contents(at_once)
    again = run(tmp_path / "index", *(weeks[place] for place in reversed(order)), weeks[0].parent)
    assert [report.patents for report in again] == [0, 0, 0, 0]
    assert [report.failed for report in again] == [[], [], [], []]
    assert contents(tmp_path / "index") == contents(at_once)


def repeated(folder: Path) -> list[Path]:
    """Three notices: the second repeats a picture in another drawing, the third comes without pictures."""
    views = [("1", "614463", ""), ("2", "614464", "")]
    names = ["FR_FRNEWST86_2021-14", "FR_FRAMDST86_2021-20", "FR_FRAMDST86_2021-25"]
    pictures = [{"614463.png": picture(1), "614464.png": picture(2)}, {"614463.png": picture(7)}, {}]
    return [
        packed(folder / f"{name}.zip", {f"{name}.xml": st86(design(views=views, title=name)), **files})
        for name, files in zip(names, pictures, strict=True)
    ]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_of_each_picture_the_latest_one_counts(order: tuple[int, ...], tmp_path: Path) -> None:
    files = repeated(tmp_path / "weeks")
    ingest([tmp_path / "weeks"], tmp_path / "at-once", ONE)
    run(tmp_path / "index", *(files[place] for place in order))
    assert contents(tmp_path / "index") == contents(tmp_path / "at-once")
    with open_index(tmp_path / "index") as engine:
        drawings, _ = engine.drawings_of("FR20211234-0001")
    assert [(d.sheet, d.title, d.source) for d in drawings] == [
        ("614463", "FR_FRAMDST86_2021-25", "FR_FRAMDST86_2021-20.zip"),
        ("614464", "FR_FRAMDST86_2021-25", "FR_FRNEWST86_2021-14.zip"),
    ]


def silent(folder: Path) -> list[Path]:
    """A notice that does not speak of views, after two that do."""
    older = st86(design(views=[("1", "614460", ""), ("2", "614463", "")]))
    new = st86(design(views=[("1", "614463", "")]))
    changed = st86(design(views=None, title="Canapé", status="Design surrendered"))
    return [
        packed(folder / "FR_FRNEWST86_2021-10.zip", {"FR_FRNEWST86_2021-10.xml": older, "614460.png": picture(3)}),
        packed(folder / "FR_FRAMDST86_2021-14.zip", {"FR_FRAMDST86_2021-14.xml": new, "614463.png": picture(1)}),
        packed(folder / "FR_FRAMDST86_2021-20.zip", {"FR_FRAMDST86_2021-20.xml": changed}),
    ]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_notice_without_views_changes_the_data_alone(order: tuple[int, ...], tmp_path: Path) -> None:
    files = silent(tmp_path / "weeks")
    ingest([tmp_path / "weeks"], tmp_path / "at-once", ONE)
    run(tmp_path / "index", *(files[place] for place in order))
    assert contents(tmp_path / "index") == contents(tmp_path / "at-once")
    with open_index(tmp_path / "index") as engine:
        (drawing,), _ = engine.drawings_of("FR20211234-0001")
    assert (drawing.title, drawing.values("status"), drawing.expires) == ("Canapé", ("Design surrendered",), None)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_what_was_said_before_and_is_said_again(order: tuple[int, ...], tmp_path: Path) -> None:
    """A change that a later notice takes back, in the words of the first."""
    names = ["FR_FRNEWST86_2021-14", "FR_FRAMDST86_2021-20", "FR_FRNEWST86_2021-25"]
    files = [
        packed(
            tmp_path / "weeks" / f"{name}.zip",
            {f"{name}.xml": st86(design(title=title)), "614463.png": picture(1)},
        )
        for name, title in zip(names, ["Chaise", "Fauteuil", "Chaise"], strict=True)
    ]
    ingest([tmp_path / "weeks"], tmp_path / "at-once", ONE)
    run(tmp_path / "index", *(files[place] for place in order))
    assert contents(tmp_path / "index") == contents(tmp_path / "at-once")
    with open_index(tmp_path / "index") as engine:
        assert [d.title for d in engine.drawings_of("FR20211234-0001")[0]] == ["Chaise"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_damaged_picture_and_an_older_sound_one(order: tuple[int, ...], tmp_path: Path) -> None:
    """The latest picture counts although it is damaged, and the data are the latest in either order."""
    names = ["FR_FRNEWST86_2021-14", "FR_FRAMDST86_2021-20"]
    files = [
        packed(tmp_path / "weeks" / f"{name}.zip", {f"{name}.xml": st86(design(title=name)), "614463.png": data})
        for name, data in zip(names, [picture(1), picture(1)[:900]], strict=True)
    ]
    at_once = ingest([tmp_path / "weeks"], tmp_path / "at-once", ONE)
    run(tmp_path / "index", *(files[place] for place in order))
    assert contents(tmp_path / "index") == contents(tmp_path / "at-once")
    assert len(at_once.failed) == 1
    with open_index(tmp_path / "index") as engine:
        assert engine.drawings_of("FR20211234-0001")[0] == []
        assert engine.journal.counts() == {"partial": 1}


def test_pictures_that_no_file_has_are_named_until_they_come(tmp_path: Path) -> None:
    new, amended, _ = three_weeks(tmp_path / "weeks")
    (first,) = run(tmp_path / "index", amended)
    assert [(p.where, p.reason) for p in first.failed] == [
        (
            "FR_FRAMDST86_2021-20.zip: FR20211234-0001",
            "2 of 3 pictures are neither in these files nor in the index: 614463, 614464",
        )
    ]
    (second,) = run(tmp_path / "index", amended)
    assert (second.failed, second.skipped) == (first.failed, {"read again, with the same outcome": 1})
    assert run(tmp_path / "index", new, amended)[1].failed == []


def test_deleted_designs_do_not_come_back_even_with_again(tmp_path: Path) -> None:
    new, _, deleted = three_weeks(tmp_path / "weeks")
    run(tmp_path / "index", new, deleted)
    for source in (new, deleted):
        ingest([source], tmp_path / "index", IngestOptions(workers=1, again=True))
    with open_index(tmp_path / "index") as engine:
        assert engine.drawings_of("FR20211234-0002")[0] == []
        assert len(engine.drawings_of("FR20211234-0001")[0]) == 2


@pytest.mark.parametrize("backend", ["faiss", "qdrant"])
def test_killed_at_any_commit_it_resumes_to_the_same(
    backend: str, weeks: list[Path], at_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step of storing is cut off once, as by kill -9: what was begun is finished by the next run."""
    if backend == "qdrant":
        pytest.importorskip("qdrant_client", reason="needs patsearch[qdrant]")
    options = IngestOptions(workers=1, backend=backend)
    index = tmp_path / "index"
    for source in weeks:
        for step in ("begin", "add", "delete", "put"):
            with monkeypatch.context() as patch:
                cut_off(patch, step)
                with suppress(Killed):  # not every notice takes each step
                    ingest([source], index, options)
        ingest([source], index, options)
    if backend == "faiss":
        assert contents(index) == contents(at_once)
    with open_index(index) as engine, open_index(at_once) as other:
        assert engine.journal.digest() == other.journal.digest()
        assert [d for b, _ in engine.backend.scan() for d in b] == [d for b, _ in other.backend.scan() for d in b]
        assert engine.verify() == []
