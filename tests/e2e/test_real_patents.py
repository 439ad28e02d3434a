"""The real weekly archives, end to end: everything is in, everything is found, every filter is right."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from real_grants import independent, real_grants

from patsearch import parse_filter
from patsearch.drawings.opening import open_image
from patsearch.engine import Engine, open_index
from patsearch.ingest import ingest
from patsearch.ingest.sources import Unit, open_source

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def index(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("real") / "index"
    report = ingest([data_dir / "uspto-weekly"], path)
    assert (report.patents, report.sheets, report.failed) == (59, 488, [])
    return path


@pytest.fixture
def engine(index: Path) -> Iterator[Engine]:
    with open_index(index) as opened:
        yield opened


@pytest.fixture(scope="module")
def truth(data_dir: Path) -> dict[str, dict[str, Any]]:
    """What another parser reads in the same grants, by number."""
    weekly = [data for name, data in real_grants(data_dir) if not name.endswith("20230502.XML")]
    return {str(fields["number"]): fields for fields in map(independent, weekly)}


def test_every_patent_is_in_with_its_data(engine: Engine, truth: dict[str, dict[str, Any]]) -> None:
    stored = {d.patent: d for drawings, _ in engine.backend.scan() for d in drawings}
    assert set(stored) == set(truth)
    assert len([d for d in stored.values() if d.kind == "S1"]) == 50
    for number, drawing in stored.items():
        expected = truth[number]
        assert (drawing.title, drawing.kind) == (expected["title"], expected["kind"])
        assert (drawing.granted, drawing.filed) == (expected["granted"], expected["filed"])
        assert drawing.codes("locarno") == expected["locarno"]
        assert drawing.codes("uspc") == expected["uspc"]
        assert set(drawing.codes("cpc")) == set(expected["cpc"])
    assert engine.verify() == []


def test_a_sheet_finds_its_own_patent_first(engine: Engine, data_dir: Path) -> None:
    units = [u for u in open_source(data_dir / "uspto-weekly").units() if isinstance(u, Unit)]
    for unit in random.Random(3).sample(units, 12):
        patent = unit.load()
        sheet = patent.sheets[-1]
        hits = engine.search(open_image(sheet.data, name=sheet.name), k=3)
        assert hits[0].patent == patent.number, sheet.name
        assert hits[0].score > 0.98


def test_design_classes_under_cpc(engine: Engine, truth: dict[str, dict[str, Any]]) -> None:
    where = parse_filter("cpc=D14")
    assert len(where.notices) == 1
    found = {d.patent for drawings, _ in engine.backend.scan(where) for d in drawings}
    assert found == {n for n, fields in truth.items() if any(code.startswith("D14/") for code in fields["uspc"])}


def below(code: str, ancestor: str) -> bool:
    """Hierarchy by the text of USPC, Locarno and CPC codes, written without the package."""
    if code == ancestor:
        return True
    if code[0] == "D" or code[0].isdigit():  # a US design class, or Locarno
        return re.split("[-/]", code)[0] == ancestor
    group = code.split("/", maxsplit=1)[0]
    levels = {code[0], code[:3], code[:4], group}
    return ancestor in levels


def random_condition(rng: random.Random, truth: dict[str, dict[str, Any]]) -> tuple[str, Any]:
    """A filter's text and the naive test that means the same."""
    fields = rng.choice(list(truth.values()))
    negated = rng.random() < 0.25
    equal = "!=" if negated else "="
    kind = rng.choice(["uspc", "locarno", "cpc", "granted", "filed", "title", "kind"])
    if kind in ("uspc", "locarno", "cpc"):
        codes = fields[kind] or [{"uspc": "D2", "locarno": "14-02", "cpc": "G06F"}[kind]]
        code = rng.choice(codes)
        wanted = (
            rng.choice([code, re.split("[-/]", code)[0]])
            if kind != "cpc"
            else rng.choice([code, code.split("/")[0], code[:4], code[:3]])
        )
        test = lambda f: any(below(c, wanted) for c in f[kind])  # noqa: E731
        text = f"{kind}{equal}{wanted}"
    elif kind in ("granted", "filed"):
        year = rng.randrange(2017, 2027)
        month = rng.randrange(1, 13)
        low, high = date(year, month, 1), date(year + 1, 12, 31)
        test = lambda f: low <= f[kind] <= high  # noqa: E731
        text = f"{kind}{equal}{year}-{month:02d}..{year + 1}"
    elif kind == "title":
        word = rng.choice(fields["title"].split()).strip(",.").lower()
        stem = word[: rng.randrange(2, len(word) + 1)] if len(word) > 2 else word
        test = lambda f: any(w.startswith(stem) for w in _words(f["title"]))  # noqa: E731
        text = f"title{'!' if negated else ''}~{stem}"
    else:
        test = lambda f: f["kind"] == "S1"  # noqa: E731
        text = f"kind{equal}S1"
    return text, _negation(test) if negated else test


def _negation(test: Callable[[dict[str, Any]], bool]) -> Callable[[dict[str, Any]], bool]:
    return lambda fields: not test(fields)


def _words(title: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in title.lower()).split()


def test_random_filters_agree_with_a_naive_reading(engine: Engine, truth: dict[str, dict[str, Any]]) -> None:
    seed = 20210105
    rng = random.Random(seed)
    query = np.eye(1, engine.spec.dim, dtype=np.float32)
    for number in range(200):
        conditions = [random_condition(rng, truth) for _ in range(rng.choice([1, 1, 2, 3]))]
        texts = [text for text, _ in conditions]
        expected = {n for n, fields in truth.items() if all(test(fields) for _, test in conditions)}
        hits = engine.backend.search(query, k=2000, where=parse_filter(texts))[0]
        assert {hit.drawing.patent for hit in hits} == expected, (seed, number, texts)
