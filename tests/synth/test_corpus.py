"""Whole corpora: sheets, grants, archives; the same bytes from any number of processes."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lxml import etree
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from patsearch.classification import parse_code, uspc_from_grant
from patsearch.errors import UsageError
from patsearch.ingest.sources import Problem, Unit, open_source
from patsearch.numbers import normal_number
from patsearch.synth import FAMILIES, rebuild, write_corpus
from patsearch.synth.corpus import CorpusReport
from patsearch.synth.grant import uspc_field

DESIGNS, SIZE = 7, 260


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> CorpusReport:
    out = tmp_path_factory.mktemp("corpus")
    return write_corpus(out, designs=DESIGNS, seed=5, size=SIZE, weekly=4, near_duplicates=0.3)


@pytest.fixture(scope="module")
def records(corpus: CorpusReport) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (corpus.out / "designs.jsonl").read_text("utf-8").splitlines()]


def grants(corpus: CorpusReport) -> Iterator[tuple[str, zipfile.ZipFile]]:
    for name in corpus.files:
        with tarfile.open(corpus.out / name) as archive:
            for member in archive:
                data = archive.extractfile(member)
                assert data is not None
                yield member.name, zipfile.ZipFile(io.BytesIO(data.read()))


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_same_seed_same_bytes_with_two_processes(corpus: CorpusReport, tmp_path: Path) -> None:
    again = write_corpus(tmp_path, designs=DESIGNS, seed=5, size=SIZE, weekly=4, near_duplicates=0.3, processes=2)
    assert content(tmp_path) == content(corpus.out)
    assert again.to_json() == corpus.to_json() | {"out": str(tmp_path)}


def test_another_seed_other_bytes(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_corpus(tmp_path / str(seed), designs=1, seed=seed, layout="images", size=64)
    assert content(tmp_path / "1") != content(tmp_path / "2")


def test_weekly_archives_as_the_office_names_them(corpus: CorpusReport) -> None:
    assert corpus.files == ("I20240102.tar", "I20240109.tar")
    names = [name for name, _ in grants(corpus)]
    assert names[0] == "I20240102/DESIGN/USD9000001-20240102.ZIP"
    assert names[-1] == f"I20240109/DESIGN/USD900000{DESIGNS}-20240109.ZIP"
    for name, archive in grants(corpus):
        stem = name.rsplit("/", 1)[1].removesuffix(".ZIP")
        inside = archive.namelist()
        assert inside[0] == f"{stem}/{stem}.XML"
        assert inside[1:] == [f"{stem}/{stem}-D{i:05d}.TIF" for i in range(len(inside) - 1)]


def test_sheets_are_one_bit_group_four_white_is_zero(corpus: CorpusReport) -> None:
    for _, archive in grants(corpus):
        for name in archive.namelist()[1:]:
            image = Image.open(io.BytesIO(archive.read(name)))
            assert isinstance(image, TiffImageFile)
            tags = image.tag_v2
            assert (tags[258], tags[259], tags[262]) == ((1,), 4, 0)
            assert image.info["dpi"] == (300, 300)
            ink = ~np.asarray(image)
            assert 0.001 < ink.mean() < 0.5  # black on white, not the other way about


def test_labels_stand_where_the_sidecar_says(corpus: CorpusReport, records: list[dict[str, Any]]) -> None:
    turned = 0
    for record, (_, archive) in zip(records, grants(corpus), strict=True):
        stem = archive.namelist()[0].split("/")[0]
        for sheet in {figure["sheet"] for figure in record["figures"]}:
            figures = [f for f in record["figures"] if f["sheet"] == sheet]
            page = ~np.asarray(Image.open(io.BytesIO(archive.read(f"{stem}/{stem}-{sheet}.TIF"))))
            if figures[0]["turned"]:
                page, turned = np.rot90(page, -1), turned + 1
            rest = page.copy()
            for figure in figures:
                for left, top, right, bottom in (figure["box"], figure["label_box"]):
                    inside = page[top:bottom, left:right]
                    # Tight boxes: ink touches all four sides.
                    assert all(edge.any() for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]))
                    rest[top:bottom, left:right] = False
                assert figure["label_box"][3] - figure["label_box"][1] < 0.2 * SIZE
            assert not rest.any()


def test_front_page_repeats_a_figure_without_its_label(corpus: CorpusReport, records: list[dict[str, Any]]) -> None:
    for record, (_, archive) in zip(records, grants(corpus), strict=True):
        front = Image.open(io.BytesIO(archive.read(archive.namelist()[1])))
        sizes = {(f["box"][2] - f["box"][0], f["box"][3] - f["box"][1]) for f in record["figures"]}
        assert front.size in sizes


def test_grants_say_what_the_sidecar_says(corpus: CorpusReport, records: list[dict[str, Any]]) -> None:
    for record, (_, archive) in zip(records, grants(corpus), strict=True):
        root = etree.fromstring(archive.read(archive.namelist()[0]))
        bib = root.find("us-bibliographic-data-grant")
        publication = bib.find("publication-reference/document-id")
        number = publication.findtext("country") + publication.findtext("doc-number")
        assert normal_number(number) == record["patent"]
        assert publication.findtext("kind") == "S1"
        granted, filed = date.fromisoformat(record["granted"]), date.fromisoformat(record["filed"])
        assert publication.findtext("date") == f"{granted:%Y%m%d}" == root.get("date-publ")
        assert granted.weekday() == 1  # Tuesday
        assert bib.findtext("application-reference/document-id/date") == f"{filed:%Y%m%d}" < f"{granted:%Y%m%d}"
        assert bib.findtext("invention-title") == record["title"]
        uspc = uspc_from_grant(bib.findtext("classification-national/main-classification"))
        assert uspc == parse_code("uspc", record["uspc"])
        locarno = bib.findtext("classification-locarno/main-classification")
        assert parse_code("locarno", locarno).code == record["locarno"]
        figures = [p for p in root.iterfind("description//p") if p.find("figref") is not None]
        assert [p.find("figref").text for p in figures] == [f"FIG. {i + 1}" for i in range(len(record["captions"]))]
        assert int(bib.findtext("figures/number-of-figures")) == len(record["figures"]) == len(figures)
        assert int(bib.findtext("figures/number-of-drawing-sheets")) == record["sheets"]
        images = [img.get("file") for img in root.iterfind("drawings/figure/img")]
        assert images == [name.split("/")[1] for name in archive.namelist()[1:]]
        for img, name in zip(root.iterfind("drawings/figure/img"), archive.namelist()[1:], strict=True):
            width = Image.open(io.BytesIO(archive.read(name))).width
            assert float(img.get("wi").removesuffix("mm")) == pytest.approx(width / 300 * 25.4, abs=0.01)


def test_our_own_source_reads_it(corpus: CorpusReport, records: list[dict[str, Any]]) -> None:
    units = list(open_source(corpus.out).units())
    assert not [unit for unit in units if isinstance(unit, Problem) and not unit.expected]
    patents = {patent.number: patent for patent in (unit.load() for unit in units if isinstance(unit, Unit))}
    assert set(patents) == {record["patent"] for record in records}
    for record in records:
        patent = patents[record["patent"]]
        assert (patent.title, patent.kind, str(patent.granted)) == (record["title"], "S1", record["granted"])
        assert {code.code for code in patent.classes} == {record["uspc"], record["locarno"]}
        assert [caption.figure for caption in patent.captions] == [f["figure"] for f in record["figures"]]
        assert all(f["view"] in c.view for c, f in zip(patent.captions, record["figures"], strict=True))
        assert [sheet.front_page for sheet in patent.sheets] == [True] + [False] * record["sheets"]


def test_sidecar_tells_family_and_near_duplicates(records: list[dict[str, Any]], corpus: CorpusReport) -> None:
    assert {r["family"] for r in records} <= set(FAMILIES)
    near = [r for r in records if r["near_duplicate_of"]]
    assert len(near) == corpus.near_duplicates > 0
    by_number = {r["patent"]: r for r in records}
    assert all(by_number[r["near_duplicate_of"]]["family"] == r["family"] for r in near)
    for record in (records[0], near[0]):
        design = rebuild(record)
        assert design.title == record["title"]
        assert [v.name for v in design.views] == [f["view"] for f in record["figures"]]


@pytest.mark.parametrize("code", ["D2/947", "D14/126", "D7/401.2", "D18/46", "D28/8.1", "D11/26"])
def test_uspc_field_is_read_back(code: str) -> None:
    field = uspc_field(code)
    assert len(field) >= 6
    assert uspc_from_grant(field) == parse_code("uspc", code)


def test_deeppatent_layout(tmp_path: Path) -> None:
    report = write_corpus(tmp_path, designs=2, seed=3, layout="deeppatent", size=64)
    query, gallery = (
        [line.split() for line in (tmp_path / name).read_text().splitlines()]
        for name in ("val_query_patent.txt", "val_db_patent.txt")
    )
    assert len(query) == 4
    assert len(query) + len(gallery) == report.drawings
    assert not {path for path, _ in query} & {path for path, _ in gallery}
    for path, label in query + gallery:
        assert path.startswith(f"I20240102/USD900000{label}-20240102/USD900000{label}-20240102-D0000")
        with Image.open(tmp_path / path) as image:
            assert image.size == (64, 64)


def test_images_layout(tmp_path: Path) -> None:
    report = write_corpus(tmp_path, designs=2, seed=3, layout="images", size=64)
    rows = (tmp_path / "metadata.csv").read_text().splitlines()
    assert rows[0] == "patent,title,kind,granted,filed,locarno,uspc"
    assert rows[1].startswith("USD9000001,")
    assert len(list(tmp_path.glob("USD*/*.png"))) == report.drawings


def test_progress_is_told(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_corpus(tmp_path, designs=3, layout="images", size=64, on_progress=lambda a, b: seen.append((a, b)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_full_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    with pytest.raises(UsageError, match="not empty"):
        write_corpus(tmp_path, designs=1)
    assert [p.name for p in tmp_path.iterdir()] == ["precious"]


@pytest.mark.parametrize(
    "arguments",
    [{"designs": 0}, {"processes": 0}, {"layout": "epo"}, {"size": 3}, {"families": ["unicorn"]}, {"weekly": 0}],
    ids=str,
)
def test_nonsense_is_refused(tmp_path: Path, arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        write_corpus(tmp_path / "new", **({"designs": 1} | arguments))
    assert not (tmp_path / "new").exists()
