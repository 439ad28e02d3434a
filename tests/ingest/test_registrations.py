"""Designs of one registration: found by its number, and grouped on request, on every backend."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from index_makers import make_index
from PIL import Image
from register_makers import design, picture, st86, unpacked

from patsearch.engine import Engine, Question, open_index
from patsearch.engine.question import search
from patsearch.filters import parse_filter
from patsearch.ingest import IngestOptions, ingest
from patsearch.text import counted


@pytest.fixture(scope="module", params=["faiss", "qdrant"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Two registrations with three designs each, whose pictures are similar, and one of another office."""
    if request.param == "qdrant":
        pytest.importorskip("qdrant_client", reason="needs patsearch[qdrant]")
    folder = tmp_path_factory.mktemp(request.param)
    unpacked(folder / "single", {"USD907292/1.png": picture(1, 3)})
    files: dict[str, str | bytes] = {}
    for registration in (1, 2):
        designs = []
        for place in (1, 2, 3):
            name = f"{registration}{place}"
            designs.append(
                design(reference=f"{place:03d}", registration=f"2021000{registration}", views=[("1", f"9{name}", "")])
            )
            files[f"9{name}.png"] = picture(registration, place - 1)
        files[f"r{registration}.xml"] = st86(*designs, number=f"2021000{registration}")
    unpacked(folder / "fr", files)
    ingest([folder / "fr", folder / "single"], folder / "index", IngestOptions(workers=1, backend=request.param))
    with open_index(folder / "index") as opened:
        yield opened


def patents(engine: Engine, text: str) -> set[str]:
    return {d.patent for drawings in engine.backend.payloads(parse_filter(text)) for d in drawings}


def test_a_registration_selects_its_designs(engine: Engine) -> None:
    first = {f"FR20210001-{place:04d}" for place in (1, 2, 3)}
    second = {number.replace("0001-", "0002-") for number in first}
    assert patents(engine, "patent=FR20210001") == first
    assert patents(engine, "patent=FR 20210001-002") == {"FR20210001-0002"}
    assert patents(engine, "patent=FR20210001,FR20210002-0003") == first | {"FR20210002-0003"}
    assert patents(engine, "patent!=FR20210001") == second | {"USD907292"}
    assert patents(engine, "office=FR") == first | second
    # What the filter means is what both backends select.
    for text in ("patent=FR20210001", "patent!=FR20210001", "patent=FR20210002-0001"):
        where = parse_filter(text)
        found = [d for drawings in engine.backend.payloads() for d in drawings if where.matches(d)]
        assert {d.patent for d in found} == patents(engine, text)


@pytest.mark.parametrize("most", [1, 2])
def test_results_of_one_registration_are_limited(engine: Engine, most: int) -> None:
    image = Image.open(io.BytesIO(picture(1)))
    everything = [hit.patent for hit in search(engine, Question.of(image, top=50)).hits]
    assert len(everything) == 7
    registrations = [number.partition("-")[0] for number in everything]
    wanted = [n for place, n in enumerate(everything) if registrations[:place].count(registrations[place]) < most]
    question = Question.of(image, top=50, max_per_registration=most)
    hits = search(engine, question).hits
    assert [hit.patent for hit in hits] == wanted
    assert [hit.rank for hit in hits] == list(range(1, len(wanted) + 1))
    assert len(wanted) == 2 * most + 1
    assert f"up to {counted(most, 'design')} per registration" in question.words()
    both = search(engine, Question.of(image, top=50, max_per_registration=most, max_per_class=1)).hits
    assert both[0].patent == wanted[0]
    assert len(both) < len(wanted)


def test_more_like_a_registration_leaves_its_designs_out(engine: Engine) -> None:
    hits = search(engine, Question.of((), like="FR20210001", top=50)).hits
    assert {hit.patent.partition("-")[0] for hit in hits} == {"FR20210002", "USD907292"}


def test_a_patent_with_the_number_of_a_registration_is_deleted_alone(tmp_path: Path) -> None:
    """As where pictures were ingested under a registration's number before its register was."""
    with open_index(make_index(tmp_path / "index", 200), read_only=False) as engine:
        own = [d.id for batch in engine.backend.payloads() for d in batch if d.patent == "WODM218234"]
        designs = patents(engine, "patent=WODM218234") - {"WODM218234"}
        assert own
        assert designs
        engine.delete(own)
        assert patents(engine, "patent=WODM218234") == designs
        assert engine.verify() == []
