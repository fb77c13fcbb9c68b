"""``pretint pretrain``: learn from pictures without labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pretint.commands.resolve import Schema, options_from_arguments, options_from_call
from pretint.experiments.options import PretrainOptions
from pretint.experiments.results import PretrainResult

SCHEMA = Schema("pretrain", PretrainOptions, {"pretext": "pretexts", "backbone": "networks"})


def pretrain(
    *, data: str | Path | Sequence[str | Path], out: str | Path, quiet: bool = True, **options: Any
) -> PretrainResult:
    """Pretrain a backbone on pictures without labels.

    Args:
        data: a folder of pictures, or several.
        out: folder for the run.
        quiet: print no progress.
        **options: every option of ``pretint pretrain`` by its name; sections are mappings: ``cgan={"l1_weight": 10}``.

    Raises:
        PretintError: an option, the data or the folder is not right.
        Interrupted: stopped by a signal, after saving.
    """
    folders = [data] if isinstance(data, str | Path) else list(data)
    return _run(options_from_call(SCHEMA, {"data": folders, "out": out, **options}), quiet)


def command(arguments: Sequence[str]) -> None:
    """The verb on the command line."""
    result = _run(options_from_arguments(SCHEMA, arguments), quiet=False)
    print(result.summary())


def _run(options: PretrainOptions, quiet: bool) -> PretrainResult:
    from pretint.experiments.pretraining import pretrain as train

    return train(options, quiet)
