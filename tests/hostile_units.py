"""Units whose reading kills or holds up the process that does it; importable in worker processes."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from patsearch.ingest.sources import Unit
from patsearch.types import Patent


@dataclass(frozen=True, kw_only=True)
class Hostile(Unit):
    """Attributes:
    does: `die`, `die once` (the next attempt reads it), `hang`, `raise`, or nothing.
    memory: a file that remembers the first attempt.
    """

    does: str
    memory: Path

    def load(self) -> Patent:
        match self.does:
            case "die":
                os._exit(3)
            case "die once" if not self.memory.exists():
                self.memory.touch()
                os._exit(3)
            case "hang":
                time.sleep(3600)
            case "raise":
                raise LookupError("a bug")
        return Patent(number=self.key, title="", kind="S1")
