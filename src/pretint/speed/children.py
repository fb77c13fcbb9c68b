"""The other end of ``worker``: starts measuring processes, asks them, ends them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any

from pretint.errors import ResourceError

GRACE = 0.5
"""Seconds in which a process may end by itself; a step may take longer, and nobody waits for its end."""


class Child:
    """One measuring process; it is started when it is first asked, and once more after :meth:`rest`.

    It lies in a session of its own, so that Ctrl-C in the terminal reaches this process alone.

    Args:
        part: what it measures, see ``worker.PARTS``.
        settings: threads, clock, and a folder for what it writes.
        case: what else it is to know.
    """

    def __init__(self, part: str, settings: Mapping[str, Any], case: Mapping[str, Any]) -> None:
        self.part = part
        self._case = {"part": part, **settings, **case}
        self._process: subprocess.Popen[str] | None = None
        self.ready: dict[str, Any] = {}
        """What it said when it was ready."""
        self.most = self.most_on_gpu = 0
        """Bytes that it has needed at the most."""

    def __enter__(self) -> "Child":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.rest()

    def launch(self) -> None:
        """Start it if it does not run, and do not wait until it is ready: several load torch side by side."""
        if self._process is None:
            self.ready = {}
            threads = self._case.get("threads")
            environment = {**os.environ, **({"OMP_NUM_THREADS": str(threads)} if threads else {})}
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pretint.speed.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                text=True, start_new_session=True, env=environment,
            )  # fmt: skip
            self._say(self._case)

    def start(self) -> dict[str, Any]:
        """Start it if it does not run; gives back what it said when it was ready.

        Raises:
            ResourceError: it ended, most likely for memory.
        """
        self.launch()
        if not self.ready:
            self.ready = self._hear()
        return self.ready

    def ask(self, **request: Any) -> dict[str, Any]:
        """One request and its answer.

        Raises:
            ResourceError: it ended, most likely for memory.
        """
        self.start()
        self._say(request)
        return self._hear()

    def rest(self) -> None:
        """End it; its memory is free."""
        if self._process is None:
            return
        process, self._process = self._process, None
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError):
            process.stdin.close()  # which ends it, and its readers, when it has done what it is at
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        process.stdout.close()

    def _say(self, words: Mapping[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(words) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None

    def _hear(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._ended()
        answer: dict[str, Any] = json.loads(line)
        self.most = max(self.most, answer["most"])
        self.most_on_gpu = max(self.most_on_gpu, answer["gpu"])
        if "error" in answer:
            self.rest()
            raise ResourceError(f"{self.part}: {answer['error']}")
        return answer

    def _ended(self) -> ResourceError:
        self.rest()
        return ResourceError(f"the process that measures {self.part} was ended, most likely for memory; close others")
