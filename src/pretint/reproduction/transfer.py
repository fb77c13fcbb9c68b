"""The transfer to classification in the authors' terms, from finished trainings: Table 4's accuracy, Figure 8's losses."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pretint.metrics.keras import first_label_accuracy
from pretint.run_folder import RunFolder


def accuracy(files: Sequence[Path]) -> dict[str, Any]:
    """Accuracy in %, as the authors' code counts it: ``mean``, ``deviation`` (None of a single training) and ``seeds``.

    Args:
        files: of each seed an .npz with ``targets`` (N, K) of 0/1 and ``scores`` (N, K).
    """
    values = []
    for path in files:
        with np.load(path, allow_pickle=False) as file:
            values.append(100 * first_label_accuracy(file["targets"], file["scores"]))
    deviation = round(float(np.std(values, ddof=1)), 2) if len(values) > 1 else None
    return {"mean": round(float(np.mean(values)), 2), "deviation": deviation, "seeds": len(values)}


def losses(runs: Sequence[RunFolder]) -> list[float | None]:
    """Mean training loss of each epoch over the seeds, of the steps that were logged; None for an epoch of which none was.

    Args:
        runs: one a seed, of equally many epochs.
    """
    means = np.mean([_by_epoch(run) for run in runs], axis=0).tolist()
    return [None if np.isnan(mean) else round(mean, 4) for mean in means]


def _by_epoch(run: RunFolder) -> list[float]:
    by_epoch: dict[int, list[float]] = {}
    for entry in run.metrics():
        if entry["kind"] == "train":
            by_epoch.setdefault(entry["epoch"], []).append(entry["network.loss"])
    return [float(np.mean(by_epoch.get(epoch, np.nan))) for epoch in range(1, max(by_epoch) + 1)]
