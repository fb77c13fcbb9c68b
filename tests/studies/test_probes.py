"""Probes are of the features, labels and pictures that they say: recomputed from what ``embed`` gives, by scikit-learn."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.metrics import average_precision_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

import pretint
from pretint import recipe
from pretint.commands.finetune import SCHEMA
from pretint.commands.resolve import options_from_call
from pretint.data.layouts import open_source
from pretint.data.splits import carve_validation, subset
from pretint.metrics.probing import PENALTIES
from pretint.studies.folder import StudyFolder
from pretint.studies.work import work
from tests.experiments.tiny_runs import FINETUNE

LEFT_OUT = ["23.png", "27.png"]
FEW, SEED, DEPTH = 0.5, 1, 8


def test_probes_are_scikit_learns_on_the_pictures_that_were_asked_for(
    parted: Path, coloring_run: Path, tmp_path: Path
) -> None:
    folder = StudyFolder.create(tmp_path / "study")
    asked = FINETUNE | {"task": "multilabel", "data": parted, "out": folder.path / "runs" / "a", "seed": SEED}
    options = options_from_call(SCHEMA, asked | {"init": str(coloring_run)})
    job = {
        "key": "a", "kind": "features", "arm": "a", "values": recipe.as_values(options), "study": str(folder.path),
        "test": "test", "without": LEFT_OUT, "fractions": [FEW, 1.0], "modes": ["linear", "knn"],
    }  # fmt: skip
    outcome = work(job)

    names = [f"{i:02d}.png" for i in range(30)]
    labels = np.array([[i % 2, i // 2 % 2] for i in range(30)])
    features = pretint.embed(coloring_run, [parted / name for name in names], out=tmp_path / "features").features[DEPTH]
    test = [i for i in range(20, 30) if names[i] not in LEFT_OUT]
    training, _ = carve_validation(open_source(parted).split("train"), options.validation, SEED)
    rows = np.array([int(record.id.removesuffix(".png")) for record in training])
    expected = {}
    for fraction, known in ((FEW, rows[subset(labels[rows] == 1, FEW, SEED)]), (1.0, rows)):
        scaler = StandardScaler().fit(features[known])
        ridge = RidgeCV(len(known) * np.array(PENALTIES)).fit(scaler.transform(features[known]), labels[known])
        nearest = KNeighborsClassifier(
            len(known), metric="cosine", algorithm="brute", weights=lambda distance: np.exp((1 - distance) / 0.07)
        ).fit(features[known], labels[known])
        expected["linear", fraction] = ridge.predict(scaler.transform(features[test]))
        expected["knn", fraction] = np.column_stack([one[:, 1] for one in nearest.predict_proba(features[test])])
    cells = {(cell["mode"], cell["fraction"]): cell for cell in outcome["cells"] if cell["depth"] == DEPTH}
    assert cells.keys() == expected.keys()
    for place, scores in expected.items():
        with np.load(folder.pictures_of(cells[place]["key"])) as kept:
            assert kept["ids"].tolist() == [names[i] for i in test]
            np.testing.assert_array_equal(kept["targets"], labels[test])
            np.testing.assert_allclose(kept["scores"], scores, atol=1e-3)
            told = average_precision_score(labels[test], kept["scores"])
        assert cells[place]["scores"]["map"] == pytest.approx(told)
    assert outcome["pictures"] == 8
    # Knowing nothing but frequencies, all pictures score alike: what precision is then is the share of positives.
    assert outcome["constant"]["map"] == pytest.approx(labels[test].mean())
