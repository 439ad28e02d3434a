"""Everything that the API's description allows, asked at random: no answer is a 500, none breaks the description."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

_LONGEST_QUERY = 60_000


@pytest.fixture(scope="module")
def description(index: Path, start: Callable[..., str]) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{start(index)}/api/v1/openapi.json")


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["allowed", "forbidden"])
def test_the_description_holds(description: schemathesis.BaseSchema, mode: GenerationMode) -> None:
    asked: list[str] = []
    for result in description.get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        try:
            cases = operation.as_strategy(generation_mode=mode)

            @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)
            @given(case=cases)
            def ask(case: schemathesis.Case[Any]) -> None:
                # A longer request line ends the connection before the server has a request to answer.
                assume(len(urlencode(case.query or {}, doseq=True)) < _LONGEST_QUERY)
                case.call_and_validate(checks=CHECKS)

            ask()
        except Unsatisfiable:
            continue  # an address that takes nothing has nothing forbidden
        asked.append(operation.label)
    assert len(asked) >= (14 if mode is GenerationMode.POSITIVE else 7)
