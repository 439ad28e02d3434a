"""The machine and the versions that a figure was measured with."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from patsearch import __version__
from patsearch.types import JsonDict

_PACKAGES = ("numpy", "faiss-cpu", "onnxruntime", "opencv-python-headless", "pillow", "torch", "timm", "qdrant-client")


def describe_environment() -> JsonDict:
    """What a run file says of where and with what it was made."""
    return {
        "patsearch": __version__,
        "python": platform.python_version(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": _memory(),
        "threads": {name: os.environ[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if name in os.environ},
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def measured_on(environment: JsonDict) -> tuple[str, str]:
    """The line of a report that says when, and on what machine."""
    machine = f"{environment['cpu']}, {environment['usable_cores']} cores"
    return "Measured", f"{environment['at']}, patsearch {environment['patsearch']}, {machine}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    # platform.processor() is empty on most Linux systems.
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None
