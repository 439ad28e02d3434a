"""Names of a request that its address does not have: refused, since a misspelt option would be ignored silently."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from fastapi import HTTPException, Request

from patsearch.text import visible
from patsearch.types import JsonDict
from patsearch.web.gate import API, error_body

_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
_LONGEST = 60


async def known_fields(request: Request) -> None:
    """Dependency of every address: its parameters and the fields of its form as the description has them, no others.

    Raises:
        HTTPException: 422 with the first name that is not known.
    """
    described = request.app.openapi()  # made once
    path = request.scope["route"].path
    # Of a router's route, some versions of the framework know the path within the router alone.
    methods = described["paths"].get(path) or described["paths"].get(f"{API}{path}")
    operation = methods[request.method.lower()]
    parameters = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
    _check("parameter", request.query_params, parameters)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _FORMS:
        _check("field", await request.form(), _fields(described, operation))


def _fields(described: JsonDict, operation: JsonDict) -> list[str]:
    """Names of the form of an operation."""
    contents = operation.get("requestBody", {}).get("content", {})
    schemas = [contents[kind]["schema"] for kind in _FORMS if kind in contents]
    named = [described["components"]["schemas"][schema["$ref"].rpartition("/")[2]] for schema in schemas]
    return [name for schema in named for name in schema["properties"]]


def _check(what: str, given: Iterable[str], known: list[str]) -> None:
    for name in given:
        if name not in known:
            near = get_close_matches(name[:_LONGEST], known, 1)
            hint = f"Did you mean {near[0]}?" if near else f"It takes: {', '.join(known)}." if known else None
            message = f"{visible(name[:_LONGEST])}: this address has no such {what}."
            raise HTTPException(422, error_body("InvalidRequest", message, hint))
