"""The terminal as all verbs write to it: text is printed as it is, and a reader who leaves is no fault."""

import os
import sys
from contextlib import suppress

from rich.console import Console

UNBOUNDED = 400
"""Columns of what is no terminal."""


def counted(number: int, one: str, several: str = "") -> str:
    """A number and what it counts: ``1 picture``, ``14,700 pictures``; ``several`` is for what no s alone makes plural."""
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"


def percent(share: float) -> str:
    """A share in (0, 1] in words: ``0.1`` as ``10 %``, to three digits."""
    return f"{100 * share:.3g} %"


def tell(line: str, quiet: bool = False) -> None:
    """A line on stderr, of what is done or was left undone; a reader of it who leaves ends no work."""
    if not quiet:
        with suppress(BrokenPipeError):
            print(line, file=sys.stderr)


class Terminal(Console):
    """A console that takes no square brackets for styles: they stand in the names of files and classes.

    Args:
        errors: write to stderr.
        quiet: write nothing.
    """

    def __init__(self, *, errors: bool = False, quiet: bool = False) -> None:
        # A file, or another program, has no width: nothing is wrapped for it.
        stream = sys.stderr if errors else sys.stdout
        width = None if stream.isatty() or "COLUMNS" in os.environ else UNBOUNDED
        super().__init__(stderr=errors, quiet=quiet, width=width, highlight=False, markup=False, emoji=False)

    def on_broken_pipe(self) -> None:
        """A reader of results who leaves is left to the command line, which ends well; one of progress ends no training."""
        if not self.stderr:
            raise BrokenPipeError
        self.quiet = True
