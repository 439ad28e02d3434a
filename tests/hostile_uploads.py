"""An upload that holds the worker process up which reads it; importable in worker processes."""

from __future__ import annotations

import time
from collections.abc import Sequence

from patsearch.backends.base import IndexSpec
from patsearch.errors import EncoderError
from patsearch.web.workers import Encoded, ReadingLimits, Upload
from patsearch.web.workers import encode_uploads as encode

HANGS = "hangs.png"


def encode_uploads(
    spec: IndexSpec, uploads: Sequence[Upload], rotations: bool, mirror: bool, limits: ReadingLimits
) -> tuple[Encoded, ...]:
    """As the function of the server; never comes to an end with an upload named `HANGS`."""
    if any(upload.name == HANGS for upload in uploads):
        time.sleep(3600)
    return encode(spec, uploads, rotations, mirror, limits)


def refuse_uploads(*_: object) -> tuple[Encoded, ...]:
    """Like a worker that cannot work."""
    raise EncoderError("The encoder is gone.")
