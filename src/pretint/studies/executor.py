"""Runs jobs side by side, each in a worker process; one that fails or is killed stops no other.

A worker has a fixed number of threads, and each job is seeded by its own options, so that how many run side by side, and
in which order they end, changes no bit of any result.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from pretint.data.processes import cores
from pretint.errors import Interrupted
from pretint.training.signals import stop_on_signals

Outcome = dict[str, Any]

GPU_BYTES = 4 << 30
"""Memory of a GPU that is counted for a cell: a step of the paper's network on 32 pictures of 256 px takes 2 GiB, CUDA itself half a one."""


def side_by_side(threads: int, kind: str) -> int:
    """Cells that run side by side where nobody says how many: one a core, and on a GPU no more than its memory holds.

    A GPU waits for its host, so cells of small networks on one card hardly hinder each other.

    Args:
        threads: of each cell.
        kind: of device: "cuda", "mps" (one cell: its memory is the machine's, and its driver does not tell) or "cpu".
    """
    count = max(1, cores() // threads)
    if kind == "cuda":
        from pretint.training.memory import free_cuda_bytes

        return min(count, max(1, free_cuda_bytes() // GPU_BYTES))
    return 1 if kind == "mps" else count


def run_jobs(
    jobs: Sequence[Mapping[str, Any]],
    *,
    count: int,
    threads: int,
    folder: Path,
    done: Callable[[Mapping[str, Any], Outcome], Iterable[Mapping[str, Any]] | None],
) -> None:
    """Run all jobs and hand each outcome to ``done`` as it comes.

    Args:
        jobs: what the workers do; see :mod:`pretint.studies.worker`.
        count: workers side by side.
        threads: of each.
        folder: of the study; what workers print goes to its ``workers.log``.
        done: told (job, outcome) in the calling thread; ``outcome["state"]`` is ``finished`` or ``failed``. It may give back
            further jobs.

    Raises:
        Interrupted: asked to stop; trainings in hand have saved.
    """
    waiting: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
    for job in jobs:
        waiting.put({**job, "threads": threads})
    outcomes: queue.SimpleQueue[tuple[Mapping[str, Any], Outcome] | None] = queue.SimpleQueue()
    with (folder / "workers.log").open("a", encoding="utf-8") as log, stop_on_signals() as stop:
        slots: list[_Slot] = []
        running = 0
        try:
            while not stop.asked:
                while running < count and not waiting.empty():
                    slots.append(_Slot(waiting, outcomes, threads, log))
                    running += 1
                if not running:
                    break
                try:
                    one = outcomes.get(timeout=0.2)
                except queue.Empty:
                    continue
                if one is None:
                    running -= 1
                elif one[1]["state"] != "interrupted":
                    for job in done(*one) or ():
                        waiting.put({**job, "threads": threads})
        finally:
            for slot in slots:
                slot.end()
            for slot in slots:
                slot.join()
        if stop.asked:
            raise Interrupted(folder)


class _Slot(threading.Thread):
    """Gives one worker its jobs, and starts another where it dies."""

    def __init__(
        self,
        waiting: "queue.SimpleQueue[Mapping[str, Any]]",
        outcomes: "queue.SimpleQueue[tuple[Mapping[str, Any], Outcome] | None]",
        threads: int,
        log: TextIO,
    ) -> None:
        super().__init__(daemon=True)
        self._waiting, self._outcomes, self._threads, self._log = waiting, outcomes, threads, log
        self._ended = False
        self._worker: subprocess.Popen[str] | None = None
        self._changing = threading.Lock()
        self.start()

    def run(self) -> None:
        try:
            while not self._ended:
                try:
                    job = self._waiting.get_nowait()
                except queue.Empty:
                    break
                try:
                    outcome = self._work(job)
                except (OSError, ValueError) as error:  # no process to be had, or an answer cut off
                    outcome = {"key": job["key"], "state": "failed", "error": f"its worker failed: {error}"}
                self._outcomes.put((job, outcome))
            self._close()
        finally:
            self._outcomes.put(None)

    def end(self) -> None:
        """Let the training in hand save and stop; no further job is taken."""
        with self._changing:
            self._ended = True
            if self._worker and self._worker.poll() is None:
                self._worker.send_signal(signal.SIGTERM)

    def _work(self, job: Mapping[str, Any]) -> Outcome:
        with self._changing:
            if self._ended:
                return {"state": "interrupted"}
            if self._worker is None or self._worker.poll() is not None:
                self._close()
                self._worker = self._start()
        worker = self._worker
        assert worker.stdin
        assert worker.stdout
        try:
            worker.stdin.write(json.dumps(job) + "\n")
            worker.stdin.flush()
            answer = worker.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if answer:
            outcome: Outcome = json.loads(answer)
            if outcome["state"] == "interrupted" and not self._ended:
                self._close()
                self._worker = None
                return {**outcome, "state": "failed", "error": "the worker was stopped from outside; --resume goes on"}
            return outcome
        code = worker.wait()
        if self._ended:
            return {"state": "interrupted"}
        why = f"was killed (signal {-code}), most likely for memory" if code < 0 else f"ended with exit code {code}"
        return {"key": job["key"], "state": "failed", "error": f"the worker {why}; see {self._log.name}"}

    def _start(self) -> "subprocess.Popen[str]":
        # A session of its own: Ctrl-C is for this process, which lets its workers save. Threads are told at the start, since
        # some libraries read them only then.
        environment = os.environ | {"OMP_NUM_THREADS": str(self._threads), "MKL_NUM_THREADS": str(self._threads)}
        return subprocess.Popen(
            [sys.executable, "-m", "pretint.studies.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=environment,
            start_new_session=True,
        )

    def _close(self) -> None:
        if self._worker is None:
            return
        assert self._worker.stdin
        assert self._worker.stdout
        with suppress(BrokenPipeError):  # what was not read by a worker that is dead
            self._worker.stdin.close()
        self._worker.wait()
        self._worker.stdout.close()
