"""What a layout hands on: records of pictures, and the source that lists them by split."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pretint.errors import DataError
from pretint.methods import suggest

VOID = 255
"""Class index of pixels that count nowhere: neither in losses nor in metrics."""


@dataclass(frozen=True, slots=True)
class Box:
    """One object: its class and its corners in pixels, right and bottom included (counted from 1, as in VOC)."""

    label: str
    left: float
    top: float
    right: float
    bottom: float
    difficult: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """One picture and what is known of it.

    Attributes:
        id: stable name: the path below the root of the data with forward slashes; stays the same when the root moves.
        path: the picture's file.
        labels: names of the classes it shows, in the order of the source's classes; None when unknown (an empty tuple: none of them).
        mask: file of class ids, one a pixel, of the picture's size.
        boxes: objects, where the layout has them.
    """

    id: str
    path: Path
    labels: tuple[str, ...] | None = None
    mask: Path | None = None
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True)
class Source:
    """The pictures of one folder.

    Attributes:
        layout: name of the layout that read it.
        root: the folder.
        classes: names of the labels, K of them; empty without labels.
        splits: records by the name of their split, each in a stable order; every layout has "all", the pictures of all splits and of none.
        mask_classes: names of the mask's class indices, index 0 first; empty without masks.
        mask_map: id in a mask's file -> class index, or VOID for pixels that count nowhere. Ids outside it are faults.
    """

    layout: str
    root: Path
    classes: tuple[str, ...]
    splits: Mapping[str, tuple[Record, ...]]
    mask_classes: tuple[str, ...] = ()
    mask_map: Mapping[int, int] = field(default_factory=dict)

    def split(self, name: str) -> tuple[Record, ...]:
        """The records of a split.

        Raises:
            DataError: there is no split of this name.
        """
        if name not in self.splits:
            raise DataError(f"{self.root}: no split {name!r} here; {suggest(name, self.splits)}")
        return self.splits[name]

    @property
    def test_split(self) -> str:
        """Name of the split that is for testing where none is named: test, else val, else all."""
        return next(name for name in ("test", "val", "all") if name in self.splits)


def fingerprint(records: Iterable[Record]) -> str:
    """A short name of the data: 16 hex digits of SHA-256 over ids, labels, file sizes of pictures and masks, in their order.

    Equal where the same pictures are given in the same order, wherever their folder lies; it opens no picture.

    Raises:
        DataError: a file is gone.
    """
    digest = hashlib.sha256()
    for record in records:
        try:
            sizes = (record.path.stat().st_size, record.mask.stat().st_size if record.mask else None)
        except OSError as error:
            raise DataError(
                f"{error.filename}: this file was listed but is gone; restore it or list the folder anew"
            ) from None
        digest.update(repr((record.id, record.labels, sizes)).encode())
    return digest.hexdigest()[:16]
