"""A benchmark from options to figures: quality by protocol and encoder, then the backends."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np

from patsearch.backends.base import Backend
from patsearch.encoder import BASELINE_ENCODER, Encoder, load_encoder, shipped_cards
from patsearch.encoder.shape import Comparison
from patsearch.engine import check_encoder
from patsearch.errors import EncoderError, EncoderMismatch, PluginError, UsageError
from patsearch.evaluation.asking import Asking, asked_vectors
from patsearch.evaluation.backends import BackendFigures, built_backend, choose_filters, load_backend, measure_backend
from patsearch.evaluation.collection import Collection
from patsearch.evaluation.datasets import Protocol, Relevant, RetrievalDataset
from patsearch.evaluation.environment import describe_environment
from patsearch.evaluation.materials import Material, Progress, Workshop
from patsearch.evaluation.protocols import build_dataset
from patsearch.evaluation.quality import Quality, QueryRecord, measure_quality
from patsearch.evaluation.results import BenchOptions, BenchResult, Evaluation, Pictured
from patsearch.evaluation.specs import DatasetSpec
from patsearch.evaluation.without_pictures import WITHOUT_PICTURES, class_and_date
from patsearch.filters import Filter
from patsearch.types import JsonDict

# Queries shown as pictures in a report: of the first evaluation, and of each other one.
WORST = 12
CLIENTS = (1, 2, 4, 8)  # at once, for the rate of searches
WORST_OF_OTHERS = 4
PICTURED = 6  # drawings of each list of such a query


def default_protocol(spec: DatasetSpec) -> Protocol:
    """Figures without front pages, as ingest indexes them; whole sheets with them for image lists."""
    listed = spec.kind == "deeppatent" or spec.listed
    return Protocol(whole_sheets=listed, front_pages=listed)


def run_bench(options: BenchOptions, *, progress: Progress | None = None) -> BenchResult:
    """Measure.

    Args:
        progress: called with the current step, how much of it is done, and the total.

    Raises:
        UsageError: options that contradict each other, or nothing to measure on.
        PluginError, EncoderError, InputError, VectorIndexError: as their names say.
    """
    progress = progress or (lambda *_: None)
    for name in options.backends:
        load_backend(name)  # a misspelt name is an error before the ingest, not after it
    if options.asking.oriented and options.dataset.kind == "index":
        raise UsageError(
            "An index holds vectors, not pictures: its queries cannot be turned or mirrored.",
            hint="Name the source of the index as the dataset.",
        )
    encoders, notes = _encoders(options)
    run = _Run(options, progress, notes)
    with Workshop(
        options.dataset,
        distractors=options.distractors,
        folder=options.folder,
        workers=options.workers,
        progress=progress,
        metadata=options.metadata,
    ) as workshop:
        for number, encoder in enumerate(encoders):
            run.measure(workshop, encoder, baseline=number > 0)
    return BenchResult(options, tuple(run.evaluations), run.backends, describe_environment())


@dataclass(slots=True)
class _Run:
    """What has been measured so far; `notes` belong to the first evaluation."""

    options: BenchOptions
    progress: Progress
    notes: Sequence[str] = ()
    evaluations: list[Evaluation] = field(default_factory=list)
    backends: tuple[BackendFigures, ...] = ()

    def measure(self, workshop: Workshop, encoder: Encoder | None, *, baseline: bool) -> None:
        """One encoder on every protocol, with the query options given and without."""
        options = self.options
        materials: dict[bool, Material] = {}
        turned: dict[bool, Collection] = {}
        for protocol in _protocols(options):
            sheets = protocol.whole_sheets
            if sheets not in materials:
                materials[sheets] = workshop.material(encoder, whole_sheets=sheets)
            material = materials[sheets]
            made = _true_protocol(options, material, protocol)
            if any(e.protocol == made and e.encoder == material.encoder for e in self.evaluations):
                continue
            dataset = build_dataset(
                options.dataset, material, made, options.where, options.relevant, shared=options.shared
            )
            if note := _no_baseline_of_index(options, material):
                dataset = replace(dataset, notes=(*dataset.notes, note))
            if not self.evaluations:
                dataset = replace(dataset, notes=(*dataset.notes, *self.notes))
                # Backends hold the same drawings whatever the query: measured on the first protocol.
                self.backends = _backends(options, dataset, material, self.progress)
            if options.asking.oriented and sheets not in turned:
                turned[sheets] = workshop.oriented(encoder, options.asking, whole_sheets=sheets)
            shape_dim, unknown = _shape_dim(encoder, material)
            dataset = replace(dataset, notes=(*dataset.notes, *unknown))
            # A score with the drawing style in it is in part the draughtsman's: never without the one by shape.
            with_style = (Asking(style=1.0),) if shape_dim else ()
            for asking in dict.fromkeys((options.asking, Asking(), *with_style)):
                evaluation = _evaluate(
                    options,
                    dataset,
                    material,
                    asking,
                    turned.get(sheets),
                    shape_dim=shape_dim,
                    baseline=baseline,
                    worst=WORST_OF_OTHERS if self.evaluations else WORST,
                    progress=self.progress,
                )
                self.evaluations.append(evaluation)
            if options.relevant == "cited" and not baseline:
                self.evaluations.append(_without_pictures(options, dataset, self.progress))


def describe_dataset(dataset: RetrievalDataset, where: Filter, relevant: Relevant = "patent") -> JsonDict:
    """What a run file says about the dataset."""
    return {
        "name": dataset.name,
        "fingerprint": dataset.fingerprint(),
        "protocol": {
            "whole_sheets": dataset.protocol.whole_sheets,
            "front_pages": dataset.protocol.front_pages,
            "text": str(dataset.protocol),
        },
        "filter": str(where),
        "queries": len(dataset.queries),
        "judged_queries": dataset.judged,
        "patents": len({dataset.query(q).patent for q in range(len(dataset.queries))}),
        "gallery": len(dataset.gallery),
        "distractors": dataset.distractors,
        "relevance": relevant,
        "leave_one_out": dataset.leave_one_out,
        "notes": list(dataset.notes),
    }


def _encoders(options: BenchOptions) -> tuple[list[Encoder | None], list[str]]:
    """The encoder to measure, with the untrained baseline; and a note where the baseline is not installed."""
    if options.dataset.kind == "index":
        # An index has vectors only: no other encoder can be measured on it.
        return [load_encoder(options.encoder) if options.encoder else None], []
    chosen = load_encoder(options.encoder)
    if options.baseline is False:
        return [chosen], []
    try:
        baseline = load_encoder(BASELINE_ENCODER)
    except (PluginError, EncoderError) as error:
        if options.baseline:
            raise
        return [chosen], [f"without the untrained baseline: {error}"]
    return [chosen] if baseline.card.sha256 == chosen.card.sha256 else [chosen, baseline], []


def _shape_dim(encoder: Encoder | None, material: Material) -> tuple[int | None, list[str]]:
    """How many numbers of the vectors describe shape alone, None where they have no such part; and what to note."""
    if encoder is not None:
        return encoder.card.shape_dim, []
    cards = {card.sha256: card for card in shipped_cards()}
    if (card := cards.get(material.encoder["sha256"])) is not None:
        return card.shape_dim, []
    try:
        found = load_encoder(material.encoder["name"])
        check_encoder(found, material.spec)
        return found.card.shape_dim, []
    except (PluginError, EncoderError, EncoderMismatch):
        return None, ["the encoder of the index is not available: its vectors are compared whole, style included"]


def _no_baseline_of_index(options: BenchOptions, material: Material) -> str:
    """Why an index is measured without the untrained baseline; empty where it is not missed.

    Raises:
        UsageError: the baseline was requested.
    """
    if options.dataset.kind != "index" or options.baseline is False or material.encoder["baseline"]:
        return ""
    if options.baseline:
        raise UsageError(
            "Invalid --baseline: an index holds the vectors of one encoder.",
            hint="Name the source of the index as the dataset.",
        )
    return "an index holds one encoder's vectors: name its source to measure the untrained baseline too"


def _protocols(options: BenchOptions) -> list[Protocol]:
    usual = default_protocol(options.dataset)
    first = Protocol(
        usual.whole_sheets if options.whole_sheets is None else options.whole_sheets,
        usual.front_pages if options.front_pages is None else options.front_pages,
    )
    if options.dataset.listed and not first.whole_sheets:
        raise UsageError("A dataset's listed images are taken as they are.", hint="Leave --figures out.")
    if not options.all_protocols:
        return [first]
    kinds = (first.whole_sheets,) if options.dataset.listed else (False, True)
    others = [Protocol(w, f) for w, f in product(kinds, (False, True))]
    return [first, *(p for p in others if p != first)]


def _true_protocol(options: BenchOptions, material: Material, protocol: Protocol) -> Protocol:
    """Whether an index holds sheets is known from the index."""
    if options.dataset.kind != "index":
        return protocol
    holds = material.spec.whole_sheets
    if options.whole_sheets is not None and options.whole_sheets != holds:
        kind = "whole sheets" if holds else "figures"
        raise UsageError(f"The index holds {kind}.", hint="Name its source as the dataset to have both.")
    return Protocol(holds, protocol.front_pages)


def _evaluate(
    options: BenchOptions,
    dataset: RetrievalDataset,
    material: Material,
    asking: Asking,
    oriented: Collection | None,
    *,
    shape_dim: int | None,
    baseline: bool,
    worst: int,
    progress: Progress,
) -> Evaluation:
    dataset = _sampled(options, dataset)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        progress(", ".join(["Ranking", str(dataset.protocol), *asking.parts()]), done, len(dataset.queries))

    asked = asked_vectors(dataset, oriented, asking) if oriented is not None and asking.oriented else None
    comparison = Comparison(shape_dim, asking.style)
    quality = measure_quality(
        dataset,
        top_k=options.top_k,
        depth=options.depth,
        advance=advance,
        asking=asking,
        asked=asked,
        comparison=comparison,
    )
    return Evaluation(
        dataset=describe_dataset(dataset, options.where, options.relevant),
        protocol=dataset.protocol,
        encoder=material.encoder,
        baseline=baseline,
        quality=quality,
        ingests=material.ingests,
        asking=asking,
        worst=tuple(_picture(quality, dataset, material, record) for record in worst_queries(quality.records, worst)),
    )


def _sampled(options: BenchOptions, dataset: RetrievalDataset) -> RetrievalDataset:
    """The queries that are measured; some of them have something to find."""
    if options.queries is not None:
        dataset = dataset.sampled(options.queries)
    if dataset.judged:
        return dataset
    hint = f"Relevance by {options.relevant} needs several patents of one {options.relevant}."
    if options.relevant == "patent":
        hint = "Leave-one-out needs patents with at least two drawings."
    elif options.relevant == "cited":
        hint = "The patents that the examiners cite have to be in the dataset, or among the distractors."
    raise UsageError(f"No query of {dataset.name} has anything to find ({dataset.protocol}).", hint=hint)


def _without_pictures(options: BenchOptions, dataset: RetrievalDataset, progress: Progress) -> Evaluation:
    """The same queries ranked by class and date alone: what the pictures have to be better than."""
    dataset = _sampled(options, dataset)
    progress("Ranking by class and date", 0, None)
    quality = measure_quality(dataset, top_k=options.top_k, depth=options.depth, scores=class_and_date(dataset))
    return Evaluation(
        dataset=describe_dataset(dataset, options.where, options.relevant),
        protocol=dataset.protocol,
        encoder={"name": WITHOUT_PICTURES, "sha256": "", "dim": 0, "baseline": True},
        baseline=True,
        quality=quality,
        ingests=(),
        worst=(),
        asking=options.asking,
    )


def worst_queries(records: Sequence[QueryRecord], count: int) -> list[QueryRecord]:
    """The judged queries with the lowest average precision, at most one of each patent, ties by id."""
    judged = sorted((r for r in records if r.ranks.relevant), key=lambda r: (r.average_precision, r.id))
    first: dict[str, QueryRecord] = {}
    for record in judged:
        first.setdefault(record.patent, record)
    return list(first.values())[:count]


def _picture(quality: Quality, dataset: RetrievalDataset, material: Material, record: QueryRecord) -> Pictured:
    top, expected = (tuple(places(record, PICTURED)) for places in (quality.top, quality.expected))
    ids = {record.id, *(p.id for p in top), *(p.id for p in expected)}
    drawings = {d.id: d for d in dataset.collection.drawings if d.id in ids}
    thumbnails = {i: png for i in ids if (png := material.thumbnail(i))}
    return Pictured(record, top, expected, drawings, thumbnails)


def _backends(
    options: BenchOptions, dataset: RetrievalDataset, material: Material, progress: Progress
) -> tuple[BackendFigures, ...]:
    measured: list[BackendFigures] = []
    for name in options.backends:
        progress(f"Searching with {name}", 0, None)
        opened: AbstractContextManager[tuple[Backend, float | None]]
        if material.stored is not None and material.stored[0] == name:
            # The user's own index, with everything in it.
            collection, queries = material.collection, np.arange(len(material.collection))
            opened = nullcontext((material.stored[1], None))
        else:
            collection, queries = dataset.collection, dataset.queries
            opened = built_backend(name, material.spec, collection)
        with opened as (backend, rate):
            figures = measure_backend(
                name,
                backend,
                collection,
                queries,
                filters=choose_filters(collection),
                searches=options.searches,
                upserts_per_second=rate,
                clients=CLIENTS,
            )
        measured.append(figures)
    return tuple(measured)
