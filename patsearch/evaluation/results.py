"""The options and the results of a benchmark."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from patsearch.evaluation.asking import Asking
from patsearch.evaluation.backends import BackendFigures
from patsearch.evaluation.cited import DEFAULT_SHARED
from patsearch.evaluation.datasets import Protocol, Relevant
from patsearch.evaluation.metrics import DEFAULT_TOP_K
from patsearch.evaluation.quality import Place, Quality, QueryRecord
from patsearch.evaluation.specs import DatasetSpec
from patsearch.filters import Filter
from patsearch.types import Drawing, JsonDict


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """What to measure.

    Attributes:
        dataset: queries and gallery.
        distractors: added to the gallery.
        encoder: name; None is the default one, or the index's own.
        baseline: also measure the untrained baseline; None is to do so where it is installed.
        whole_sheets, front_pages: None is the dataset's default (`default_protocol`).
        all_protocols: the four of figures or sheets, with or without front pages.
        where: chooses queries and gallery, never distractors.
        backends: to measure; none is quality alone.
        folder: where to keep the indexes made; None is a temporary folder.
        searches: timed searches a filter.
        queries: up to N, drawn at random; None is all.
        depth: places of each ranking to keep for run files.
        asking: how queries are put; plain queries, by shape, and those with the drawing style are measured in addition.
        relevant: what makes a drawing right (`datasets.leave_one_out`).
        metadata: a table of titles, classes and citations of the dataset's patents.
        shared: with relevance by citations, references of the examiner that make two patents close.
    """

    dataset: DatasetSpec
    distractors: tuple[DatasetSpec, ...] = ()
    encoder: str | None = None
    baseline: bool | None = None
    whole_sheets: bool | None = None
    front_pages: bool | None = None
    all_protocols: bool = False
    where: Filter = field(default_factory=Filter)
    top_k: tuple[int, ...] = DEFAULT_TOP_K
    backends: tuple[str, ...] = ("faiss",)
    folder: Path | None = None
    workers: int | None = None
    searches: int = 200
    queries: int | None = None
    depth: int = 100
    asking: Asking = field(default_factory=Asking)
    relevant: Relevant = "patent"
    metadata: Path | None = None
    shared: int = DEFAULT_SHARED

    def to_json(self) -> JsonDict:
        """The settings as a run file keeps them."""
        return {
            "dataset": self.dataset.name,
            "distractors": [spec.name for spec in self.distractors],
            "encoder": self.encoder,
            "filter": str(self.where),
            "top_k": list(self.top_k),
            "backends": list(self.backends),
            "searches": self.searches,
            "queries": self.queries,
            "depth": self.depth,
            "asking": self.asking.to_json(),
            "relevance": self.relevant,
            **({"shared": self.shared} if self.relevant == "cited" else {}),
        }


@dataclass(frozen=True, slots=True)
class Pictured:
    """A query of a report with the drawings and thumbnails that show what happened to it.

    Attributes:
        record: the query and its ranking.
        top: what was found first.
        expected: the best placed of what should have been found.
        drawings, thumbnails: of the query and of both lists, by id; a thumbnail may be missing.
    """

    record: QueryRecord
    top: tuple[Place, ...]
    expected: tuple[Place, ...]
    drawings: dict[str, Drawing]
    thumbnails: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One encoder on one protocol of the dataset.

    Attributes:
        dataset: name, fingerprint, protocol, counts and notes (`describe_dataset`).
        encoder: name, sha256, dim, baseline.
        baseline: whether it was measured for comparison.
        asking: how queries were put.
        ingests: reports of the ingests that made the vectors.
        worst: the queries with the lowest average precision, one a patent.
    """

    dataset: JsonDict
    protocol: Protocol
    encoder: JsonDict
    baseline: bool
    quality: Quality
    ingests: tuple[JsonDict, ...]
    worst: tuple[Pictured, ...]
    asking: Asking = field(default_factory=Asking)

    @property
    def slug(self) -> str:
        """For file names: protocol, encoder and query options."""
        name = _plain(str(self.encoder["name"]))[-60:]
        return f"{self.protocol.slug}-{name}" + "".join(f"-{_plain(part)}" for part in self.asking.parts())


def _plain(text: str) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in text)


@dataclass(frozen=True, slots=True)
class BenchResult:
    """Everything that was measured; the first evaluation is that of the options."""

    options: BenchOptions
    evaluations: tuple[Evaluation, ...]
    backends: tuple[BackendFigures, ...]
    environment: JsonDict
