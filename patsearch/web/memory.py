"""Memory of the server's process: no long pauses for a collection, and freed memory goes back to the system."""

from __future__ import annotations

import ctypes
import gc
import os

# A search makes objects by the hundred thousand that a collection looks at, while every request waits: by default, all
# of them again and again. Here a pause is for 100,000 objects; all are looked at when no search is under way.
_COLLECT_AFTER = 10_000, 10, 1000


def settle() -> None:
    """Call once the server is ready: what is loaded now stays, and no collection looks at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)


def give_back(*, idle: bool) -> None:
    """Return freed memory to the system where the C library keeps it (glibc): each thread's heap keeps its largest.

    Args:
        idle: whether nothing waits, so that unreachable objects can be looked for.
    """
    if idle:
        gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)
