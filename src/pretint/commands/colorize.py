"""``pretint colorize``: colour photographs at their full size."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pretint.commands import left_out, positional
from pretint.commands.resolve import plain_options
from pretint.errors import OptionError
from pretint.recipe import check_choices
from pretint.shipped import NAME, as_text, where
from pretint.terminal import counted, tell

if TYPE_CHECKING:
    from pretint.inference.colorizing import ColorizeResult


@dataclass(frozen=True, kw_only=True)
class ColorizeOptions:
    """Colour photographs. The colours are predicted at the network's size and joined to the picture's own lightness at full
    size, so sharpness, EXIF and colour profile stay.

    examples:
      pretint colorize holiday.jpg ALBUM
      pretint colorize ALBUM --setting vivid --out vivid
      pretint colorize ALBUM --model runs/photos --out coloured
    """

    paths: positional.Pictures
    """Pictures, or folders of pictures."""
    out: Path = Path("coloured")
    """Folder for the coloured pictures; JPEGs stay JPEGs, others become PNG."""
    model: str = NAME
    """A run of pretint pretrain, a .safetensors file of one, or pretint, the model that comes with the package."""
    setting: Literal["accurate", "vivid"] = "accurate"
    """Near the true colours, or lively at some cost of that; vivid needs a file of pretint export, or pretint."""
    samples: int = 1
    """Colorizations of each picture; more than one keeps dropout on, and each is different. Needs a network with dropout: a U-Net."""
    seed: int = 0
    """Seed of the samples."""
    overwrite: bool = False
    """Colour again what is in --out already."""
    precision: Literal["auto", "float32", "bf16"] = "auto"
    """Arithmetic of the network on a CPU; auto is bf16 where the CPU has instructions for it."""

    def __post_init__(self) -> None:
        check_choices(self)
        if self.samples < 1:
            raise OptionError(f"--samples {self.samples}: must be at least 1")
        if not self.paths:
            raise OptionError("colorize: name at least one picture or folder")


def colorize(
    paths: str | Path | Sequence[str | Path],
    *,
    out: str | Path = "coloured",
    model: str | Path = NAME,
    setting: Literal["accurate", "vivid"] = "accurate",
    samples: int = 1,
    seed: int = 0,
    overwrite: bool = False,
    precision: Literal["auto", "float32", "bf16"] = "auto",
) -> "ColorizeResult":
    """Colour pictures into a folder; options as in ``pretint colorize``.

    Raises:
        PretintError: no pictures, or a model that does not fit.
    """
    options = ColorizeOptions(
        paths=positional.as_paths(paths),
        out=positional.as_path(out),
        model=as_text(model),
        setting=setting,
        samples=samples,
        seed=seed,
        overwrite=overwrite,
        precision=precision,
    )
    return _run(options, quiet=True)


def command(arguments: Sequence[str]) -> None:
    """The verb on the command line."""
    options = plain_options(ColorizeOptions, "colorize", arguments)
    result = _run(options, quiet=False)
    tell(result.how)
    if result.present:
        tell(f"{len(result.present)} were there already; --overwrite colours them again")
    left_out.end(result.refused, f"{counted(len(result.written), 'coloured picture')} in {options.out}", "coloured")


def _run(options: ColorizeOptions, quiet: bool) -> "ColorizeResult":
    where(options.model)  # a package without a model is told of before torch is loaded
    from pretint.inference.colorizing import colorize_files
    from pretint.training.progress import counting

    with counting("colouring", quiet) as progress:
        return colorize_files(
            options.paths,
            options.out,
            options.model,
            samples=options.samples,
            seed=options.seed,
            overwrite=options.overwrite,
            setting=options.setting,
            precision=options.precision,
            progress=progress,
        )
