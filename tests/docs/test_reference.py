"""The reference names everything that is there, and the site is built from it without a network."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from test_architecture import LAYERS

import patsearch

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"


@pytest.fixture(scope="module")
def document_http() -> ModuleType:
    spec = importlib.util.spec_from_file_location("document_http", ROOT / "tools" / "document_http.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_python_page_has_every_public_name_and_no_other() -> None:
    page = (REFERENCE / "python.md").read_text(encoding="utf-8")
    named = re.findall(r"^::: patsearch\.(\w+)(?:\.\w+)?$", page, re.MULTILINE)
    assert sorted(named) == sorted(set(patsearch.__all__) - {"__version__"})


def test_the_http_page_has_every_address_field_and_answer(document_http: ModuleType) -> None:
    pytest.importorskip("fastapi", reason="needs patsearch[web]")
    source = (REFERENCE / "http.md").read_text(encoding="utf-8")
    assert document_http.MARKER in source
    page = document_http.on_page_markdown(source)
    api: dict[str, Any] = document_http.description()
    assert len(api["paths"]) >= 13
    for path, operations in api["paths"].items():
        for method in operations:
            assert f"### `{method.upper()} {path.removeprefix('/api/v1')}`\n" in page
    for name, schema in api["components"]["schemas"].items():
        for field in schema.get("properties", {}):
            assert f"| `{field}` |" in page, f"{name}.{field}"


def test_addresses_that_pages_write_by_hand_are_there(document_http: ModuleType) -> None:
    pytest.importorskip("fastapi", reason="needs patsearch[web]")
    paths = document_http.description()["paths"]
    known = {f"{method.upper()} {path.removeprefix('/api/v1')}" for path in paths for method in paths[path]}
    written = {
        (page.name, f"{method} {path.removeprefix('/api/v1')}")
        for page in [*REFERENCE.glob("*.md"), *(ROOT / "docs" / "operate").glob("*.md")]
        for method, path in re.findall(r"`(GET|POST|DELETE) (/[^\s`?]+)", page.read_text(encoding="utf-8"))
    }
    assert len(written) > 4
    assert {(page, address) for page, address in written if address not in known | {"GET /metrics"}} == set()


def test_the_house_in_contributing_is_the_one_that_is_checked() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    plan = re.search(r"```text\n(cli -> .*?)```", text, re.DOTALL)
    assert plan
    drawn = [{part.strip() for part in level.split(",")} for level in plan[1].split("->")]
    assert drawn == [level for level in reversed(LAYERS) if level != {"__main__"}]
    table = text.split("| part | what it does |")[1].split("##")[0]
    assert {part for level in drawn for part in level if f"`{part}`" not in table} == set()


def test_messages_in_tables_of_errors_are_those_of_the_code() -> None:
    code = " ".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "patsearch").rglob("*.py")))
    # Strings of several lines as one, and one mark for each value that a message fills in.
    code = re.sub(r"\{[^{}]*\}", "*", re.sub(r"\"\s*f?\"", "", code))
    for page in ("indexes.md", "clusters.md"):
        text = (ROOT / "docs" / "operate" / page).read_text(encoding="utf-8")
        table = text.split("## Errors")[1]
        messages = [
            m for row in re.findall(r"^\| (`.*?) \| \d", table, re.MULTILINE) for m in re.findall(r"`(.+?)`", row)
        ]
        assert messages
        for message in set(messages) - {"malformed", "No space left on device"}:  # SQLite's and the system's
            fixed = [part.strip(" ;,.") for part in re.split(r"URL|'x'|\d[\d.x]*|Process", message)]
            assert all(part in code for part in fixed), f"{page}: {message}"


class _Loaded(HTMLParser):
    """What a browser fetches by itself when it opens a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        fetches = tag != "link" or values.get("rel") in ("stylesheet", "icon", "preload", "preconnect")
        address = values.get("href") if tag == "link" else values.get("src")
        if fetches and address:
            self.addresses.append(address)


@pytest.mark.slow
def test_the_site_is_built_strictly_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    for package in ("mkdocs", "material", "mkdocstrings", "fastapi"):
        pytest.importorskip(package, reason="needs patsearch[docs,web]")
    site = tmp_path / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", site],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    pages = sorted(site.rglob("*.html"))
    assert {"search", "operate", "research", "extend", "reference"} <= {page.parent.name for page in pages}
    for page in pages:
        loaded = _Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        assert loaded.addresses
        assert [address for address in loaded.addresses if re.match(r"(https?:)?//", address)] == [], page
    http = (site / "reference" / "http.html").read_text(encoding="utf-8")
    assert 'id="post-search"' in http
    assert "RerunAnswer" in http
