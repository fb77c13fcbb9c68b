"""Cells of the modes ``linear`` and ``knn``: frozen features of one arm and seed, at every depth and label fraction."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pretint import recipe
from pretint.data.layouts import open_source
from pretint.data.splits import label_matrix
from pretint.errors import DataError
from pretint.experiments.fine_tuning import labelled_pictures
from pretint.experiments.initializing import initialize
from pretint.experiments.options import FinetuneOptions
from pretint.experiments.starting import seed_weights
from pretint.inference.embedding import embed_records
from pretint.inference.models import build_task_network
from pretint.metrics import labels
from pretint.metrics.probing import knn, linear_probe
from pretint.run_folder import write_atomically
from pretint.studies.folder import StudyFolder
from pretint.studies.work import npz
from pretint.training.hardware import kind_of_device


def key_of(arm: str, mode: str, depth: int, fraction: float, seed: int) -> str:
    """Name of such a cell in the study's folder."""
    return f"{arm}-{mode}-stride{depth}-{fraction:g}-seed{seed}"


def probe(job: Mapping[str, Any], options: FinetuneOptions) -> dict[str, Any]:
    """Score the probes of one arm and seed; ``cells`` in the outcome has one entry for each mode, depth and fraction.

    Raises:
        DataError: a picture cannot be read.
    """
    begun = time.monotonic()
    source = open_source(
        options.data, options.layout, options.classes or None, task="labels",
        one_class=options.task == "classification",
    )  # fmt: skip
    classes = list(source.classes)
    pool = source.training_split(options.split).records
    unwanted = set(job["without"])
    test = [record for record in source.test_split(job["test"]).records if record.id not in unwanted]
    seed_weights(options.seed)
    _, network = build_task_network(recipe.as_values(options), classes)
    account = initialize(network, options.init)
    network.to(kind_of_device(options.loop))
    subsets = {f: labelled_pictures(replace(options, fraction=f), source, pool)[0] for f in job["fractions"]}
    training = list({record.id: record for subset in subsets.values() for record in subset.records}.values())
    tables = []
    for records in (training, test):
        found = embed_records(network.backbone, records, view=options.view, size=options.size)
        if found.refused:
            raise DataError(found.refused[0][1])
        tables.append(found.features)
    row = {record.id: i for i, record in enumerate(training)}
    targets = label_matrix(test, classes)
    folder = StudyFolder(Path(job["study"]))
    cells = []
    for fraction, subset in subsets.items():
        rows = [row[record.id] for record in subset.records]
        known = label_matrix(subset.records, classes)
        for depth, features in tables[0].items():
            for mode in job["modes"]:
                scores = _scores(mode, features[rows], known, tables[1][depth])
                key = key_of(job["arm"], mode, depth, fraction, options.seed)
                ids = np.array([record.id for record in test])
                arrays = {"targets": targets, "scores": scores, "ids": ids}
                write_atomically(folder.pictures_of(key), npz(arrays))
                told = _told(options.task, classes, targets, scores)
                cells.append({"key": key, "mode": mode, "depth": depth, "fraction": fraction, "scores": told})
    return {
        "cells": cells,
        "constant": _constant(options.task, classes, label_matrix(training, classes), targets),
        "loaded": account.share,
        "parts": list(account.parts),
        "pictures": len(test),
        "seconds": round(time.monotonic() - begun, 1),
    }


def _scores(mode: str, features: NDArray[Any], known: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float64]:
    return linear_probe(features, known, others).scores if mode == "linear" else knn(features, known, others)


def _constant(task: str, classes: list[str], known: NDArray[Any], targets: NDArray[Any]) -> dict[str, Any]:
    """The scores of knowing nothing but how frequent each class is."""
    return _told(task, classes, targets, np.broadcast_to(known.mean(axis=0), targets.shape))


def _told(task: str, classes: list[str], targets: NDArray[Any], scores: NDArray[Any]) -> dict[str, Any]:
    """The scores that do not need probabilities."""
    if task == "classification":
        return {"top1": labels.top1(targets, scores)}
    by_class = labels.average_precision(targets, scores)
    told = {name: None if np.isnan(value) else float(value) for name, value in zip(classes, by_class, strict=True)}
    return {"map": labels.mean_average_precision(targets, scores), "ap": told}
