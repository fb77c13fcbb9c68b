"""``pretint predict``: labels or masks for new pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pretint.commands import left_out, positional
from pretint.commands.resolve import plain_options
from pretint.errors import OptionError
from pretint.shipped import as_text
from pretint.terminal import counted

if TYPE_CHECKING:
    from pretint.inference.predicting import PredictResult


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """Labels or masks for new pictures, by a fine-tuned run.

    examples:
      pretint predict runs/cells NEW_PICTURES --out predicted
    """

    run: positional.Run
    """A run of pretint finetune, or a .safetensors file of one."""
    paths: positional.Pictures
    """Pictures, or folders of pictures."""
    out: Path
    """Folder for labels.csv, or for masks/ and overlays/."""
    overwrite: bool = False
    """Replace labels.csv, or masks and overlays, that are in --out already."""

    def __post_init__(self) -> None:
        if not self.paths:
            raise OptionError("predict: name at least one picture or folder after the run")


def predict(
    run: str | Path, paths: str | Path | Sequence[str | Path], *, out: str | Path, overwrite: bool = False
) -> "PredictResult":
    """Predict for pictures; options as in ``pretint predict``.

    Raises:
        PretintError: no pictures, a run that is no fine-tuning, or results in ``out`` already.
    """
    options = PredictOptions(
        run=as_text(run), paths=positional.as_paths(paths), out=positional.as_path(out), overwrite=overwrite
    )
    return _run(options, quiet=True)


def command(arguments: Sequence[str]) -> None:
    """The verb on the command line."""
    options = plain_options(PredictOptions, "predict", arguments)
    result = _run(options, quiet=False)
    left_out.end(result.refused, f"{counted(len(result.written), 'file')} in {options.out}", "predicted")


def _run(options: PredictOptions, quiet: bool) -> "PredictResult":
    from pretint.inference.predicting import predict_files
    from pretint.training.progress import counting

    with counting("predicting", quiet) as progress:
        return predict_files(options.run, options.paths, options.out, progress, overwrite=options.overwrite)
