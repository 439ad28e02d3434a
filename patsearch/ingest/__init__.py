"""Ingesting patents: sources, sheets to figures, vectors, the journal."""

from patsearch.ingest.bibliographies import add_bibliographies
from patsearch.ingest.pipeline import IngestOptions, ingest
from patsearch.ingest.reading import Progress
from patsearch.ingest.report import IngestReport

__all__ = ["IngestOptions", "IngestReport", "Progress", "add_bibliographies", "ingest"]
