"""What training knows about a patent apart from its drawings: family, near duplicates, side of the split."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from patsearch.drawings.aspects import aspect
from patsearch.errors import SourceError
from patsearch.files import printable
from patsearch.ingest.sources import Problem, Source
from patsearch.ingest.sources.deeppatent import read_list, sheet_key
from patsearch.numbers import normal_number
from patsearch.training.data.cache import TEST, TRAIN, VALIDATION, VIEW, Record
from patsearch.types import Drawing, JsonDict

# As `patsearch.synth.corpus` names it, which needs the `synth` extra to be imported.
SIDECAR = "designs.jsonl"
# Parts of a list's name; the first that occurs counts: `train_patent_val.txt` is for validation.
_SIDES = {"test": TEST, "val": VALIDATION, "trn": TRAIN, "train": TRAIN}


@dataclass(slots=True)
class _Facts:
    """Of one patent."""

    split: str = ""
    family: str = ""
    group: str = ""
    views: dict[str, str] = field(default_factory=dict)


class Labels:
    """The facts that a source gives about its drawings.

    The names of DeepPatent's lists say on which side of the split a patent is: "trn", "val" or "test". The
    sidecar of a synthetic corpus says family, near duplicates and views.

    Args:
        source: read for its lists and its sidecar, not for its drawings.

    Attributes:
        problems: contradictions found.

    Raises:
        SourceError: a list or the sidecar cannot be read.
    """

    def __init__(self, source: Source) -> None:
        self.problems: list[Problem] = []
        self._facts: dict[str, _Facts] = {}
        self._read_lists(source.options.lists)
        sidecar = (source.path if source.path.is_dir() else source.path.parent) / SIDECAR
        if sidecar.is_file():
            self._read_sidecar(sidecar)

    def record(self, patent: str, drawings: Sequence[Drawing]) -> Record:
        """The record of a patent with these drawings."""
        facts = self._facts.get(patent, _Facts())
        aspects = tuple(aspect(d.view or facts.views.get(d.sheet, "")) for d in drawings)
        return Record(
            design=patent,
            group=facts.group or patent,
            family=facts.family or _main_class(drawings[0]),
            kinds=(VIEW,) * len(drawings),
            aspects=aspects if any(aspects) else (),
            split=facts.split,
            # The sheets of one patent share one style; each synthetic figure has its own.
            hand=not facts.family,
        )

    def _read_lists(self, lists: Sequence[Path]) -> None:
        for path in lists:
            side = next((side for part, side in _SIDES.items() if part in path.stem.lower()), "")
            labels: dict[int, str] = {}
            for name, label in read_list(path):
                key = sheet_key(name)
                if key is None:
                    continue  # the source reports it
                patent = normal_number(key.partition("-")[0])
                facts = self._facts.setdefault(patent, _Facts(split=side))
                if facts.split != side:
                    # Held out is the safe side: nothing that is tested may be learned.
                    reason = f"{patent} is in the lists of two splits and counts as held out"
                    self._complain(path, reason)
                    facts.split = next(s for s in (TEST, VALIDATION, "") if s in (facts.split, side))
                if labels.setdefault(label, patent) != patent:
                    self._complain(path, f"label {label} means {labels[label]} and {patent}")

    def _complain(self, path: Path, reason: str) -> None:
        problem = Problem(printable(path), reason)
        if problem not in self.problems[-1:]:
            self.problems.append(problem)

    def _read_sidecar(self, path: Path) -> None:
        for number, record in _json_lines(path):
            try:
                patent = normal_number(str(record["patent"]))
                facts = self._facts.setdefault(patent, _Facts())
                facts.family = str(record["family"])
                facts.group = normal_number(str(record["near_duplicate_of"] or record["patent"]))
                for figure in record["figures"]:
                    if "file" in figure:
                        sheet = Path(figure["file"]).stem.rpartition("-")[2]
                        facts.views[sheet] = str(figure["view"])
            except (KeyError, TypeError) as error:
                raise SourceError(f"{printable(path)}, line {number}: not a design ({error!r}).") from error
        # A near duplicate may repeat a near duplicate: the group is called after the first of them.
        for facts in self._facts.values():
            seen = set[str]()
            while (other := self._facts.get(facts.group)) and other.group != facts.group and facts.group not in seen:
                seen.add(facts.group)
                facts.group = other.group


def _main_class(drawing: Drawing) -> str:
    """The broadest code of the patent's first class: Locarno where it has one, else the office's own."""
    for scheme in ("locarno", "uspc", "cpc", "ipc"):
        for code in drawing.classes:
            if code.scheme == scheme:
                return f"{scheme} {code.ancestors[0]}"
    return ""


def _json_lines(path: Path) -> Iterator[tuple[int, JsonDict]]:
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, json.loads(line)
    except (OSError, ValueError) as error:
        raise SourceError(f"{printable(path)}: cannot be read ({error}).") from error
