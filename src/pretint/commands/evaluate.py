"""``pretint evaluate``: score a run on test pictures."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pretint.commands import positional
from pretint.commands.resolve import plain_options
from pretint.errors import OptionError, PretintError
from pretint.recipe import check_choices
from pretint.shipped import as_text
from pretint.terminal import counted, tell

WIDE = 112
"""Columns of a terminal that the table of a colorizer fits into with its ranges; a number that is cut would be another number."""


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """Score a run on pictures it was not trained on, beside the scores of knowing nothing.

    examples:
      pretint evaluate runs/cells --data CELLS
      pretint evaluate pretint --data PHOTOS --json
    """

    run: positional.Run
    """A run of pretint pretrain or finetune, a .safetensors file of one, or pretint, the model that comes with the package."""
    data: Path
    """Folder of test pictures: any photos for a colorizer, labelled ones for a task."""
    split: str | None = None
    """List of pictures to score on; where not given: test, else val, else all pictures."""
    layout: str | None = None
    """How the data lie in their folder; recognised where not given."""
    setting: Literal["accurate", "vivid"] | None = None
    """Of a colorizer: near the true colours, or lively; where not given, all settings that it has, side by side."""
    json: bool = False
    """Print one JSON document."""

    def __post_init__(self) -> None:
        check_choices(self)


def evaluate(
    run: str | Path,
    *,
    data: str | Path,
    split: str | None = None,
    layout: str | None = None,
    setting: Literal["accurate", "vivid"] | None = None,
) -> dict[str, Any]:
    """Score a run; gives back what ``pretint evaluate --json`` prints.

    A colorizer: rows ``model``, ``grey`` and ``mean_colour``, each with ``psnr`` (dB), ``ssim``, ``auc``, ``colourfulness``
    and ``colourfulness_difference`` as mean, min and max over pictures, ``auc_balanced`` and ``colourfulness_share``;
    ``settings`` holds such a row for each setting, ``model`` is that of ``setting``; ``left_out`` counts the ``grey``, the
    too ``small`` and the ``unreadable``, of which ``refused`` has the reasons. A task, where each picture of the list must be
    readable: ``scores`` and ``constant``.

    Raises:
        PretintError: the run or the data are not right.
    """
    options = EvaluateOptions(
        run=as_text(run), data=positional.as_path(data), split=split, layout=layout, setting=setting
    )
    return _run(options, quiet=True)


def command(arguments: Sequence[str]) -> None:
    """The verb on the command line."""
    options = plain_options(EvaluateOptions, "evaluate", arguments)
    result = _run(options, quiet=False)
    refused = result.get("refused", [])
    for reason in refused:
        tell(f"left out: {reason}")
    if uncounted := _uncounted(result.get("left_out", {})):
        tell(f"left out of the scores: {uncounted}")
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        _show(result, "--split or --data" if options.split else "--split, or other --data")
    if refused:
        raise PretintError(
            f"{counted(len(refused), 'picture')} could not be scored, as told above; the scores are of the others"
        )


def _uncounted(left_out: Mapping[str, int]) -> str:
    """Of what can be read, how much counts in no score; empty where there is none."""
    from pretint.inference.evaluating import SMALLEST

    grey, small = left_out.get("grey", 0), left_out.get("small", 0)
    return f"{counted(grey, 'grey picture')}, {small} below {SMALLEST} pixels a side" if grey or small else ""


def _show(result: dict[str, Any], other: str) -> None:
    """The tables, and whether the pictures were trained on; `other` is what would name others."""
    from pretint.terminal import Terminal

    console = Terminal()
    for table in _tables(result, ranges=console.width >= WIDE):
        console.print(table)
    if result["trained_on_these"]:
        tell(f"these pictures were trained on: the scores say nothing about others; name another {other}")
    elif result["trained_on_these"] is None:
        tell(
            "whether these pictures were trained on cannot be told; where they were, the scores say nothing about others"
        )


def _run(options: EvaluateOptions, quiet: bool) -> dict[str, Any]:
    from pretint.inference.evaluating import evaluate_colorization, evaluate_task
    from pretint.inference.models import load_task, open_trained
    from pretint.training.progress import counting

    trained = open_trained(options.run)
    with counting("scoring", quiet) as progress:
        if trained.description["kind"] == "pretrain":
            return evaluate_colorization(
                trained, options.data, options.split, options.layout, progress, options.setting
            )
        if options.setting:
            raise OptionError(
                f"--setting {options.setting}: is for colorizers, but {options.run} was trained on a task"
            )
        return evaluate_task(load_task(trained), options.data, options.split, options.layout, progress)


def _tables(result: dict[str, Any], ranges: bool) -> list[Any]:
    """The result as tables for a terminal; with or without the ranges over pictures."""
    from rich.table import Table

    title = f"{counted(result['pictures'], 'picture')} ({result['split']})"
    if "model" in result:
        columns = ("PSNR dB", "SSIM", "AUC of ab", "balanced", "colourfulness")
        means = "mean (min to max)" if ranges else "means; --json has the ranges over pictures"
        table = Table("", *columns, title=f"{title}; {means}", title_justify="left")
        settings = {f"model, {setting}": row for setting, row in result["settings"].items()}
        shown = {**settings, "grey": result["grey"], "mean colour": result["mean_colour"]}
        for words, row in shown.items():
            spreads = {score: _spread(row[score], ranges) for score in ("psnr", "ssim", "auc", "colourfulness")}
            table.add_row(words, *list(spreads.values())[:3], f"{row['auc_balanced']:.4g}", spreads["colourfulness"])
        table.add_row("original", "", "", "", "", _spread(result["original"]["colourfulness"], ranges))
        return [table]
    scores, constant = result["scores"], result["constant"]
    table = Table("score", "network", "constant predictor", title=title, title_justify="left")
    for name, value in scores.items():
        rows = value.items() if isinstance(value, dict) else [("", value)]
        for label, number in rows:
            other = constant[name][label] if label else constant[name]
            table.add_row(f"{name} {label}".strip(), _number(number), _number(other))
    return [table]


def _spread(values: dict[str, float], ranges: bool) -> str:
    return f"{values['mean']:.4g}" + (f" ({values['min']:.3g} to {values['max']:.3g})" if ranges else "")


def _number(value: float | None) -> str:
    return "absent" if value is None else f"{value:.4f}"
