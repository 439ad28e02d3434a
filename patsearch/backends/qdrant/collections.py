"""Collections on a server.

The name in an address is an alias of a collection, which is named by encoder and version:

    designs  ->  designs.lite0-drawings.5a0c31e2.2

so that vectors of a new encoder are loaded into a separate collection while the old one answers,
and `switch` moves the alias in one step. The collection's metadata say what it holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from qdrant_client import models

from patsearch.backends.base import IndexSpec
from patsearch.backends.qdrant import points as tuning
from patsearch.backends.qdrant.address import Address
from patsearch.backends.qdrant.connection import Connection, sleep
from patsearch.backends.qdrant.limits import Limits
from patsearch.backends.qdrant.payload import INDEXED, INDEXED_SINCE, VECTOR, IndexKind
from patsearch.backends.qdrant.troubles import AccessError, AlreadyThereError
from patsearch.errors import BackendError, IndexDamaged, IndexNotFound, IndexVersionError, UsageError
from patsearch.types import JsonDict

FORMAT = 1
_KEY = "patsearch"
_LOOKED_AT = 100  # collections whose aliases are looked at one by one
_PATIENCE = 20  # times half a second: how long another worker may take to make the collection


def find(connection: Connection, name: str) -> str:
    """The collection behind an alias, or of that name itself.

    A token that names collections sees only those: the alias of one is looked up at the collection.

    Raises:
        IndexNotFound: there is neither.
        AccessError: the key may not see it.
    """
    refused: AccessError | None = None
    by_alias: dict[str, str] = {}
    try:
        aliases = connection.call("Looking for collections", lambda c: c.get_aliases()).aliases
        by_alias = {alias.alias_name: alias.collection_name for alias in aliases}
        if name in by_alias:
            return by_alias[name]
    except AccessError as error:
        refused = error
    try:
        if connection.call("Looking for collections", lambda c: c.collection_exists(name)):
            return name
    except AccessError as error:
        refused = error
    if refused is not None:
        if (seen := _seen(connection, name)) is not None:
            return seen
        raise refused
    known = ", ".join(sorted(by_alias)[:10]) or "none"
    raise IndexNotFound(
        f"No collection {name!r} at {connection.url}.",
        hint=f"Aliases there: {known}. Ingest into it, or correct the name behind # in the address.",
    )


def _seen(connection: Connection, alias: str) -> str | None:
    """The collection behind an alias among those that a token may see."""
    try:
        names = [c.name for c in connection.call("Looking for collections", lambda c: c.get_collections()).collections]
    except AccessError:
        return None
    made = [name for name in names if name.startswith(f"{alias}.")]  # by patsearch for this alias; first, as most are
    hidden: list[str] = []
    for name in made + [name for name in names[:_LOOKED_AT] if name not in made]:
        try:
            found = connection.call("Looking for collections", lambda c, n=name: c.get_collection_aliases(n))  # type: ignore[misc]
        except AccessError:
            hidden.append(name)
            continue
        except IndexNotFound:
            continue
        if alias in (one.alias_name for one in found.aliases):
            return name
    # Where a token may not even look at aliases: the one collection that was made for this one.
    return made[0] if len(made) == 1 and made[0] in hidden else None


def spec_of(connection: Connection, collection: str) -> IndexSpec:
    """What a collection holds.

    Raises:
        UsageError: it was not made by patsearch.
        IndexVersionError, IndexDamaged: it is too new, or contradicts itself.
    """
    info = connection.call("Opening", lambda c: c.get_collection(collection))
    metadata = (info.config.metadata or {}).get(_KEY)
    where = f"The collection {collection} at {connection.url}"
    if not isinstance(metadata, dict):
        raise UsageError(f"{where} was not made by patsearch.", hint="Name another collection behind # in the address.")
    try:
        if int(metadata["format"]) > FORMAT:
            raise IndexVersionError(f"{where} was made by a newer patsearch.", hint="Upgrade patsearch.")
        spec = IndexSpec(**metadata["spec"])
        params = info.config.params.vectors
        size = params[VECTOR].size if isinstance(params, dict) else 0
        if size != spec.dim:
            raise ValueError(f"vectors of {size} numbers, not {spec.dim}")
    except (KeyError, TypeError, ValueError) as error:
        raise IndexDamaged(
            f"{where} contradicts itself: {error}.", hint="Restore a snapshot, or ingest again."
        ) from error
    return spec


def limits_of(connection: Connection, collection: str) -> Limits:
    """What the collection's strict mode allows."""
    info = connection.call("Looking", lambda c: c.get_collection(collection))
    return Limits.of(info.config.strict_mode_config)


def create(connection: Connection, spec: IndexSpec) -> str:
    """Make an empty collection, its payload indexes, and last of all its alias.

    Raises:
        UsageError: the alias is there, perhaps since a moment ago, by another worker.
    """
    address = connection.address
    for version in range(1, 1000):
        name = _name(address, spec, version)
        if connection.call("Looking for collections", lambda c, n=name: c.collection_exists(n)):  # type: ignore[misc]
            _require_none(connection)
            if version == 1 and _appears(connection):
                _require_none(connection)
            continue  # left by a run that was killed before it could set the alias, or by an earlier encoder
        _require_none(connection)
        try:
            _make(connection, name, spec)
        except AlreadyThereError:
            if _appears(connection):
                _require_none(connection)
            continue
        _point_alias(connection, address.collection, name, replace=False)
        return name
    raise BackendError(f"There are a thousand collections for {address}.", hint="Delete those that are not used.")


def switch(connection: Connection, alias: str, collection: str) -> str | None:
    """Let an alias name a collection, in one step; returns what it named before."""
    spec_of(connection, collection)
    try:
        before: str | None = find(connection, alias)
    except (AccessError, IndexNotFound):
        before = None
    if before == alias:
        raise UsageError(f"{alias!r} is a collection, not an alias.", hint="Choose another name.")
    _point_alias(connection, alias, collection, replace=before is not None)
    return before


def drop(connection: Connection, collection: str) -> None:
    """Delete a collection with all it holds; its aliases go with it."""
    connection.call("Deleting the collection", lambda c: c.delete_collection(collection))


def copies_needed(replicas: int) -> int:
    """How many copies must have a write before it counts: a majority, but one of two.

    A majority of two is both: every write would fail while one node is down. What the other node misses, it gets
    when it is back; the check of the stamps after each batch stays.
    """
    return 1 if replicas <= 2 else replicas // 2 + 1


def parameters(address: Address, spec: IndexSpec) -> JsonDict:
    """What a new collection is made with: originals on disk, 8-bit codes and graph in memory, no graph yet."""
    return {
        "vectors_config": {
            VECTOR: models.VectorParams(size=spec.dim, distance=models.Distance.COSINE, on_disk=True),
        },
        "on_disk_payload": True,
        "shard_number": address.shards if address.shards > 1 else None,
        "replication_factor": address.replicas if address.replicas > 1 else None,
        "write_consistency_factor": copies_needed(address.replicas) if address.replicas > 1 else None,
        "hnsw_config": models.HnswConfigDiff(
            m=tuning.HNSW_M, ef_construct=tuning.EF_CONSTRUCT, full_scan_threshold=tuning.FULL_SCAN_KB
        ),
        "quantization_config": _quantization(address),
        "optimizers_config": models.OptimizersConfigDiff(indexing_threshold=0),
        "metadata": {
            _KEY: {
                "format": FORMAT,
                "spec": asdict(spec),
                "alias": address.collection,
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
            }
        },
    }


def index_schema(kind: str) -> Any:
    """The index of a payload field."""
    match kind:
        case "datetime":
            return models.PayloadSchemaType.DATETIME
        case "words":
            return models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, prefix=True)
        case _:
            return models.PayloadSchemaType.KEYWORD


def add_indexes(connection: Connection, collection: str, fields: Mapping[str, IndexKind]) -> None:
    """Make indexes of payload fields; those that another worker has made meanwhile are fine."""
    for field, kind in fields.items():
        connection.call(
            "Making an index",
            lambda c, f=field, k=kind: c.create_payload_index(collection, f, index_schema(k), wait=True),  # type: ignore[misc]
        )


def _make(connection: Connection, name: str, spec: IndexSpec) -> None:
    settings = parameters(connection.address, spec)
    connection.call("Making the collection", lambda c: c.create_collection(name, **settings))
    # Before any point: the graph's extra links for filters follow the indexes that exist when it is built.
    add_indexes(connection, name, INDEXED | INDEXED_SINCE)


def _quantization(address: Address) -> Any:
    match address.quantization:
        case "int8":
            config = models.ScalarQuantizationConfig(
                type=models.ScalarType.INT8, quantile=tuning.INT8_QUANTILE, always_ram=True
            )
            return models.ScalarQuantization(scalar=config)
        case "turbo8":
            bits = models.TurboQuantBitSize.BITS8
            return models.TurboQuantization(turbo=models.TurboQuantQuantizationConfig(bits=bits, always_ram=True))
    return None


def _name(address: Address, spec: IndexSpec, version: int) -> str:
    encoder = re.sub(r"[^A-Za-z0-9_-]+", "-", spec.encoder).strip("-")[-40:] or "encoder"
    return f"{address.collection}.{encoder}.{spec.encoder_sha256[:8]}.{version}"


def _require_none(connection: Connection) -> None:
    try:
        find(connection, connection.address.collection)
    except IndexNotFound:
        return
    raise UsageError(f"There is an index at {connection.address} already.", hint="Open it, or name another collection.")


def _appears(connection: Connection) -> bool:
    """Whether the alias comes up while another worker is busy making it."""
    for _ in range(_PATIENCE):
        try:
            find(connection, connection.address.collection)
        except IndexNotFound:
            sleep(0.5)
        else:
            return True
    return False


def _point_alias(connection: Connection, alias: str, collection: str, *, replace: bool) -> None:
    operations: list[Any] = []
    if replace:
        operations.append(models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias)))
    made = models.CreateAlias(collection_name=collection, alias_name=alias)
    operations.append(models.CreateAliasOperation(create_alias=made))
    connection.call("Setting the alias", lambda c: c.update_collection_aliases(operations))
