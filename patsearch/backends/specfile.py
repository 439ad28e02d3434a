"""The JSON file that makes a folder an index: its format, its encoder and dimension, and what a backend adds."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from patsearch.backends.base import IndexSpec
from patsearch.errors import IndexDamaged, IndexNotFound, IndexVersionError
from patsearch.files import check_seal, parse_json, read_start, sealed, storage_errors, write_text
from patsearch.types import JsonDict

FORMAT = 1
_MAX_BYTES = 1 << 20


def write_spec(path: Path, spec: IndexSpec, **fields: Any) -> None:
    """Replace the file, whole or not at all."""
    with storage_errors(f"Writing {path}"):
        write_text(path, json.dumps(sealed({"format": FORMAT, **fields, "spec": asdict(spec)}), indent=2))


def read_spec(path: Path, **fields: type) -> tuple[IndexSpec, JsonDict]:
    """The encoder and dimension, and the other fields.

    Args:
        fields: names and types of the fields that must be there.

    Raises:
        IndexNotFound: there is no such file.
        IndexVersionError: a newer patsearch wrote it.
        IndexDamaged: it is not valid.
    """
    if not path.is_file():
        raise IndexNotFound(
            f"There is no index in {path.parent}.", hint="Make one with: patsearch ingest SOURCE --index DIR."
        )
    with storage_errors(f"Reading {path}"):
        data = read_start(path, _MAX_BYTES)
    try:
        found = parse_json(data)
        version = found["format"]
        if isinstance(version, int) and version > FORMAT:
            raise IndexVersionError(
                f"The index in {path.parent} has format {version}; this patsearch reads up to format {FORMAT}.",
                hint="Upgrade: pip install --upgrade patsearch.",
            )
        spec = IndexSpec(**found["spec"])
        if version != FORMAT or type(spec.dim) is not int or spec.dim < 1:
            raise ValueError("a field has an impossible value")
        for name, kind in fields.items():
            if type(found[name]) is not kind:
                raise ValueError(f"{name} must be {kind.__name__}")
        check_seal(found)
    except (ValueError, KeyError, TypeError) as error:
        raise IndexDamaged(
            f"{path} is not valid: {error}.", hint="Restore the index from a backup, or ingest into a new one."
        ) from error
    return spec, found
