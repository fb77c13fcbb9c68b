"""A first look at every picture: which are broken, which have no colour, and the mean colour of the rest.

Pictures are opened small, in processes of their own; what was seen is kept in a cache by (path, size, time of change), so that a second
look at a million pictures takes seconds. Colour is judged on a thumbnail of 32 x 32 pixels by the spread of its ab, sqrt(var a + var b) in
Lab units, and by what is left of it when a cubic in the lightness is taken away, since a toned picture has one colour for each lightness:

    grey      spread below 1.5 and the mean within 3 of neutral: a grey picture, whatever its file says
    tinted    not grey, but below 1.5 is left: sepia, scans, one cast over all; such a picture teaches no colours of things either
"""

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pretint.data.processes import in_order
from pretint.data.reading import read_rgb
from pretint.data.record import Record, Span, pick
from pretint.errors import DataError

SPREAD = 1.5
"""Lab units: ab that spread less are no colours."""
NEUTRAL = 3.0
"""Lab units: a mean ab nearer to 0 is neutral."""
_SIDE = 32
_CHUNK = 64
_COLUMNS = ["path", "bytes", "changed_ns", "fault", "spread", "left", "a", "b"]


@dataclass(frozen=True)
class Screening:
    """What the first look found.

    Attributes:
        kept: the records with colours, in their order.
        readable: these and the grey ones: all that are not broken, in their order.
        broken: (id, why) of pictures that cannot be read.
        grey: ids of pictures without colours of things, the tinted among them.
        tinted: ids of those that have a tint all over.
        mean_ab: mean [a, b] of the kept pictures as networks see them (over 128 Lab units), each picture counted alike; 0 without any.
    """

    kept: Sequence[Record]
    readable: Sequence[Record]
    broken: tuple[tuple[str, str], ...]
    grey: tuple[str, ...]
    tinted: tuple[str, ...]
    mean_ab: list[float]

    def write_list(self, path: Path, keep_grey: bool = False) -> None:
        """Write what was found amiss: a line a picture with its id, broken / grey / tinted, and why, between tabs.

        Args:
            path: the file, replaced where it exists.
            keep_grey: leave out grey and tinted pictures, since they were kept.
        """
        rows = [(name, "broken", why) for name, why in self.broken]
        if not keep_grey:
            tinted = set(self.tinted)
            rows += [(name, "tinted" if name in tinted else "grey", "") for name in self.grey]
        with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            csv.writer(file, delimiter="\t", lineterminator="\n").writerows([("id", "what", "why"), *rows])


class _Seen(NamedTuple):
    """One picture's look: why it is broken ("" = it is not), spread and what is left of it, mean a and b, all in Lab units."""

    fault: str
    spread: float = 0.0
    left: float = 0.0
    a: float = 0.0
    b: float = 0.0

    @property
    def kind(self) -> str:
        if self.fault:
            return "broken"
        if self.spread < SPREAD and np.hypot(self.a, self.b) < NEUTRAL:
            return "grey"
        return "tinted" if self.left < SPREAD else "colour"


_Key = tuple[str, int, int]


def is_grey(rgb: NDArray[np.uint8]) -> bool:
    """Whether a picture (H, W, 3) is grey by the rule of the first look; one that is tinted has a colour, so it is not."""
    (seen,) = _judge([_thumbnail(rgb)])
    return seen.kind == "grey"


def screen(
    records: Sequence[Record],
    workers: int = 0,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    most_broken: float = 0.05,
) -> Screening:
    """Look at every picture once.

    Args:
        records: the pictures.
        workers: processes that open pictures; 0 opens them here.
        cache: file of earlier looks, used and brought up to date.
        progress: told (pictures looked at, all pictures) now and then.
        most_broken: the largest share of broken pictures that is left out without stopping.

    Raises:
        DataError: too many pictures are broken.
        ResourceError: a process was killed.
    """
    keys = [_key(record.where) for record in records]
    known = _load_cache(cache) if cache else {}
    new = [i for i, key in enumerate(keys) if key not in known]
    done = len(records) - len(new)
    try:
        for place, seen in zip(new, _look([records[i].where for i in new], workers), strict=True):
            known[keys[place]] = seen
            done += 1
            if progress and (done % _CHUNK == 0 or done == len(records)):
                progress(done, len(records))
    finally:
        if cache and new:
            _save_cache(cache, known)
    return _sum_up(records, [known[key] for key in keys], most_broken)


def _sum_up(records: Sequence[Record], seen: list[_Seen], most_broken: float) -> Screening:
    broken = tuple((r.id, s.fault) for r, s in zip(records, seen, strict=True) if s.fault)
    if len(broken) > most_broken * len(records):
        raise DataError(
            f"{len(broken)} of {len(records)} pictures cannot be read, more than the {most_broken:.0%} that are left out without stopping; "
            f"mend or remove them (the first: {broken[0][1]})"
        )
    kinds = [s.kind for s in seen]
    kept = [i for i, kind in enumerate(kinds) if kind == "colour"]
    return Screening(
        kept=pick(records, kept),
        readable=pick(records, (i for i, kind in enumerate(kinds) if kind != "broken")),
        broken=broken,
        grey=tuple(r.id for r, kind in zip(records, kinds, strict=True) if kind in ("grey", "tinted")),
        tinted=tuple(r.id for r, kind in zip(records, kinds, strict=True) if kind == "tinted"),
        mean_ab=_mean_ab([seen[i] for i in kept]),
    )


def _mean_ab(seen: list[_Seen]) -> list[float]:
    from pretint.color import AB_SCALE

    return [float(np.mean([getattr(s, axis) for s in seen or [_Seen("")]])) / AB_SCALE for axis in "ab"]


def _look(paths: list[Path | Span], workers: int) -> Iterator[_Seen]:
    chunks = [paths[i : i + _CHUNK] for i in range(0, len(paths), _CHUNK)]
    for found in in_order(_open_small, chunks, workers if len(chunks) > 1 else 0):
        yield from _judge(found)


def _open_small(paths: list[Path | Span]) -> list["NDArray[np.uint8] | str"]:
    """Thumbnails uint8 (32, 32, 3), or why there is none."""
    found: list[NDArray[np.uint8] | str] = []
    for path in paths:
        try:
            found.append(_thumbnail(read_rgb(path, at_least=_SIDE)))
        except DataError as error:
            found.append(str(error))
    return found


def _thumbnail(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.array(Image.fromarray(rgb).resize((_SIDE, _SIDE), Image.Resampling.BOX))


def _judge(found: Sequence["NDArray[np.uint8] | str"]) -> Iterator[_Seen]:
    # Here and not in the processes: colour is torch's, and they do without it.
    import torch

    from pretint.color import rgb_to_lab

    pictures = [item for item in found if not isinstance(item, str)]
    looks: Iterator[_Seen] = iter(())
    if pictures:
        rgb = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
        looks = iter([_judge_one(lab) for lab in rgb_to_lab(rgb.double() / 255).flatten(2).numpy()])
    for item in found:
        yield _Seen(item) if isinstance(item, str) else next(looks)


def _judge_one(lab: NDArray[np.float64]) -> _Seen:
    ab = lab[1:]
    powers = np.vander(lab[0] / 100, 4)
    left = ab.T - powers @ np.linalg.lstsq(powers, ab.T, rcond=None)[0]
    a, b = ab.mean(axis=1).tolist()
    return _Seen("", float(np.sqrt(ab.var(axis=1).sum())), float(np.sqrt(left.var(axis=0).sum())), a, b)


def _key(where: Path | Span) -> _Key:
    path = where.path if isinstance(where, Span) else where
    try:
        status = path.stat()
    except OSError:
        return (str(where), -1, -1)
    return (str(where), where.size if isinstance(where, Span) else status.st_size, status.st_mtime_ns)


def _load_cache(cache: Path) -> dict[_Key, _Seen]:
    try:
        with cache.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            rows = csv.reader(file, delimiter="\t")
            if next(rows) != _COLUMNS:
                raise ValueError
            return {
                (path, int(size), int(changed)): _Seen(fault, *map(float, numbers))
                for path, size, changed, fault, *numbers in rows
                if int(size) >= 0
            }
    except (OSError, ValueError, TypeError, StopIteration, csv.Error):
        return {}  # of another version, or damaged: it is only a cache


def _save_cache(cache: Path, known: dict[_Key, _Seen]) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    beside = cache.with_name(f"{cache.name}.{os.getpid()}")
    with beside.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows([*key, *seen] for key, seen in known.items())
    beside.replace(cache)
