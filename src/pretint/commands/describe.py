"""``pretint describe``: what a recipe or a run is."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from pretint import recipe
from pretint.commands.pretrain import SCHEMA
from pretint.commands.resolve import options_from_call, plain_options
from pretint.errors import OptionError, RunError
from pretint.shipped import NAME, as_text, where

PAPER_PICTURES = 82_783
"""Pictures of COCO 2014 train, on which the paper pretrains."""


@dataclass(frozen=True, kw_only=True)
class DescribeOptions:
    """Networks, parameters, multiply-adds, steps and files of a recipe or a run.

    examples:
      pretint describe paper
      pretint describe runs/photos
    """

    source: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RECIPE|RUN|FILE")]
    """A recipe of pretint pretrain (best, bins, small, paper, paper-code, paper-text, or a .toml file), the folder of a run, a .safetensors file of one, or pretint, the model that comes with the package."""
    pictures: int = PAPER_PICTURES
    """Training pictures, for the count of a recipe's steps; the paper's COCO 2014 train has 82,783."""
    json: bool = False
    """Print one JSON document."""

    def __post_init__(self) -> None:
        if self.pictures < 1:
            raise OptionError(f"--pictures {self.pictures}: must be at least 1")


def describe(source: str | Path, *, pictures: int = PAPER_PICTURES) -> dict[str, Any]:
    """Describe a recipe, a run or a weights' file; gives back what ``pretint describe --json`` prints.

    Raises:
        PretintError: there is no such recipe or run.
    """
    return _run(DescribeOptions(source=as_text(source), pictures=pictures))


def command(arguments: Sequence[str]) -> None:
    """The verb on the command line."""
    options = plain_options(DescribeOptions, "describe", arguments)
    result = _run(options)
    if options.json:
        print(json.dumps(result, indent=2))
        return
    from rich.table import Table

    from pretint.terminal import Terminal, counted

    console = Terminal()
    table = Table(
        "network", "trainable", "total", "multiply-adds a picture", title=f"{options.source}", title_justify="left"
    )
    for name, counts in result["networks"].items():
        table.add_row(name, *(f"{counts[column]:,}" for column in ("trainable", "total", "multiply_adds")))
    console.print(table)
    if steps := result["steps"]:
        console.print(
            f"{counted(steps['total'], 'step')}: {steps['per_epoch']:,} an epoch with {counted(steps['pictures'], 'picture')}"
        )
    for line in _lines(result.get("weights", {})):
        console.print(line)
    if "files" in result:
        best = result["best"]
        told = f"of step {best['step']:,}, {best['score']} {best['value']:.4g}" if best else "none yet"
        console.print(f"{result['state']} at step {result['done']:,}; best checkpoint: {told}")
        for name, size in result["files"].items():
            console.print(f"  {size:>12,}  {name}")


def _run(options: DescribeOptions) -> dict[str, Any]:
    from pretint.experiments.describing import describe_recipe, describe_run, describe_weights, is_run
    from pretint.run_folder import RunFolder

    if options.source == NAME or options.source.endswith(".safetensors"):
        return describe_weights(where(options.source))
    if is_run(options.source):
        return describe_run(RunFolder.open(Path(options.source)))
    path = Path(options.source)
    if options.source not in recipe.shipped("pretrain") and (
        path.is_dir() or (len(path.parts) > 1 and path.suffix != ".toml")
    ):
        raise RunError(
            f"{options.source}: is no run (it has no run.json) and no file of weights or recipe; name one of these"
        )
    values = recipe.as_values(options_from_call(SCHEMA, {"recipe": options.source, "data": ["."], "out": "."}))
    return describe_recipe({k: v for k, v in values.items() if k not in ("data", "out", "resume")}, options.pictures)


def _lines(weights: Mapping[str, Any]) -> Iterator[str]:
    """What a weights' file says of itself, for a terminal."""
    if not weights:
        return
    from pretint.terminal import counted

    kind = "half precision" if weights.get("half") else "float32"
    yield f"{weights['bytes']:,} bytes, {kind}; backbone {weights['backbone']}, {weights['size']} px, planes {weights['planes']}"
    if data := weights.get("data"):
        yield f"trained on {counted(data['training'], 'picture')}, {data['held_out']:,} held out"
    for name, setting in weights.get("settings", {}).items():
        dials = ", ".join(f"{dial} {value:g}" for dial, value in setting["decoding"].items())
        yield f"setting {name}: {dials}; PSNR {setting['psnr']:.2f} dB, {setting['colourfulness_share']:.0%} of the colourfulness"
    if chosen := weights.get("chosen_on"):
        yield f"settings chosen on {counted(chosen['pictures'], 'picture')} ({chosen['which']})"
