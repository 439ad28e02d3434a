"""Logs and metrics of one server. They leave it only by a request for /metrics.

Logs are one JSON object a line on stderr; of a request they hold only its address and
outcome: no picture, no filter, no token.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from patsearch.text import visible_json

LOGGER = logging.getLogger("patsearch.web")
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class JsonFormatter(logging.Formatter):
    """One object a line: time, level, event, and the fields given as `extra={"fields": {...}}`."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return visible_json(json.dumps(line, ensure_ascii=False, default=str))


def log_to_stderr() -> None:
    """Send this server's log to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    LOGGER.handlers[:] = [handler]
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False


class Metrics:
    """What a server counts, in its own registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "patsearch_requests_total", "Requests by address and status.", ("route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "patsearch_request_seconds", "Seconds a request took.", ("route",), buckets=_SECONDS, registry=self.registry
        )
        self.encode_seconds = Histogram(
            "patsearch_encode_seconds",
            "Seconds from handing pictures to a worker until their vectors are there.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.search_seconds = Histogram(
            "patsearch_search_seconds", "Seconds from vectors to hits.", buckets=_SECONDS, registry=self.registry
        )
        self.refused = Counter(
            "patsearch_refused_total", "Requests refused before any work.", ("why",), registry=self.registry
        )
        self.waiting = Gauge("patsearch_waiting", "Queries with a worker or waiting for one.", registry=self.registry)
        self.body_bytes = Gauge(
            "patsearch_body_bytes", "Bytes of the bodies of requests that are not answered yet.", registry=self.registry
        )
        self.drawings = Gauge("patsearch_index_drawings", "Drawings in the index.", registry=self.registry)

    def page(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)
