"""Work on many pictures shared out to processes; results come back in the order of the work."""

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from pretint.errors import ResourceError

Task = TypeVar("Task")
Result = TypeVar("Result")


def cores() -> int:
    """Cores that this process may use, which a container or a batch system can make fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_workers() -> int:
    """Processes that read pictures where nobody says how many: one a core, at most 8."""
    return min(8, cores())


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
    # Forked where that is possible: other ways run the caller's script once more in every process.
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else None
    waiting: deque[Future[Result]] = deque()
    with ProcessPoolExecutor(workers, multiprocessing.get_context(method), _begin, (os.getpid(),)) as pool:
        try:
            for task in tasks:
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


def _begin(caller: int) -> None:
    # Ctrl-C, and SIGTERM where a job is ended, reach every process; they are the caller's to obey. A second SIGTERM does end one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: signal.signal(signal.SIGTERM, signal.SIG_DFL))
    end_with(caller)


def end_with(caller: int) -> None:
    """End this process when its caller has ended: one that was killed cannot tell its processes to."""

    def watch() -> None:
        while os.getppid() == caller:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
