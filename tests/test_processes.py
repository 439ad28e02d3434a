"""One piece of work in a separate process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time

import pytest

from patsearch.errors import ImageError
from patsearch.processes import ProcessEnded, isolated


def test_the_answer_comes_back_whatever_is_printed() -> None:
    assert isolated(sorted, (3, 1, 2), seconds=60) == [1, 2, 3]
    assert isolated(os.system, "echo noise", seconds=60) == 0
    assert isolated(os.getpid, seconds=60) != os.getpid()


def test_an_error_of_the_function_is_raised_here() -> None:
    with pytest.raises(ImageError, match=r"^x is bad. Do that.$"):
        isolated(refuse, seconds=60)
    with pytest.raises(ZeroDivisionError):
        isolated(divmod, 1, 0, seconds=60)


def refuse() -> None:
    raise ImageError("x is bad.", hint="Do that.")


def test_what_crashes_or_never_ends_is_said() -> None:
    with pytest.raises(ProcessEnded, match="exit code"):
        isolated(os.abort, seconds=60)
    start = time.monotonic()
    with pytest.raises(TimeoutError, match="longer than 3 seconds"):
        isolated(time.sleep, 600, seconds=3)
    assert time.monotonic() - start < 60


@pytest.mark.skipif(sys.platform != "linux", reason="only POSIX systems limit the memory of a process")
def test_its_memory_is_bounded() -> None:
    with pytest.raises(MemoryError):
        isolated(bytearray, 3 << 30, seconds=60, memory=1 << 30)


def test_a_script_needs_no_main_guard() -> None:
    script = "import patsearch.processes as p\nprint(p.isolated(sorted, (2, 1), seconds=60))"
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[1,", "2]"]
