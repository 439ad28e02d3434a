"""Searches and reads of a server without the general client, whose copies and checks take longer than a search.

qdrant-client makes a pydantic model of every query and every answer: of 6.8 ms for a search of 1,536 numbers, the
server took 1.4. Here a query goes from the array to the wire, and an answer from the wire to what is found
(`bench/client_cost.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from json import JSONDecodeError
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import orjson
from qdrant_client import grpc, models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.conversions.conversion import RestToGrpc
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from patsearch.backends.base import Embeddings
from patsearch.backends.qdrant.payload import GROUP, VECTOR, Point
from patsearch.backends.qdrant.points import Found
from patsearch.types import JsonDict


@dataclass(frozen=True, slots=True)
class Asked:
    """What the queries of a request have in common.

    Attributes:
        limit: results of each; of groups, patents.
        group_size: drawings of each patent, where patents are grouped.
    """

    limit: int
    filter: models.Filter | None = None
    params: models.SearchParams | None = None
    offset: int = 0
    group_size: int | None = None

    def to_json(self) -> JsonDict:
        document: JsonDict = {"using": VECTOR, "limit": self.limit, "with_payload": True}
        for name, model in (("filter", self.filter), ("params", self.params)):
            if model is not None:
                document[name] = model.model_dump(mode="json", exclude_none=True)
        if self.offset:
            document["offset"] = self.offset
        if self.group_size is not None:
            document |= {"group_by": GROUP, "group_size": self.group_size}
        return document

    def to_grpc(self) -> JsonDict:
        """The fields of a request by gRPC."""
        fields: JsonDict = {"using": VECTOR, "limit": self.limit, "with_payload": _EVERYTHING}
        if self.filter is not None:
            fields["filter"] = RestToGrpc.convert_filter(self.filter)
        if self.params is not None:
            fields["params"] = RestToGrpc.convert_search_params(self.params)
        if self.offset:
            fields["offset"] = self.offset
        if self.group_size is not None:
            fields |= {"group_by": GROUP, "group_size": self.group_size}
        return fields


_EVERYTHING = grpc.WithPayloadSelector(enable=True)


@dataclass
class RestWire:
    """One server by HTTP.

    Raises, from every method, what qdrant-client raises.
    """

    url: str
    http: httpx.Client = field(repr=False)

    def search(self, collection: str, queries: Sequence[Embeddings], asked: Asked) -> list[list[Found]]:
        """The closest points for each query (dim,), best first."""
        common = asked.to_json()
        body = {"searches": [{"query": np.ascontiguousarray(query), **common} for query in queries]}
        with _Shape():
            answers = self._post(collection, "points/query/batch", body)
            return [[_found(hit) for hit in answer["points"]] for answer in answers]

    def groups(self, collection: str, query: Embeddings, asked: Asked) -> list[list[Found]]:
        """The best groups, each with its best points."""
        body = {"query": np.ascontiguousarray(query), **asked.to_json()}
        with _Shape():
            answer = self._post(collection, "points/query/groups", body)
            return [[_found(hit) for hit in group["hits"]] for group in answer["groups"]]

    def retrieve(self, collection: str, ids: Sequence[str], fields: Any, *, vectors: bool) -> list[Point]:
        """Points by id."""
        body = {"ids": list(ids), "with_payload": fields, "with_vector": vectors}
        with _Shape():
            return [_point(record) for record in self._post(collection, "points", body)]

    def close(self) -> None:
        self.http.close()

    def _post(self, collection: str, path: str, body: JsonDict) -> Any:
        try:
            answer = self.http.post(
                f"{self.url}/collections/{quote(collection, safe='')}/{path}",
                content=orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY),
                headers={"Content-Type": "application/json"},
            )
        except httpx.HTTPError as error:
            raise ResponseHandlingException(error) from error
        if answer.status_code == 429 and (seconds := answer.headers.get("Retry-After", "")).isdecimal():
            raise ResourceExhaustedResponse(answer.text[:300], int(seconds))
        if answer.status_code != 200:
            raise UnexpectedResponse.for_response(answer)
        return orjson.loads(answer.content)["result"]


@dataclass
class GrpcWire:
    """Searches of one server by gRPC, queries as packed floats.

    Attributes:
        points: the generated client.
    """

    points: Any
    timeout: int

    def search(self, collection: str, queries: Sequence[Embeddings], asked: Asked) -> list[list[Found]]:
        """As of `RestWire`."""
        common = asked.to_grpc()
        searches = [grpc.QueryPoints(collection_name=collection, query=_nearest(query), **common) for query in queries]
        request = grpc.QueryBatchPoints(collection_name=collection, query_points=searches)
        answer = self.points.QueryBatch(request, timeout=self.timeout)
        return [[_found_by_grpc(hit) for hit in one.result] for one in answer.result]

    def groups(self, collection: str, query: Embeddings, asked: Asked) -> list[list[Found]]:
        """As of `RestWire`."""
        request = grpc.QueryPointGroups(collection_name=collection, query=_nearest(query), **asked.to_grpc())
        answer = self.points.QueryGroups(request, timeout=self.timeout)
        return [[_found_by_grpc(hit) for hit in group.hits] for group in answer.result.groups]


class _Shape:
    """An answer of another shape is not one of Qdrant's."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: object) -> None:
        if isinstance(error, (KeyError, TypeError, ValueError)) and not isinstance(error, JSONDecodeError):
            raise ResponseHandlingException(ValueError(f"not an answer of Qdrant: {error!r}")) from error


def _found(hit: JsonDict) -> Found:
    return Found(str(hit["id"]), float(hit["score"]), hit.get("payload") or {})


def _point(record: JsonDict) -> Point:
    vector = record.get("vector")
    numbers = np.array(vector[VECTOR], dtype=np.float32) if vector else None
    return Point(str(record["id"]), record.get("payload") or {}, numbers)


def _nearest(query: Embeddings) -> Any:
    return grpc.Query(nearest=grpc.VectorInput(dense=grpc.DenseVector(data=query.tolist())))


def _found_by_grpc(hit: Any) -> Found:
    payload = {name: _value(value) for name, value in hit.payload.items()}
    return Found(hit.id.uuid or str(hit.id.num), hit.score, payload)


def _value(value: Any) -> Any:
    match value.WhichOneof("kind"):
        case "string_value":
            return value.string_value
        case "list_value":
            return [_value(one) for one in value.list_value.values]
        case "struct_value":
            return {name: _value(one) for name, one in value.struct_value.fields.items()}
        case "null_value" | None:
            return None
        case kind:
            return getattr(value, kind)
