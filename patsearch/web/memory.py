"""Memory of the server's process: no long pauses for a collection, and freed memory goes back to the system."""

from __future__ import annotations

import ctypes
import gc
import sys
from typing import Any

# A search makes objects by the hundred thousand that a collection looks at, while every request waits: by default, all
# of them again and again. Here a pause is for 100,000 objects; all are looked at when no search is under way.
_COLLECT_AFTER = 10_000, 10, 1000


# glibc: parameters of mallopt, and what they are set to. By itself it comes to keep blocks of up to 32 MiB, such as
# bodies of requests and lists of scores, in a heap for each thread, among small ones that live on. Blocks of less than
# 16 MiB are left there: with a limit of 1 MiB, two searches that re-rank at a time took a third longer.
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
_BLOCK_BYTES, _HEAPS = 16 << 20, 2


def limit_heaps() -> None:
    """Call before the server has threads: large blocks get pages that go back to the system when they are freed."""
    mallopt = _of_the_c_library("mallopt")
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _BLOCK_BYTES)
        mallopt(_ARENA_MAX, _HEAPS)


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
    trim = _of_the_c_library("malloc_trim")
    if trim is not None:
        trim(0)


def _of_the_c_library(name: str) -> Any:
    """A function of glibc, None where there is another library."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
