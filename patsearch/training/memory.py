"""Keep freed memory instead of giving it back to the system at every step."""

from __future__ import annotations

import ctypes
import sys

# The options of glibc's mallopt(3), from malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3


def keep_memory() -> bool:
    """Tell glibc's malloc to keep what is freed; whether it was told.

    A step on a CPU allocates and frees some hundred blocks of megabytes. By default each goes back to the system,
    which clears its pages when it hands them out again: a quarter of the CPU time of a step of EfficientNet-Lite0 at
    112 pixels. Other C libraries, and the allocators of GPUs, have no need of it.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        return False
    options = ((_MMAP_THRESHOLD, 1 << 30), (_TRIM_THRESHOLD, (1 << 31) - 1), (_TOP_PAD, 64 << 20))
    told = [libc.mallopt(option, value) == 1 for option, value in options]
    return all(told)
