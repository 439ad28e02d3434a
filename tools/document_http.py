"""The HTTP API as Markdown, from the OpenAPI description that the application gives.

A hook of mkdocs: the marker `<!-- openapi -->` in a page becomes the addresses, their fields and their answers
when the site is built, so no copy of them can fall behind. `python tools/document_http.py` prints the same.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

MARKER = "<!-- openapi -->"
_PREFIX = "/api/v1"
_FORM = "POST /search"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs for each page."""
    return markdown.replace(MARKER, render(description())) if MARKER in markdown else markdown


@cache
def description() -> dict[str, Any]:
    """The OpenAPI description of an application over an empty index."""
    from patsearch import create_index, load_encoder
    from patsearch.web.app import create_app
    from patsearch.web.settings import ServerSettings

    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        create_index(index, load_encoder()).close()
        app = create_app(ServerSettings(index, workers=1))
        return app.openapi()


def render(api: dict[str, Any]) -> str:
    """Every address and every answer of a description, as Markdown."""
    schemas: dict[str, Any] = api["components"]["schemas"]
    form = set(_body(api["paths"][f"{_PREFIX}/search"]["post"], schemas)["properties"])
    lines = [f"## Addresses below `{_PREFIX}`", ""]
    for path, operations in api["paths"].items():
        for method, operation in operations.items():
            lines += _operation(f"{method.upper()} {path.removeprefix(_PREFIX)}", operation, schemas, form)
    lines += ["## Answers", ""]
    for name, schema in sorted(schemas.items()):
        if not name.startswith(("Body_", "HTTPValidation", "ValidationError")):
            lines += [f"### {name}", "", _sentence(schema.get("description")), "", *_table(schema), ""]
    return "\n".join(lines)


def _operation(name: str, operation: dict[str, Any], schemas: dict[str, Any], form: set[str]) -> list[str]:
    lines = [f"### `{name}`", "", _sentence(operation.get("description")), ""]
    if parameters := operation.get("parameters"):
        lines += ["| parameter | in | type | meaning |", "|---|---|---|---|"]
        lines += [f"| `{p['name']}` | {p['in']} | {_type(p['schema'])} | {_cell(p)} |" for p in parameters]
        lines.append("")
    if "requestBody" in operation:
        body = _body(operation, schemas)
        own = dict(body["properties"])
        if name != _FORM and form <= set(own):
            own = {key: value for key, value in own.items() if key not in form}
            lines += ["The form has the fields of [`POST /search`](#post-search)" + (", and:" if own else "."), ""]
        if own:
            lines += [*_table({**body, "properties": own}), ""]
    answers = [_answer(status, answer) for status, answer in operation["responses"].items() if status < "300"]
    errors = sorted(status for status in operation["responses"] if status >= "300")
    lines += [f"Answer: {'; '.join(answers)}. Errors: {', '.join(errors)}, each an [ErrorAnswer](#erroranswer).", ""]
    return lines


def _body(operation: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = next(iter(operation["requestBody"]["content"].values()))["schema"]
    named: dict[str, Any] = schemas[schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema
    return named


def _answer(status: str, answer: dict[str, Any]) -> str:
    kinds = [
        _type(content["schema"]) if content.get("schema") else f"`{media}`"
        for media, content in answer.get("content", {}).items()
    ]
    return f"{status}, {' or '.join(kinds)}" if kinds else status


def _table(schema: dict[str, Any]) -> list[str]:
    rows = [f"| `{name}` | {_type(field)} | {_cell(field)} |" for name, field in schema.get("properties", {}).items()]
    return ["| field | type | meaning |", "|---|---|---|", *rows]


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"] if value != "")
    if schema.get("contentMediaType"):
        return "file"
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    return str(schema.get("type", "any"))


def _cell(field: dict[str, Any]) -> str:
    schema = field.get("schema", field)
    bounded: dict[str, Any] = next((choice for choice in schema.get("anyOf", [schema]) if "minimum" in choice), {})
    bounds = f"{bounded['minimum']:g} to {bounded['maximum']:g}." if {"minimum", "maximum"} <= set(bounded) else ""
    default = schema.get("default")
    standard = f"Default: `{str(default).lower()}`." if default not in (None, "", [], False) else ""
    return " ".join(part for part in (_sentence(field.get("description")), bounds, standard) if part)


def _sentence(text: str | None) -> str:
    return " ".join((text or "").replace("|", "\\|").split())


if __name__ == "__main__":
    print(render(description()))
