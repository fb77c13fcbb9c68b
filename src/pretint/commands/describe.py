"""``pretint describe``: what a recipe or a run is."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from pretint import recipe
from pretint.commands.pretrain import SCHEMA
from pretint.commands.resolve import options_from_call, plain_options
from pretint.errors import OptionError


@dataclass(frozen=True, kw_only=True)
class DescribeOptions:
    """Networks, parameters, multiply-adds, steps and files of a recipe or a run."""

    source: tyro.conf.Positional[str]
    """A recipe of pretint pretrain (small, bins, paper, paper-code, paper-text, or a .toml file), or the folder of a run."""
    pictures: int = 82_783
    """Training pictures, for the count of a recipe's steps; the paper's COCO 2014 train has 82,783."""
    json: bool = False
    """Print one JSON document."""

    def __post_init__(self) -> None:
        if self.pictures < 1:
            raise OptionError(f"--pictures {self.pictures}: must be at least 1")


def describe(source: str, *, pictures: int = 82_783) -> dict[str, Any]:
    """Describe a recipe or a run; gives back what ``pretint describe --json`` prints.

    Raises:
        PretintError: there is no such recipe or run.
    """
    return _run(DescribeOptions(source=str(source), pictures=pictures))


def command(arguments: Sequence[str]) -> None:
    """The verb on the command line."""
    options = plain_options(DescribeOptions, "describe", arguments)
    result = _run(options)
    if options.json:
        print(json.dumps(result, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(
        "network", "trainable", "total", "multiply-adds a picture", title=f"{options.source}", title_justify="left"
    )
    for name, counts in result["networks"].items():
        table.add_row(name, *(f"{counts[column]:,}" for column in ("trainable", "total", "multiply_adds")))
    console.print(table)
    if steps := result["steps"]:
        console.print(f"{steps['total']:,} steps: {steps['per_epoch']:,} an epoch with {steps['pictures']:,} pictures")
    if "state" in result:
        console.print(f"{result['state']} at step {result['done']:,}; best checkpoint: {result['best'] or 'none yet'}")
        for name, size in result["files"].items():
            console.print(f"  {size:>12,}  {name}")


def _run(options: DescribeOptions) -> dict[str, Any]:
    from pretint.experiments.describing import describe_recipe, describe_run, is_run
    from pretint.run_folder import RunFolder

    if is_run(options.source):
        return describe_run(RunFolder.open(Path(options.source)))
    values = recipe.as_values(options_from_call(SCHEMA, {"recipe": options.source, "data": ["."], "out": "."}))
    return describe_recipe({k: v for k, v in values.items() if k not in ("data", "out", "resume")}, options.pictures)
