"""The index that an ingest writes to: opened, or made where it is missing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from patsearch.backends.base import IndexSpec, on_server
from patsearch.encoder import Encoder, load_encoder
from patsearch.engine import Engine, check_encoder, create_index, open_index
from patsearch.engine.engine import create_from_spec
from patsearch.engine.manifest import FILE as MANIFEST
from patsearch.errors import EncoderMismatch, PatsearchError, UsageError
from patsearch.servers import remember

if TYPE_CHECKING:
    from patsearch.ingest.pipeline import IngestOptions


def open_target(
    index: Path, options: IngestOptions, encoder: Encoder | None = None, *, spec: IndexSpec | None = None
) -> Engine:
    """The index with this encoder.

    Args:
        spec: of vectors that exist; no encoder is loaded then.

    Raises:
        EncoderMismatch, UsageError: it was made in another way than `options` require.
    """
    if not (index / MANIFEST).exists():
        backend = options.backend or ("qdrant" if options.url else "faiss")
        if spec is not None:
            return create_from_spec(index, spec, backend=backend, url=options.url)
        chosen = encoder or load_encoder(options.encoder)
        return create_index(index, chosen, backend=backend, whole_sheets=bool(options.whole_sheets), url=options.url)
    if options.url is not None:
        remember(options.url)
    engine = open_index(index, read_only=False, encoder=encoder)
    try:
        if spec is not None:
            _require_same_encoder(index, spec, engine.spec)
        if options.encoder is not None and encoder is None:
            check_encoder(load_encoder(options.encoder), engine.spec)
        if options.backend is not None and options.backend != engine.manifest.backend:
            raise UsageError(
                f"{index} is an index on {engine.manifest.backend!r}.", hint="Name another folder for the new index."
            )
        if options.url is not None:
            location = on_server(type(engine.backend), options.url, index.resolve().name)
            if location != engine.manifest.location:
                raise UsageError(
                    f"{index} keeps its vectors at {engine.manifest.location}, not at {location}.",
                    hint="Leave --url out, name another folder, or change the address: patsearch index relocate.",
                )
        if options.whole_sheets is not None and options.whole_sheets != engine.spec.whole_sheets:
            holds = "whole sheets" if engine.spec.whole_sheets else "figures"
            raise UsageError(f"{index} holds {holds}.", hint="Name another folder for the other kind.")
    except PatsearchError:
        engine.close()
        raise
    return engine


def _require_same_encoder(index: Path, given: IndexSpec, spec: IndexSpec) -> None:
    if (given.encoder_sha256, given.dim) != (spec.encoder_sha256, spec.dim):
        raise EncoderMismatch(
            f"The index {index} was made with the encoder {spec.encoder!r} ({spec.encoder_sha256[:12]}), the vectors "
            f"with {given.encoder!r} ({given.encoder_sha256[:12]}).",
            hint="Name another folder for the index of these vectors.",
        )
