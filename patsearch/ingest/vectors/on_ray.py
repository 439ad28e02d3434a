"""Partitions on a Ray cluster: a task each, a bounded number at a time.

A task is what `encoding.make` does in one process of the cluster, which writes the file itself. Where that process or
its node dies, Ray runs the task again: it writes the same bytes. Sources and folder are on storage that all nodes see.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, TypeVar

from patsearch.errors import PatsearchError, PluginError

_ATTEMPTS = 5  # after the first
_EACH = 2  # tasks at a time for each that can run: one waits

Task = TypeVar("Task")
Answer = TypeVar("Answer")


def on_ray(tasks: Iterable[Task], run: Callable[[Task], Answer], *, cores: int) -> Iterator[Answer]:
    """What `run` returns for each task, in the order in which they end.

    The cluster is that of RAY_ADDRESS, or one that is running on this machine; otherwise one is started here and ended.

    Args:
        run: a function of a module, or a partial of one.
        cores: of each task.

    Raises:
        PluginError: Ray is not installed.
        PatsearchError: what `run` raises; or Ray lost the process of a task again and again.
    """
    with _cluster() as ray:
        remote = ray.remote(num_cpus=cores, max_retries=_ATTEMPTS)(run_task)
        most = _EACH * max(1, int(ray.cluster_resources().get("CPU", 1)) // cores)
        waiting: list[Any] = []
        source = iter(tasks)
        try:
            while True:
                while len(waiting) < most and (task := next(source, None)) is not None:
                    waiting.append(remote.remote(run, task))
                if not waiting:
                    return
                done, waiting = ray.wait(waiting, num_returns=1)
                yield _answer(ray, done[0])
        finally:
            for one in waiting:
                ray.cancel(one, force=True)


def run_task(run: Callable[[Task], Answer], task: Task) -> Answer:
    """In a process of the cluster."""
    return run(task)


def _answer(ray: Any, reference: Any) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, PatsearchError):
            raise error.cause from error
        raise
    except ray.exceptions.RayError as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise PatsearchError(
            f"Ray could not finish a partition: {reason[:200]}", hint="Run the same command again: it resumes."
        ) from error


@contextmanager
def _cluster() -> Iterator[Any]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to anybody
    try:
        import ray
    except ImportError as error:
        raise PluginError("--on ray needs Ray.", hint="pip install 'patsearch[ray]'") from error
    if ray.is_initialized():
        yield ray
        return
    # Ray prints what happens to its processes on standard output, which is for results.
    with redirect_stdout(sys.stderr):
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        try:
            yield ray
        finally:
            ray.shutdown()
