"""Encoding apart from loading: vectors in Parquet files, one a partition of patents, and from them into an index."""

from patsearch.ingest.vectors.encoding import EncodeOptions, EncodeReport, encode_sources
from patsearch.ingest.vectors.loading import load_vectors

__all__ = ["EncodeOptions", "EncodeReport", "encode_sources", "load_vectors"]
