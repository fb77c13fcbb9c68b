"""What a study says of cells that are made up: variance of the pictures, intervals, Holm, verdicts, labels saved, by hand."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score

from pretint.run_folder import write_atomically
from pretint.studies.arms import Arm
from pretint.studies.folder import StudyFolder
from pretint.studies.labels_saved import labels_saved
from pretint.studies.options import CompareOptions
from pretint.studies.plan import Job
from pretint.studies.results import Results
from pretint.studies.work import npz

PICTURES, SEEDS, FRACTIONS = 60, (0, 1, 2), (1.0, 0.25, 0.5)  # as somebody may ask for them: not in order
ARMS = (
    Arm("scratch", ("scratch",)),
    Arm("mine", ("mine.safetensors",), reference="scratch"),
    Arm("late", ("late.safetensors",), reference="scratch", against="mine"),
)
PAIRS = (("mine", "scratch"), ("late", "scratch"), ("late", "mine"))
SKILL = {"scratch": 0.2, "mine": 0.8, "late": 0.0}


def key(arm: str, mode: str, fraction: float, seed: int) -> str:
    return f"{arm}-{mode}-{fraction:g}-seed{seed}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A study's folder with predictions that get better with skill and labels, and what the study says of them."""
    path = tmp_path_factory.mktemp("made") / "study"
    folder = StudyFolder.create(path)
    draws = np.random.default_rng(5)
    targets = draws.random((PICTURES, 2)) < 0.4
    # What an arm finds in a picture is the same in every seed, so that the pictures add to the variance of a difference.
    finds = {arm.name: draws.normal(size=targets.shape) for arm in ARMS}
    jobs: dict[str, list[Job]] = {arm.name: [] for arm in ARMS}
    for arm, seed in product(SKILL, SEEDS):
        probed = []
        for mode, fraction in product(("finetune", "linear"), FRACTIONS):
            name = key(arm, mode, fraction, seed)
            scores = (SKILL[arm] + fraction) * targets + 0.6 * finds[arm] + 0.3 * draws.normal(size=targets.shape)
            ids = np.array([f"{i:02d}" for i in range(PICTURES)])
            write_atomically(folder.pictures_of(name), npz({"targets": targets, "scores": scores, "ids": ids}))
            told = {"map": float(average_precision_score(targets, scores))}
            if mode == "finetune":
                outcome = {"scores": told, "loaded": 0.5, "parts": ["backbone"], "seconds": 1.0}
                (path / "cells" / f"{name}.json").write_text(json.dumps(outcome))
                jobs[arm].append(Job(name, "finetune", arm, seed, fraction, {}))
            else:
                probed.append({"key": name, "mode": mode, "depth": 8, "fraction": fraction, "scores": told})
        name = f"{arm}-features-seed{seed}"
        outcome = {"cells": probed, "loaded": 0.5, "parts": ["backbone"], "seconds": 1.0}
        (path / "cells" / f"{name}.json").write_text(json.dumps(outcome))
        jobs[arm].append(Job(name, "features", arm, seed, 1.0, {}, fractions=FRACTIONS, modes=("linear",)))
    options = CompareOptions(
        task="multilabel", data=path, out=path, seeds=3, fractions=FRACTIONS, modes=("finetune", "linear"), rates=(0.1,)
    )
    trials: dict[str, list[Job]] = {arm.name: [] for arm in ARMS}
    return path, Results(folder, "map", ARMS, options).document({"state": "finished"}, trials, jobs, {}, {}, [])


def kept(path: Path, arm: str, mode: str, fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """Targets (N, K) and scores (n, N, K) of the files of an arm's seeds."""
    files = [dict(np.load(path / "cells" / f"{key(arm, mode, fraction, seed)}.npz")) for seed in SEEDS]
    return files[0]["targets"], np.stack([file["scores"] for file in files])


def scored(path: Path, arm: str, mode: str, fraction: float) -> np.ndarray:
    """The scores (n,) of an arm's seeds, by scikit-learn."""
    targets, scores = kept(path, arm, mode, fraction)
    return np.array([average_precision_score(targets, one) for one in scores])


def variance(path: Path, arm: str, other: str, mode: str, fraction: float) -> float:
    """What the pictures add, as docs/statistics.md defines it: the mean covariance of two seeds over 400 draws of the pictures."""
    weights = np.random.Generator(np.random.Philox(key=0)).multinomial(PICTURES, np.full(PICTURES, 1 / PICTURES), 400)
    scores = []
    for name in (arm, other):
        targets, predicted = kept(path, name, mode, fraction)
        by_class = []
        for one, k in product(predicted, (0, 1)):  # precision at each positive, by how often it was drawn
            reached = one[:, None, k] >= one[None, :, k]
            found = weights * targets[:, k]
            precision = (found @ reached) / np.maximum(weights @ reached, 1)
            by_class.append((found * precision).sum(axis=1) / found.sum(axis=1))
        scores.append(np.reshape(by_class, (len(SEEDS), 2, -1)).mean(axis=1))
    covariance = np.cov(scores[0] - scores[1])
    pairs = [covariance[a, b] for a, b in product(SEEDS, SEEDS) if a != b]
    return max(0.0, float(np.mean(pairs))) * PICTURES / (PICTURES - 1)


def reach(level: float, deviation: float, added: float) -> float:
    """Half of Banerjee's interval that errs with this probability."""
    t = [stats.t.ppf(1 - level / 2, n - 1) for n in (len(SEEDS), PICTURES)]
    return float(np.sqrt(t[0] ** 2 * deviation**2 / len(SEEDS) + t[1] ** 2 * added))


def test_differences_hold_the_pictures_share(made: tuple[Path, dict[str, Any]]) -> None:
    path, document = made
    places = [(row["arm"], row["reference"], row["mode"], row["fraction"]) for row in document["differences"]]
    assert sorted(places) == sorted(
        (*pair, mode, f) for pair in PAIRS for mode in ("finetune", "linear") for f in FRACTIONS
    )
    for row in document["differences"]:
        found = [scored(path, row[side], row["mode"], row["fraction"]) for side in ("arm", "reference")]
        mean, deviation = np.mean(found[0] - found[1]), np.std(found[0] - found[1], ddof=1)
        added = variance(path, row["arm"], row["reference"], row["mode"], row["fraction"])
        assert added > 0
        half = reach(0.05, deviation, added)
        assert (row["mean"], row["low"], row["high"]) == pytest.approx((mean, mean - half, mean + half))
        assert reach(row["p"], deviation, added) == pytest.approx(abs(mean))
        assert row["depth"] == (8 if row["mode"] == "linear" else None)


def test_holm_corrects_within_each_mode(made: tuple[Path, dict[str, Any]]) -> None:
    _, document = made
    for mode in ("finetune", "linear"):
        rows = sorted((row for row in document["differences"] if row["mode"] == mode), key=lambda row: row["p"])
        highest = 0.0
        for i, row in enumerate(rows):
            highest = max(highest, (9 - i) * row["p"])
            assert row["comparisons"] == 9
            assert row["p_holm"] == pytest.approx(min(1, highest))
            way = "helped" if row["mean"] > 0 else "hurt"
            assert row["verdict"] == (way if row["p_holm"] < 0.05 else "no evidence")
        assert any(row["p"] < 0.05 <= row["p_holm"] for row in rows)  # only the correction says so
    assert {row["verdict"] for row in document["differences"]} == {"helped", "hurt", "no evidence"}


def test_labels_saved_are_against_the_reference_with_all_labels(made: tuple[Path, dict[str, Any]]) -> None:
    path, document = made
    rows = {(row["arm"], row["mode"]): row for row in document["labels_saved"]}
    assert rows.keys() == set(product(("mine", "late"), ("finetune", "linear")))
    for (arm, mode), row in rows.items():
        fractions = sorted(FRACTIONS)
        mine = [scored(path, arm, mode, fraction) for fraction in fractions]
        goal, added = scored(path, "scratch", mode, 1), variance(path, arm, "scratch", mode, 1)
        expected = labels_saved(fractions, goal, mine, picture_variance=added, pictures=PICTURES)
        assert (row["fraction"], row["low"], row["high"]) == (expected.fraction, expected.low, expected.high)
        assert row["already"] == expected.already
        assert row["reference"] == "scratch"
        reached = [one.mean() >= goal.mean() for one in mine]
        assert reached == {"mine": [row["already"], True, True], "late": [False, False, False]}[arm]
        assert (row["high"] is not None, row["low"] is not None) == (arm == "mine", arm == "late")
