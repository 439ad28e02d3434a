"""Another address for the server that an index is on: other nodes, another name or port, other options."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from patsearch.backends.base import Backend, on_server
from patsearch.engine.manifest import Manifest, read_manifest, write_manifest
from patsearch.errors import EncoderMismatch, UsageError
from patsearch.lock import WriterLock
from patsearch.plugins import load
from patsearch.servers import remember


def relocate_index(index: Path, url: str) -> tuple[Manifest, int]:
    """Write a new address into `index.json`, if an index of the same encoder answers there; nothing is moved.

    Args:
        url: the address. Without a collection behind `#`, the collection's name stays; options of the old one do not.

    Returns what the index is now, and the number of drawings there.

    Raises:
        UsageError: the index is in a folder, or the address is not valid.
        IndexNotFound, EncoderMismatch, BackendError: the server holds another index, or does not answer.
        IndexLocked: another process is writing to the index.
    """
    manifest = read_manifest(index)
    if not manifest.on_server:
        raise UsageError(
            f"{index} keeps its vectors in the folder.", hint="patsearch index copy brings an index to a server."
        )
    kind: type[Backend] = load("backend", manifest.backend)
    collection = manifest.location.partition("#")[2]
    location = on_server(kind, url if url.partition("#")[2] else f"{url.removesuffix('#')}#{collection}", "")
    with ExitStack() as locked:
        locked.callback(WriterLock(index / "writer.lock").release)  # as of an engine that writes
        with kind.open(location) as store:
            if store.spec != manifest.spec:
                raise EncoderMismatch(
                    f"{location} holds vectors of {store.spec.encoder!r}, and {index} of {manifest.spec.encoder!r}.",
                    hint="Name the collection behind # in the address.",
                )
            count = store.count()
        remember(location)
        manifest = replace(read_manifest(index), location=location)
        write_manifest(index, manifest)
    return manifest, count
