"""Every block of code in README and docs is run, or says why not."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from page_blocks import ADDRESS, RUN, SHOWN, Block, BlockFailed, blocks_of, run_page

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"),
                *(ROOT / "examples").rglob("README.md")])  # fmt: skip
BLOCKS = {page: list(blocks_of(page)) for page in PAGES}
RUNNABLE = [page for page, blocks in BLOCKS.items() if any(b.language in RUN and b.excuse is None for b in blocks)]


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_block_is_run_excused_or_shown_alone(page: Path) -> None:
    for block in BLOCKS[page]:
        assert block.language in RUN | SHOWN, f"{block}: mark it as one of {', '.join(sorted(RUN | SHOWN))}"
        if block.excuse is not None:
            assert block.language in RUN, f"{block} is never run: it needs no excuse"
            assert len(block.excuse.split()) >= 3, f"{block}: the reason {block.excuse!r} is too short"


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_what_is_shown_alone_is_well_formed(page: Path) -> None:
    for block in BLOCKS[page]:
        if block.language == "json":
            json.loads(block.text)
        elif block.language == "toml":
            tomllib.loads(block.text)


@pytest.mark.parametrize("page", RUNNABLE, ids=_name)
def test_the_blocks_of_a_page_run(page: Path, page_folder: Path, serve: Callable[[], str]) -> None:
    blocks = BLOCKS[page]
    asks_a_server = any(ADDRESS in b.text and b.excuse is None and b.language in RUN for b in blocks)
    assert run_page(blocks, page_folder, {ADDRESS: serve()} if asks_a_server else {}) > 0


class TestTheBlocksThemselves:
    """A broken block is found, whatever its language."""

    @pytest.mark.parametrize(
        "text",
        [
            "```python\nraise ValueError('here')\n```",
            "```bash\nfalse\ntrue\n```",
            "```console\n$ echo one\ntwo\n```",
            "```console\noutput without a command\n```",
        ],
    )
    def test_a_block_that_fails_fails_its_page(self, text: str, tmp_path: Path) -> None:
        with pytest.raises(BlockFailed, match=r"page\.md:3"):
            run_page(self._blocks(f"# Page\n\n{text}\n", tmp_path), tmp_path, {})

    def test_blocks_share_names_and_files(self, tmp_path: Path) -> None:
        text = (
            "```python\nvalue = 3\n```\n\n```python\nfrom pathlib import Path\n"
            "Path('f').write_text(str(value))\n```\n\n"
            "```console\n$ cat f; echo\n3\n$ seq 3\n1\n...\n```\n\n"
            "<!-- not run: it would fail -->\n```bash\nfalse\n```\n"
        )
        assert run_page(self._blocks(text, tmp_path), tmp_path, {}) == 3

    def test_an_indented_block_is_seen_and_has_no_language(self, tmp_path: Path) -> None:
        (block,) = self._blocks("# Page\n\n    patsearch query x.png\n", tmp_path)
        assert block.language == ""

    @staticmethod
    def _blocks(text: str, folder: Path) -> list[Block]:
        page = folder / "page.md"
        page.write_text(text, encoding="utf-8")
        return list(blocks_of(page))
