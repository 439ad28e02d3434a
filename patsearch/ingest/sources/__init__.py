"""Sources of patents: USPTO weekly archives, the DeepPatent layout, folders of images, plug-ins."""

from __future__ import annotations

from patsearch.ingest.sources.base import Problem, Source, SourceOptions, Unit
from patsearch.ingest.sources.opening import open_source

__all__ = ["Problem", "Source", "SourceOptions", "Unit", "open_source"]
