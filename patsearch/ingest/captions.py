"""Captions: what a grant's brief description of the drawings says of each figure."""

from __future__ import annotations

from collections.abc import Iterable

from patsearch.types import Caption


def parse_captions(paragraphs: Iterable[str]) -> tuple[Caption, ...]:
    del paragraphs
    return ()
