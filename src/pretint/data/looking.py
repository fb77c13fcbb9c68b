"""One look at every picture, for all that must be known before a training: is it broken, what colours has it, and its hashes.

Pictures are opened small, in processes of their own; what was seen is kept in a cache by (path, size, time of change), so that a second
look at a million pictures takes seconds. ``screening`` judges the colours, ``duplicates`` compares the hashes.

Colour is measured on a thumbnail of 32 x 32 pixels: the spread of its ab, sqrt(var a + var b) in Lab units, and what is left of the spread
when a cubic in the lightness is taken away.
"""

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pretint.data import picture_hash
from pretint.data.processes import in_order
from pretint.data.reading import read_rgb
from pretint.data.record import Span
from pretint.errors import DataError

_SIDE = 32
_CHUNK = 64
_COLUMNS = ["path", "bytes", "changed_ns", "fault", "spread", "left", "a", "b", "hashes"]


class Look(NamedTuple):
    """What was seen of one picture.

    Attributes:
        fault: why the picture cannot be read; "" where it can, else the rest is empty.
        spread: of its ab, in Lab units.
        left: of the spread when a cubic in the lightness is taken away.
        a: mean a, in Lab units.
        b: mean b.
        hashes: see ``picture_hash.hashes``; empty for a picture of one grey.
    """

    fault: str
    spread: float = 0.0
    left: float = 0.0
    a: float = 0.0
    b: float = 0.0
    hashes: bytes = b""


Progress = Callable[[int, int], None]
_Key = tuple[str, int, int]
_Small = tuple[NDArray[np.uint8], bytes]  # thumbnail (32, 32, 3) and hashes


def look(
    paths: Sequence[Path | Span],
    workers: int = 0,
    cache: Path | None = None,
    progress: Progress | None = None,
    earlier: Sequence[Path] = (),
) -> list[Look]:
    """Look at every picture once.

    Args:
        paths: the pictures.
        workers: processes that open pictures; 0 opens them here.
        cache: file of earlier looks, used and brought up to date.
        progress: told (pictures looked at, all pictures) now and then.
        earlier: further such files, which are only read.

    Returns:
        A look for each path, in their order.

    Raises:
        ResourceError: a process was killed.
    """
    keys = [_key(path) for path in paths]
    known: dict[_Key, Look] = {}
    for file in (*earlier, *([cache] if cache else [])):
        known |= _load(file)
    new = [i for i, key in enumerate(keys) if key not in known]
    done = len(paths) - len(new)
    try:
        for place, seen in zip(new, _look([paths[i] for i in new], workers), strict=True):
            known[keys[place]] = seen
            done += 1
            if progress and (done % _CHUNK == 0 or done == len(paths)):
                progress(done, len(paths))
    finally:
        if cache and new:
            _save(cache, known)
    return [known[key] for key in keys]


def look_at(rgb: NDArray[np.uint8]) -> Look:
    """The colours of one picture (H, W, 3) that is open already; without its hashes."""
    (seen,) = _judge([(_thumbnail(rgb), b"")])
    return seen


def _look(paths: list[Path | Span], workers: int) -> Iterator[Look]:
    chunks = [paths[i : i + _CHUNK] for i in range(0, len(paths), _CHUNK)]
    for found in in_order(_open_small, chunks, workers if len(chunks) > 1 else 0):
        yield from _judge(found)


def _open_small(paths: list[Path | Span]) -> list[_Small | str]:
    """Thumbnails uint8 (32, 32, 3) and hashes, or why there are none."""
    found: list[_Small | str] = []
    for path in paths:
        try:
            rgb = read_rgb(path, at_least=picture_hash.SIDE)
        except DataError as error:
            found.append(str(error))
        else:
            found.append((_thumbnail(rgb), picture_hash.hashes(rgb)))
    return found


def _thumbnail(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.array(Image.fromarray(rgb).resize((_SIDE, _SIDE), Image.Resampling.BOX))


def _judge(found: Sequence[_Small | str]) -> Iterator[Look]:
    # Here and not in the processes: colour is torch's, and they do without it.
    import torch

    from pretint.color import rgb_to_lab

    pictures = [item for item in found if not isinstance(item, str)]
    looks: Iterator[Look] = iter(())
    if pictures:
        rgb = torch.from_numpy(np.stack([small for small, _ in pictures])).permute(0, 3, 1, 2)
        labs = rgb_to_lab(rgb.double() / 255).flatten(2).numpy()
        looks = iter([_judge_one(lab, hashes) for lab, (_, hashes) in zip(labs, pictures, strict=True)])
    for item in found:
        yield Look(item) if isinstance(item, str) else next(looks)


def _judge_one(lab: NDArray[np.float64], hashes: bytes) -> Look:
    ab = lab[1:]
    powers = np.vander(lab[0] / 100, 4)
    left = ab.T - powers @ np.linalg.lstsq(powers, ab.T, rcond=None)[0]
    a, b = ab.mean(axis=1).tolist()
    return Look("", float(np.sqrt(ab.var(axis=1).sum())), float(np.sqrt(left.var(axis=0).sum())), a, b, hashes)


def _key(where: Path | Span) -> _Key:
    path = where.path if isinstance(where, Span) else where
    try:
        status = path.stat()
    except OSError:
        return (str(where), -1, -1)
    return (str(where), where.size if isinstance(where, Span) else status.st_size, status.st_mtime_ns)


def _load(cache: Path) -> dict[_Key, Look]:
    try:
        with cache.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            rows = csv.reader(file, delimiter="\t")
            if next(rows) != _COLUMNS:
                raise ValueError
            return {
                (path, int(size), int(changed)): Look(
                    fault, float(spread), float(left), float(a), float(b), _unpacked(hashes)
                )
                for path, size, changed, fault, spread, left, a, b, hashes in rows
                if int(size) >= 0
            }
    except (OSError, ValueError, TypeError, StopIteration, csv.Error):
        return {}  # of another version, or damaged: it is only a cache


def _unpacked(text: str) -> bytes:
    hashes = bytes.fromhex(text)
    if len(hashes) not in (0, picture_hash.SIZE):
        raise ValueError
    return hashes


def _save(cache: Path, known: dict[_Key, Look]) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    beside = cache.with_name(f"{cache.name}.{os.getpid()}")
    with beside.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows([*key, *seen[:-1], seen.hashes.hex()] for key, seen in known.items())
    beside.replace(cache)
