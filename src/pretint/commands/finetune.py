"""``pretint finetune``: train a backbone on a task with labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pretint.commands.resolve import Schema, options_from_arguments, options_from_call
from pretint.experiments.options import FinetuneOptions
from pretint.experiments.results import FinetuneResult
from pretint.shipped import as_text

SCHEMA = Schema("finetune", FinetuneOptions, {"task": "tasks", "backbone": "networks"})


def finetune(*, task: str, data: str | Path, out: str | Path, quiet: bool = True, **options: Any) -> FinetuneResult:
    """Fine-tune on a task, from pretrained weights (``init``) or from scratch.

    Args:
        task: ``multilabel``, ``classification`` or ``segmentation``.
        data: folder of labelled pictures.
        out: folder for the run.
        quiet: print no progress.
        **options: every option of ``pretint finetune`` by its name; sections are mappings: ``unet={"width": 0.25}``.

    Raises:
        PretintError: an option, the data, the weights or the folder is not right.
        Interrupted: stopped by a signal, after saving.
    """
    if isinstance(options.get("classes"), str):
        options["classes"] = options["classes"].split(",")
    if "init" in options:
        options["init"] = as_text(options["init"])
    return _run(options_from_call(SCHEMA, {"task": task, "data": data, "out": out, **options}), quiet)


def command(arguments: Sequence[str]) -> None:
    """The verb on the command line."""
    result = _run(options_from_arguments(SCHEMA, arguments), quiet=False)
    print(result.summary())


def _run(options: FinetuneOptions, quiet: bool) -> FinetuneResult:
    from pretint.experiments.fine_tuning import finetune as train

    return train(options, quiet)
