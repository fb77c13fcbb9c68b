"""Any folder of pictures, searched through all its folders; no labels."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pretint.data.file_records import FileRecords, Lines
from pretint.data.reading import PICTURE_SUFFIXES
from pretint.data.record import Source
from pretint.errors import DataError
from pretint.run_folder import MANIFEST, RESULTS


def recognises(folder: Path) -> bool:
    """True when there is a picture in the folder or below."""
    return holds_pictures(folder) or any(files for _, files in _walk(folder, "", set()))


def read(folder: Path, classes: tuple[str, ...] | None = None, other: str = "void", task: str | None = None) -> Source:
    """List every picture; the only split is "all"."""
    records = FileRecords(folder, Lines(names_below(folder), end=b"\0"))
    return Source(layout="pictures", root=folder, classes=(), splits={"all": records})


def names_below(root: Path, below: str = "") -> bytearray:
    """Names of the pictures in a folder and below, as ``walk`` gives them: paths below the root, each ended by a zero byte.

    Args:
        root: what the names begin at.
        below: the folder's path below the root, ended by a slash; "" is the root.
    """
    names = bytearray()
    for folder, files in _walk(root, below, set()):
        names += b"".join(f"{folder}{name}\0".encode("utf-8", "surrogateescape") for name in files)
    return names


def walk(folder: Path) -> Iterator[Path]:
    """Every picture in the folder and below, in the same order everywhere (by name, files before folders).

    Hidden files and folders (a leading dot) are passed over, and below the folder so are runs, studies and what verbs have
    made, whose pictures are none of the data; links to folders are followed, each folder once.
    """
    for below, files in _walk(folder, "", set()):
        yield from (folder / below / name for name in files)


def holds_pictures(folder: Path) -> bool:
    """True when there is a picture in the folder itself."""
    with os.scandir(folder) as entries:  # ends at the first: a folder of a million is not listed for this
        return any(_is_picture(entry) for entry in entries)


@contextmanager
def permitted() -> Iterator[None]:
    """Tell of what may not be read, such as the lost+found of a disk.

    Raises:
        DataError: something may not be read; it is named.
    """
    try:
        yield
    except PermissionError as error:
        raise DataError(
            f"{error.filename}: may not be read; change its permissions, or name folders that it is not in"
        ) from None


def _is_picture(entry: "os.DirEntry[str]") -> bool:
    name = entry.name
    return (
        not name.startswith(".")
        and os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES  # noqa: PTH122 - a Path a file is slow
        and not entry.is_dir()
    )


_MANIFESTS = (MANIFEST, "study.json", RESULTS)


def is_of_ours(folder: Path) -> bool:
    """True for the folder of a run, of a study, or of pictures that a verb made."""
    for name in _MANIFESTS:
        try:
            content = json.loads((folder / name).read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(content, dict) and {"kind", "options"} <= content.keys():
            return True
    return False


def _walk(root: Path, below: str, seen: set[str]) -> Iterator[tuple[str, list[str]]]:
    """Each folder in the order of ``walk``, as what its pictures' names are to be preceded by, and these names, sorted."""
    folder = root / below
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    files, folders, told = [], [], False
    with os.scandir(folder) as entries:
        for entry in entries:
            if _is_picture(entry):
                files.append(entry.name)
            elif entry.name in _MANIFESTS:
                told = True
            elif not entry.name.startswith(".") and entry.is_dir():
                folders.append(entry.name)
    if told and below and is_of_ours(folder):
        return
    yield below, sorted(files)
    for name in sorted(folders):
        yield from _walk(root, f"{below}{name}/", seen)


def pictures_below(path: Path) -> Iterator[tuple[Path, Path]]:
    """A picture, or every picture of a folder, each with its place below it.

    Raises:
        DataError: there is nothing at this path, no picture in it, or a folder that may not be read.
    """
    with permitted():
        if path.is_file():
            yield path, Path(path.name)
            return
        if not path.is_dir():
            raise DataError(f"{path}: there is no such file or folder; check the path")
        if not recognises(path):
            raise DataError(f"{path}: no pictures here; check the path")
        for source in walk(path):
            yield source, source.relative_to(path)
