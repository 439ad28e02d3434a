"""A server's collection as a file, and a file as a collection.

In a cluster, a snapshot holds the shards of one node: copy the index instead (docs/operate/clusters.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from os import environ
from pathlib import Path
from typing import IO
from urllib.parse import quote

import httpx
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from patsearch.backends.qdrant import collections
from patsearch.backends.qdrant.address import API_KEY, Address
from patsearch.backends.qdrant.connection import Connection
from patsearch.errors import InputError
from patsearch.files import storage_errors

_FILE = "collection.snapshot"
_HOUR = 3600  # writing, sending and loading a snapshot takes what it takes
_CHUNK = 1 << 20


def download(connection: Connection, collection: str, folder: Path) -> tuple[str, Path]:
    """Let the server write a snapshot, fetch it, and delete it there; returns its name and the file."""
    name = connection.call("Making a snapshot", lambda _: _make(connection.address, collection))
    path = folder / _FILE
    try:
        connection.call("Fetching the snapshot", lambda _: _fetch(connection.address, collection, name, path))
    finally:
        connection.call("Deleting the snapshot", lambda c: c.delete_snapshot(collection, name))
    return _FILE, path


def restore(files: Path, address: Address) -> None:
    """Make a collection from a snapshot and point the alias at it.

    Raises:
        UsageError: there is an index of that name.
        InputError: the files are not those of a collection.
    """
    path = files / _FILE
    if not path.is_file():
        raise InputError("The snapshot is not of a server's collection.", hint="Restore it without --url; then copy.")
    connection = Connection(address)
    try:
        name = collections.free_name(connection)
        with storage_errors(f"Reading {path}"), path.open("rb") as file:
            connection.call("Sending the snapshot", lambda _: _send(address, name, file))
        collections.switch(connection, address.collection, name)
    finally:
        connection.close()


def _make(address: Address, collection: str) -> str:
    # The client would wait no longer than for any other request.
    url = f"{address.url}/collections/{quote(collection, safe='')}/snapshots?wait=true"
    with _reported():
        answer = httpx.post(url, headers=_headers(), timeout=_HOUR)
    if answer.status_code != httpx.codes.OK:
        raise UnexpectedResponse.for_response(answer)
    return str(answer.json()["result"]["name"])


def _fetch(address: Address, collection: str, name: str, path: Path) -> None:
    url = f"{address.url}/collections/{quote(collection, safe='')}/snapshots/{quote(name, safe='')}"
    with (
        _reported(),
        httpx.stream("GET", url, headers=_headers(), timeout=_HOUR) as answer,
        storage_errors(f"Writing {path}"),
        path.open("wb") as file,
    ):
        if answer.status_code != httpx.codes.OK:
            answer.read()
            raise UnexpectedResponse.for_response(answer)
        for chunk in answer.iter_bytes(_CHUNK):
            file.write(chunk)


def _send(address: Address, collection: str, file: IO[bytes]) -> None:
    file.seek(0)
    url = f"{address.url}/collections/{quote(collection, safe='')}/snapshots/upload?priority=snapshot&wait=true"
    with _reported():
        answer = httpx.post(url, files={"snapshot": file}, headers=_headers(), timeout=_HOUR)
    if answer.status_code not in (httpx.codes.OK, httpx.codes.ACCEPTED):
        raise UnexpectedResponse.for_response(answer)


@contextmanager
def _reported() -> Iterator[None]:
    """Errors of the network as those of the client, which the connection knows."""
    try:
        yield
    except httpx.TransportError as error:
        raise ResponseHandlingException(error) from error


def _headers() -> dict[str, str]:
    key = environ.get(API_KEY)
    return {"api-key": key} if key else {}
