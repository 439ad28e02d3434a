"""`index.json`: what an index is, written once, when the index is made."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from patsearch import __version__
from patsearch.backends.base import IndexSpec
from patsearch.engine.journal import FILE as JOURNAL
from patsearch.engine.thumbnails import FILE as THUMBNAILS
from patsearch.errors import IndexDamaged, IndexNotFound, IndexVersionError
from patsearch.files import parse_json, read_start, storage_errors, write_text
from patsearch.servers import require_known

FORMAT = 1
FILE = "index.json"
_MAX_BYTES = 1 << 20
_FILES = (FILE, JOURNAL, THUMBNAILS, "snapshot.json")  # of an index or a snapshot; none is the backend's folder
_NAME = re.compile(r"(?!\.+$)[\w.-]{1,100}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The contents of `index.json`.

    Attributes:
        backend: plug-in name of the backend.
        location: where the backend's data is: the name of a folder in the index, or a server's address.
        spec: the encoder and dimension the index was made for.
        id: a UUID: half of it drawn at random when the index was made, half a checksum of what the
            backend does not hold too or contradict (version 8); all of it random in indexes of 0.1.0 (version 4).
    """

    backend: str
    location: str
    spec: IndexSpec
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    patsearch: str = __version__
    format: int = FORMAT

    @property
    def on_server(self) -> bool:
        return "://" in self.location

    def resolve(self, index: Path) -> str:
        """What the backend opens: a path, or an address.

        Raises:
            VectorIndexError: it is on a server that the user has not named.
        """
        if not self.on_server:
            return str(index / self.location)
        require_known(self.location, index / FILE)
        return self.location


def read_manifest(index: Path) -> Manifest:
    """Read `index.json` of an index.

    Raises:
        IndexNotFound: there is none.
        IndexVersionError: a newer patsearch wrote it.
        IndexDamaged: it is not valid.
        StorageError: it cannot be read.
    """
    path = index / FILE
    if not path.is_file():
        raise IndexNotFound(f"There is no index at {index}.", hint="Make one: patsearch ingest SOURCE --index DIR.")
    try:
        with storage_errors(f"Reading {path}"):
            text = read_start(path, _MAX_BYTES)
        data = parse_json(text)
        version = data["format"]
        if type(version) is not int or version < 1:
            raise ValueError(f"format is {version!r}")
        if version > FORMAT:
            raise IndexVersionError(
                f"{index} was written by patsearch {data.get('patsearch', '?')} (format {version}); "
                f"this is {__version__} (format {FORMAT}).",
                hint="Upgrade: pip install --upgrade patsearch.",
            )
        return _manifest(data)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IndexDamaged(f"{path} is damaged: {error}.", hint="Restore it from a copy, or ingest again.") from error


def _manifest(data: dict[str, Any]) -> Manifest:
    """Raises ValueError, TypeError, KeyError, AttributeError for what no manifest holds."""
    spec = IndexSpec(**data["spec"])
    kinds = {"dim": int, "whole_sheets": bool, "format": int}
    manifest = Manifest(**{**data, "spec": spec})
    for part in (manifest, spec):
        for name in (f.name for f in fields(part) if f.name != "spec"):
            value = getattr(part, name)
            if type(value) is not kinds.get(name, str):
                raise ValueError(f"{name} is {value!r}")
    if spec.dim < 1:
        raise ValueError(f"dim is {spec.dim}")
    json.dumps(data, ensure_ascii=False).encode()  # half a surrogate pair is not text
    if (version := uuid.UUID(manifest.id).version) not in (4, 8) or (version == 8 and _sealed(manifest) != manifest):
        raise ValueError("its id does not go with the other fields")
    if not manifest.on_server and (not _NAME.fullmatch(manifest.location) or manifest.location in _FILES):
        raise ValueError(f"location is {manifest.location!r}, which is not the name of a folder in it")
    return manifest


def write_manifest(index: Path, manifest: Manifest) -> None:
    """Write `index.json` so that it is either whole or not there, also after a power cut."""
    write_text(index / FILE, json.dumps(asdict(_sealed(manifest)), indent=2))


def _sealed(manifest: Manifest) -> Manifest:
    random = manifest.id[:12]
    fields = [random, manifest.created, manifest.patsearch, manifest.format]
    half = hashlib.blake2b(json.dumps(fields).encode(), digest_size=9).hexdigest()
    return replace(manifest, id=f"{random}8{half[:3]}8{half[3:18]}")
