"""What the card of the shipped model says of its studies."""

import json
import sys
from pathlib import Path

import pytest
import ship

STUDY = {
    "title": "multilabel on voc",
    "arms": [
        {"name": "scratch", "init": ["scratch"], "pretrainings": 0},
        {"name": "best", "init": ["runs/one", "runs/two"], "pretrainings": 2},
    ],
    "table": [
        {"arm": arm, "mode": "finetune", "depth": None, "fraction": 0.1, "mean": mean, "low": mean - 0.02, "high": mean + 0.02}
        for arm, mean in (("scratch", 0.29), ("best", 0.399))
    ],
    "differences": [
        {"arm": "best", "reference": "scratch", "mode": "finetune", "depth": None, "fraction": 0.1, "mean": 0.109, "low": 0.045,
         "high": 0.174, "verdict": "helped"}
    ],
}  # fmt: skip


def test_a_row_has_both_scores_and_their_difference() -> None:
    lines = ship.transfer([STUDY])
    assert "An arm is 2 pretrainings of one recipe, of which this model is the first." in lines
    assert lines[-1] == (
        "| multilabel on voc | best, finetune | 10% | 39.9 (37.9 to 41.9) | 29.0 (27.0 to 31.0) | +10.9 (4.5 to 17.4) | helped |"
    )


def test_a_study_of_another_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = tmp_path / "study.json"
    study.write_text(json.dumps(STUDY))
    words = [
        "ship.py",
        "runs/two",
        "--test",
        str(tmp_path),
        "--licence",
        "none",
        "--transfer",
        str(study),
        "--into",
        str(tmp_path / "model"),
    ]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit, match="arm best of multilabel on voc begins with runs/one, which is not this run"):
        ship.main()
    assert not (tmp_path / "model").exists()
