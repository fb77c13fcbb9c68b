"""What the test pictures add to the variance of a difference of two arms, computed by workers and kept in the study's folder.

    variances.json      {"KEY KEY .. / KEY KEY ..": [variance, test pictures]}: cells of an arm, and of its reference; where their
                        seeds share pretrainings, " by N" behind it

A bootstrap of large confusion matrices takes seconds, so it is a worker's job like any other: the study's own process has outcomes
to take in meanwhile.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pretint.errors import RunError
from pretint.run_folder import write_atomically
from pretint.studies import resampling, statistics
from pretint.studies.folder import StudyFolder


class Pair(NamedTuple):
    """Two arms at one place.

    Attributes:
        mine: keys of the cells of an arm.
        others: of its reference.
        pretrainings: that their seeds take in turn.
    """

    mine: tuple[str, ...]
    others: tuple[str, ...]
    pretrainings: int


class Variances:
    """The variances of a study that are known.

    Args:
        folder: of the study.
        score: that the arms are compared by.
    """

    def __init__(self, folder: StudyFolder, score: str) -> None:
        self._folder, self._score = folder, score
        self._path = folder.path / "variances.json"
        self._known: dict[str, tuple[float, int]] = {}
        if self._path.exists():
            self._known = {name: (one, count) for name, (one, count) in json.loads(self._path.read_text()).items()}
        self._wanted: dict[str, Pair] = {}
        self._given: set[str] = set()

    def get(self, pair: Pair, *, compute: bool) -> tuple[float, int] | None:
        """Variance, in squared scores, and number of test pictures; None where it is not known and not to be computed here."""
        name = _name(pair)
        if name not in self._known:
            if not compute:
                self._wanted[name] = pair
                return None
            self.put(pair, *compute_variance(self._folder, self._score, pair))
        return self._known[name]

    def put(self, pair: Pair, variance: float, pictures: int) -> None:
        """Keep what a worker has computed."""
        self._known[_name(pair)] = variance, pictures
        write_atomically(self._path, json.dumps(self._known, indent=1).encode())

    def jobs(self) -> list[dict[str, Any]]:
        """Jobs for those that were asked for and are not known; each is given out once."""
        wanted = [(name, pair) for name, pair in self._wanted.items() if name not in self._given]
        self._wanted.clear()
        self._given |= {name for name, _ in wanted}
        return [
            {"kind": "variance", "key": f"variance of {name}", "study": str(self._folder.path), "score": self._score, "pair": pair}
            for name, pair in wanted
        ]  # fmt: skip


def check(score: str) -> None:
    """See that test pictures can be drawn anew for a score.

    Raises:
        ValueError: they cannot; a task whose ``best`` it is has no place in a study yet.
    """
    if score not in _RESAMPLED:
        raise ValueError(
            f"{score}: a study knows how {', '.join(_RESAMPLED)} vary over test pictures; add it to variances.py"
        )


def compute_variance(folder: StudyFolder, score: str, pair: Pair) -> tuple[float, int]:
    """Variance of the pictures' common share in the difference, and their number.

    Raises:
        RunError: the two were scored on other pictures.
    """
    (mine, ids), (others, their_ids) = (_weighted(folder, score, keys) for keys in (pair.mine, pair.others))
    if ids != their_ids:
        raise RunError(f"{folder.path}: cells of {pair.mine[0]} and {pair.others[0]} were scored on other pictures")
    return statistics.picture_variance(mine, others, len(ids), pretrainings=pair.pretrainings), len(ids)


def done(job: Mapping[str, Any]) -> dict[str, Any]:
    """What a worker does with such a job."""
    mine, others, pretrainings = job["pair"]
    pair = Pair(tuple(mine), tuple(others), pretrainings)
    variance, pictures = compute_variance(StudyFolder(Path(job["study"])), job["score"], pair)
    return {"variance": variance, "pictures": pictures}


def _name(pair: Pair) -> str:
    shared = f" by {pair.pretrainings}" if 1 < pair.pretrainings < len(pair.mine) else ""
    return " ".join((*pair.mine, "/", *pair.others)) + shared


def _weighted(folder: StudyFolder, score: str, keys: Sequence[str]) -> tuple[statistics.Score, list[str]]:
    """The score of some cells as a function of how often each test picture counts, and the pictures' ids."""
    parts: list[dict[str, NDArray[Any]]] = []
    for key in keys:
        with np.load(folder.pictures_of(key), allow_pickle=False) as file:
            parts.append(dict(file))
    ids = parts[0]["ids"].tolist()
    return _RESAMPLED[score](parts), ids


_Parts = Sequence[Mapping[str, NDArray[Any]]]


def _miou(parts: _Parts) -> statistics.Score:
    return resampling.mean_iou(np.stack([part["matrices"] for part in parts]))


def _map(parts: _Parts) -> statistics.Score:
    return resampling.mean_average_precision(parts[0]["targets"], np.stack([part["scores"] for part in parts]))


def _top1(parts: _Parts) -> statistics.Score:
    targets, rows = parts[0]["targets"], np.arange(len(parts[0]["targets"]))
    return resampling.top1(np.stack([targets[rows, part["scores"].argmax(axis=1)] for part in parts]))


_RESAMPLED: dict[str, Callable[[_Parts], statistics.Score]] = {"miou": _miou, "map": _map, "top1": _top1}
