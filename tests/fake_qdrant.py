"""A fake Qdrant server: HTTP on the loopback with qdrant-client's local mode behind it, and troubles on order.

It is not a Qdrant server and says nothing of one's speed or recall. It exists to drive the real client over real
sockets through what goes wrong between a client and a server:

    with FakeServer() as server:
        server.trouble("PUT", "/points", Status(503), times=2)
        ...
        assert server.seen("PUT", "/points") == 3
"""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import numpy as np
from qdrant_client import QdrantClient, models

Json = dict[str, Any]


@dataclass(frozen=True)
class Status:
    """Answer with this status and reason, do nothing."""

    code: int
    reason: str = "it was ordered"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cut:
    """Cut the connection: before the request counts, or after it did but before the answer."""

    after: bool = False


@dataclass(frozen=True)
class Hang:
    """Do what was asked, but answer this many seconds later."""

    seconds: float


@dataclass(frozen=True)
class ForgetHalf:
    """Acknowledge a batch of points, and keep every second of them."""


@dataclass(frozen=True)
class Garbage:
    """Answer 200 with a page of HTML."""


Trouble = Status | Cut | Hang | ForgetHalf | Garbage


@dataclass
class _Order:
    method: str
    path: str
    trouble: Trouble
    times: int


class FakeServer:
    """Attributes:
    version: what it says its version is.
    key: the API key it requires, if any.
    strict: the strict mode of all collections, by Qdrant's names.
    token: what the key allows: one collection ("*" for all), and whether it may write there.
    largest: bytes that a request may have.
    """

    def __init__(self) -> None:
        self.version = "1.20.1"
        self.title = "qdrant - vector search engine"
        self.key: str | None = None
        self.strict: Json = {}
        self.token: tuple[str, bool] | None = None
        self.largest = 1 << 30
        self.requests: list[tuple[str, str]] = []
        self.local = QdrantClient(":memory:", force_disable_check_same_thread=True)
        self.thresholds: dict[str, int] = {}
        self.schemas: dict[str, Json] = {}
        self.copies: dict[str, Json] = {}
        self._orders: list[_Order] = []
        self._lock = threading.RLock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def trouble(self, method: str, path: str, trouble: Trouble, *, times: int = 1) -> None:
        """Let the next requests of that method whose path ends so go wrong."""
        self._orders.append(_Order(method, path, trouble, times))

    def seen(self, method: str, path: str) -> int:
        """How many such requests arrived."""
        return sum(m == method and p.endswith(path) for m, p in self.requests)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._http.shutdown()
        self._http.server_close()
        self.local.close()

    # ------------------------------------------------------------------ HTTP

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                server.answer(self)

            do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = handle_any

            def log_message(self, format: str, *args: Any) -> None:
                """Silence."""

        return Handler

    def answer(self, http: BaseHTTPRequestHandler) -> None:
        path = urlsplit(http.path).path
        self.requests.append((http.command, path))
        trouble = self._ordered(http.command, path)
        body = http.rfile.read(int(http.headers.get("Content-Length") or 0))
        if isinstance(trouble, Cut) and not trouble.after:
            return _cut(http)
        if isinstance(trouble, Status):
            return _reply(http, trouble.code, {"status": {"error": trouble.reason}}, trouble.headers)
        if isinstance(trouble, Garbage):
            return _raw(http, 200, b"<html>hello</html>", {})
        if self.token is not None and (reason := self._forbidden(http.command, path)) is not None:
            return _reply(http, 403, {"status": {"error": f"Forbidden: {reason}"}}, {})
        if self.key is not None and http.headers.get("api-key") != self.key:
            return _raw(http, 401, b"Must provide an API key or an Authorization bearer token", {})
        if len(body) > self.largest:
            return _reply(http, 413, {"status": {"error": "JSON payload is larger than allowed"}}, {})
        try:
            with self._lock, warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                result = self._act(http.command, path, body, forget=isinstance(trouble, ForgetHalf))
        except KeyError as error:
            return _reply(http, 404, {"status": {"error": f"Not found: {error.args[0]}"}}, {})
        except PermissionError as error:
            return _reply(http, 403, {"status": {"error": str(error)}}, {})
        except ValueError as error:
            missing = re.search(r"Collection .* not found", str(error))
            return _reply(http, 404 if missing else 400, {"status": {"error": str(error)}}, {})
        if isinstance(trouble, Hang):
            time.sleep(trouble.seconds)
        if isinstance(trouble, Cut):
            return _cut(http)
        return _reply(http, 200, result, {})

    def _forbidden(self, method: str, path: str) -> str | None:
        """What a token lacks, in Qdrant's words. A token for a collection sees no list of aliases of others."""
        assert self.token is not None
        allowed, writes = self.token
        parts = [unquote(part) for part in path.strip("/").split("/")]
        if len(parts) < 2 or parts[0] != "collections":
            return None  # lists show what the token may see
        changes = method in ("PUT", "PATCH", "DELETE") or parts[-1] == "delete"
        if allowed == "*":
            return "Global manage access is required" if parts[1] == "aliases" or (changes and not writes) else None
        if parts[1] == "aliases" or (changes and len(parts) == 2):
            return "Manage access for this operation is required"
        if parts[1] != allowed:
            return f"Access to collection {parts[1]} is required"
        return f"Write access to collection {allowed} is required" if changes and not writes else None

    def _ordered(self, method: str, path: str) -> Trouble | None:
        with self._lock:
            for order in self._orders:
                if order.times and order.method == method and path.endswith(order.path):
                    order.times -= 1
                    return order.trouble
        return None

    # ------------------------------------------------------------------ what a server does

    def _act(self, method: str, path: str, body: bytes, *, forget: bool) -> Json:
        if path in ("", "/"):
            return {"title": self.title, "version": self.version}
        parts = [unquote(part) for part in path.strip("/").split("/")]
        if parts == ["aliases"]:
            aliases = self.local.get_aliases()
            if self.token is not None and self.token[0] != "*":
                aliases.aliases = []
            return _result(aliases)
        if parts == ["collections"]:
            names = [one.name for one in self.local.get_collections().collections]
            seen = [name for name in names if self.token is None or self.token[0] in ("*", name)]
            return _result({"collections": [{"name": name} for name in seen]})
        if parts == ["collections", "aliases"]:
            return _result(self.local.update_collection_aliases(_read(models.ChangeAliasesOperation, body).actions))
        if parts[:1] != ["collections"]:
            raise KeyError(path)
        name, rest = parts[1], "/".join(parts[2:])
        if self.strict and (reason := _too_much(self.strict, f"{method} {rest}", body)):
            raise PermissionError(f"Forbidden: {reason}. Help: Reduce it.")
        actions: dict[tuple[str, str], Callable[[], Any]] = {
            ("GET", "exists"): lambda: {"exists": self.local.collection_exists(name)},
            ("GET", ""): lambda: self._info(name),
            ("GET", "aliases"): lambda: self.local.get_collection_aliases(name),
            ("PUT", ""): lambda: self._create(name, _read(models.CreateCollection, body)),
            ("PATCH", ""): lambda: self._update(name, _read(models.UpdateCollection, body)),
            ("DELETE", ""): lambda: self.local.delete_collection(name),
            ("PUT", "index"): lambda: self._index(name, json.loads(body)),
            ("PUT", "points"): lambda: self._upsert(name, _read(models.PointsList, body), forget=forget),
            ("POST", "points/delete"): lambda: self.local.delete(name, _read(models.PointIdsList, body), wait=True),
            ("POST", "points"): lambda: self._retrieve(name, _read(models.PointRequest, body)),
            ("POST", "points/query/batch"): lambda: self._query(name, _read(models.QueryRequestBatch, body)),
            ("POST", "points/query/groups"): lambda: self._groups(name, _read(models.QueryGroupsRequest, body)),
            ("POST", "points/count"): lambda: self._count(name, _read(models.CountRequest, body)),
            ("POST", "points/scroll"): lambda: self._scroll(name, _read(models.ScrollRequest, body)),
            ("POST", "facet"): lambda: self._facet(name, _read(models.FacetRequest, body)),
        }
        return _result(actions[method, rest]())

    def _create(self, name: str, wanted: models.CreateCollection) -> bool:
        if self.local.collection_exists(name):
            raise ValueError(f"Wrong input: Collection `{name}` already exists!")
        self.thresholds[name] = int((wanted.optimizers_config and wanted.optimizers_config.indexing_threshold) or 0)
        self.schemas[name] = {}
        self.copies[name] = wanted.model_dump(
            include={"shard_number", "replication_factor", "write_consistency_factor"}, exclude_none=True
        )
        return self.local.create_collection(name, wanted.vectors, metadata=wanted.metadata)

    def _info(self, name: str) -> Json:
        info = self.local.get_collection(name).model_dump(mode="json", exclude_none=True)
        info["config"]["optimizer_config"]["indexing_threshold"] = self.thresholds[name]
        info["config"]["params"] |= self.copies.get(name, {})
        if self.strict:
            info["config"]["strict_mode_config"] = {"enabled": True, **self.strict}
        info["payload_schema"] = self.schemas[name]
        info["status"], info["optimizer_status"] = "green", "ok"
        return info

    def _update(self, name: str, wanted: models.UpdateCollection) -> bool:
        if wanted.optimizers_config and wanted.optimizers_config.indexing_threshold is not None:
            self.thresholds[name] = wanted.optimizers_config.indexing_threshold
        if wanted.params:
            self.copies[name] |= wanted.params.model_dump(exclude_none=True)
        return True

    def _index(self, name: str, wanted: Json) -> Json:
        kind = wanted["field_schema"]
        self.schemas[name][wanted["field_name"]] = {
            "data_type": kind if isinstance(kind, str) else kind["type"],
            "points": 0,
        }
        return {"operation_id": 1, "status": "completed"}

    def _upsert(self, name: str, wanted: models.PointsList, *, forget: bool) -> Any:
        sizes = self.local.get_collection(name).config.params.vectors
        assert isinstance(sizes, dict)
        size = sizes["drawing"].size
        for point in wanted.points:
            assert isinstance(point.vector, dict)
            vector = point.vector["drawing"]
            assert isinstance(vector, list)
            if len(vector) != size:
                raise ValueError(f"Vector dimension error: expected dim: {size}, got {len(vector)}")
        return self.local.upsert(name, wanted.points[::2] if forget else wanted.points, wait=True)

    def _retrieve(self, name: str, wanted: models.PointRequest) -> Any:
        return self.local.retrieve(name, wanted.ids, wanted.with_payload or False, bool(wanted.with_vector))

    def _query(self, name: str, wanted: models.QueryRequestBatch) -> Any:
        answers = []
        for search in wanted.searches:
            found = self.local.query_points(
                name,
                search.query,
                using=search.using,
                query_filter=search.filter,
                limit=search.limit or 10,
                offset=search.offset,
                with_vectors=True,
            ).points
            answers.append({"points": self._rescored(found, search.query)})
        return answers

    def _groups(self, name: str, wanted: models.QueryGroupsRequest) -> Any:
        answer = self.local.query_points_groups(
            name, wanted.group_by, query=wanted.query, using=wanted.using, query_filter=wanted.filter,
            limit=wanted.limit or 10, group_size=wanted.group_size or 3, with_vectors=True,
        )  # fmt: skip
        groups = [{"id": g.id, "hits": self._rescored(g.hits, wanted.query)} for g in answer.groups]
        return {"groups": groups}

    def _rescored(self, found: list[Any], query: Any) -> list[Json]:
        """Local mode's scores differ in the last bits from call to call; a server's do not."""
        asked = np.array(getattr(query, "nearest", query), dtype=np.float64)
        hits = []
        for hit in found:
            score = round(float(np.array(hit.vector["drawing"], dtype=np.float32).astype(np.float64) @ asked), 6)
            hits.append({"id": hit.id, "version": 0, "score": score, "payload": hit.payload})
        return sorted(hits, key=lambda hit: -hit["score"])

    def _count(self, name: str, wanted: models.CountRequest) -> Any:
        return self.local.count(name, wanted.filter)

    def _scroll(self, name: str, wanted: models.ScrollRequest) -> Json:
        records, following = self.local.scroll(
            name, wanted.filter, wanted.limit or 10, offset=wanted.offset, with_payload=wanted.with_payload or False,
            with_vectors=bool(wanted.with_vector),
        )  # fmt: skip
        return {"points": [_plain(r) for r in records], "next_page_offset": following}

    def _facet(self, name: str, wanted: models.FacetRequest) -> Any:
        return self.local.facet(name, wanted.key, wanted.filter, wanted.limit or 10)


def _too_much(strict: Json, act: str, body: bytes) -> str | None:
    """What a request has too much of, as Qdrant checks it (lib/collection/src/operations/verification)."""
    wanted: Json = json.loads(body) if body else {}
    limits: list[tuple[str, float]] = []
    exact = False
    if act in ("POST points/query/batch", "POST points/query/groups"):
        searches = wanted.get("searches", [wanted])
        limits.append(("search_max_batchsize", len(searches)))
        for one in searches:
            params = one.get("params") or {}
            limits += [
                ("max_query_limit", one.get("limit", 10) * (one.get("group_size", 3) if "group_by" in one else 1)),
                ("search_max_hnsw_ef", params.get("hnsw_ef") or 0),
                ("search_max_oversampling", (params.get("quantization") or {}).get("oversampling") or 0),
            ]
            exact = exact or bool(params.get("exact"))
    elif act in ("POST points/scroll", "POST facet"):
        limits.append(("max_query_limit", wanted.get("limit", 10)))
        exact = bool(wanted.get("exact"))
    elif act == "POST points":
        limits.append(("max_query_limit", len(wanted["ids"])))
    elif act == "PUT points":
        limits.append(("upsert_max_batchsize", len(wanted["points"])))
    elif act == "POST points/count":
        exact = bool(wanted.get("exact", True))
    if exact and strict.get("search_allow_exact") is False:
        return "Exact search disabled!"
    for name, value in limits:
        if name in strict and value > strict[name]:
            return f"Limit exceeded {value} > {strict[name]} for {name}"
    return None


def _read(kind: Any, body: bytes) -> Any:
    return kind.model_validate_json(body)


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_none=True)
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _result(value: Any) -> Json:
    return {"result": _plain(value), "status": "ok", "time": 0.0}


def _reply(http: BaseHTTPRequestHandler, code: int, document: Json, headers: dict[str, str]) -> None:
    _raw(http, code, json.dumps(document).encode(), {"Content-Type": "application/json", **headers})


def _raw(http: BaseHTTPRequestHandler, code: int, body: bytes, headers: dict[str, str]) -> None:
    try:
        http.send_response(code)
        for name, value in headers.items():
            http.send_header(name, value)
        http.send_header("Content-Length", str(len(body)))
        http.end_headers()
        http.wfile.write(body)
    except OSError:
        pass  # who asked has given up


def _cut(http: BaseHTTPRequestHandler) -> None:
    """Reset the connection, as a process that is killed does."""
    http.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    http.close_connection = True
    http.connection.close()
