"""Any folder of pictures, searched through all its folders; no labels."""

import os
from collections.abc import Iterator
from pathlib import Path

from pretint.data.reading import PICTURE_SUFFIXES
from pretint.data.record import Record, Source
from pretint.errors import DataError


def recognises(folder: Path) -> bool:
    """True when there is a picture in the folder or below."""
    return next(walk(folder), None) is not None


def read(folder: Path, classes: tuple[str, ...] | None = None, other: str = "void", task: str | None = None) -> Source:
    """List every picture; the only split is "all"."""
    records = tuple(Record(id=path.relative_to(folder).as_posix(), path=path) for path in walk(folder))
    return Source(layout="pictures", root=folder, classes=(), splits={"all": records})


def walk(folder: Path) -> Iterator[Path]:
    """Every picture in the folder and below, in the same order everywhere (by name, files before folders).

    Hidden files and folders (a leading dot) are passed over; links to folders are followed, each folder once.
    """
    return _walk(folder, set())


def _walk(folder: Path, seen: set[str]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    files, folders = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                folders.append(entry.name)
            elif os.path.splitext(entry.name)[1].lower() in PICTURE_SUFFIXES:  # noqa: PTH122 - a Path a file is slow
                files.append(entry.name)
    for name in sorted(files):
        yield folder / name
    for name in sorted(folders):
        yield from _walk(folder / name, seen)


def pictures_below(path: Path) -> Iterator[tuple[Path, Path]]:
    """A picture, or every picture of a folder, each with its place below it.

    Raises:
        DataError: there is nothing at this path, or no picture in it.
    """
    if path.is_file():
        yield path, Path(path.name)
        return
    if not path.is_dir():
        raise DataError(f"{path}: there is no such file or folder; check the path")
    if not recognises(path):
        raise DataError(f"{path}: no pictures here; check the path")
    for source in walk(path):
        yield source, source.relative_to(path)
