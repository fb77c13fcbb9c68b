"""Where a measurement stands, on stderr: a line that is replaced in a terminal, a line now and then elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from pretint.speed.session import Told
from pretint.terminal import Terminal
from pretint.training.progress import duration

EVERY = 20.0
"""Seconds between two lines where there is no terminal; a new part always has one."""


@contextmanager
def telling(quiet: bool) -> Iterator[Told]:
    """Within the block, the function it gives shows (part, what is measured now, seconds left)."""
    if quiet:
        yield lambda part, doing, left: None
        return
    console = Terminal(errors=True)
    if console.is_terminal:
        # By hand: a spinner that turns meanwhile would take time from what is measured.
        def replace(words: str) -> None:
            console.file.write(f"\r\x1b[2K{words[: console.width - 1]}")
            console.file.flush()

        try:
            yield lambda part, doing, left: replace(_words(part, doing, left))
        finally:
            replace("")
        return
    before, said = "", 0.0

    def told(part: str, doing: str, left: float | None) -> None:
        nonlocal before, said
        if part != before or time.monotonic() - said > EVERY:
            before, said = part, time.monotonic()
            console.print(_words(part, doing, left), soft_wrap=True)

    yield told


def _words(part: str, doing: str, left: float | None) -> str:
    return f"{part}: {doing}" + ("" if left is None else f"; about {duration(left)} left")
