"""What somebody sends who means harm: refused with the right status, nothing executed, nothing leaked, and the
server lives on."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import re
import socket
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote, urlsplit

import hostile_uploads
import httpx
import pytest
from fastapi.testclient import TestClient
from makers import draw_design
from pdf_makers import encrypted, pdf_bytes, text_page
from PIL import Image
from waiting import wait_until
from web_makers import HOSTILE_TITLE, TOKEN, png, served

from patsearch.web.app import create_app
from patsearch.web.connection import Connection
from patsearch.web.gate import COOKIE, session_value
from patsearch.web.settings import ServerSettings

API = "/api/v1"


@pytest.fixture(autouse=True)
def still_alive(client: TestClient, drawing: bytes) -> Iterator[None]:
    """After whatever a test sent, the next user's search is answered."""
    yield
    answer = client.post(f"{API}/search", files=[("image", drawing)])
    assert answer.status_code == 200
    assert answer.json()["hits"][0]["patent"] == "USD900001"


def send(client: TestClient, data: bytes, name: str = "x.png", **fields: object) -> tuple[int, str]:
    response = client.post(f"{API}/search", files=[("image", (name, data))], data=fields)
    assert "Traceback" not in response.text
    kind = response.json().get("error", {}).get("kind", "")
    return response.status_code, kind


def bomb(width: int, height: int) -> bytes:
    """A small PNG that says it has many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * (1 << 20), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


SVG = b"""<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" onload="alert(1)">
<script>alert(1)</script><image xlink:href="http://198.51.100.1/x.png"/><text>&x;</text></svg>"""


def test_a_decompression_bomb_is_refused_before_a_pixel_is_decoded(client: TestClient) -> None:
    assert send(client, bomb(60_000, 60_000)) == (413, "ImageTooLarge")
    assert send(client, bomb(2**31 - 1, 2**31 - 1))[0] in (413, 422)


def test_pictures_that_are_none(client: TestClient, drawing: bytes) -> None:
    assert send(client, SVG, "x.svg")[0] in (422, 501)  # damaged, or not read where resvg is not installed
    assert send(client, b"%PDF-1.7\n<script>", "x.pdf") == (422, "ImageError")
    assert send(client, encrypted(pdf_bytes([text_page()])), "x.pdf") == (422, "ImageError")
    assert send(client, pdf_bytes([text_page()]), "x.pdf") == (422, "ImageError")
    assert send(client, b"#!/bin/sh\ntouch /tmp/owned\n", "x.png") == (415, "UnknownFormat")
    assert send(client, drawing[: len(drawing) // 2]) == (422, "ImageError")
    assert send(client, b"") == (422, "ImageError")
    assert send(client, png(Image.new("L", (1, 1), 255))) == (422, "ImageError")
    assert send(client, png(Image.new("L", (800, 600), 255))) == (422, "ImageError")


def test_a_picture_of_one_black_pixel_is_a_picture(client: TestClient) -> None:
    assert send(client, png(Image.new("L", (1, 1), 0)))[0] in (200, 422)


def test_a_polyglot_is_taken_as_the_picture_that_it_is(client: TestClient, drawing: bytes) -> None:
    response = client.post(
        f"{API}/search", files=[("image", ("x.html", drawing + b"<script>alert(1)</script>" + SVG, "text/html"))]
    )
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "<svg" not in response.text
    # The record keeps a new picture of it: nothing but pixels.
    report = client.post(f"{API}/report", files=[("image", ("x.html", drawing + SVG, "text/html"))])
    assert b"<svg" not in report.content


def test_two_hundred_megabytes_are_refused_by_their_length(client: TestClient) -> None:
    def huge() -> Iterator[bytes]:
        for _ in range(200):
            yield bytes(1 << 20)

    headers = {"content-type": "multipart/form-data; boundary=x"}
    told = client.post(f"{API}/search", headers={**headers, "content-length": str(200 << 20)}, content=b"--x")
    assert (told.status_code, told.json()["error"]["kind"]) == (413, "TooLarge")
    # Without saying how much it will be.
    start = b'--x\r\ncontent-disposition: form-data; name="image"; filename="x.png"\r\n\r\n'
    untold = client.post(f"{API}/search", headers=headers, content=(part for part in [start, *huge()]))
    assert (untold.status_code, untold.json()["error"]["kind"]) == (413, "TooLarge")


def test_the_bodies_of_all_requests_together_are_bounded(index: Path, drawing: bytes) -> None:
    settings = ServerSettings(index, workers=1, max_bytes=2 << 20, max_bytes_together=3 << 20)
    go = threading.Event()
    half = b'--x\r\ncontent-disposition: form-data; name="image"; filename="x.png"\r\n\r\n' + bytes(1 << 20)

    def paused() -> Iterator[bytes]:
        yield half
        go.wait(120)
        yield b"\r\n--x--\r\n"

    with served(settings) as (host, port), ThreadPoolExecutor(3) as threads:
        address = f"http://{host}:{port}{API}/search"
        headers = {"content-type": "multipart/form-data; boundary=x"}
        held = [threads.submit(httpx.post, address, content=paused(), headers=headers, timeout=120) for _ in range(2)]

        def bytes_held() -> float:
            found = re.search(r"^patsearch_body_bytes (\S+)", httpx.get(f"http://{host}:{port}/metrics").text, re.M)
            return float(found[1]) if found else 0.0

        wait_until(lambda: bytes_held() >= 2 << 20)
        body = half + bytes(1 << 19) + b"\r\n--x--\r\n"

        for content in (body, (part for part in [body])):  # by its length, and as it arrives
            full = httpx.post(address, content=content, headers=headers, timeout=120)
            assert (full.status_code, full.json()["error"]["kind"]) == (503, "Busy")
            assert full.headers["retry-after"] == "1"
        small = httpx.post(address, files=[("image", drawing)], timeout=120)
        assert small.status_code == 200
        go.set()
        assert [one.result().status_code for one in held] == [415, 415]  # zeros are not a picture
        wait_until(lambda: bytes_held() == 0)
        assert httpx.post(address, files=[("image", drawing + bytes(1 << 20))], timeout=120).status_code == 200


def test_one_picture_over_its_own_limit_and_too_many_pictures(client: TestClient, drawing: bytes) -> None:
    assert send(client, drawing + bytes(5 << 20)) == (413, "ImageTooLarge")
    many = client.post(f"{API}/search", files=[("image", drawing)] * 17)
    assert (many.status_code, many.json()["error"]["kind"]) == (400, "UsageError")


def test_hostile_file_names_are_only_names(client: TestClient, drawing: bytes) -> None:
    name = "../../etc/<img src=x onerror=alert(1)>\x07.png"
    answer = client.post(f"{API}/search", files=[("image", (name, drawing))]).json()
    assert answer["query"]["pictures"][0].count("/") == 0
    report = client.post(f"{API}/report", files=[("image", (name, drawing))]).text
    assert "<img src=x" not in report


def test_hostile_titles_are_text_everywhere(client: TestClient) -> None:
    patent = client.get(f"{API}/patents/USD900000")
    assert patent.json()["title"] == HOSTILE_TITLE
    assert patent.headers["content-type"] == "application/json"
    report = client.post(f"{API}/report", data={"like": "USD900001", "top": "12"}).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in report
    assert "<script" not in report


@pytest.mark.parametrize(
    "name",
    [
        "../../../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "%00",
        "' OR 1=1 --",
        "a" * 5000,
        "USD900001-D00001-1/../x",
        "\ud800",
    ],
)
def test_path_tricks_in_ids_find_nothing(client: TestClient, name: str) -> None:
    encoded = quote(name.encode("utf-8", "surrogatepass"), safe="%")
    for address in (f"{API}/drawings/{encoded}/thumbnail", f"{API}/drawings/{encoded}", f"{API}/patents/{encoded}"):
        response = client.get(address)
        assert response.status_code in (400, 404, 422), (address, response.status_code)
        assert "root:" not in response.text


@pytest.mark.parametrize(
    "path", ["..%2f..%2fapp.py", "../app.py", "%2e%2e/gate.py", "....//settings.py", "js/../../app.py"]
)
def test_static_files_are_those_of_the_page(client: TestClient, path: str) -> None:
    response = client.get(f"/static/{path}")
    assert response.status_code == 404
    assert "import" not in response.text


def test_malformed_forms(client: TestClient, drawing: bytes) -> None:
    for fields in (
        {"top": "0"}, {"top": "100000"}, {"top": "many"}, {"offset": "-1"}, {"min_score": "nan"}, {"min_score": "7"},
        {"crop": "1,2,3"}, {"crop": "-1,0,5,5"}, {"crop": "0,0,99999,99999"}, {"turn": "45"}, {"rerank": "1"},
        {"expand": "x"}, {"filter": "colour=red"}, {"filter": "granted=2021-13"}, {"relevant": "USD1-D1"},
        {"rotations": "perhaps"},
    ):  # fmt: skip
        response = client.post(f"{API}/search", files=[("image", drawing)], data=fields)
        assert response.status_code in (400, 404, 422), (fields, response.status_code)
        assert response.json()["error"]["message"]
    assert client.post(f"{API}/search").status_code == 400
    for body, kind in (
        (b"", "multipart/form-data"),
        (b"--x", "multipart/form-data; boundary=x"),
        (b"{", "application/json"),
    ):
        assert client.post(f"{API}/search", content=body, headers={"content-type": kind}).status_code in (400, 422)


def test_saved_searches_that_are_none(client: TestClient, drawing: bytes) -> None:
    good = client.post(f"{API}/records", files=[("image", drawing)]).json()
    for change in (
        {"vectors": "AAAA"}, {"picture": [5]}, {"options": {**good["options"], "top": 10**9}}, {"where": "colour=red"},
        {"format": 2}, {"encoder_sha256": "0" * 64}, {"name": "x" * 1000}, {"pictures": [{"name": "x", "png": "%%"}]},
        {"picture": [30_000_000]}, {"picture": [10**12]}, {"options": {"min_score": math.nan}},
        {"options": {"rerank": {"k1": 10**9}}}, {"vectors": base64.b64encode(b"\0\0\xc0\x7f" * 512).decode()},
    ):  # fmt: skip
        data = json.dumps({**good, **change}).encode()
        response = client.post(f"{API}/records/rerun", files=[("record", data)])
        assert response.status_code in (400, 404, 409, 422), (change, response.status_code, response.text)
    assert client.post(f"{API}/records/rerun", files=[("record", b"\x80\x04K\x01.")]).status_code == 422


@contextmanager
def slow_sender(host: str, port: int) -> Iterator[socket.socket]:
    """A connection that promises a picture and sends only its beginning."""
    with socket.create_connection((host, port), timeout=120) as connection:
        connection.sendall(
            f"POST {API}/search HTTP/1.1\r\nHost: {host}\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            "Content-Length: 100000\r\n\r\n--x\r\n".encode()
        )
        yield connection


def test_a_body_that_comes_too_slowly_is_cut_off(index: Path) -> None:
    settings = ServerSettings(index, workers=1, body_seconds=0.5)
    with served(settings) as (host, port), slow_sender(host, port) as connection:
        assert b"408" in connection.recv(4096).split(b"\r\n")[0]
        while connection.recv(4096):  # the rest of the answer; then the server closes, or this times out
            pass


def test_a_body_that_comes_too_slowly_holds_nobody_up(index: Path, drawing: bytes) -> None:
    settings = ServerSettings(index, workers=1, body_seconds=3600)
    with served(settings) as (host, port), slow_sender(host, port):
        answer = httpx.post(f"http://{host}:{port}{API}/search", files=[("image", drawing)], timeout=120)
        assert answer.status_code == 200
        assert answer.json()["hits"][0]["patent"] == "USD900001"


@pytest.mark.parametrize("before", ["", f"GET {API}/version HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_headers_that_come_too_slowly_are_cut_off(index: Path, monkeypatch: pytest.MonkeyPatch, before: str) -> None:
    monkeypatch.setattr("patsearch.web.connection.HEADER_SECONDS", 0.5)
    settings = ServerSettings(index, workers=1)
    with served(settings) as address, socket.create_connection(address, timeout=120) as connection:
        connection.sendall(f"{before}GET {API}/version HTTP/1.1\r\nHost: local".encode())
        with suppress(ConnectionResetError):
            while connection.recv(4096):  # the answer to what came before; then the server closes, or this times out
                pass


def test_a_picture_that_holds_its_worker_up_costs_the_worker_alone(
    index: Path, drawing: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patsearch.web.workers.encode_uploads", hostile_uploads.encode_uploads)
    settings = ServerSettings(index, workers=1, work_seconds=4)
    with TestClient(create_app(settings), base_url="http://localhost") as client:
        slow = client.post(f"{API}/search", files=[("image", (hostile_uploads.HANGS, drawing))])
        assert (slow.status_code, slow.json()["error"]["kind"]) == (503, "Busy")
        assert slow.headers["retry-after"] == "1"
        # The new process loads the encoder first.
        wait_until(lambda: client.post(f"{API}/search", files=[("image", drawing)]).status_code != 503)
        again = client.post(f"{API}/search", files=[("image", drawing)])
        assert again.json()["hits"][0]["patent"] == "USD900001"


def test_a_token_is_asked_for_everywhere_but_at_the_door(index: Path, drawing: bytes) -> None:
    settings = ServerSettings(index, workers=1, token=TOKEN)
    with TestClient(create_app(settings), base_url="http://localhost") as client:
        for method, address in (
            ("GET", f"{API}/index"), ("GET", f"{API}/facets"), ("POST", f"{API}/search"), ("GET", "/metrics"),
            ("GET", f"{API}/drawings/USD900001-D00001-1/thumbnail"), ("GET", f"{API}/openapi.json"),
            ("POST", f"{API}/report"), ("GET", "/nowhere"),
        ):  # fmt: skip
            response = client.request(method, address)
            assert response.status_code == 401, address
            assert response.headers["www-authenticate"] == "Bearer"
        assert client.get(f"{API}/health").status_code == 200
        assert client.get("/").status_code == 200
        for wrong in ("Bearer", "Bearer x", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \u00e4"):
            assert client.get(f"{API}/index", headers={b"authorization": wrong.encode()}).status_code == 401
        assert client.get(f"{API}/index", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
        assert client.post(f"{API}/session", json={"token": "wrong"}).status_code == 401
        signed = client.post(f"{API}/session", json={"token": TOKEN})
        cookie = signed.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert TOKEN not in cookie
        assert client.get(f"{API}/index").status_code == 200
        client.delete(f"{API}/session")
        assert client.get(f"{API}/index").status_code == 401


def test_pages_of_other_sites_and_other_names_stay_out(client: TestClient, drawing: bytes) -> None:
    def post(**headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.post(f"{API}/search", files=[("image", drawing)], headers=named).status_code

    assert post(origin="http://127.0.0.1:8765") == 200
    assert post(origin="http://evil.example") == 403
    assert post(origin="null") == 403
    assert post(origin="https://127.0.0.1:8765") == 403
    assert post(origin="https://127.0.0.1:8765", x_forwarded_proto="https") == 200
    assert post(origin="https://127.0.0.1:8765", sec_fetch_site="same-origin") == 200
    assert post(origin="http://127.0.0.1:8766") == 403
    for two in (("http://evil.example", "http://127.0.0.1:8765"), ("http://127.0.0.1:8765", "http://evil.example")):
        headers = [("origin", origin) for origin in two]
        assert client.post(f"{API}/search", files=[("image", drawing)], headers=headers).status_code == 403
    assert post(sec_fetch_site="cross-site") == 403
    assert post(host="evil.example") == 403  # its name points to this machine
    assert client.get(f"{API}/index", headers={"host": "evil.example:8765"}).status_code == 403
    assert (
        client.options(f"{API}/search", headers={"origin": "http://evil.example"}).headers.get(
            "access-control-allow-origin"
        )
        is None
    )


def test_every_answer_bears_the_headers(client: TestClient) -> None:
    for address in ("/", "/nowhere", f"{API}/index", f"{API}/drawings/x/thumbnail", "/static/nothing.js"):
        headers = client.get(address).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("origin", ["http://[bad", "http://[::1", "//", "\x00", "http://127.0.0.1:x", "\u00e4"])
def test_an_origin_that_is_none_is_refused_like_a_foreign_one(client: TestClient, origin: str) -> None:
    answer = client.post(f"{API}/search", headers={b"origin": origin.encode()})
    assert (answer.status_code, answer.json()["error"]["kind"]) == (403, "OtherSite")
    assert "content-security-policy" in answer.headers


def test_cookies_are_not_read_by_what_takes_long(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's own reading of a quoted value takes the square of its length: six seconds, before a token is shown."""

    def fail(text: str) -> str:
        raise AssertionError(f"read {text[:20]}")

    monkeypatch.setattr("http.cookies._unquote", fail)
    cookie = {"cookie": f'{COOKIE}="' + "\\a" * 29_000 + '"'}
    settings = ServerSettings(index, workers=1, token=TOKEN)
    with TestClient(create_app(settings), base_url="http://localhost") as client:
        assert client.get(f"{API}/health", headers=cookie).status_code == 200
        assert client.get("/", headers=cookie).status_code == 200
        assert client.get(f"{API}/index", headers=cookie).status_code == 401
        good = f"other=x; {COOKIE}={session_value(TOKEN)}; more"
        assert client.get(f"{API}/index", headers={"cookie": good}).status_code == 200
        token = {"authorization": f"Bearer {TOKEN}"}
        assert client.post(f"{API}/search", data={"like": "USD900001"}, headers=token | cookie).status_code == 200


@pytest.mark.parametrize(
    ("more", "status"),
    [("", 200), ("; charset=utf-8", 200), ('; charset="UTF-8"', 200), ("; charset=UTF8;", 200),
     ("; charset=punycode", 400), ("; charset=idna", 400), ("; charset=undefined", 400), ("; charset=utf-7", 400),
     ("; charset*=utf-8''punycode", 400), ("; charset*0=puny; charset*1=code", 400), ("; charset = punycode", 400),
     ("; charset=utf-8; charset=punycode", 400), ('; charset="punycode', 400), ("; x=" + "y" * 500, 400)],
)  # fmt: skip
def test_a_form_is_read_as_utf_8_alone(client: TestClient, more: str, status: int) -> None:
    """Reading a megabyte as Punycode takes a minute."""
    body = b'--x\r\ncontent-disposition: form-data; name="like"\r\n\r\nUSD900001\r\n--x--\r\n'
    kind = f"multipart/form-data; boundary=x{more}"
    assert client.post(f"{API}/search", content=body, headers={"content-type": kind}).status_code == status


@pytest.mark.parametrize("body", [b"&" * (1 << 20), b"&" * 1000 + b"like=USD900001", b"a=&" * 2000])
def test_a_form_of_text_has_few_fields_empty_ones_included(client: TestClient, body: bytes) -> None:
    answer = client.post(
        f"{API}/search", content=body, headers={"content-type": "application/x-www-form-urlencoded; charset=UTF-8"}
    )
    assert answer.status_code == 400
    assert "fields" in answer.json()["error"]["message"]


class _Watched(Connection):
    """Notes what one turn of the loop parses, and whether answers are sent at once."""

    pieces: ClassVar[list[int]] = []
    at_once: ClassVar[list[bool]] = []

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        connected = transport.get_extra_info("socket")
        self.at_once.append(bool(connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
        receive = self.conn.receive_data

        def received(data: bytes) -> None:
            self.pieces.append(len(data))
            receive(data)

        self.conn.receive_data = received  # type: ignore[method-assign]


def test_bodies_are_parsed_in_pieces(index: Path, drawing: bytes) -> None:
    """A quarter of a megabyte in chunks of one byte takes a second to parse: nobody else was answered meanwhile."""
    body = b'--x\r\ncontent-disposition: form-data; name="image"; filename="x.png"\r\n\r\n' + drawing + b"\r\n--x--\r\n"
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
    head = (
        f"POST {API}/search HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n"
    )
    requests = {
        "chunked": f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks + b"0\r\n\r\n",
        "plain": f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body,
        "pipelined": f"GET {API}/version HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode() * 200
        + f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body,
    }  # fmt: skip

    def sent(request: bytes) -> bytes:
        with socket.create_connection(address, timeout=120) as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(1 << 16), b""))

    with served(ServerSettings(index, workers=1), _Watched) as address, ThreadPoolExecutor(9) as threads:
        answers = list(threads.map(sent, [requests["chunked"]] * 4 + [requests["plain"]] * 4 + [requests["pipelined"]]))
        assert max(_Watched.pieces) <= 1 << 16
        _Watched.pieces.clear()
        answers.append(sent(requests["chunked"]))
        assert max(_Watched.pieces) <= 4096
    for answer in answers:
        *first, last = answer.split(b"\r\n\r\n")
        assert json.loads(last)["hits"][0]["patent"] == "USD900001"
        assert len(first) in (1, 201)
    assert all(_Watched.at_once)


def test_little_is_read_before_a_token_and_of_what_is_no_upload(index: Path) -> None:
    settings = ServerSettings(index, workers=1, token=TOKEN)
    with TestClient(create_app(settings), base_url="http://localhost") as client:
        huge = b'{"token": "' + b"x" * (1 << 16)
        for body in (huge, (part for part in [huge])):  # with its length, and without
            answer = client.post(f"{API}/session", content=body, headers={"content-type": "application/json"})
            assert (answer.status_code, answer.json()["error"]["kind"]) == (413, "TooLarge")
        headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/x-www-form-urlencoded"}
        assert client.post(f"{API}/search", content=b"&" * (4 << 20), headers=headers).status_code == 413


def test_a_client_that_still_sends_sees_why_it_is_refused(index: Path) -> None:
    settings = ServerSettings(index, workers=1, token=TOKEN)
    with served(settings) as (host, port):
        for _ in range(20):
            address = f"http://{host}:{port}{API}/session"
            assert httpx.post(address, content=b"x" * (1 << 19), timeout=120).status_code == 413


def test_a_bug_is_answered_with_the_headers_too(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise LookupError("a bug")

    monkeypatch.setattr("patsearch.web.routes.answer", fail)
    answer = client.post(f"{API}/search", data={"like": "USD900001"})
    assert (answer.status_code, answer.json()["error"]["kind"]) == (500, "InternalError")
    assert "content-security-policy" in answer.headers


def test_more_than_the_server_takes_is_told_to_come_back(index: Path, drawing: bytes) -> None:
    settings = ServerSettings(index, workers=1, waiting=0)
    with TestClient(create_app(settings), base_url="http://localhost") as client:

        def ask(number: int) -> tuple[int, str | None]:
            picture = png(draw_design(number, 0))
            response = client.post(f"{API}/search", files=[("image", picture)], data={"rotations": "true"})
            return response.status_code, response.headers.get("retry-after")

        with ThreadPoolExecutor(12) as threads:
            answers = list(threads.map(ask, range(100, 136)))
        assert {status for status, _ in answers} <= {200, 503}
        assert all(after == "1" for status, after in answers if status == 503)
        assert [status for status, _ in answers if status == 503]
        assert [status for status, _ in answers if status == 200]


def test_shutdown_answers_what_is_under_way(index: Path, start: Callable[..., str], drawing: bytes) -> None:
    address = urlsplit(start(index))
    assert address.hostname == "127.0.0.1"
    with socket.create_connection((address.hostname, address.port or 0), timeout=20) as connection:
        connection.sendall(f"GET {API}/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        assert b"200 OK" in connection.recv(4096)
