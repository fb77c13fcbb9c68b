"""Shards that ``pretint prepare`` made: pictures resized once, many in a tar, with an index; no labels. See ``data/shards.py``."""

from pathlib import Path

from pretint.data.record import Source
from pretint.data.shards import describes, open_shards


def recognises(folder: Path) -> bool:
    """True for a folder with shards.json."""
    return describes(folder)


def read(folder: Path, classes: tuple[str, ...] | None = None, other: str = "void", task: str | None = None) -> Source:
    """List every picture in the order of the index; the only split is "all".

    Raises:
        DataError: the shards are not finished or not whole.
    """
    return Source(layout="shards", root=folder, classes=(), splits={"all": open_shards(folder).records()})
