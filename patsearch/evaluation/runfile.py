"""Raw runs on disk: one JSON file an evaluation, with its ranking and judgements in TREC's form.

    sheets-lite0-imagenet.json     everything: settings, versions, hardware, metrics, every query
    sheets-lite0-imagenet.run      `query-id Q0 drawing-id rank score tag`, the first places
    sheets-lite0-imagenet.qrels    `query-id 0 drawing-id degree`

The JSON has the ranks of all relevant drawings of each query: any metric of `metrics` can be computed
from it, and two runs can be compared query by query.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from patsearch.errors import InputError
from patsearch.evaluation.backends import BackendFigures
from patsearch.evaluation.metrics import QueryRanks
from patsearch.evaluation.quality import Quality, QueryRecord
from patsearch.evaluation.results import BenchResult, Evaluation
from patsearch.files import parse_json, write_text
from patsearch.types import JsonDict, finite

FORMAT = "patsearch-bench"
VERSION = 1
_MAX_BYTES = 4 << 30
_TOP_IN_JSON = 10  # the .run file holds all


@dataclass(frozen=True, slots=True)
class SavedRun:
    """What a comparison needs of a run: a run file read back, or an evaluation.

    Attributes:
        path: where it was read from; None for an evaluation.
        dataset, encoder: as `Evaluation` has them.
        metrics: means as they were saved.
        ids, patents: of the Q queries.
        ranks: of the Q queries.
    """

    path: Path | None
    dataset: JsonDict
    encoder: JsonDict
    metrics: dict[str, float]
    ids: tuple[str, ...]
    patents: tuple[str, ...]
    ranks: tuple[QueryRanks, ...]


def result_json(result: BenchResult) -> JsonDict:
    """What `patsearch bench --json` prints: all figures except those of single queries.

    `dataset`, `encoder` and `metrics` are those of the first evaluation; `evaluations` has all of them,
    `engines` every backend in full and `timings` a summary of the first one.
    """
    first = result.evaluations[0]
    document: JsonDict = finite(
        {
            "dataset": first.dataset,
            "encoder": first.encoder,
            "metrics": first.quality.metrics,
            "timings": timings(result),
            "evaluations": [evaluation_json(e) for e in result.evaluations],
            "engines": [backend.to_json() for backend in result.backends],
            "settings": result.options.to_json(),
            "environment": result.environment,
        }
    )
    return document


def timings(result: BenchResult) -> JsonDict:
    """Seconds, rates and sizes by name; what was not measured is left out."""
    first = result.evaluations[0]
    values: JsonDict = {"ranking_seconds": round(first.quality.seconds, 3)}
    if first.ingests and (rate := first.ingests[0]["rate"].get("drawings_per_second")):
        values["ingest_drawings_per_second"] = rate
    if result.backends:
        values |= _backend_timings(result.backends[0])
    return values


def _backend_timings(backend: BackendFigures) -> JsonDict:
    unfiltered = backend.series[0]
    values: JsonDict = {
        "search_p50_ms": round(unfiltered.p50_ms, 4),
        "search_p95_ms": round(unfiltered.p95_ms, 4),
        "search_p99_ms": round(unfiltered.p99_ms, 4),
        "queries_per_second": round(unfiltered.queries_per_second, 1),
        "bytes_per_vector": round(backend.bytes_per_vector, 1),
    }
    values |= {f"ann_recall@{k}": value for k, value in unfiltered.ann_recall.items()}
    if backend.upserts_per_second is not None:
        values["upserts_per_second"] = round(backend.upserts_per_second, 1)
    return values


def evaluation_json(evaluation: Evaluation) -> JsonDict:
    """One evaluation without its queries."""
    return {
        "dataset": evaluation.dataset,
        "encoder": evaluation.encoder,
        "baseline": evaluation.baseline,
        "asking": evaluation.asking.to_json(),
        "metrics": evaluation.quality.metrics,
        "curves": evaluation.quality.curves,
        "ranking_seconds": round(evaluation.quality.seconds, 3),
        "ingests": list(evaluation.ingests),
    }


def save_runs(result: BenchResult, folder: Path) -> list[Path]:
    """Write all evaluations into a folder, which is made; returns the JSON files."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for evaluation in result.evaluations:
        path = folder / f"{evaluation.slug}.json"
        document = {
            "format": FORMAT,
            "version": VERSION,
            **evaluation_json(evaluation),
            "engines": [backend.to_json() for backend in result.backends]
            if evaluation is result.evaluations[0]
            else [],
            "settings": result.options.to_json(),
            "environment": result.environment,
            "per_query": [_query_json(evaluation.quality, record) for record in evaluation.quality.records],
        }
        write_text(path.with_suffix(".run"), "".join(f"{line}\n" for line in trec_run(evaluation)))
        write_text(path.with_suffix(".qrels"), "".join(f"{line}\n" for line in trec_qrels(evaluation)))
        write_text(path, json.dumps(finite(document), ensure_ascii=False, indent=1) + "\n")
        written.append(path)
    return written


def trec_run(evaluation: Evaluation) -> Iterator[str]:
    """Lines `qid Q0 docid rank score tag` of the first places.

    trec_eval sorts by score alone and breaks ties its own way: scores are printed in full.
    """
    tag = evaluation.slug
    for record in evaluation.quality.records:
        for place in evaluation.quality.top(record):
            yield f"{_word(record.id)} Q0 {_word(place.id)} {place.rank} {place.score:.9g} {tag}"


def trec_qrels(evaluation: Evaluation) -> Iterator[str]:
    """Lines `qid 0 docid degree` of every relevant drawing."""
    for record in evaluation.quality.records:
        for place, degree in zip(evaluation.quality.expected(record), record.ranks.gains, strict=True):
            yield f"{_word(record.id)} 0 {_word(place.id)} {degree:g}"


def read_run(path: Path) -> SavedRun:
    """Read a JSON run file.

    Raises:
        InputError: it does not exist, is not a run file, or is of a newer patsearch.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path} is larger than {_MAX_BYTES:,} bytes.", hint="Is it a run file?")
        document = parse_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}.", hint="Name a .json of bench run --out."
        ) from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}.", hint="Name a .json of bench run --out.") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InputError(f"{path} is not a run of patsearch bench.", hint="Name a .json of bench run --out.")
    if document.get("version") != VERSION:
        raise InputError(
            f"{path} has the format version {document.get('version')}; this patsearch reads {VERSION}.",
            hint="Upgrade patsearch, or measure again.",
        )
    try:
        queries = document["per_query"]
        return SavedRun(
            path=path,
            dataset=dict(document["dataset"]),
            encoder=dict(document["encoder"]),
            metrics={k: math.nan if v is None else float(v) for k, v in document["metrics"].items()},
            ids=tuple(str(q["id"]) for q in queries),
            patents=tuple(str(q["patent"]) for q in queries),
            ranks=tuple(_read_ranks(q) for q in queries),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"{path} is damaged: {error!r}.", hint="Measure again.") from error


def as_run(evaluation: Evaluation) -> SavedRun:
    """An evaluation as its run file would be read back."""
    records = evaluation.quality.records
    return SavedRun(
        path=None,
        dataset=evaluation.dataset,
        encoder=evaluation.encoder,
        metrics=evaluation.quality.metrics,
        ids=tuple(r.id for r in records),
        patents=tuple(r.patent for r in records),
        ranks=tuple(r.ranks for r in records),
    )


def _query_json(quality: Quality, record: QueryRecord) -> JsonDict:
    ranks = record.ranks
    document: JsonDict = {
        "id": record.id,
        "patent": record.patent,
        "average_precision": record.average_precision,
        "ranks": ranks.ranks.tolist(),
        "top": [asdict(place) for place in quality.top(record, _TOP_IN_JSON)],
    }
    if (ranks.last_ranks != ranks.ranks).any():
        document["last_ranks"] = ranks.last_ranks.tolist()
    if (ranks.gains != 1).any():
        document["gains"] = ranks.gains.tolist()
    return document


def _read_ranks(query: JsonDict) -> QueryRanks:
    ranks = np.array(query["ranks"], dtype=np.int64)
    last = np.array(query.get("last_ranks", query["ranks"]), dtype=np.int64)
    gains = np.array(query.get("gains", np.ones(len(ranks))), dtype=np.float64)
    if (
        not (ranks.shape == last.shape == gains.shape == (len(ranks),))
        or (ranks < 1).any()
        or (np.diff(ranks) <= 0).any()
    ):
        raise ValueError(f"query {query['id']} has ranks that are not valid")
    return QueryRanks(ranks, last, gains)


def _word(text: str) -> str:
    """An id without blanks, which separate the columns."""
    return "_".join(text.split())
