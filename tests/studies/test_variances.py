"""Variances over pictures are computed by workers, once, and kept."""

import json
from pathlib import Path

import numpy as np
import pytest

from pretint.errors import RunError
from pretint.run_folder import write_atomically
from pretint.studies.folder import StudyFolder
from pretint.studies.variances import Pair, Variances, compute_variance, done
from pretint.studies.work import npz

PAIR = Pair(("one", "two"), ("three", "four"), 1)


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    study = StudyFolder(tmp_path)
    (tmp_path / "cells").mkdir()
    draws = np.random.default_rng(0)
    targets = np.eye(3, dtype=bool)[draws.integers(0, 3, 50)]
    for key in (*PAIR.mine, *PAIR.others):
        arrays = {"targets": targets, "scores": draws.random((50, 3)), "ids": np.array([f"{i}" for i in range(50)])}
        write_atomically(study.pictures_of(key), npz(arrays))
    return study


def test_they_are_given_out_once_and_taken_back(folder: StudyFolder) -> None:
    variances = Variances(folder, "top1")
    assert variances.jobs() == []
    assert variances.get(PAIR, compute=False) is None
    (job,) = variances.jobs()
    assert variances.get(PAIR, compute=False) is None
    assert variances.jobs() == []
    outcome = done(json.loads(json.dumps(job)))  # as a worker gets it
    variances.put(PAIR, outcome["variance"], outcome["pictures"])
    known = variances.get(PAIR, compute=False)
    assert known == compute_variance(folder, "top1", PAIR)
    assert known is not None
    assert known[1] == 50
    assert Variances(folder, "top1").get(PAIR, compute=False) == known


def test_what_no_worker_gave_is_computed_in_the_end(folder: StudyFolder) -> None:
    variances = Variances(folder, "top1")
    assert variances.get(PAIR, compute=True) == compute_variance(folder, "top1", PAIR)
    assert variances.jobs() == []


def test_top1_of_hits_is_their_variance_over_pictures(folder: StudyFolder) -> None:
    """Of one seed each, the bootstrap's variance of a mean is the sample variance over n."""
    pair = Pair(("one",), ("three",), 1)
    hits = []
    for key in ("one", "three"):
        with np.load(folder.pictures_of(key)) as file:
            hits.append((file["targets"].argmax(1) == file["scores"].argmax(1)).astype(float))
    expected = (hits[0] - hits[1]).var(ddof=1) / 50
    assert compute_variance(folder, "top1", pair)[0] == pytest.approx(expected, rel=0.3)  # 400 draws


def test_other_pictures_are_refused(folder: StudyFolder) -> None:
    with np.load(folder.pictures_of("four")) as file:
        arrays = dict(file) | {"ids": np.array([f"x{i}" for i in range(50)])}
    write_atomically(folder.pictures_of("four"), npz(arrays))
    with pytest.raises(RunError, match="other pictures"):
        compute_variance(folder, "top1", Pair(("one",), ("four",), 1))
