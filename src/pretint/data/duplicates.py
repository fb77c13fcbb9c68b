"""Pictures that are (nearly) in two sets: a picture of the test set in the unlabelled pool, or in the training list.

    found = near_copies(pool, test)         # every pair, with its distance
    found.in_test                           # {test id: ids of its copies in the pool}
    refuse_overlap("train", training, "test", test)

A copy may be encoded anew, resized, squashed, mirrored, somewhat brighter, grey (several of these at once too), cropped by up to 5 % on
all sides, or to the square in the middle. Two crops at once are mostly missed, and crops of some sides alone in part: docs/data.md has numbers.
Two steps: pairs whose hashes (``picture_hash``) differ in at most ``MOST`` of 255 bits, in any two views one of which is the whole,
the one or the other way round; of these, pairs whose detail correlates at least ``LEAST``, seen in the files again. docs/log.md holds the
measurements that both numbers come from.

Not found: turned pictures, heavily or twice cropped ones, other shots of one scene, pictures of hardly more than one grey.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pretint.data import picture_hash
from pretint.data.looking import Progress, look
from pretint.data.looks import HASHED
from pretint.data.reading import read_rgb
from pretint.data.record import Joined, Record, Span, pick
from pretint.errors import DataError

MOST = 56
"""Bits of 255 in which hashes of near copies may differ."""
LEAST = 0.75
"""Least correlation of the detail of near copies."""

_BLOCK = (64, 8192)  # pictures of the two sets that are compared at once: 4 MB
# Views of the two pictures that are compared, and whether one is mirrored: a crop of one is the whole of the other.
_WAYS = tuple((one, other, flip) for one, other in ((0, 0), (0, 1), (1, 0), (0, 2), (2, 0)) for flip in (False, True))


@dataclass(frozen=True)
class Pair:
    """A picture of the pool and one of the test set that are near copies.

    Attributes:
        pool: id of the one.
        test: id of the other.
        distance: bits of 255 in which their nearest hashes differ.
        similarity: correlation of their detail, in [-1, 1].
        mirrored: whether one is the mirror image of the other.
    """

    pool: str
    test: str
    distance: int
    similarity: float
    mirrored: bool


@dataclass(frozen=True)
class Copies:
    """What a comparison of two sets found.

    Attributes:
        pairs: the near copies, in the order of the test set, then of the pool.
        unseen: (id, why) of pictures of either set that could not be compared: broken, or of hardly more than one grey.
    """

    pairs: tuple[Pair, ...]
    unseen: tuple[tuple[str, str], ...]

    @property
    def in_pool(self) -> Mapping[str, tuple[str, ...]]:
        """For each picture of the pool that has copies in the test set: their ids."""
        return _grouped((pair.pool, pair.test) for pair in self.pairs)

    @property
    def in_test(self) -> Mapping[str, tuple[str, ...]]:
        """For each picture of the test set that has copies in the pool: their ids."""
        return _grouped((pair.test, pair.pool) for pair in self.pairs)

    @property
    def not_compared(self) -> str:
        """How many pictures could not be compared, and why the first could not; "" where all were."""
        return f"{len(self.unseen)} could not be compared ({self.unseen[0][1]})" if self.unseen else ""


def near_copies(
    pool: Sequence[Record],
    test: Sequence[Record],
    workers: int = 0,
    cache: Path | None = None,
    progress: Progress | None = None,
    earlier: Sequence[Path] = (),
) -> Copies:
    """Find the pictures that are (nearly) in both sets.

    Takes the time of one look at each picture, where none is known from before, and some 0.06 seconds for a million pairs.

    Args:
        pool: the larger set.
        test: the smaller one.
        workers: processes that open pictures; 0 opens them here.
        cache: file of earlier looks, used and brought up to date; a run's ``looks.safetensors`` is one.
        progress: told (pictures looked at, all pictures) now and then.
        earlier: further such files, which are only read.

    Raises:
        DataError: a picture went missing meanwhile.
        ResourceError: a process was killed, or the cache cannot be written.
    """
    records = Joined([("", pool), ("", test)])
    looks = look(records, workers, cache, progress, earlier)
    hashed = looks.state == HASHED
    unseen = [
        (records[i].id, looks.faults.get(i, f"{records[i].where}: hardly more than one grey"))
        for i in np.flatnonzero(~hashed).tolist()
    ]
    count = len(pool)
    ones, others = pick(pool, np.flatnonzero(hashed[:count])), pick(test, np.flatnonzero(hashed[count:]))
    found = (
        picture_hash.words(looks.hashes[:count][hashed[:count]]),
        picture_hash.words(looks.hashes[count:][hashed[count:]]),
    )
    views = lru_cache(64)(_views)
    pairs = []
    for i, j, distance in candidates(*found):
        one, other, mirrored = _nearest_way(found[0][i], found[1][j])
        ours, theirs = views(ones[i].where)[one], views(others[j].where)[other]
        similarity = picture_hash.similarity(ours, theirs[:, ::-1] if mirrored else theirs)
        if similarity >= LEAST:
            pairs.append(Pair(ones[i].id, others[j].id, distance, round(similarity, 3), mirrored))
    return Copies(tuple(pairs), tuple(unseen))


def overlapping(one: Sequence[Record], other: Sequence[Record]) -> tuple[Record, ...]:
    """The records of the one list whose files are in the other too, links resolved, in their order.

    Files are compared, not ids: ids are paths below a root, and two roots may use the same ones.
    """
    files = {_file(record) for record in other}
    return tuple(record for record in one if _file(record) in files)


def _file(record: Record) -> tuple[Path, str]:
    """The file, links resolved, and the name within it where it holds many pictures."""
    return record.path.resolve(), record.span.name if record.span else ""


def refuse_overlap(one_name: str, one: Sequence[Record], other_name: str, other: Sequence[Record]) -> None:
    """Let only lists pass that share no file.

    Raises:
        DataError: they share some; both lists and one of the pictures are named.
    """
    if shared := overlapping(one, other):
        raise DataError(
            f"the lists {one_name!r} ({len(one)} pictures) and {other_name!r} ({len(other)}) share {len(shared)} pictures "
            f"(the first: {shared[0].where}); take them off one of the lists"
        )


def candidates(pool: NDArray[np.uint64], test: NDArray[np.uint64]) -> Iterator[tuple[int, int, int]]:
    """Pairs whose hashes differ in at most ``MOST`` bits.

    Args:
        pool: uint64 (N, VIEWS, WORDS).
        test: uint64 (M, VIEWS, WORDS).

    Yields:
        (place in the pool, place in the test set, least distance of any two paired views), by the test set, then by the pool.
    """
    rows, columns = _BLOCK
    for first in range(0, len(test), rows):
        some = test[first : first + rows]
        found = []
        for start in range(0, len(pool), columns):
            distance = distances(pool[start : start + columns], some)
            found += [(j, start + i, int(distance[j, i])) for j, i in np.argwhere(distance <= MOST).tolist()]
        yield from ((i, first + j, least) for j, i, least in sorted(found))


def distances(pool: NDArray[np.uint64], test: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Least distances over the paired views, both ways round, uint8 (M, N); at most 255, as a hash has 255 bits."""
    least = np.full((len(test), len(pool)), 255, np.uint8)
    for one, other, flip in _WAYS:
        theirs = picture_hash.mirrored(test[:, other]) if flip else test[:, other]
        distance = np.zeros_like(least)
        for word in range(picture_hash.WORDS):
            distance += np.bitwise_count(theirs[:, None, word] ^ pool[None, :, one, word])
        np.minimum(least, distance, out=least)
    return least


def _nearest_way(pool: NDArray[np.uint64], test: NDArray[np.uint64]) -> tuple[int, int, bool]:
    """Views of two pictures (VIEWS, WORDS) that are nearest, and whether the second is mirrored for that."""

    def distance(way: tuple[int, int, bool]) -> int:
        one, other, flip = way
        theirs = picture_hash.mirrored(test[other]) if flip else test[other]
        return int(np.bitwise_count(pool[one] ^ theirs).sum())

    return min(_WAYS, key=distance)


def _views(where: Path | Span) -> NDArray[np.uint8]:
    return picture_hash.views(read_rgb(where, at_least=picture_hash.SIDE))


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, other in pairs:
        found[name] = (*found.get(name, ()), other)
    return found
