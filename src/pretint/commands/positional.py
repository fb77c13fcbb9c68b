"""Arguments of the command line that stand by their place, and how help shows them. Loads no torch."""

from pathlib import Path
from typing import Annotated

import tyro

Run = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN")]
Runs = Annotated[
    tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="RUN ...", help_behavior_hint="(required)")
]
Pictures = Annotated[
    tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="PICTURES ...", help_behavior_hint="(required)")
]
