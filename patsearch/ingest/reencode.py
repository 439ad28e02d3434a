"""The drawings of an index encoded by another encoder, in a new index.

Vectors of one encoder cannot be turned into those of another: the sources are read again, by the same ingest. What
the old index knows of a patent (from a table, for example) is taken over, and patents that it does not have are left
out, so that nothing comes back that was deleted. Repeating the command resumes a stopped run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from patsearch.encoder import load_encoder
from patsearch.engine import Engine, open_index
from patsearch.errors import UsageError
from patsearch.files import at_home
from patsearch.ingest.pipeline import IngestOptions, ingest
from patsearch.ingest.reading import Progress
from patsearch.ingest.report import EXIT_FAILED_FILES, IngestReport
from patsearch.types import Drawing, JsonDict

# What a drawing has by itself; the other fields are its patent's.
_OF_DRAWING = frozenset(("id", "sheet", "figure", "view", "front_page", "turned", "box", "source"))
_AT_ONCE = 1000
_OF_PATENT = tuple(f.name for f in fields(Drawing) if f.name not in _OF_DRAWING and f.name != "patent")


@dataclass(frozen=True, slots=True)
class ReencodeReport:
    """What was done.

    Attributes:
        ingest: of the sources, into the new index.
        patents, drawings: of the new index.
        missing: patents of the old index that no source had.
    """

    ingest: IngestReport
    patents: int
    drawings: int
    missing: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        return EXIT_FAILED_FILES if self.missing else self.ingest.exit_code

    def to_json(self) -> JsonDict:
        return {
            "patents": self.patents,
            "drawings": self.drawings,
            "missing": list(self.missing),
            "ingest": self.ingest.to_json(),
        }


def reencode(
    old: Path | str,
    sources: Sequence[Path | str],
    new: Path | str,
    *,
    encoder: str | None = None,
    options: IngestOptions | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> ReencodeReport:
    """Make an index of the same drawings with vectors of another encoder.

    Args:
        sources: where the old index's patents came from; what it does not have is left out.
        new: folder of the new index; a run that was stopped continues there.
        encoder: name of the encoder; None is the default one.
        options: backend, workers and kind of the sources; whole sheets and front pages are as in the old index.

    Raises:
        UsageError: the two are one folder, or the old index has vectors of this encoder.
        SourceError, VectorIndexError, EncoderError: as `ingest`.
    """
    if at_home(old).resolve() == at_home(new).resolve():
        raise UsageError(f"{new} is the index itself.", hint="Name a folder for the new index.")
    chosen = load_encoder(encoder)
    with open_index(old) as before:
        if before.spec.encoder_sha256 == chosen.card.sha256:
            raise UsageError(
                f"{old} has vectors of {chosen.card.name!r} already.", hint="Name another encoder: --encoder NAME."
            )
        known, front_pages = _patents(before)
    options = replace(options or IngestOptions(), whole_sheets=before.spec.whole_sheets, front_pages=front_pages)
    report = ingest(sources, new, options, encoder=chosen, on_progress=on_progress)
    if report.interrupted:
        raise KeyboardInterrupt
    with open_index(new, read_only=False, encoder=chosen) as after:
        _as_before(after, known)
        found, _ = _patents(after)
        return ReencodeReport(report, len(found), after.backend.count(), tuple(sorted(known.keys() - found.keys())))


def _patents(engine: Engine) -> tuple[dict[str, Drawing], bool]:
    """One drawing of each patent, and whether there is a front page among all drawings."""
    patents: dict[str, Drawing] = {}
    front_pages = False
    for drawings, _ in engine.backend.scan():
        patents.update((drawing.patent, drawing) for drawing in drawings)
        front_pages = front_pages or any(drawing.front_page for drawing in drawings)
    return patents, front_pages


def _as_before(engine: Engine, known: Mapping[str, Drawing]) -> None:
    """Leave out the patents that are not known, and tell the others' drawings what is known of them."""
    unknown, other = [], []
    for drawings, _ in engine.backend.scan():
        unknown += [drawing.id for drawing in drawings if drawing.patent not in known]
        kept = [drawing for drawing in drawings if drawing.patent in known]
        other += [drawing.id for drawing in kept if _told(drawing, known[drawing.patent]) != drawing]
    for start in range(0, len(unknown), _AT_ONCE):
        engine.delete(unknown[start : start + _AT_ONCE])
    for start in range(0, len(other), _AT_ONCE):
        stored = list(engine.backend.get(other[start : start + _AT_ONCE]).values())
        told = [_told(drawing, known[drawing.patent]) for drawing, _ in stored]
        engine.add(told, np.stack([vector for _, vector in stored]))


def _told(drawing: Drawing, by: Drawing) -> Drawing:
    """A drawing with what another drawing of its patent says of the patent; an older index has no bibliography."""
    told = replace(drawing, **{name: getattr(by, name) for name in _OF_PATENT})
    return told if by.bibliography else replace(told, bibliography=drawing.bibliography)
