"""The tools for assistants, called by the SDK's own client over both transports."""

from __future__ import annotations

import asyncio
import io
import re
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from makers import draw_design, week
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, ImageContent, TextContent
from PIL import Image

from patsearch.assistants.sheet import MOST_BYTES, Tile, contact_sheet
from patsearch.assistants.tools import MOST_ANSWER
from patsearch.ingest import IngestOptions, ingest

TOKEN = "a-token-of-the-tests-0123456789"
CALLS = ("search", "patent", "drawing", "explain", "plate", "index_info")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mcp")
    ingest([week(folder / "w", range(6))], folder / "index", IngestOptions(workers=1))
    return folder / "index"


@pytest.fixture(scope="module")
def address(index: Path) -> Iterator[str]:
    """A server over HTTP that requires a token."""
    words = [sys.executable, "-m", "patsearch", "mcp", "--index", str(index), "--http", "--port", "0", "--token", TOKEN]
    server = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    assert server.stderr
    found = next((found for line in server.stderr if (found := re.search(r"http://\S+/mcp", line))), None)
    assert found, f"it ended with {server.wait()}"
    yield found[0]
    server.terminate()
    server.communicate(timeout=30)
    assert server.returncode == 0


def drawn(seed: int) -> str:
    """The picture of an indexed design in base64."""
    buffer = io.BytesIO()
    draw_design(seed, 0).save(buffer, "PNG")
    return b64encode(buffer.getvalue()).decode()


@asynccontextmanager
async def over_stdio(index: Path) -> AsyncIterator[Client]:
    server = StdioServerParameters(command=sys.executable, args=["-m", "patsearch", "mcp", "--index", str(index)])
    async with Client(server) as client:
        yield client


@asynccontextmanager
async def over_http(address: str, token: str = TOKEN) -> AsyncIterator[Client]:
    headers = {"authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(address, http_client=http)) as client,
    ):
        yield client


def data_of(result: CallToolResult) -> Any:
    assert not result.is_error, result.content
    assert len(result.model_dump_json(by_alias=True).encode()) < MOST_ANSWER
    return result.structured_content


def picture_of(result: CallToolResult) -> Image.Image:
    (picture,) = (part for part in result.content if isinstance(part, ImageContent))
    assert len(picture.data) <= 900_000
    image = Image.open(io.BytesIO(b64decode(picture.data)))
    assert f"image/{(image.format or '').lower()}" == picture.mime_type
    return image


def error_of(result: CallToolResult) -> str:
    assert result.is_error
    (said,) = result.content
    assert isinstance(said, TextContent)
    assert "\n" not in said.text
    return said.text


async def use_every_tool(client: Client) -> None:
    """Lists the tools and calls each; the client checks answers against the schemas that the server gave."""
    listed = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert tuple(listed) == CALLS
    assert all(tool.description and tool.output_schema and tool.annotations for tool in listed.values())
    assert all(tool.annotations and tool.annotations.read_only_hint for tool in listed.values())

    found = await client.call_tool("search", {"picture": drawn(3), "limit": 4, "filter": ["granted=2021"]})
    data = data_of(found)
    assert [one["rank"] for one in data["results"]] == [1, 2, 3, 4]
    first = data["results"][0]
    assert (first["patent"], first["title"], first["granted"]) == ("USD900003", "Lamp", "2021-01-05")
    assert first["link"].startswith("https://ppubs.uspto.gov/")
    assert data["index"] == "index"
    sheet = picture_of(found)
    assert sheet.width > 4 * 200
    like = data_of(await client.call_tool("search", {"like": "D900,003", "style": 1}))
    assert "USD900003" not in [one["patent"] for one in like["results"]]

    patent = await client.call_tool("patent", {"number": "D900003"})
    drawings = data_of(patent)["drawings"]
    assert [one["view"] for one in drawings] == ["a perspective view thereof", "a front view thereof"]
    assert picture_of(patent).width > 2 * 200

    shown = await client.call_tool("drawing", {"id": drawings[0]["id"]})
    assert data_of(shown)["patent"] == "USD900003"
    assert min(picture_of(shown).size) > 200

    arguments = {"drawing": drawings[0]["id"], "picture": f"data:image/png;base64,{drawn(3)}"}
    why = await client.call_tool("explain", arguments)
    assert data_of(why)["score"] > 0.9
    colours = np.asarray(picture_of(why).convert("RGB"), dtype=int)
    assert (colours[..., 0] - colours[..., 1] > 60).sum() > 500  # red, in both halves
    assert all((half[..., 0] - half[..., 1] > 60).any() for half in np.array_split(colours, 2, axis=1))

    arguments = {"picture": drawn(3), "patent": "D900003", "earlier": "USD900001"}
    plate = await client.call_tool("plate", arguments)
    assert data_of(plate)["designs"] == ["picture", "USD900003", "USD900001"]
    assert data_of(plate)["rows"][0]["views"][0] == "picture"
    assert "same drawing, 100% in common" in data_of(plate)["rows"][0]["scores"][0]
    assert picture_of(plate).width > 500
    two = data_of(await client.call_tool("plate", {"like": "D900002", "patent": "D900003"}))
    assert two["rows"][0]["views"] == ["FIG. 1: a perspective view thereof"] * 2

    info = data_of(await client.call_tool("index_info", {}))
    assert (info["patents"], info["drawings"]) == (6, 12)
    assert (info["uspc"][0]["name"], info["uspc"][0]["count"]) == ("D14", 3)
    assert data_of(await client.call_tool("index_info", {"filter": "uspc=D14"}))["patents"] == 3


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("search", {}, "Give either a picture or the number of a patent"),
    ("search", {"picture": "", "like": "D1"}, "Give either a picture or the number of a patent"),
    ("search", {"picture": "no base64!"}, "The picture is not in base64"),
    ("search", {"picture": b64encode(b"no picture").decode()}, "picture"),
    ("search", {"picture": "A" * 12_000_000}, "picture: String should have at most"),
    ("search", {"like": "D1234567"}, "USD1234567 is not in the index"),
    ("search", {"like": "D900001", "limit": 51}, "limit: Input should be less than or equal to 50"),
    ("search", {"like": "D900001", "style": "x"}, "style: Input should be a valid number"),
    ("search", {"like": "D900001", "filter": ["colour=red"]}, "Unknown filter key 'colour'"),
    ("search", {"like": "D900001", "filter": ["uspc=D14"] * 33}, "filter: Value should have at most 32 items"),
    ("search", {"like": "D900001", "path": "/etc/passwd"}, "path: Extra inputs are not permitted"),
    ("patent", {"number": "D1234567"}, "USD1234567 is not in the index"),
    ("patent", {"number": 7}, "number: Input should be a valid string"),
    ("drawing", {"id": "../../x"}, "'../../x' is not in the index"),
    ("explain", {"drawing": "none", "like": "D900001"}, "'none' is not in the index"),
    ("plate", {"like": "D900001", "patent": "D1234567"}, "USD1234567 is not in the index"),
    ("plate", {"patent": "D900001"}, "Give either a picture or the number of a patent"),
    ("index_info", {"filter": ["uspc"]}, "Cannot read the filter"),
    ("delete", {}, "No tool 'delete'. Tools: search, patent"),
]


async def use_badly(client: Client, *, most: int) -> None:
    for name, arguments, said in BAD:
        if len(str(arguments)) < most:
            assert said in error_of(await client.call_tool(name, arguments)), name
    assert data_of(await client.call_tool("index_info", {}))["patents"] == 6


@pytest.mark.slow
def test_every_tool_over_stdio(index: Path) -> None:
    async def use() -> None:
        async with over_stdio(index) as client:
            await use_every_tool(client)
            await use_badly(client, most=1 << 30)

    asyncio.run(use())


@pytest.mark.slow
def test_every_tool_over_http(address: str) -> None:
    async def use() -> None:
        async with over_http(address) as client:
            await use_every_tool(client)
            await use_badly(client, most=1 << 20)

    asyncio.run(use())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": "Bearer wrong"}, 401),
        ({"authorization": f"Bearer {TOKEN}", "host": "evil.example"}, 403),
        ({"authorization": f"Bearer {TOKEN}", "origin": "http://evil.example"}, 403),
        ({"authorization": f"Bearer {TOKEN}", "sec-fetch-site": "cross-site"}, 403),
        ({"authorization": f"Bearer {TOKEN}"}, 200),
    ],
)
def test_the_rules_of_the_server_hold(address: str, headers: dict[str, str], status: int) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    accept = {"accept": "application/json, text/event-stream"}
    assert httpx2.post(address, json=body, headers={**accept, **headers}).status_code == status


def test_a_body_that_is_too_large_is_refused(address: str) -> None:
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    assert httpx2.post(address, content=b" " * (12 << 20), headers=headers).status_code == 413


def test_an_index_that_does_not_exist_is_one_line(tmp_path: Path) -> None:
    for more in ([], ["--http", "--port", "0"]):
        words = [sys.executable, "-m", "patsearch", "mcp", "--index", str(tmp_path / "none"), *more]
        done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
        assert (done.returncode, done.stdout) == (4, "")
        assert "There is no index at" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_a_contact_sheet_is_never_larger_than_its_bound() -> None:
    rng = np.random.default_rng(0)

    def noise(side: int) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(rng.integers(0, 255, (side, side), dtype=np.uint8)).save(buffer, "PNG")
        return buffer.getvalue()

    noisy = [Tile(noise(480), (f"{place}. USD90000{place:02}", "x" * 500)) for place in range(60)]
    small = contact_sheet(noisy)
    assert small
    assert len(small.data) <= MOST_BYTES
    assert len(b64encode(small.data)) <= 900_000
    with Image.open(io.BytesIO(small.data)) as sheet:
        assert sheet.width >= 5 * 80
    broken = contact_sheet([Tile(b"no picture", ("a",)), Tile(None, ("b", "c"))])
    assert broken
    assert broken.mime == "image/png"
    assert contact_sheet([]) is None
