"""The memory of a server's process: what a collection looks at, and what goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Blocks of the size of an upload, freed while a small one above them lives on: nothing but their own pages goes back.
_FREED = """
import ctypes, sys
from patsearch.web.memory import limit_heaps
if sys.argv[1] == "limited":
    limit_heaps()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes, libc.free.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]
resident = lambda: int(next(line for line in open("/proc/self/status") if "VmRSS" in line).split()[1]) << 10
libc.free(libc.malloc(31 << 20))  # glibc takes it that blocks of this size come and go
before = resident()
blocks = []
for _ in range(10):
    blocks.append(libc.malloc(16 << 20))
    ctypes.memset(blocks[-1], 1, 16 << 20)
    libc.malloc(1 << 16)
for block in blocks:
    libc.free(block)
print((resident() - before) >> 20)
"""

_COLLECTED = """
import gc
from patsearch.web.memory import give_back, settle
class Node: pass
loaded = [Node() for _ in range(1000)]
settle()
assert gc.get_freeze_count() >= 1000
full = gc.get_stats()[2]["collections"]
kept = [[i] for i in range(1_000_000)]
assert gc.get_stats()[2]["collections"] == full, "a pause for a million objects"
give_back(idle=False)
assert gc.get_stats()[2]["collections"] == full
give_back(idle=True)
assert gc.get_stats()[2]["collections"] == full + 1
"""


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc")
def test_large_blocks_go_back_when_they_are_freed() -> None:
    def kept(how: str) -> int:
        done = subprocess.run([sys.executable, "-c", _FREED, how], capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert kept("limited") < 20 < kept("as it is")


def test_a_search_does_not_pause_the_server_to_look_at_all_it_has_made() -> None:
    done = subprocess.run([sys.executable, "-c", _COLLECTED], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
