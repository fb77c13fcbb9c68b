"""The transfer in the authors' terms, against cases counted by hand."""

from pathlib import Path

import numpy as np
import pytest

from pretint.reproduction.transfer import accuracy, losses
from pretint.run_folder import RunFolder


def test_accuracy_asks_for_the_first_label(tmp_path: Path) -> None:
    """Of the first seed's four pictures two have their highest score at their first label, of the second's none."""
    targets = np.array([[1, 0, 1], [0, 1, 1], [0, 0, 1], [1, 0, 0]])
    scores = np.array([[0.9, 0.1, 0.2], [0.1, 0.2, 0.9], [0.1, 0.2, 0.9], [0.1, 0.9, 0.2]])  # highest: 0, 2, 2, 1
    files = [tmp_path / "a.npz", tmp_path / "b.npz"]
    np.savez(files[0], targets=targets, scores=scores)
    np.savez(files[1], targets=targets, scores=np.roll(scores, 1, axis=1))  # highest: 1, 0, 0, 2
    assert accuracy(files[:1]) == {"mean": 50.0, "deviation": None, "seeds": 1}
    assert accuracy(files) == {"mean": 25.0, "deviation": pytest.approx(35.36), "seeds": 2}  # 50 / sqrt(2)


def test_losses_stand_at_their_epochs(tmp_path: Path) -> None:
    """Two epochs of three are logged: each at its place, as the mean of its steps over both seeds, the other without a value."""
    logged = ([(2, 0.5), (2, 0.7), (3, 0.1)], [(2, 0.2), (2, 0.4), (3, 0.3)])
    runs = []
    for seed, entries in enumerate(logged):
        run = RunFolder.create(tmp_path / str(seed), {"kind": "finetune", "state": "finished", "options": {}})
        for step, (epoch, loss) in enumerate(entries):
            run.append_metrics(step=step, epoch=epoch, kind="train", **{"network.loss": loss})
        run.append_metrics(step=9, epoch=4, kind="validation", map=0.5)
        runs.append(run)
    assert losses(runs) == [None, 0.45, 0.2]
