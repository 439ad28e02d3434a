"""Batches: a folder of queries, a record of each, and one overview."""

from patsearch.batch.queries import BatchQuery, queries_of
from patsearch.batch.run import EXIT_FAILED_QUERIES, BatchProgress, BatchReport, Failure, run_batch

__all__ = ["EXIT_FAILED_QUERIES", "BatchProgress", "BatchQuery", "BatchReport", "Failure", "queries_of", "run_batch"]
