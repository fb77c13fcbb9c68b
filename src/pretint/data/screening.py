"""What a first look at every picture says of a pool: which are broken, which have no colour, and the mean colour of the rest.

Colour is judged by two numbers of ``looking``, in Lab units: the spread of ab, and what is left of it when a cubic in the lightness is taken
away, since a toned picture has one colour for each lightness:

    grey      spread below 1.5 and the mean within 3 of neutral: a grey picture, whatever its file says
    tinted    not grey, but below 1.5 is left: sepia, scans, one cast over all; such a picture teaches no colours of things either
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pretint.data.looking import Progress, look, look_at
from pretint.data.looks import BROKEN, Looks
from pretint.data.record import Record, pick
from pretint.errors import DataError
from pretint.run_folder import write_left_out

SPREAD = 1.5
"""Lab units: ab that spread less are no colours."""
NEUTRAL = 3.0
"""Lab units: a mean ab nearer to 0 is neutral."""


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
        mean_ab_readable: the same of the readable pictures.
    """

    kept: Sequence[Record]
    readable: Sequence[Record]
    broken: tuple[tuple[str, str], ...]
    grey: tuple[str, ...]
    tinted: tuple[str, ...]
    mean_ab: list[float]
    mean_ab_readable: list[float]

    def write_list(self, path: Path, keep_grey: bool = False, copies: Iterable[tuple[str, str]] = ()) -> None:
        """Write what was found amiss: a line a picture with its id, broken / grey / tinted / copy, and why, between tabs.

        Args:
            path: the file, replaced where it exists.
            keep_grey: leave out grey and tinted pictures, since they were kept.
            copies: (id, picture that it is a near copy of) of pictures that were left out for that.

        Raises:
            ResourceError: it cannot be written.
        """
        rows = [(name, "broken", why) for name, why in self.broken]
        if not keep_grey:
            tinted = set(self.tinted)
            rows += [(name, "tinted" if name in tinted else "grey", "") for name in self.grey]
        rows += [(name, "copy", other) for name, other in copies]
        write_left_out(path, rows)


def left_out(path: Path) -> frozenset[str]:
    """Ids of the pictures in a list that ``Screening.write_list`` wrote."""
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return frozenset(row["id"] for row in csv.DictReader(file, delimiter="\t"))


def is_grey(rgb: NDArray[np.uint8]) -> bool:
    """Whether a picture (H, W, 3) is grey by the rule of the first look; one that is tinted has a colour, so it is not."""
    seen = look_at(rgb)
    grey, _ = _colourless(np.array([[seen.spread, seen.left, seen.a, seen.b]]))
    return bool(grey[0])


def screen(
    records: Sequence[Record],
    workers: int = 0,
    cache: Path | None = None,
    progress: Progress | None = None,
    most_broken: float = 0.05,
    earlier: Sequence[Path] = (),
    listed: Path | None = None,
) -> Screening:
    """Look at every picture once.

    Args:
        records: the pictures.
        workers: processes that open pictures; 0 opens them here.
        cache: file of earlier looks, used and brought up to date.
        progress: told (pictures looked at, all pictures) now and then.
        most_broken: the largest share of broken pictures that is left out without stopping.
        earlier: further such files, which are only read.
        listed: where the broken pictures are listed if they are too many.

    Raises:
        DataError: too many pictures are broken.
        ResourceError: a process was killed, or the cache cannot be written.
    """
    return _sum_up(records, look(records, workers, cache, progress, earlier, hashes=False), most_broken, listed)


def _sum_up(records: Sequence[Record], looks: Looks, most_broken: float, listed: Path | None) -> Screening:
    broken = tuple((records[place].id, fault) for place, fault in sorted(looks.faults.items()))
    if len(broken) > most_broken * len(records):
        if listed:
            write_left_out(listed, ((identity, "broken", why) for identity, why in broken))
        raise DataError(
            f"{len(broken)} of {len(records)} pictures cannot be read, more than the {most_broken:.0%} that are left out without stopping"
            f"{f' (list: {listed})' if listed else ''}; mend or remove them, or give a larger --most-broken (the first: {broken[0][1]})"
        )
    from pretint.color import AB_SCALE

    readable = looks.state != BROKEN
    grey, tinted = (mask & readable for mask in _colourless(looks.numbers))
    kept = readable & ~grey & ~tinted
    mean, mean_readable = (
        (looks.numbers[some, 2:].mean(axis=0) if some.any() else np.zeros(2)) / AB_SCALE for some in (kept, readable)
    )
    return Screening(
        kept=pick(records, np.flatnonzero(kept)),
        readable=pick(records, np.flatnonzero(readable)),
        broken=broken,
        grey=tuple(records[i].id for i in np.flatnonzero(grey | tinted).tolist()),
        tinted=tuple(records[i].id for i in np.flatnonzero(tinted).tolist()),
        mean_ab=mean.tolist(),
        mean_ab_readable=mean_readable.tolist(),
    )


def _colourless(numbers: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which pictures are grey, and which of the others tinted, from spread, left, a and b (N, 4)."""
    spread, left, a, b = numbers.T
    grey = (spread < SPREAD) & (np.hypot(a, b) < NEUTRAL)
    return grey, ~grey & (left < SPREAD)
