"""A worker of a study: a process that does one piece of work after the other, and ends with the process that started it.

    python -m pretint.studies.worker

Each line of standard input is a job in JSON, each line of standard output its outcome. Whatever else is printed goes to
standard error. Results are written by the worker itself, each as a whole, so that a kill at any moment loses nothing that
was finished.
"""

import json
import os
import queue
import signal
import sys
import threading
import traceback
from typing import Any

from pretint.errors import Interrupted, PretintError
from pretint.training.allocator import raise_allocator_thresholds


def main() -> None:
    """Work until standard input ends."""
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not pass for a result
    raise_allocator_thresholds()
    waiting: queue.Queue[dict[str, Any] | None] = queue.Queue()
    busy = threading.Event()
    threading.Thread(target=_read, args=(waiting, busy), daemon=True).start()
    while (job := waiting.get()) is not None:
        busy.set()
        outcome = _done(job)
        busy.clear()
        results.write(json.dumps(outcome) + "\n")
        results.flush()
        if outcome["state"] == "interrupted":
            return


def _read(waiting: "queue.Queue[dict[str, Any] | None]", busy: threading.Event) -> None:
    """Hand on the jobs; when the starter is gone, ask the training in hand to save and stop."""
    for line in sys.stdin:
        waiting.put(json.loads(line))
    waiting.put(None)
    if busy.is_set():
        os.kill(os.getpid(), signal.SIGTERM)


def _done(job: dict[str, Any]) -> dict[str, Any]:
    import torch

    from pretint.studies.work import work
    from pretint.training.memory import is_out_of_memory

    torch.set_num_threads(job["threads"])
    key = job["key"]
    try:
        return {"key": key, "state": "finished", **work(job)}
    except Interrupted:
        return {"key": key, "state": "interrupted"}
    except PretintError as error:
        short = error.__cause__ is not None and is_out_of_memory(error.__cause__)
        return {
            "key": key,
            "state": "failed",
            "error": f"{error}{'; --jobs 1 leaves a cell all the memory' if short else ''}",
        }
    except Exception as error:
        traceback.print_exc()
        return {"key": key, "state": "failed", "error": f"a fault of pretint's own, {type(error).__name__}: {error}"}


if __name__ == "__main__":
    main()
