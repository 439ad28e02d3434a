"""Every route and every field of the API's description, at and beyond each bound: 422 beyond, and never a 500."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi.testclient import TestClient

API = "/api/v1"
LIKE = {"like": "USD900001"}
ID = "USD900001-D00001-1"
# What a text of a form must be to be valid, where its length alone does not decide.
FITTING = {"filter": "title~", "like": "USD", "relevant": ID, "irrelevant": ID}


@dataclass(frozen=True)
class Sent:
    """One request: where a field is, its value, and whether that is within its bounds."""

    method: str
    path: str
    where: str
    name: str
    value: Any
    within: bool


def values(name: str, schema: dict[str, Any]) -> Iterator[tuple[Any, bool]]:
    """Values at and beyond each bound of a field, and values of other types."""
    for part in schema.get("anyOf", [schema]):
        kind = part.get("type")
        for bound, beyond in (("minimum", -1), ("maximum", 1)):
            if bound in part:
                limit = part[bound]
                yield (int(limit) if kind == "integer" else limit), True
                yield (int(limit) + beyond if kind == "integer" else math.nextafter(limit, beyond * math.inf)), False
                yield beyond * 10**30, False
        if kind in ("integer", "number"):
            yield from ((text, False) for text in ("nan", "inf", "-inf", "1e400", "x", "9" * 5000, "\x00"))
        if kind == "boolean":
            yield from (("true", True), ("false", True), ("perhaps", False))
        if "maxLength" in part:
            yield FITTING.get(name, "").ljust(part["maxLength"], "a"), True
            yield "a" * (part["maxLength"] + 1), False
            yield from ((text, True) for text in ("", "\x00", "\ud7ff\U0010ffff", "' OR 1=1 --", "../../etc/passwd"))
        if "enum" in part:
            yield from ((one, True) for one in part["enum"])
            yield "other", False
        if kind == "array":
            items = part["items"]
            if "maxItems" in part:
                yield ["a"] * (part["maxItems"] + 1), False
            if items.get("contentMediaType") is None:
                yield from (([value], fits) for value, fits in values(name, items) if value != "")


def requests(description: dict[str, Any]) -> Iterator[Sent]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield Sent(method, path, "", "", None, True)
            for one in operation.get("parameters", []):
                for value, within in values(one["name"], one["schema"]):
                    yield Sent(method, path, one["in"], one["name"], value, within)
            for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                schema = content["schema"]
                while "$ref" in schema:
                    schema = description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
                for name, field in schema["properties"].items():
                    for value, within in values(name, field):
                        yield Sent(method, path, "json" if "json" in kind else "form", name, value, within)


def send(client: TestClient, sent: Sent) -> int:
    path = sent.path
    what: dict[str, Any] = {}
    if "/session" not in path and "/rerun" not in path and sent.method == "post":
        what["data"] = {**LIKE, "drawing": ID} if sent.name != "like" else {}
    match sent.where:
        case "path":
            path = path.replace("{" + sent.name + "}", str(sent.value).replace("/", "%2f").replace("\x00", "%00"))
        case "query":
            what["params"] = {sent.name: sent.value}
        case "form":
            listed = isinstance(sent.value, list)
            what["data"] = {**what.get("data", {}), sent.name: [*map(str, sent.value)] if listed else str(sent.value)}
        case "json":
            what["json"] = {sent.name: sent.value}
    answer = client.request(sent.method, path.replace("{", "").replace("}", ""), **what)
    if answer.status_code >= 400:
        error = answer.json()["error"]
        assert error["message"], sent
        assert len(answer.content) < 10_000, sent
    return answer.status_code


@pytest.mark.slow
def test_every_field_of_every_route_at_and_beyond_its_bounds(client: TestClient) -> None:
    description = client.get(f"{API}/openapi.json").json()
    found: set[tuple[str, str]] = set()
    for sent in requests(description):
        status = send(client, sent)
        assert status < 500, (sent, status)
        if not sent.within:
            assert status == 422, (sent, status)
        found.add((sent.path, sent.name))
    assert len({path for path, _ in found}) == len(description["paths"])
    # Each number and each text of the form has a bound in the description.
    assert {name for path, name in found if path == f"{API}/search"} >= {
        "offset", "top", "min_score", "max_per_class", "max_per_registration", "like", "filter", "relevant",
        "irrelevant", "rerank", "expand", "rotations", "mirror", "drawings", "exact", "shape", "crop", "turn",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "within", "beyond"),
    [
        ("rerank", ["1,1,0,2", "200,200,1,2000", "20,6,0.3"],
         ["201,1,0.3", "20,21,0.3", "20,0,0.3", "0,0,0.3", "20,6,-0.1", "20,6,1.1", "20,6,nan", "20,6,0.3,1",
          "20,6,inf", "20,6,0.3,2001", "500,2,0.5,5000", "9" * 1000 + ",1,0.5", "x", "1", ",,,"]),
        ("expand", ["1,0", "1000,100"], ["0,3", "1001,3", "3,-1", "3,101", "3,nan", "3,inf", "9" * 1000 + ",1", "x"]),
        ("filter", ["kind=a and " * 99 + "kind=a", "title~" + "a," * 900 + "a"],
         ["kind=a and " * 150 + "kind=a", "colour=red", "granted=2021-13", "kind=", "=", "x"]),
    ],
)  # fmt: skip
def test_numbers_within_texts(client: TestClient, name: str, within: list[str], beyond: list[str]) -> None:
    for text, fits in itertools.chain(((text, True) for text in within), ((text, False) for text in beyond)):
        answer = client.post(f"{API}/search", data={**LIKE, name: text})
        assert answer.status_code == (200 if fits else 422), (name, text[:60], answer.text[:300])


def test_many_texts_within_their_bounds_are_bounded_together(client: TestClient) -> None:
    answer = client.post(f"{API}/search", data={**LIKE, "filter": ["kind=a and " * 150 + "kind=a"] * 200})
    assert answer.status_code == 422
    marks = {"relevant": [ID] * 200, "irrelevant": [ID] * 200}
    assert client.post(f"{API}/search", data={**LIKE, **marks, "expand": "1000,3"}).status_code == 200


@pytest.mark.slow
def test_every_field_of_a_saved_search_with_values_of_every_kind(client: TestClient, drawing: bytes) -> None:
    good = client.post(f"{API}/records", files=[("image", drawing)]).json()
    odd: list[Any] = [
        None, -1, 10**30, math.nan, math.inf, "x" * 5000, [[]], {"x": 1}, [10**12], [-1], [math.nan], ["x" * 5000],
    ]  # fmt: skip

    def status(**change: Any) -> int:
        answer = client.post(f"{API}/records/rerun", files=[("record", json.dumps({**good, **change}).encode())])
        assert "NaN" not in answer.text
        return answer.status_code

    for name, value in itertools.product([*good, "more"], odd):
        assert status(**{name: value}) == (200 if (name, value) == ("like", None) else 422), (name, value)
    for name, value in itertools.product(good["options"], odd):
        assert status(options={**good["options"], name: value}) in (200, 400, 404, 422), (name, value)
