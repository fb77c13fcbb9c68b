"""``pretint embed``: features of pictures, as tables of numbers."""

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
    from pretint.inference.embedding import EmbedResult


@dataclass(frozen=True, kw_only=True)
class EmbedOptions:
    """Features of pictures by a trained backbone: for each level of its pyramid the mean over the picture, a row a picture.

    examples:
      pretint embed pretint ALBUM --out features
      pretint embed runs/photos ALBUM holiday.jpg --out features --depth 8
    """

    run: positional.Run
    """A run of pretint pretrain or finetune, a .safetensors file of one, or pretint, the model that comes with the package."""
    paths: positional.Pictures
    """Pictures, or folders of pictures."""
    out: Path
    """Folder for features-STRIDE.npy (float32, pictures x channels) and files.csv (the picture of each row)."""
    depth: str = "all"
    """Level of the backbone: its stride in pixels (2 is a U-Net's finest), or all."""

    def __post_init__(self) -> None:
        if not self.paths:
            raise OptionError("embed: name at least one picture or folder after the run")
        if self.depth != "all" and not self.depth.isdecimal():
            raise OptionError(f"--depth {self.depth}: is a stride of the backbone, such as 8, or all")


def embed(
    run: str | Path, paths: str | Path | Sequence[str | Path], *, out: str | Path, depth: int | str = "all"
) -> "EmbedResult":
    """Features of pictures; options as in ``pretint embed``.

    Returns:
        ``features`` by stride, float32 (N, C); ``files``, the picture of each row; ``written`` and ``refused``.

    Raises:
        PretintError: no pictures, no such run or depth, or features in ``out`` already.
    """
    options = EmbedOptions(
        run=as_text(run), paths=positional.as_paths(paths), out=positional.as_path(out), depth=str(depth)
    )
    return _run(options, quiet=True)


def command(arguments: Sequence[str]) -> None:
    """The verb on the command line."""
    options = plain_options(EmbedOptions, "embed", arguments)
    result = _run(options, quiet=False)
    shapes = ", ".join(f"{table.shape[1]} at stride {stride}" for stride, table in result.features.items())
    left_out.end(
        result.refused, f"features of {counted(len(result.files), 'picture')} in {options.out}: {shapes}", "embedded"
    )


def _run(options: EmbedOptions, quiet: bool) -> "EmbedResult":
    from pretint.data.processes import default_workers
    from pretint.inference.embedding import embed_files
    from pretint.training.progress import counting

    with counting("embedding", quiet) as progress:
        return embed_files(options.run, options.paths, options.out, options.depth, default_workers(), progress)
