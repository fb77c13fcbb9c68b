"""``pretint export``: a trained colorizer as one file."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from pretint.commands import positional
from pretint.commands.resolve import plain_options
from pretint.errors import OptionError
from pretint.shipped import as_text
from pretint.terminal import tell

if TYPE_CHECKING:
    from pretint.experiments.exporting import ExportResult


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """Write a trained colorizer to one file that every verb takes in place of a run: the best weights, without optimizer and
    critic, and how its colours are decoded (settings accurate and vivid), chosen on pictures that the training held out.

    examples:
      pretint export runs/photos photos.safetensors --half
      pretint export runs/photos photos.safetensors --half --tune PHOTOS
    """

    run: positional.Run
    """A run of pretint pretrain, or a .safetensors file of one."""
    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE")]
    """The file, which must not exist; its name ends in .safetensors."""
    half: bool = False
    """Store parameters in half precision (half the bytes); refused where that costs more than 0.1 dB."""
    tune: Path | None = None
    """Photos that choose the settings, never those of a test; where not given, those that the training held out."""
    check: Path | None = None
    """Photos on which half precision is checked; where not given, those that choose the settings."""

    def __post_init__(self) -> None:
        if self.check and not self.half:
            raise OptionError(f"--check {self.check}: is for half precision; add --half, or leave it out")


def export(
    run: str | Path,
    out: str | Path,
    *,
    half: bool = False,
    tune: str | Path | None = None,
    check: str | Path | None = None,
) -> "ExportResult":
    """Write a trained colorizer to one file; options as in ``pretint export``.

    Returns:
        ``path``, ``bytes``, and ``description``: what the file says of itself.

    Raises:
        PretintError: the run, the pictures or the file are not right, or half precision costs more than 0.1 dB.
    """
    tune, check = (None if one is None else positional.as_path(one) for one in (tune, check))
    return _run(
        ExportOptions(run=as_text(run), out=positional.as_path(out), half=half, tune=tune, check=check), quiet=True
    )


def command(arguments: Sequence[str]) -> None:
    """The verb on the command line."""
    result = _run(plain_options(ExportOptions, "export", arguments), quiet=False)
    told = result.description
    if told["dropped"]:
        print(f"left out, since only the training needs it: {', '.join(told['dropped'])}")
    for name, one in told.get("settings", {}).items():
        dials = ", ".join(f"{dial} {value:g}" for dial, value in one["decoding"].items() if dial != "marginal")
        print(
            f"{name}: {dials}; PSNR {one['psnr']:.2f} dB, {one['colourfulness_share']:.0%} of the originals' colourfulness"
        )
    for name, one in told.get("check", {}).items():
        if name != "pictures":
            print(f"half precision, {name}: PSNR {one['half']:.3f} dB, float32 {one['float32']:.3f} dB")
    print(f"{result.path}: {result.bytes / 1e6:.1f} MB")


def _run(options: ExportOptions, quiet: bool) -> "ExportResult":
    from pretint.experiments.exporting import export as write

    say = partial(tell, quiet=quiet)

    return write(
        options.run, options.out, half=options.half, tune=options.tune, check=options.check, say=say, quiet=quiet
    )
