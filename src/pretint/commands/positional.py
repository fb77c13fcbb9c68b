"""Arguments of the command line that stand by their place, how help shows them, and how Python calls may give them. Loads no torch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from pretint.errors import OptionError

Run = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN")]
Runs = Annotated[
    tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="RUN ...", help_behavior_hint="(required)")
]
Pictures = Annotated[
    tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="PICTURES ...", help_behavior_hint="(required)")
]


def as_path(given: str | Path) -> Path:
    """A path, as a Python call may name it.

    Raises:
        OptionError: it is an empty text, which as a path would be the current folder.
    """
    if given == "":
        raise OptionError("one of the paths is empty; give it a value, or leave it out")
    return Path(given)


def as_paths(given: str | Path | Sequence[str | Path]) -> tuple[Path, ...]:
    """One path or several, as a Python call may name them.

    Raises:
        OptionError: one is an empty text.
    """
    return tuple(map(as_path, [given] if isinstance(given, str | Path) else given))
