"""`index.json`: what an index is, written once, when the index is made."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from patsearch import __version__
from patsearch.backends.base import IndexSpec
from patsearch.errors import IndexDamaged, IndexNotFound, IndexVersionError
from patsearch.files import write_text

FORMAT = 1
FILE = "index.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The contents of `index.json`.

    Attributes:
        backend: plug-in name of the backend.
        location: where the backend's data is: a path relative to the index, or an address.
        spec: the encoder and dimension the index was made for.
        id: drawn at random when the index was made.
    """

    backend: str
    location: str
    spec: IndexSpec
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    patsearch: str = __version__
    format: int = FORMAT

    def resolve(self, index: Path) -> str:
        """The backend's location with a relative path made absolute."""
        return self.location if "://" in self.location else str(index / self.location)


def read_manifest(index: Path) -> Manifest:
    """Read `index.json` of an index.

    Raises:
        IndexNotFound: there is none.
        IndexVersionError: a newer patsearch wrote it.
        IndexDamaged: it is not valid.
    """
    path = index / FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        version = int(data["format"])
    except (FileNotFoundError, NotADirectoryError) as error:
        raise IndexNotFound(
            f"There is no index at {index}.", hint="Make one: patsearch ingest SOURCE --index DIR."
        ) from error
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise IndexDamaged(f"{path} is damaged: {error}.", hint="Restore it from a copy, or ingest again.") from error
    if version > FORMAT:
        raise IndexVersionError(
            f"{index} was written by patsearch {data.get('patsearch', '?')} (format {version}); "
            f"this is {__version__} (format {FORMAT}).",
            hint="Upgrade: pip install --upgrade patsearch.",
        )
    try:
        return Manifest(**{**data, "spec": IndexSpec(**data["spec"])})
    except (TypeError, KeyError) as error:
        raise IndexDamaged(f"{path} is damaged: {error}.", hint="Restore it from a copy, or ingest again.") from error


def write_manifest(index: Path, manifest: Manifest) -> None:
    """Write `index.json` so that it is either whole or not there, also after a power cut."""
    write_text(index / FILE, json.dumps(asdict(manifest), indent=2))
