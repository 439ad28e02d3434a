"""`patsearch.connect` and `patsearch query --url`: the same answers as from a local index."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from makers import draw_design, week
from web_makers import TOKEN

import patsearch
from patsearch.cli import main
from patsearch.client import Client, connect
from patsearch.errors import BackendError, FilterError, InputError, PatsearchError, TimedOut, UnknownFormat, UsageError
from patsearch.ingest import IngestOptions, ingest


@pytest.fixture(scope="module")
def server(index: Path, start: Callable[..., str]) -> str:
    return start(index)


def test_hits_are_those_of_the_index(server: str, index: Path) -> None:
    picture = draw_design(1, 1)
    with patsearch.open_index(index) as engine, patsearch.connect(server) as client:
        for where in (None, "uspc=D14", ["granted=2021", "title~display"]):
            mine, theirs = engine.search(picture, k=5, where=where), client.search(picture, k=5, where=where)
            assert [(h.rank, h.patent, h.title, h.granted, h.classes) for h in theirs] == [
                (h.rank, h.patent, h.title, h.granted, h.classes) for h in mine
            ]
            assert [h.score for h in theirs] == pytest.approx([h.score for h in mine], abs=1e-5)
            assert [[d.drawing.id for d in h.drawings] for h in theirs] == [
                [d.drawing.id for d in h.drawings] for h in mine
            ]
            assert theirs[0].drawing.view == mine[0].drawing.view


def test_all_that_the_api_has(server: str, drawing: bytes, tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(drawing)
    with patsearch.connect(server) as client:
        assert client.health()["status"] == "ok"
        assert client.index()["patents"] == 12
        assert client.facets("uspc=D2")["patents"] == client.facets(patsearch.parse_filter("uspc=D2"))["patents"]
        hit = client.search([tmp_path / "one.png", drawing], k=1, rotations=True)[0]
        assert hit.patent == "USD900001"
        assert len(client.patent(hit.patent)["drawings"]) == 2
        assert client.thumbnail(hit.drawing.id).startswith(b"\x89PNG")
        assert len(client.figures(drawing)["pictures"][0]["figures"]) == 1
        assert client.explain(drawing, hit.drawing.id)["method"] == "feature maps"
        assert client.report(drawing, kind="pdf").startswith(b"%PDF-")
        assert client.rerun(client.save(drawing, k=12))["new"] == []
        assert "USD900001" not in [h.patent for h in client.search(like="USD900001", k=12)]


def test_errors_are_those_of_the_index(server: str, drawing: bytes) -> None:
    with patsearch.connect(server) as client:
        with pytest.raises(FilterError, match="Unknown filter key"):
            client.search(drawing, where="colour=red")
        with pytest.raises(UnknownFormat):
            client.search(b"no picture")
        with pytest.raises(InputError, match="not in the index"):
            client.search(like="USD1")
        with pytest.raises(UsageError):
            client.search()
    with patsearch.connect("http://127.0.0.1:9") as client, pytest.raises(BackendError, match="does not answer"):
        client.health()
    with pytest.raises(UsageError, match="Invalid server address"):
        patsearch.connect("127.0.0.1:8765")


def test_busy_servers_are_asked_again_and_strangers_are_named() -> None:
    asked = []

    def busy(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if len(asked) < 3:
            return httpx.Response(503, headers={"retry-after": "0"})
        return httpx.Response(200, json={"status": "ok"})

    with Client("http://localhost", transport=httpx.MockTransport(busy)) as client:
        assert client.health() == {"status": "ok"}
        assert len(asked) == 3
    page = httpx.MockTransport(lambda _: httpx.Response(200, text="<html>"))
    with (
        Client("http://localhost", transport=page) as client,
        pytest.raises(BackendError, match="is not a patsearch server"),
    ):
        client.health()


GOOD = {
    "rank": 1, "patent": "USD1", "score": 0.5, "title": "", "kind": "", "granted": None, "filed": None, "link": None,
    "classes": {}, "class_titles": [],
    "drawing": {"id": "x", "figure": None, "sheet": "", "view": None, "front_page": False, "score": 0.5},
}  # fmt: skip


def spaces() -> Iterator[bytes]:
    for _ in range(400):
        yield b" " * (1 << 20)


@pytest.mark.parametrize("status", [200, 400, 503])
@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"null", b"5", b'"x"', b"[" * 200_000, b'{"a":' * 200_000, b"\xff", b"{", b'{"hits": 5}',
        b'{"hits": {"x": 1}}', b'{"hits": [5]}', b'{"hits": [{"classes": 5}]}', b"9" * 5000,
        b'{"hits": [{"rank": ' + b"9" * 5000 + b"}]}",
        json.dumps({"hits": [GOOD | {"drawings": []}]}).encode(),
        json.dumps({"hits": [GOOD | {"drawings": [GOOD["drawing"]], "granted": "never"}]}).encode(),
        spaces,
        b'{"error": []}', b'{"error": {"kind": [], "message": {}, "hint": 5}}',
        b'{"error": {"kind": "PatsearchError"}}',
        b'{"error": {"kind": "__builtins__", "message": "x", "hint": null}}',
    ],
    ids=lambda body: getattr(body, "__name__", repr(body)[:40]),  # a function's repr has its address
)  # fmt: skip
def test_a_hostile_server_gives_an_error_of_one_line(
    body: bytes | Callable[[], Iterator[bytes]], status: int, drawing: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patsearch.client._MOST_BYTES", 4 << 20)  # the same as with all of it, and sooner

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(status, headers={"retry-after": "0"}, content=body if isinstance(body, bytes) else body())

    with Client("http://localhost", transport=httpx.MockTransport(answer)) as client:
        with pytest.raises(PatsearchError) as caught:
            client.search(drawing)
        assert len(str(caught.value)) < 5000
        with suppress(PatsearchError):
            client.facets()


@pytest.mark.parametrize("wait", ["\u00b2", "9" * 400, "-1", "x", ""])
def test_a_server_that_says_nonsense_about_when_to_come_back(wait: str, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    busy = httpx.MockTransport(lambda _: httpx.Response(503, headers={b"retry-after": wait.encode()}))
    with Client("http://localhost", transport=busy) as client, pytest.raises(BackendError):
        client.health()
    assert waited
    assert max(waited) <= 10


def test_an_answer_that_was_compressed_unrequested_is_not_unpacked() -> None:
    packed = gzip.compress(b'{"status": "ok"}')
    answer = httpx.MockTransport(lambda _: httpx.Response(200, headers={"content-encoding": "gzip"}, content=packed))
    with Client("http://localhost", transport=answer) as client, pytest.raises(BackendError, match="not a patsearch"):
        client.health()


def test_a_server_that_never_ends_its_answer() -> None:
    def slowly() -> Iterator[bytes]:
        while True:
            time.sleep(0.01)
            yield b" "

    endless = httpx.MockTransport(lambda _: httpx.Response(200, content=slowly()))
    with (
        Client("http://localhost", timeout=0.1, transport=endless) as client,
        pytest.raises(BackendError, match="longer than"),
    ):
        client.health()


@pytest.mark.parametrize(
    "part",
    [
        b"a",
        b"a: b\r\n",
        b"\r\n\r\nHTTP/1.1 103 Early Hints\r\na: b",
        b"transfer-encoding: chunked\r\n\r\n1;" + b"a" * 99,
    ],
    ids=["a header that never ends", "headers without end", "answers before the answer", "a chunk that never begins"],
)
def test_a_server_that_never_comes_to_its_answer(part: bytes) -> None:
    """A letter at a time, each within HTTP's own time limit."""
    over = threading.Event()

    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.sendall(b"HTTP/1.1 103 Early Hints\r\n" if b"103" in part else b"HTTP/1.1 200 OK\r\n")
            while not over.wait(0.02):
                connection.sendall(part)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=drip, args=(listener,))
        server.start()
        try:
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            with connect(address, timeout=0.5) as client, pytest.raises(BackendError, match="does not answer"):
                client.health()
        finally:
            over.set()
            server.join()


@pytest.mark.parametrize("url", ["http://\x1b[2J", "http://127.0.0.1:x", "http://127.0.0.1:1/\x00"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(UsageError, match="Invalid server address"):
        connect(url)


def test_what_took_too_long_is_not_sent_again() -> None:
    sent = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(503, json={"error": {"kind": "TimedOut", "message": "x", "hint": None}})

    with Client("http://localhost", transport=httpx.MockTransport(answer)) as client, pytest.raises(TimedOut):
        client.health()
    assert len(sent) == 1


def test_the_command_line_asks_a_server(
    server: str, index: Path, drawing: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.png").write_bytes(drawing)

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main([str(a) for a in ("query", tmp_path / "s.png", *arguments)])
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), out, err

    code, table, _ = run("--url", server, "-n", 3, "--filter", "uspc=D14")
    assert code == 0
    assert table == run("--index", index, "-n", 3, "--filter", "uspc=D14")[1]
    files = [tmp_path / name for name in ("r.html", "r.pdf", "r.json")]
    code, out, _ = run("--url", server, "--json", "--html", files[0], "--pdf", files[1], "--save", files[2])
    assert code == 0
    assert json.loads(out)["hits"][0]["patent"] == "USD900001"
    assert [file.read_bytes()[:5] for file in files] == [b"<!doc", b"%PDF-", b'{"for']
    code, out, err = run("--url", "http://127.0.0.1:9")
    assert (code, out) == (6, "")
    assert err.count("\n") == 1
    code, out, err = run()
    assert code == 2
    assert "--url" in err


def test_a_token_opens_the_door(index: Path, start: Callable[..., str], drawing: bytes) -> None:
    address = start(index, env={**os.environ, "PATSEARCH_TOKEN": TOKEN})
    with patsearch.connect(address, token=TOKEN) as client:
        assert client.search(drawing, k=1)[0].patent == "USD900001"
    with patsearch.connect(address) as client, pytest.raises(UsageError, match="token is missing"):
        client.search(drawing)


def test_addresses_and_tokens_that_make_no_sense(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, text in (
        (["--token", "short"], "The token has 5 characters"),
        (["--host", "198.51.100.7"], "Cannot listen"),
        (["--index", str(index) + "-none"], "There is no index"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["serve", "--index", str(index), "--port", "0", *arguments])
        out, err = capsys.readouterr()
        assert stop.value.code != 0
        assert out == ""
        assert text in err
        assert err.count("\n") == 1


def test_an_encoder_that_is_gone_is_said_at_the_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = Path(patsearch.__file__).parent / "encoder" / "weights"
    for ending in (".onnx", ".json"):
        shutil.copy(weights / f"lite0-drawings{ending}", tmp_path / f"mine{ending}")
    options = IngestOptions(workers=1, encoder=str(tmp_path / "mine.onnx"))
    ingest([week(tmp_path / "w", range(2))], tmp_path / "index", options)
    (tmp_path / "mine.onnx").unlink()
    with pytest.raises(SystemExit) as stop:
        main(["serve", "--index", str(tmp_path / "index"), "--port", "0", "--workers", "1"])
    assert stop.value.code == 5
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("patsearch: The encoder")
