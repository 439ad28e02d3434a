"""The code blocks of a Markdown page, and how each is run as a reader would type it.

Blocks marked `python`, `bash` and `console` are run, in the order of the page and in one folder. A comment
`<!-- not run: reason -->` before a block excuses it; readers do not see it. In a `console` block, lines that begin
with `$ ` are commands and the rest is what they print; `...` stands for anything. Other languages are shown alone.
"""

from __future__ import annotations

import contextlib
import doctest
import os
import re
import shlex
import subprocess
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from commands import run_here
from markdown_it import MarkdownIt

RUN = frozenset({"python", "bash", "console"})
SHOWN = frozenset({"text", "json", "toml", "csv", "yaml"})
_EXCUSE = re.compile(r"<!--\s*not run:\s*(.*?)\s*-->", re.DOTALL)
_SECONDS = 120
# Commands of which each line of a block may be one; others need the whole block in one shell.
_PROGRAMS = frozenset({"patsearch", "curl", "cp", "cat", "mkdir", "head"})
_OWN_PROCESS = frozenset({"serve"})  # it runs until it is stopped
ADDRESS = "http://127.0.0.1:8765"  # of the server that pages speak of


@dataclass(frozen=True)
class Block:
    """One block: where it is, what it says, and why it is not run, if it is not."""

    page: Path
    line: int
    language: str
    text: str
    excuse: str | None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.language or 'unmarked'} block"


class BlockFailed(AssertionError):
    """A block that did not run as its page says."""


def blocks_of(page: Path) -> Iterator[Block]:
    """All code blocks of a page, those made by indentation included."""
    excuse = None
    for token in MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8")):
        if token.type == "html_block":
            found = _EXCUSE.search(token.content)
            excuse = found[1] if found else None
        elif token.type in ("fence", "code_block"):
            assert token.map
            yield Block(page, token.map[0] + 1, token.info.strip(), token.content, excuse)
            excuse = None
        elif token.nesting >= 0:
            excuse = None


def run_page(blocks: list[Block], folder: Path, replaced: dict[str, str]) -> int:
    """Run what is not excused, in order, in a folder; returns how many blocks that were.

    Args:
        folder: the current folder of every block.
        replaced: text of the blocks that differs here, such as the address of a server.

    Raises:
        BlockFailed: a block failed, or printed something else than its page shows.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    run = [block for block in blocks if block.language in RUN and block.excuse is None]
    environment = mock.patch.dict(os.environ, _environment(folder))
    one_core = mock.patch("os.cpu_count", return_value=1)  # each worker would be another interpreter to start
    with contextlib.chdir(folder), environment, one_core:
        for block in run:
            text = block.text
            for old, new in replaced.items():
                text = text.replace(old, new)
            if block.language == "python":
                _python(block, text, names)
            elif block.language == "bash":
                for command in _commands(text):
                    _shell(block, command)
            else:
                _console(block, text)
    return len(run)


def _environment(folder: Path) -> dict[str, str]:
    settings = folder / "settings-of-the-tests.toml"
    settings.write_text("workers = 1\n", encoding="utf-8")
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {
        "PATH": programs,
        "PATSEARCH_CONFIG": str(settings),
        "HOME": str(folder),
        "NO_COLOR": "1",
        "COLUMNS": "120",
        "TERM": "dumb",
    }


def _python(block: Block, text: str, names: dict[str, Any]) -> None:
    # Empty lines before it, so that a traceback names the line of the page.
    code = compile("\n" * block.line + text, str(block.page), "exec")
    try:
        exec(code, names)
    except Exception as error:
        raise BlockFailed(f"{block} raises:\n{traceback.format_exc()}") from error


def _console(block: Block, text: str) -> None:
    checker, flags = doctest.OutputChecker(), doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    for part in re.split(r"^(?=\$ )", text, flags=re.MULTILINE):
        if not part.startswith("$ "):
            if part.strip():
                raise BlockFailed(f"{block} begins with output: its first line must be a command, `$ ...`.")
            continue
        command, _, shown = part[2:].partition("\n")
        printed = _shell(block, command)
        if shown.strip() and not checker.check_output(shown.strip() + "\n", printed.strip() + "\n", flags):
            raise BlockFailed(f"{block}, {command}\nshows:\n{shown}\nbut it prints:\n{printed}")


def _commands(text: str) -> list[str]:
    """The lines of a block, each with its continuations; the whole block where a line is more than one command."""
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.split("#")[0].strip()]
    return lines if all(line.split()[0] in _PROGRAMS for line in lines) else [text]


def _shell(block: Block, command: str) -> str:
    """Run a command and return what it prints: patsearch alone in this process, for the time that a start takes."""
    words = _words_of_patsearch(command)
    done = _in_bash(command) if words is None else run_here(words)
    if done.returncode:
        raise BlockFailed(f"{block} ends with {done.returncode}:\n{command}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def _words_of_patsearch(command: str) -> list[str] | None:
    """The arguments where patsearch is all that a command needs; None where it needs a shell or its own process."""
    parsed = shlex.shlex(command, posix=True, punctuation_chars=True)
    parsed.whitespace_split = True
    words = list(parsed)
    alone = words[0] == "patsearch" and not any(set(word) & set("$*") or set(word) <= set("();<>|&") for word in words)
    return words[1:] if alone and words[1] not in _OWN_PROCESS else None


def _in_bash(command: str) -> subprocess.CompletedProcess[str]:
    words = ["bash", "-euo", "pipefail", "-c", command]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=_SECONDS)
