"""Ctrl-C and SIGTERM as a wish to stop: the step in hand is finished, the state saved, then the run ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from pretint.data.processes import handling_signals


class StopRequest:
    """Whether a stop was asked for."""

    def __init__(self) -> None:
        self.asked = False


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Within the block SIGINT and SIGTERM set ``asked``; a second one interrupts at once. In the main thread alone."""
    request = StopRequest()

    def handle(number: int, frame: FrameType | None) -> None:
        if request.asked:
            raise KeyboardInterrupt
        request.asked = True

    with handling_signals(handle):
        yield request
