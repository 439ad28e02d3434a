"""Commands run in this process, which saves the start of an interpreter for each."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Done:
    """What a command ended with and printed, as `subprocess.CompletedProcess` names it."""

    returncode: int
    stdout: str
    stderr: str


def run_here(words: Iterable[object]) -> Done:
    """`patsearch WORDS`; an exception that would be a traceback is raised."""
    from patsearch.cli import main

    printed, errors = io.StringIO(), io.StringIO()
    code: object = 0
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(errors):
        try:
            main([str(word) for word in words])
        except SystemExit as end:
            code = end.code
    return Done(code if isinstance(code, int) else int(bool(code)), printed.getvalue(), errors.getvalue())
