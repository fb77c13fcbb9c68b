"""Work on many pictures shared out to processes; results come back in the order of the work."""

import math
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.context import BaseContext
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from pretint.errors import ResourceError

Task = TypeVar("Task")
Result = TypeVar("Result")


CPU_MAX = Path("/sys/fs/cgroup/cpu.max")
"""Where Linux tells the CPU time that a container may take (cgroup v2): microseconds in each period, or max."""


def cores() -> int:
    """Cores that this process may use, which a container or a batch system can make fewer than the machine has."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = CPU_MAX.read_text().split()
        return max(1, min(allowed, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no such limit
        return allowed


def default_workers(sharing: int = 1) -> int:
    """Processes that read pictures for each of ``sharing`` trainings where nobody says how many: one a core, at most 8."""
    return min(8, max(1, cores() // sharing))


def context() -> BaseContext:
    """How processes are started: forked where that is possible, since other ways run the caller's script once more in every process."""
    return multiprocessing.get_context("fork" if "fork" in multiprocessing.get_all_start_methods() else None)


def in_order(work: Callable[[Task], Result], tasks: Iterable[Task], workers: int) -> Iterator[Result]:
    """``work`` of every task, in their order.

    Args:
        work: a function of a module; the processes get it by its name.
        tasks: taken one by one, no more than the processes can have in hand.
        workers: processes; 0 works here.

    Raises:
        ResourceError: a process was killed.
    """
    if workers == 0:
        yield from map(work, tasks)
        return
    waiting: deque[Future[Result]] = deque()
    with ProcessPoolExecutor(workers, context(), _begin, (os.getpid(),)) as pool:
        try:
            for task in tasks:
                with signals_later():
                    waiting.append(pool.submit(work, task))
                if len(waiting) > 2 * workers:  # no more, or results would pile up in memory
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise ResourceError(
                "a process that reads pictures was killed, most likely for memory; take fewer of them (--workers, --loop.workers)"
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def handling_signals(handle: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Within the block SIGINT and SIGTERM go to ``handle``; outside the main thread, where Python allows no handlers, nothing is changed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[signal.Signals, Any] = {
        number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in reversed(before.items()):  # SIGINT last: from then on it may raise
            signal.signal(number, handler)


@contextmanager
def signals_later() -> Iterator[None]:
    """Ctrl-C and SIGTERM that come within the block take effect after it; for a block that starts processes.

    Python drops what a handler raises while a process is forked (``os.register_at_fork``), so that Ctrl-C would be lost; and the
    process itself may not have been told yet to outlive them.
    """
    came: list[int] = []
    try:
        with handling_signals(lambda number, frame: came.append(number)):
            yield
    finally:
        for number in came:
            signal.raise_signal(number)


def outlive_signals() -> None:
    """Ctrl-C, and SIGTERM where a job is ended, reach every process; this one leaves them to its caller, who saves and ends it.

    A second SIGTERM does end it: torch's loader sends one to a process that hangs.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: signal.signal(signal.SIGTERM, signal.SIG_DFL))


def _begin(caller: int) -> None:
    outlive_signals()
    end_with(caller)


def end_with(caller: int) -> None:
    """End this process when its caller has ended: one that was killed cannot tell its processes to."""

    def watch() -> None:
        while os.getppid() == caller:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
