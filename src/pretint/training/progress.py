"""Progress with pictures/s and time left: a bar in a terminal, plain lines elsewhere. All of it goes to stderr."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pretint.terminal import Terminal


class TrainingProgress:
    """Shows where a training stands.

    Args:
        steps: steps of the whole training.
        done: steps done by an earlier start.
        batch_size: pictures a step.
        work: by a number of steps, what the first so many cost, in steps at full size; None: all cost alike.
        quiet: show nothing.
    """

    def __init__(
        self,
        *,
        steps: int,
        done: int,
        batch_size: int,
        work: Callable[[int], float] | None = None,
        quiet: bool = False,
    ) -> None:
        self._console = Terminal(errors=True, quiet=quiet)
        self._steps, self._batch_size = steps, batch_size
        self._step = done
        # Speed is measured over a window that begins anew when it is a minute long; pauses move its beginning. It must not
        # end with each of them: on a GPU, epochs may be shorter than what lies between two steps that are told.
        self._since, self._since_step = time.monotonic(), done
        self._work = work or float
        self._seconds_a_step: float | None = None
        self._seconds_of_work = 0.0
        self._last_line = 0.0
        self._bar = Progress(
            TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[speed]}", markup=False),
            console=self._console, transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task("", total=steps, completed=done, speed="")

    def __enter__(self) -> "TrainingProgress":
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the time of the block out of the speed (validation, saving). Blocks must not be nested."""
        begun = time.monotonic()
        yield
        self._since += time.monotonic() - begun

    def advance(self, step: int, where: str, losses: str) -> None:
        """Show a step that is done."""
        now = time.monotonic()
        if step > self._since_step:
            self._seconds_a_step = (now - self._since) / (step - self._since_step)
            self._seconds_of_work = (now - self._since) / (self._work(step) - self._work(self._since_step))
            if now - self._since > 60:
                self._since, self._since_step = now, step
        self._step = step
        if self._console.is_terminal:
            self._bar.update(self._task, completed=step, description=where, speed=f"{self.speed()}  {losses}")
        elif now - self._last_line > 30 or step == self._steps:
            self._last_line = now
            self._console.print(f"{where}  step {step}/{self._steps}  {self.speed()}  {losses}", soft_wrap=True)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self._console.print(line, soft_wrap=True)

    def pictures_per_second(self) -> float | None:
        """Speed of training over the last minute; None before it is known."""
        return self._batch_size / self._seconds_a_step if self._seconds_a_step else None

    def speed(self) -> str:
        """Pictures a second and the time left, in words."""
        if not self._seconds_a_step:
            return ""
        left = (self._work(self._steps) - self._work(self._step)) * self._seconds_of_work
        return f"{self._batch_size / self._seconds_a_step:.1f} pictures/s, {duration(left)} left"


def duration(seconds: float) -> str:
    """Seconds in words: ``47 s``, ``12 min``, ``3 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


@contextmanager
def counting(what: str, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Progress of work that counts pictures: a bar in a terminal, a line every 30 s elsewhere.

    Within the block, the function it gives is told (done, all).
    """
    console = Terminal(errors=True, quiet=quiet)
    bar = Progress(
        TextColumn(what, markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    task = bar.add_task(what, total=None)
    last = time.monotonic()

    def told(done: int, total: int) -> None:
        nonlocal last
        bar.update(task, completed=done, total=total)
        if not console.is_terminal and time.monotonic() - last > 30:
            last = time.monotonic()
            console.print(f"{what}: {done} of {total}", soft_wrap=True)

    if not console.is_terminal:
        yield told
        return
    with bar:
        yield told
