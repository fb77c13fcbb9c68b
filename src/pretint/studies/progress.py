"""Progress of a study with the time left: a bar in a terminal, a line a cell elsewhere. All of it goes to stderr."""

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from pretint.studies.plan import Job, Pictures
from pretint.terminal import Terminal, counted
from pretint.training.progress import duration

_FORWARD = 1 / 3
"""Share of a training step's time that scoring the same pictures takes."""
_START = 3.0
"""Seconds that a cell takes beside its steps: lists, checkpoints, scores."""
_FEATURES = 60.0
"""Seconds that a job of features is reckoned at."""


class StudyProgress:
    """Shows where a study stands.

    Args:
        jobs: all of the study.
        left: those that are not done yet.
        pictures: their numbers.
        count: jobs side by side.
        quiet: show nothing.
    """

    def __init__(self, jobs: Sequence[Job], left: Sequence[Job], pictures: Pictures, count: int, quiet: bool) -> None:
        self._console = Terminal(errors=True, quiet=quiet)
        self._pictures, self._count = pictures, count
        self._left = {job.key: job for job in left}
        self._total = len(jobs)
        self._costs = dict.fromkeys(self._left, 1.0)
        self._begun, self._spent = time.monotonic(), 0.0
        self._bar = Progress(
            TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}", markup=False),
            console=self._console, transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task("cells", total=self._total, completed=self._total - len(left), left="")

    def __enter__(self) -> "StudyProgress":
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def estimate(self, seconds_a_step: Mapping[str, float]) -> None:
        """Say how long it will take, from the time of a step of each arm."""
        for job in self._left.values():
            step = seconds_a_step.get(job.arm)
            self._costs[job.key] = self._seconds(job, step) if step else _FEATURES
        self._begun = time.monotonic()
        done = self._total - len(self._left)
        finished = f", {done} of {self._total} are done" if done else f" of {self._total}"
        seconds = sum(self._costs.values()) / self._count
        self._console.print(
            f"{counted(len(self._left), 'cell or trial', 'cells and trials')} left{finished}; about {duration(seconds)} with {self._count} side by side",
            soft_wrap=True,
        )

    def done(self, job: Mapping[str, Any], outcome: Mapping[str, Any], score: str) -> None:
        """Show a job that has ended."""
        self._spent += self._costs[job["key"]]
        self._left.pop(job["key"], None)
        what = f"{job['arm']}, {job['fraction']:.4g} of the labels, seed {job['seed']}"
        if outcome["state"] == "failed":
            said = f"failed: {outcome['error']}"
        elif job["kind"] == "search":
            held_out = outcome["held_out"].get(score)
            said = f"rate {job['rate']:g}: " + ("diverged" if held_out is None else f"held out {score} {held_out:.4f}")
        elif job["kind"] == "features":
            said = counted(len(outcome["cells"]), "probe")
        else:
            said = f"{score} {outcome['scores'][score]:.4f}"
        number = self._total - len(self._left)
        self._bar.update(self._task, completed=number, left=self._time_left())
        seconds = f" ({duration(outcome['seconds'])})" if "seconds" in outcome else ""
        self._console.print(f"{number}/{self._total}  {what}: {said}{seconds}  {self._time_left()}", soft_wrap=True)

    def _time_left(self) -> str:
        if not self._left or not self._spent:
            return ""
        left = sum(self._costs[key] for key in self._left)
        return f"{duration((time.monotonic() - self._begun) * left / self._spent)} left"

    def _seconds(self, job: Job, step: float) -> float:
        """Seconds of a job: its steps, the validations, and the test pictures."""
        values = job.values
        validations = -(-values["epochs"] // values["loop"]["validate_every"])
        scored = validations * self._pictures.held_out + (self._pictures.test if job.kind == "finetune" else 0)
        return float(_START + step * (job.steps + _FORWARD * scored / values["batch_size"]))
