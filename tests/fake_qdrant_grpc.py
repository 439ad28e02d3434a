"""The gRPC port of `FakeServer`: what the client asks of it when an index is opened, counted and searched."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import grpc as wire
from fake_qdrant import FakeServer
from qdrant_client import grpc, models
from qdrant_client.conversions.conversion import GrpcToRest, RestToGrpc


class FakeGrpc:
    """Attributes:
    port: where it listens, also after a restart.
    calls: the methods that were called.
    """

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.port = 0
        self.calls: list[str] = []
        self._grpc: wire.Server | None = None
        self.start()

    def start(self) -> None:
        """Listen, again at the same port."""
        self._grpc = wire.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        methods: dict[str, dict[str, Any]] = {
            "qdrant.Qdrant": {"HealthCheck": (self._health, grpc.HealthCheckRequest)},
            "qdrant.Collections": {
                "ListAliases": (self._aliases, grpc.ListAliasesRequest),
                "Get": (self._info, grpc.GetCollectionInfoRequest),
            },
            "qdrant.Points": {
                "Count": (self._count, grpc.CountPoints),
                "QueryBatch": (self._query, grpc.QueryBatchPoints),
            },
        }
        for service, known in methods.items():
            handlers = {name: self._handler(name, act, kind) for name, (act, kind) in known.items()}
            self._grpc.add_generic_rpc_handlers((wire.method_handlers_generic_handler(service, handlers),))
        for _ in range(50):  # the port of the one that was stopped may take a moment
            self.port = self._grpc.add_insecure_port(f"127.0.0.1:{self.port}") or self.port
            if self.port:
                break
            time.sleep(0.05)
        self._grpc.start()

    def stop(self) -> None:
        """Go down as a process that is killed."""
        assert self._grpc is not None
        self._grpc.stop(None).wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def _handler(self, name: str, act: Any, kind: Any) -> Any:
        def handle(request: Any, _: Any) -> Any:
            self.calls.append(name)
            return act(request)

        return wire.unary_unary_rpc_method_handler(
            handle, request_deserializer=kind.FromString, response_serializer=lambda answer: answer.SerializeToString()
        )

    def _health(self, _: Any) -> Any:
        return grpc.HealthCheckReply(title=self.server.title, version=self.server.version)

    def _aliases(self, _: Any) -> Any:
        aliases = self.server.local.get_aliases().aliases
        return grpc.ListAliasesResponse(aliases=[RestToGrpc.convert_alias_description(one) for one in aliases])

    def _info(self, request: Any) -> Any:
        info = models.CollectionInfo.model_validate(self.server._info(request.collection_name))
        return grpc.GetCollectionInfoResponse(result=RestToGrpc.convert_collection_info(info))

    def _count(self, request: Any) -> Any:
        wanted = GrpcToRest.convert_filter(request.filter) if request.HasField("filter") else None
        count = self.server.local.count(request.collection_name, wanted).count
        return grpc.CountResponse(result=grpc.CountResult(count=count))

    def _query(self, request: Any) -> Any:
        searches = [GrpcToRest.convert_query_points(one) for one in request.query_points]
        body = models.QueryRequestBatch(searches=searches)
        answers = self.server._query(request.collection_name, body)
        return grpc.QueryBatchResponse(
            result=[
                grpc.BatchResult(
                    result=[
                        RestToGrpc.convert_scored_point(models.ScoredPoint.model_validate_json(json.dumps(hit)))
                        for hit in answer["points"]
                    ]
                )
                for answer in answers
            ]
        )
