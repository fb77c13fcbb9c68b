"""``pretint prepare``: pictures of any size to shards of pictures that are resized once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pretint.commands import positional
from pretint.commands.resolve import plain_options
from pretint.errors import OptionError
from pretint.recipe import check_choices
from pretint.terminal import counted, tell

if TYPE_CHECKING:
    from pretint.data.preparing import Prepared


@dataclass(frozen=True, kw_only=True)
class PrepareOptions:
    """Resize pictures once and put them into few large files, for trainings that read them many times. Pictures alone: labels,
    masks and boxes are not handed on.

    examples:
      pretint prepare PHOTOS --out shards
      pretint pretrain --data shards --out runs/photos --view.crop window
    """

    data: positional.Pictures
    """Folders of pictures."""
    out: Path
    """Folder for the shards."""
    size: int = 144
    """Shorter side in pixels; nothing is enlarged. For trainings with windows, 9/8 of their size."""
    format: Literal["jpeg", "raw"] = "jpeg"
    """What is kept of a picture: a JPEG, or its plain pixels, which take some eight times the room and no time to decode."""
    quality: int = 90
    """Quality of the JPEGs, 1 to 100; colour is kept at full resolution."""
    split: str | None = None
    """List of the pictures; else train, else all without the pictures of test and val."""
    layout: str | None = None
    """How the folders are laid out; else it is found out."""
    shard_mb: float = 128
    """A file that has reached this many megabytes is closed."""
    workers: int = -1
    """Processes that read pictures; 0: none beside this one, -1: one a core."""
    most_broken: float = 0.05
    """Largest share of unreadable pictures that are left out without an error, in [0, 1]."""
    resume: bool = False
    """Go on with shards that were begun; without any, begin."""

    def __post_init__(self) -> None:
        check_choices(self)
        if not self.data:
            raise OptionError("prepare: name at least one folder of pictures")
        if self.size < 8:
            raise OptionError(f"--size {self.size}: must be at least 8 pixels")
        if not 1 <= self.quality <= 100:
            raise OptionError(f"--quality {self.quality}: lies between 1 and 100")
        if not 0 < self.shard_mb < math.inf:
            raise OptionError(f"--shard-mb {self.shard_mb}: must be a number above 0")
        if self.workers < -1:
            raise OptionError(f"--workers {self.workers}: must be 0 or more, or -1 for one a core")
        if not 0 <= self.most_broken <= 1:
            raise OptionError(f"--most-broken {self.most_broken}: is a share between 0 and 1")


def prepare(
    data: str | Path | Sequence[str | Path],
    *,
    out: str | Path,
    size: int = 144,
    format: Literal["jpeg", "raw"] = "jpeg",
    quality: int = 90,
    split: str | None = None,
    layout: str | None = None,
    shard_mb: float = 128,
    workers: int = 0,
    most_broken: float = 0.05,
    resume: bool = False,
) -> "Prepared":
    """Make shards; options as in ``pretint prepare``, but for ``workers``: no processes of their own unless asked for.

    Raises:
        PretintError: an option, the data or the folder is not right, or too many pictures are broken.
        Interrupted: stopped by a signal; finished shards are kept.
    """
    options = PrepareOptions(
        data=positional.as_paths(data), out=positional.as_path(out), size=size, format=format, quality=quality, split=split,
        layout=layout, shard_mb=shard_mb, workers=workers, most_broken=most_broken, resume=resume,
    )  # fmt: skip
    return _run(options, quiet=True)


def command(arguments: Sequence[str]) -> None:
    """The verb on the command line."""
    options = plain_options(PrepareOptions, "prepare", arguments)
    result = _run(options, quiet=False)
    if result.broken:
        tell(f"left out: {counted(len(result.broken), 'broken picture')} (list: {options.out / 'left_out.tsv'})")
    print(
        f"{counted(result.pictures, 'picture')} in {options.out}: {counted(result.tars, 'shard')}, {result.bytes / 1e6:.1f} MB, "
        f"fingerprint {result.fingerprint}"
    )


def _run(options: PrepareOptions, quiet: bool) -> "Prepared":
    from pretint.data.layouts import open_pool
    from pretint.data.preparing import How, prepare
    from pretint.data.processes import cores
    from pretint.training.progress import counting
    from pretint.training.signals import stop_on_signals

    say = partial(tell, quiet=quiet)

    how = How(
        size=options.size,
        format=options.format,
        quality=options.quality,
        shard_bytes=max(1, round(options.shard_mb * 1e6)),
    )
    records = open_pool(options.data, options.split, options.layout, say)
    with stop_on_signals() as request, counting("preparing", quiet) as progress:
        return prepare(
            records,
            options.out,
            how,
            workers=cores() if options.workers < 0 else options.workers,
            resume=options.resume,
            most_broken=options.most_broken,
            progress=progress,
            stop=lambda: request.asked,
        )
