"""Benchmarks from end to end, with a tiny encoder instead of the network."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from bench_makers import TinyEncoder, draw, make_collection, make_index, use_tiny_encoders

from patsearch.backends.base import IndexSpec
from patsearch.encoder import BASELINE_ENCODER
from patsearch.errors import EncoderMismatch, InputError, PluginError, SourceError, UsageError
from patsearch.evaluation.collection import Collection
from patsearch.evaluation.compare import compare_with_baseline
from patsearch.evaluation.datasets import Protocol, Relevant
from patsearch.evaluation.materials import Material
from patsearch.evaluation.protocols import build_dataset, sheet_of
from patsearch.evaluation.results import BenchOptions, BenchResult
from patsearch.evaluation.runner import run_bench
from patsearch.evaluation.specs import parse_dataset
from patsearch.filters import Filter, parse_filter
from patsearch.ingest.sources.deeppatent import read_list
from patsearch.types import Drawing


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    use_tiny_encoders(monkeypatch)


def bench(*dataset: str | Path, **values: object) -> BenchResult:
    distractors = tuple(parse_dataset([str(d)]) for d in values.pop("distractors", ()))  # type: ignore[attr-defined]
    fixed = {"workers": 1, "searches": 10, "baseline": False, "distractors": distractors}
    return run_bench(BenchOptions(dataset=parse_dataset([str(d) for d in dataset]), **{**fixed, **values}))  # type: ignore[arg-type]


class TestIndex:
    def test_vectors_are_taken_as_they_are(self, tmp_path: Path) -> None:
        index = make_index(tmp_path / "index")
        result = bench(f"index:{index}")
        evaluation, with_style = result.evaluations
        assert [e.asking.style for e in result.evaluations] == [0, 1]
        assert evaluation.quality.metrics["map"] != with_style.quality.metrics["map"]
        data = evaluation.dataset
        assert (data["queries"], data["gallery"], data["patents"], data["leave_one_out"]) == (36, 36, 12, True)
        assert evaluation.encoder["name"] == "tiny"
        assert evaluation.ingests == ()
        assert 0.2 < evaluation.quality.metrics["map"] < 1
        # The index is measured as it is, front pages included.
        (engine,) = result.backends
        assert (engine.vectors, engine.upserts_per_second) == (48, None)
        assert engine.series[0].ann_recall[10] == 1

    def test_front_pages_make_it_easier(self, tmp_path: Path) -> None:
        index = make_index(tmp_path / "index")
        result = bench(f"index:{index}", all_protocols=True, backends=())
        by_shape = result.evaluations[::2]
        assert [e.protocol for e in by_shape] == [Protocol(False, False), Protocol(False, True)]
        without, with_front = (e.quality.metrics["hit_rate@1"] for e in by_shape)
        assert with_front > without
        assert result.backends == ()

    def test_pictures_of_the_worst(self, tmp_path: Path) -> None:
        evaluation, _ = bench(f"index:{make_index(tmp_path / 'index')}", backends=()).evaluations
        worst = evaluation.worst[0]
        assert worst.record.average_precision == min(r.average_precision for r in evaluation.quality.records)
        shown = {worst.record.id, *(p.id for p in worst.top), *(p.id for p in worst.expected)}
        assert shown <= worst.drawings.keys()
        assert worst.thumbnails
        assert all(png.startswith(b"\x89PNG") for png in worst.thumbnails.values())

    def test_filter_and_sample(self, tmp_path: Path) -> None:
        index = make_index(tmp_path / "index")
        result = bench(f"index:{index}", where=parse_filter("locarno=06"), queries=5, backends=())
        data = result.evaluations[0].dataset
        assert (data["queries"], data["gallery"], data["filter"]) == (5, 12, "locarno=06")

    def test_distractors_from_another_index(self, tmp_path: Path) -> None:
        index = make_index(tmp_path / "index")
        others = make_index(tmp_path / "others", make_collection(patents=5, seed=9, prefix="USD8"))
        plain = bench(f"index:{index}", backends=()).evaluations[0]
        crowded = bench(f"index:{index}", distractors=[f"index:{others}"], backends=()).evaluations[0]
        assert crowded.dataset["distractors"] == 15
        assert crowded.dataset["gallery"] == plain.dataset["gallery"] + 15
        assert crowded.quality.metrics["map"] <= plain.quality.metrics["map"]

    def test_what_an_index_cannot_do(self, tmp_path: Path) -> None:
        index = make_index(tmp_path / "index")
        with pytest.raises(UsageError, match="holds figures"):
            bench(f"index:{index}", whole_sheets=True)
        with pytest.raises(EncoderMismatch):
            bench(f"index:{index}", encoder="another")
        # Without the front page a single drawing of each patent is left.
        alone = make_index(tmp_path / "alone", make_collection(sheets=2))
        with pytest.raises(UsageError, match=r"No query of index:alone has anything to find"):
            bench(f"index:{alone}")


class TestSource:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for patent in range(5):
            for view in range(3):
                draw(tmp_path / "designs" / f"chair{patent}" / f"{view}.png", patent, view)
        return tmp_path / "designs"

    def test_a_folder_is_ingested_and_measured(self, folder: Path, tmp_path: Path) -> None:
        keep = tmp_path / "keep"
        options = {"whole_sheets": True, "folder": keep}
        result = bench(folder, **options)
        (evaluation, _) = result.evaluations
        assert (evaluation.dataset["queries"], evaluation.dataset["patents"]) == (15, 5)
        assert evaluation.quality.metrics["hit_rate@1"] == 1
        assert evaluation.ingests[0]["drawings"] == 15
        assert result.backends[0].upserts_per_second is not None
        assert result.environment["packages"]["numpy"] == np.__version__
        # Kept: the second run finds everything there, and the same figures.
        again = bench(folder, **options).evaluations[0]
        assert again.ingests[0]["drawings"] == 0
        assert again.quality.metrics == evaluation.quality.metrics

    def test_the_baseline_is_measured_with_another_encoder(self, folder: Path) -> None:
        result = bench(folder, baseline=None, encoder="mine", whole_sheets=True, backends=())
        found = [(e.encoder["name"], e.baseline) for e in result.evaluations]
        assert found == [("mine", False)] * 2 + [(BASELINE_ENCODER, True)] * 2
        assert [bool(e.asking.shape) for e in result.evaluations] == [True, False] * 2
        against = compare_with_baseline(result)
        assert against is not None
        assert against.comparable
        # Both encode equally here, under two names.
        assert {d.difference for d in against.differences} == {0}
        alone = bench(folder, baseline=True, encoder=BASELINE_ENCODER, whole_sheets=True, backends=())
        assert {e.encoder["name"] for e in alone.evaluations} == {BASELINE_ENCODER}
        assert compare_with_baseline(alone) is None

    def test_a_baseline_that_is_not_installed_is_left_out_with_a_note(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def load(name: str | None = None) -> TinyEncoder:
            if name == BASELINE_ENCODER:
                raise PluginError("The encoder is not installed.", hint="Run: pip install patsearch-baseline.")
            return TinyEncoder("tiny")

        monkeypatch.setattr("patsearch.evaluation.runner.load_encoder", load)
        (only, _) = bench(folder, baseline=None, whole_sheets=True, backends=()).evaluations
        assert sum("pip install patsearch-baseline" in note for note in only.dataset["notes"]) == 1
        with pytest.raises(PluginError, match="not installed"):
            bench(folder, baseline=True, whole_sheets=True, backends=())
        (only, _) = bench(folder, baseline=False, whole_sheets=True, backends=()).evaluations
        assert not [note for note in only.dataset["notes"] if "baseline" in note]

    def test_a_file_that_cannot_be_read_is_told(self, folder: Path) -> None:
        (folder / "chair0" / "3.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
        (evaluation, _) = bench(folder, whole_sheets=True, backends=()).evaluations
        assert any("could not be read" in note for note in evaluation.dataset["notes"])

    def test_nothing_readable_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "bad").mkdir()
        (tmp_path / "bad" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
        with pytest.raises(SourceError, match=r"Nothing of bad could be read\. .*damaged PNG"):
            bench(tmp_path / "bad", backends=())


class TestRelevance:
    """Other patents of one class, or of one class and noun, are right; the query's own patent is neither."""

    TITLES: ClassVar = {"chair0": "Office chair", "chair1": "Chair with arms", "chair2": "Armchair", "chair3": "Chair"}

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        rows = ["patent,title,uspc"]
        for number, (patent, title) in enumerate(self.TITLES.items()):
            for view in range(2):
                draw(tmp_path / "designs" / patent / f"{view}.png", number, view)
            rows.append(f"{patent},{title},{'D6/366' if number < 3 else 'D14/1'}")
        (tmp_path / "table.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        return tmp_path / "designs"

    @pytest.mark.parametrize(
        ("relevant", "right"),
        [
            ("class", {"chair0": {"chair1", "chair2"}, "chair1": {"chair0", "chair2"}, "chair2": {"chair0", "chair1"}}),
            ("title", {"chair0": {"chair1"}, "chair1": {"chair0"}}),
        ],
    )
    def test_what_is_right(self, folder: Path, relevant: Relevant, right: dict[str, set[str]]) -> None:
        options = {"relevant": relevant, "metadata": folder.parent / "table.csv"}
        evaluation = bench(folder, whole_sheets=True, backends=(), **options).evaluations[0]
        quality = evaluation.quality
        found = {r.patent: {p.patent for p in quality.expected(r)} for r in quality.records if r.ranks.relevant}
        assert found == right
        assert evaluation.dataset["relevance"] == relevant
        # Both drawings of each other patent are ranked, those of the query's own are not.
        assert all(record.patent not in {p.patent for p in quality.top(record)} for record in quality.records)
        assert {len(quality.top(record)) for record in quality.records} == {6}

    def test_without_classes_there_is_nothing_to_compare(self, folder: Path) -> None:
        with pytest.raises(UsageError, match="has a class and a title"):
            bench(folder, whole_sheets=True, backends=(), relevant="title")


class TestDeepPatent:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """Four patents of three sheets and a front page; sheet 3 asks, and one front page does."""
        queries: list[str] = []
        gallery: list[str] = []
        for patent in range(4):
            for page in range(4):
                stem = f"USD083458{patent}-20181127"
                name = f"I20181127/{stem}/{stem}-D{page:05d}.png"
                draw(tmp_path / "dp" / name, patent, max(page, 1))
                asks = page == 3 or (page == 0 and patent == 0)
                (queries if asks else gallery).append(f"{name} {patent + 1}")
        (tmp_path / "dp" / "val_query_patent.txt").write_text("\n".join(queries) + "\n")
        (tmp_path / "dp" / "val_db_patent.txt").write_text("\n".join(gallery) + "\n")
        return tmp_path / "dp"

    def test_its_protocol_to_the_letter(self, folder: Path) -> None:
        (evaluation, _) = bench(f"deeppatent:{folder}?split=val", backends=()).evaluations
        data = evaluation.dataset
        assert data["protocol"] == {"whole_sheets": True, "front_pages": True, "text": "whole sheets, with front pages"}
        assert (data["queries"], data["judged_queries"], data["gallery"], data["leave_one_out"]) == (5, 5, 11, False)
        assert "the published protocol" in data["notes"]
        asked = {r.id for r in evaluation.quality.records}
        assert asked == {f"USD83458{p}-D00003" for p in range(4)} | {"USD834580-D00000"}
        counts = [r.ranks.relevant for r in evaluation.quality.records]
        assert counts == [2, 2, 3, 3, 3]  # the first patent's front page asks, so its gallery has two

    def test_without_front_pages(self, folder: Path) -> None:
        (evaluation, _) = bench(f"deeppatent:{folder}?split=val", front_pages=False, backends=()).evaluations
        assert (evaluation.dataset["queries"], evaluation.dataset["gallery"]) == (4, 8)
        assert any("not the published protocol" in note for note in evaluation.dataset["notes"])

    def test_lists_that_are_not_there(self, folder: Path) -> None:
        with pytest.raises(InputError, match=r"test_query_patent.txt and test_db_patent.txt are not in"):
            bench(f"deeppatent:{folder}")

    def test_listed_files_that_are_not_there_are_told(self, folder: Path) -> None:
        next(folder.rglob("USD0834583-20181127-D00002.png")).unlink()
        (evaluation, _) = bench(f"deeppatent:{folder}?split=val", backends=()).evaluations
        assert evaluation.dataset["gallery"] == 10
        assert any("1 listed files are missing" in note for note in evaluation.dataset["notes"])

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("I20181127/USD0834581-20181127/USD0834581-20181127-D00002.png", ("USD834581", "D00002")),
            ("USD0834581-20181127-d00012-1465.png", ("USD834581", "D00012-1465")),
        ],
    )
    def test_names_of_files(self, name: str, expected: tuple[str, str]) -> None:
        assert sheet_of(name) == expected


class TestTrec:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for patent in range(4):
            for view in range(3):
                draw(tmp_path / "t" / "images" / f"{patent}-{view}.png", patent, view)
        (tmp_path / "t" / "queries.txt").write_text("".join(f"q{p}\timages/{p}-0.png\n" for p in range(4)))
        names = [(p, v, f"images/{p}-{v}.png") for p in range(4) for v in (1, 2)]
        (tmp_path / "t" / "gallery.txt").write_text("".join(f"{name}\n" for _, _, name in names))
        (tmp_path / "t" / "qrels.txt").write_text("".join(f"q{p} 0 {name} {v}\n" for p, v, name in names))
        return tmp_path / "t"

    def test_lists_and_judgements(self, folder: Path) -> None:
        result = bench(f"trec:{folder}")
        (evaluation, _) = result.evaluations
        assert (evaluation.dataset["queries"], evaluation.dataset["gallery"]) == (4, 8)
        assert evaluation.quality.metrics["hit_rate@1"] == 1
        assert set(evaluation.quality.records[0].ranks.gains) == {1.0, 2.0}
        assert evaluation.ingests[0]["drawings"] == 12
        assert all(w.record.id in w.thumbnails for w in evaluation.worst)
        assert result.backends[0].series[0].ann_recall[10] == 1

    def test_unreadable_images_are_left_out_and_told(self, folder: Path) -> None:
        (folder / "images" / "3-2.png").unlink()
        (evaluation, _) = bench(f"trec:{folder}", backends=()).evaluations
        assert evaluation.dataset["gallery"] == 7
        assert any("1 file could not be read" in note for note in evaluation.dataset["notes"])
        assert [r.ranks.relevant for r in evaluation.quality.records] == [2, 2, 2, 1]

    def test_judgements_are_the_list_s_own(self, folder: Path) -> None:
        with pytest.raises(UsageError, match="has its own judgements"):
            bench(f"trec:{folder}", backends=(), relevant="class")

    def test_images_are_taken_as_they_are(self, folder: Path) -> None:
        with pytest.raises(UsageError, match="taken as they are"):
            bench(f"trec:{folder}", whole_sheets=False)


def test_an_encoder_is_described_without_loading_it() -> None:
    from patsearch.encoder import shipped_cards
    from patsearch.evaluation.materials import describe_encoder, describe_spec

    card = shipped_cards()[0]
    assert describe_spec(IndexSpec(card.name, card.sha256, card.dim)) == describe_encoder(card)
    assert describe_spec(IndexSpec("other", "0" * 64, 8))["baseline"] is None


@pytest.mark.data
@pytest.mark.parametrize(("split", "queries", "gallery"), [("test", 13_133, 38_834), ("val", 11_271, 33_544)])
def test_deeppatents_own_lists(data_dir: Path, split: str, queries: int, gallery: int) -> None:
    """Every listed drawing finds its place, and every query something to find."""
    lists = data_dir / "deeppatent-lists"
    names = [n for kind in ("query", "db") for n, _ in read_list(lists / f"{split}_{kind}_patent.txt")]
    sheets = sorted({sheet_of(name) for name in names})
    assert len(sheets) == queries + gallery
    drawings = [Drawing(id="-".join(s), patent=s[0], sheet=s[1], front_page=s[1] == "D00000") for s in sheets]
    collection = Collection.of(drawings, np.ones((len(drawings), 1), dtype=np.float32))
    material = Material({}, IndexSpec("x", "", 1), collection, None, lambda _: None)
    spec = parse_dataset([f"deeppatent:nowhere?split={split}&lists={lists}"])
    whole = build_dataset(spec, material, Protocol(True, True), Filter())
    assert (len(whole.queries), whole.judged, len(whole.gallery)) == (queries, queries, gallery)
    assert not whole.leave_one_out
    without = build_dataset(spec, material, Protocol(True, False), Filter())
    fronts = {"test": (2050, 4877), "val": (1717, 4171)}[split]
    assert (len(without.queries), len(without.gallery)) == (queries - fronts[0], gallery - fronts[1])
    assert without.judged < len(without.queries)  # where the front page was all there was to find
