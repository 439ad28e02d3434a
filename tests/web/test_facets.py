"""What is counted of a filter, against a plain count of the same drawings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from patsearch.bibliography import Bibliography, Party
from patsearch.engine import Engine
from patsearch.engine.engine import create_from_spec
from patsearch.filters import Filter, comparable, parse_filter
from patsearch.types import Drawing
from patsearch.web.facets import Facets
from patsearch_contract.samples import SPEC, random_drawings, random_filter, random_vectors

DRAWINGS = [replace(d, patent=f"USD{900_000 + n}") for n, d in enumerate(random_drawings(120, seed=12))]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A patent a drawing."""
    with create_from_spec(tmp_path_factory.mktemp("facets") / "index", SPEC, backend="faiss") as made:
        made.add(DRAWINGS, random_vectors(len(DRAWINGS)))
        yield made


def counted(values: list[str]) -> dict[str, int]:
    return dict(Counter(values))


@pytest.mark.parametrize("seed", range(25))
def test_the_counts_are_those_of_the_drawings(engine: Engine, seed: int) -> None:
    where = random_filter(np.random.default_rng([seed, 41]), DRAWINGS, lookups=True) if seed else Filter()
    plain = where.among(DRAWINGS)
    found = [d for d in DRAWINGS if plain.matches(d)]
    facets = Facets(engine).count(where)
    assert (facets["patents"], facets["drawings"]) == (len(found), len(found)), str(where)
    keys = [key for d in found for key in {comparable("owner", name) for name in d.values("owner")}]
    assert {comparable("owner", one["owner"]): one["count"] for one in facets["owners"]} == counted(keys)
    assert facets["owners_total"] == len(set(keys))
    for name, field in (("countries", "country"), ("offices", "office"), ("statuses", "status")):
        values = [value for d in found for value in d.values(field)]
        assert {one[field]: one["count"] for one in facets[name]} == counted(values), str(where)
    today = datetime.now(UTC).date()
    assert facets["in_force"] == {
        "day": str(today),
        "count": sum(any(p.on(today) for p in d.protections) for d in found),
    }


def test_owners_are_called_as_most_patents_call_them(tmp_path: Path) -> None:
    names = ["NIKE, Inc.", "Nike Inc", "NIKE, Inc.", "Adidas AG"]
    drawings = [
        Drawing(f"d{n}", f"USD{n + 1}", bibliography=Bibliography(owners=(Party(name), Party("NIKE INC"))))
        for n, name in enumerate(names)
    ]
    with create_from_spec(tmp_path / "index", SPEC, backend="faiss") as engine:
        engine.add(drawings, random_vectors(4))
        owners = Facets(engine).count(Filter())["owners"]
        assert owners[0]["count"] == 4  # each patent once, though it names the owner twice
        assert [one["owner"] for one in owners[1:]] == ["Adidas AG"]
        only = Facets(engine).count(parse_filter('owner="Adidas AG"'))
        assert [one["count"] for one in only["owners"]] == [1, 1]


def test_counts_are_bounded(tmp_path: Path) -> None:
    drawings = [
        Drawing(f"d{n}", f"USD{n + 1}", bibliography=Bibliography(owners=(Party(f"Owner {n:03d}"),)))
        for n in range(130)
    ]
    with create_from_spec(tmp_path / "index", SPEC, backend="faiss") as engine:
        engine.add(drawings, random_vectors(130))
        facets = Facets(engine).count(Filter())
    assert (len(facets["owners"]), facets["owners_total"]) == (100, 130)
    assert facets["owners"][0] == {"owner": "Owner 000", "count": 1}
