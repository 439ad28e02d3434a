"""A filter means the same to every engine: translated clauses, and the answers of all engines side by side."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import assert_never

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_qdrant import LocalBackend

from patsearch.backends.base import Backend
from patsearch.backends.faiss import FaissBackend
from patsearch.backends.qdrant.backend import QdrantBackend
from patsearch.backends.qdrant.clauses import (
    All,
    AnyOf,
    Begins,
    Between,
    Clause,
    Either,
    Inside,
    Missing,
    Not,
    translate,
)
from patsearch.backends.qdrant.payload import INDEXED, INDEXED_SINCE, point_id, to_drawing, to_point
from patsearch.filters import Filter, parse_filter
from patsearch.types import Drawing, JsonDict
from patsearch_contract.samples import SPEC, random_drawings, random_filter, random_vectors

DRAWINGS = random_drawings(200, seed=11)
VECTORS = random_vectors(200, seed=11)
PAYLOADS = [to_point(d, v).payload for d, v in zip(DRAWINGS, VECTORS, strict=True)]


def holds(clause: Clause | bool, payload: JsonDict) -> bool:
    """The meaning of a clause, written down a second time."""
    match clause:
        case bool():
            return clause
        case AnyOf(field, values):
            return bool(set(texts(payload, field)) & set(values))
        case Begins(field, prefix):
            return any(text.startswith(prefix) for text in texts(payload, field))
        case Between(field, first, last):
            if field not in payload:
                return False
            when = datetime.fromisoformat(payload[field])
            low = datetime.combine(first or date.min, datetime.min.time(), UTC)
            high = datetime.combine(last or date.max, datetime.min.time(), UTC)
            return low <= when <= high
        case Missing(field):
            return field not in payload
        case Inside(field, of):
            return any(holds(of, one) for one in payload.get(field, ()))
        case All(of):
            return all(holds(one, payload) for one in of)
        case Either(of):
            return any(holds(one, payload) for one in of)
        case Not(of):
            return not holds(of, payload)
        case _:
            assert_never(clause)


def texts(payload: JsonDict, field: str) -> list[str]:
    if "[]." in field:
        outer, _, inner = field.partition("[].")
        return [one[inner] for one in payload.get(outer, ())]
    value = payload.get(field, [])
    return [value] if isinstance(value, str) else value


def fields(clause: Clause | bool) -> set[str]:
    match clause:
        case AnyOf(field, _) | Begins(field, _) | Between(field, _, _) | Missing(field):
            return {field}
        case All(of) | Either(of):
            return set().union(*map(fields, of))
        case Inside(field, of):
            return {f"{field}[].{name}" for name in fields(of)}
        case Not(of):
            return fields(of)
    return set()


@given(st.integers(0, 2**32))
def test_a_clause_holds_where_the_filter_matches(seed: int) -> None:
    where = random_filter(np.random.default_rng(seed), DRAWINGS, lookups=True).among(DRAWINGS)
    clause = translate(where)
    for drawing, payload in zip(DRAWINGS, PAYLOADS, strict=True):
        assert holds(clause, payload) == where.matches(drawing), (str(where), drawing)
    # A server in strict mode refuses to filter by a field that has no index.
    assert fields(clause) <= (INDEXED | INDEXED_SINCE).keys()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("granted<0001-01-01", False),
    ],
)
def test_what_no_engine_need_be_asked(text: str, meant: bool) -> None:
    assert translate(parse_filter(text)) is meant


def test_no_filter_is_true() -> None:
    assert translate(None) is translate(Filter()) is True


@pytest.mark.parametrize("drawing", DRAWINGS[:60], ids=lambda d: d.id)
def test_a_payload_gives_the_drawing_back(drawing: Drawing) -> None:
    point = to_point(drawing, VECTORS[0])
    assert to_drawing(point.payload) == drawing
    assert point.id == point_id(drawing.id) == to_point(drawing, VECTORS[1]).id
    assert point.payload["stamp"] != to_point(drawing, VECTORS[1]).payload["stamp"]


def test_every_ancestor_is_in_the_payload() -> None:
    (drawing,) = [d for d in DRAWINGS if "G06F3/017" in d.codes("cpc")][:1]
    assert {"G", "G06", "G06F", "G06F3", "G06F3/017"} <= set(to_point(drawing, VECTORS[0]).payload["cpc"])


@pytest.fixture(scope="module")
def engines(quick_folder: Path) -> Iterator[dict[str, Backend]]:
    folder = quick_folder / "engines"
    opened: dict[str, Backend] = {
        "faiss": FaissBackend.create(folder / "faiss", SPEC),
        "edge": QdrantBackend.create(folder / "edge", SPEC),
        "client": LocalBackend.create(folder / "client", SPEC),
    }
    for backend in opened.values():
        backend.upsert(DRAWINGS, VECTORS)
    yield opened
    for backend in opened.values():
        backend.close()


@pytest.mark.parametrize("seed", range(60))
def test_all_engines_agree(engines: dict[str, Backend], seed: int) -> None:
    rng = np.random.default_rng([seed, 5])
    where = random_filter(rng, DRAWINGS, lookups=True)
    queries = random_vectors(2, seed=seed)
    first, *others = engines
    count, ids = engines[first].count(where), list(engines[first].ids(where))
    answers = engines[first].search(queries, k=20, where=where)
    for name in others:
        label = f"{first} and {name}, filter {str(where)!r}, seed {seed}"
        assert engines[name].count(where) == count, label
        assert list(engines[name].ids(where)) == ids, label
        for mine, yours in zip(answers, engines[name].search(queries, k=20, where=where), strict=True):
            np.testing.assert_allclose([h.score for h in yours], [h.score for h in mine], atol=1e-5, err_msg=label)
            assert {h.drawing.id for h in yours} == {h.drawing.id for h in mine}, label
