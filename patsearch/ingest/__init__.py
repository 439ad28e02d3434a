"""Ingesting patents: sources, sheets to figures, vectors, the journal."""

from patsearch.ingest.pipeline import IngestOptions, Progress, ingest
from patsearch.ingest.report import IngestReport

__all__ = ["IngestOptions", "IngestReport", "Progress", "ingest"]
