"""One look at every picture, for all that must be known before a training: is it broken, what colours has it, and its hashes.

Pictures are opened small, in processes of their own; what was seen is kept in a cache (``looks``) by path, size and time of change, so
that a second look at a million pictures takes seconds. ``screening`` judges the colours, ``duplicates`` compares the hashes.

Colour is measured on a thumbnail of 32 x 32 pixels: the spread of its ab, sqrt(var a + var b) in Lab units, and what is left of the spread
when a cubic in the lightness is taken away.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pretint.data import picture_hash
from pretint.data.looks import UNSEEN, Look, Looks
from pretint.data.processes import in_order
from pretint.data.reading import read_rgb
from pretint.data.record import Record, Span
from pretint.errors import DataError

_SIDE = 32
_CHUNK = 64

Progress = Callable[[int, int], None]
_Small = tuple[NDArray[np.uint8], bytes]  # thumbnail (32, 32, 3) and hashes


def look(
    records: Sequence[Record],
    workers: int = 0,
    cache: Path | None = None,
    progress: Progress | None = None,
    earlier: Sequence[Path] = (),
    hashes: bool = True,
) -> Looks:
    """Look at every picture once.

    Args:
        records: of the pictures.
        workers: processes that open pictures; 0 opens them here.
        cache: file of earlier looks, used and brought up to date.
        progress: told (pictures looked at, all pictures) now and then.
        earlier: further such files, which are only read.
        hashes: whether hashes are wanted that are known from before.

    Returns:
        A look for each picture, in their order.

    Raises:
        ResourceError: a process was killed, or the cache cannot be written.
    """
    looks = Looks.none_of(records)
    if cache:
        looks.fill(cache, hashes=hashes, cache=True)
    for file in earlier:  # what the cache does not know yet it is to keep, with its hashes
        if (looks.state != UNSEEN).all():
            break
        looks.fill(file, hashes=hashes or cache is not None, cache=False)
    new = np.flatnonzero(looks.state == UNSEEN)
    done = len(looks) - len(new)
    try:
        for place, seen in zip(new.tolist(), _look(records, new, workers), strict=True):
            looks.put(place, seen)
            done += 1
            if progress and (done % _CHUNK == 0 or done == len(looks)):
                progress(done, len(looks))
    finally:
        if cache and not looks.kept.all():
            looks.save(cache)
    return looks


def look_at(rgb: NDArray[np.uint8]) -> Look:
    """The colours of one picture (H, W, 3) that is open already; without its hashes."""
    (seen,) = _judge([(_thumbnail(rgb), b"")])
    return seen


def _look(records: Sequence[Record], places: NDArray[np.int64], workers: int) -> Iterator[Look]:
    chunks = (places[i : i + _CHUNK].tolist() for i in range(0, len(places), _CHUNK))
    tasks = ([records[place].where for place in chunk] for chunk in chunks)
    for found in in_order(_open_small, tasks, workers if len(places) > _CHUNK else 0):
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
