"""Dividing pictures with several labels each so that every part shows every class in its due share.

Iterative stratification (Sechidis, Tsoumakas, Vlahavas 2011): the rarest class is dealt out first, each picture to the part that wants it
most. Differs from the paper: a full part takes no more, so that sizes are exact; pictures without any label count as one more class;
and in the end pictures of two parts change places while that brings both nearer to their due, since exact sizes leave the commonest class
with what remains.
"""

from collections.abc import Sequence
from itertools import combinations
from math import floor

import numpy as np
from numpy.typing import NDArray

from pretint.data.randomness import generator
from pretint.data.record import Record, pick
from pretint.errors import DataError, OptionError


def label_matrix(records: Sequence[Record], classes: Sequence[str]) -> NDArray[np.bool_]:
    """Which record shows which class, bool (N, K).

    Raises:
        DataError: a record's labels are not known.
    """
    column = {name: k for k, name in enumerate(classes)}
    matrix = np.zeros((len(records), len(classes)), dtype=bool)
    for row, record in zip(matrix, records, strict=True):
        if record.labels is None:
            raise DataError(
                f"{record.path}: nothing says which classes this picture shows; label it or take it off the list"
            )
        row[[column[name] for name in record.labels if name in column]] = True
    return matrix


def iterative_stratification(
    labels: NDArray[np.bool_], sizes: Sequence[int], draws: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Divide N pictures into parts of exactly the given sizes.

    Args:
        labels: bool (N, K).
        sizes: of the parts; their sum is N.
        draws: breaks ties.

    Returns:
        For each part the rows of its pictures, rising.
    """
    count = len(labels)
    if sum(sizes) != count or min(sizes, default=0) < 0:
        raise ValueError(f"parts of {list(sizes)} do not make {count} pictures")
    labels = np.column_stack([labels, ~labels.any(axis=1)])
    room = np.array(sizes, dtype=np.float64)
    # (parts, K + 1) pictures of the class that the part still wants
    wanted = np.outer(room / max(count, 1), labels.sum(axis=0))
    part_of = np.full(count, -1)
    left = labels.sum(axis=0)  # (K + 1,) pictures of the class not dealt out yet
    while left.any():
        rarest = int(np.where(left > 0, left, count + 1).argmin())
        rows = draws.permutation(np.flatnonzero((part_of < 0) & labels[:, rarest]))
        if labels.shape[1] == 1 and len(sizes) == 2:
            # Pictures without labels go to the larger part until both want as many: at once, since there may be a million. One less,
            # since the difference is rounded.
            part = int(wanted[:, 0].argmax())
            sure = max(0, floor(wanted[part, 0] - wanted[1 - part, 0]) - 1)
            part_of[rows[:sure]] = part
            room[part] -= sure
            wanted[part] -= sure
            left -= sure
            rows = rows[sure:]
        for row in rows:
            # The part that wants this class most; among equals the one with most room; then chance.
            wish = np.where(room > 0, wanted[:, rarest], -np.inf)
            best = np.flatnonzero(wish == wish.max())
            best = best[room[best] == room[best].max()]
            part = best[0] if len(best) == 1 else draws.choice(best)
            part_of[row] = part
            room[part] -= 1
            wanted[part, labels[row]] -= 1
            left[labels[row]] -= 1
    if (labels.sum(axis=1) == 1).all():
        return _rows(part_of, len(sizes))  # one label each: all classes have their due already
    for one, other in combinations(range(len(sizes)), 2):
        _exchange(labels, part_of, one, other, wanted[other] - wanted[one])
    return _rows(part_of, len(sizes))


def _rows(part_of: NDArray[np.int64], parts: int) -> list[NDArray[np.int64]]:
    return [np.flatnonzero(part_of == part) for part in range(parts)]


def _exchange(
    labels: NDArray[np.bool_], part_of: NDArray[np.int64], one: int, other: int, surplus: NDArray[np.float64]
) -> None:
    """Let pictures of two parts change places; ``surplus`` (K,) is how many more of its due the one has than the other."""
    weight = 1 / np.sqrt(np.maximum(labels.sum(axis=0), 1))  # a picture of a rare class matters more
    rows = [np.flatnonzero(part_of == part) for part in (one, other)]
    if not all(map(len, rows)):
        return
    ones, others = (labels[r] * weight for r in rows)
    gap = surplus * weight / 2
    while True:
        a = int(((gap - ones) ** 2).sum(axis=1).argmin())
        after = gap - ones[a] + others
        distance = (after**2).sum(axis=1)
        b = int(distance.argmin())
        if distance[b] > (gap**2).sum() - 1e-9:
            break
        gap = after[b]
        part_of[rows[0][a]], part_of[rows[1][b]] = other, one
        rows[0][a], rows[1][b] = rows[1][b], rows[0][a]
        ones[a], others[b] = others[b].copy(), ones[a].copy()


def subset(labels: NDArray[np.bool_], fraction: float, seed: int) -> NDArray[np.int64]:
    """A stratified part of the pictures; parts of one seed lie within each other, the smaller in the larger.

    Args:
        labels: bool (N, K); K = 0 makes it a plain random part.
        fraction: share of the pictures in (0, 1], rounded, at least one picture; above 1: how many.
        seed: which of the possible parts.

    Returns:
        Rows of the chosen pictures, rising.

    Raises:
        OptionError: the fraction is not positive, or more pictures are asked for than there are.
    """
    count = _how_many(fraction, len(labels), "--fraction")
    # One fixed tree of halvings, each stratified; a part is the first `count` leaves, whatever the fraction, hence nested.
    chosen: list[NDArray[np.int64]] = []
    rows, start = np.arange(len(labels)), 0
    while count:
        if count == len(rows):
            chosen.append(rows)
            break
        half = len(rows) // 2
        # (start, length) names the node of the tree
        draws = generator(seed, "subset", epoch=2 + len(rows), picture=start)
        first, second = iterative_stratification(labels[rows], [half, len(rows) - half], draws)
        if count >= half:
            chosen.append(rows[first])
            rows, start, count = rows[second], start + half, count - half
        else:
            rows = rows[first]
    return np.sort(np.concatenate(chosen))


def carve_validation(
    records: Sequence[Record], share_or_count: float, seed: int
) -> tuple[Sequence[Record], Sequence[Record]]:
    """Divide records into (training, validation), both in the old order; stratified where all labels are known.

    Args:
        records: at least two.
        share_or_count: of the validation pictures; below 1 a share, else how many.
        seed: which of the possible divisions.

    Raises:
        OptionError: nothing would be left to train on, or to validate on.
    """
    total = len(records)
    # 1 is one picture here; as a share it would leave none to train on.
    count = 1 if share_or_count == 1 else _how_many(share_or_count, total, "--validation")
    if count >= total:
        raise OptionError(
            f"--validation {share_or_count:g} leaves none of the {total} picture{'s' if total > 1 else ''} to train on; "
            "take a smaller part, or 0: then the last checkpoint counts"
        )
    labels = np.zeros((total, 0), dtype=bool)
    if all(record.labels is not None for record in records):
        labels = label_matrix(records, sorted({name for record in records for name in record.labels or ()}))
    draws = generator(seed, "validation")
    training, validation = iterative_stratification(labels, [total - count, count], draws)
    return pick(records, training), pick(records, validation)


def _how_many(share_or_count: float, total: int, option: str) -> int:
    if not 0 < share_or_count <= max(total, 1) or total == 0:
        raise OptionError(
            f"{option} {share_or_count}: give a share between 0 and 1 or a number of pictures up to {total}"
        )
    return max(1, round(share_or_count * total)) if share_or_count <= 1 else round(share_or_count)
