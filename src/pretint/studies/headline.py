"""What a study says in a line or two; each comparison as a whole sentence stands in its row."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from pretint.terminal import percent

MOST_ARMS = 4
"""Pairs of arm and reference that are told one by one; of more, how many comparisons came out how."""

Row = Mapping[str, Any]


def headline(differences: Sequence[Row], saved: Sequence[Row], state: str, mode: str) -> str:
    """The verdicts of a study's first mode in short: where each arm helped and by how much; of a single arm also the labels saved.

    Args:
        differences: rows of the study, each with ``arm``, ``reference``, ``mode``, ``depth``, ``fraction``, ``mean``, ``verdict``
            and ``words``; means are scores in [0, 1], told in points (x 100).
        saved: rows of labels saved, each with ``arm``, ``reference``, ``mode``, ``depth`` and ``words``.
        state: of the study.
        mode: that is told.
    """
    # Of probes at several depths the deepest of each pair speaks; the others stand in the table.
    deepest: dict[tuple[str, str], int] = {}
    for row in differences:
        if row["mode"] == mode and row["depth"] is not None:
            pair = row["arm"], row["reference"]
            deepest[pair] = max(row["depth"], deepest.get(pair, 0))
    told = [
        row
        for row in differences
        if row["mode"] == mode and row["depth"] == deepest.get((row["arm"], row["reference"]))
    ]
    if not told:
        return "Nothing can be said yet." if state != "finished" else f"There was nothing to compare by {mode}."
    so_far = "" if state == "finished" else "So far: "
    if len(told) == 1:
        return f"{so_far}With {percent(told[0]['fraction'])} of the labels{_at(told[0]['depth'])}: {told[0]['words']}"
    pairs = list(dict.fromkeys((row["arm"], row["reference"]) for row in told))
    if len(pairs) > MOST_ARMS:
        counts = Counter(row["verdict"] for row in told)
        depths = {row["depth"] for row in told}
        at = _at(depths.pop()) if len(depths) == 1 else ", features of the deepest stride of each"
        listed = ", ".join(f"{verdict} in {number}" for verdict, number in counts.most_common())
        return f"{so_far}Of {len(told)} comparisons{at}: {listed}."
    sentences = [_of_arm([row for row in told if (row["arm"], row["reference"]) == pair]) for pair in pairs]
    if len(pairs) == 1:
        sentences += [
            row["words"][:1].upper() + row["words"][1:]
            for row in saved
            if (row["arm"], row["reference"], row["mode"], row["depth"]) == (*pairs[0], mode, told[0]["depth"])
        ]
    return so_far + " ".join(sentences)


def _of_arm(rows: Sequence[Row]) -> str:
    """One arm against its reference over the shares of the labels, neighbours with the same verdict together."""
    rows = sorted(rows, key=lambda row: row["fraction"])
    places = [f"{percent(row['fraction'])} ({100 * row['mean']:+.1f})" for row in rows]
    places[0] = f"{percent(rows[0]['fraction'])} of the labels ({100 * rows[0]['mean']:+.1f} points)"
    groups = groupby(zip(rows, places, strict=True), key=lambda one: one[0]["verdict"])
    told = ", ".join(f"{verdict} with " + ", ".join(place for _, place in group) for verdict, group in groups)
    return f"{rows[0]['arm']} against {rows[0]['reference']}{_at(rows[0]['depth'])}: {told}."


def _at(depth: int | None) -> str:
    return "" if depth is None else f", features of stride {depth}"
