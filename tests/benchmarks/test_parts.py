"""A study that goes on elsewhere keeps what came before."""

import json
from pathlib import Path
from typing import Any

import ladder
import parts
import pytest
from rungs import RUNGS


def part(begun: str, **scores: float) -> dict[str, Any]:
    """A study of some arms, each with one score, and its difference to scratch."""
    return {
        "begun": begun,
        "seconds": 60.0,
        "arms": [{"name": name} for name in scores],
        "cells": [{"arm": name, "score": score} for name, score in scores.items()],
        "table": [{"arm": name, "mode": "finetune", "seeds": 3, "mean": score} for name, score in scores.items()],
        "differences": [
            {"arm": name, "reference": "scratch", "mean": score - scores["scratch"]}
            for name, score in scores.items()
            if name != "scratch"
        ],
        "pretrainings": {name: [{"seed": 0}] for name in scores if name != "scratch"},
        "checks": [{"state": "ok", "words": "No copies."}, {"state": "ok", "words": f"Begun {begun}."}],
    }


FIRST, SECOND = part("2026-01-01", scratch=0.3, paper=0.4), part("2026-01-02", scratch=0.2, paper=0.45, crops=0.5)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(parts, "RESULTS", tmp_path)
    for document in (FIRST, SECOND):
        (tmp_path / f"{parts.name_of('rungs', document['begun'])}.json").write_text(json.dumps(document))
    return tmp_path


def test_each_study_keeps_its_file(kept: Path) -> None:
    assert {path.name for path in kept.iterdir()} == {"ladder-rungs.json", "ladder-rungs-2.json"}
    assert [parts.name_of("rungs", begun) for begun in ("2026-01-01", "2026-01-02", "2026-01-03")] == [
        "ladder-rungs", "ladder-rungs-2", "ladder-rungs-3",
    ]  # fmt: skip


def test_the_first_that_has_an_arm_or_a_difference_tells_it(kept: Path) -> None:
    assert parts.parts("rungs") == [FIRST, SECOND]
    whole = parts.merged(parts.parts("rungs"))
    assert whole is not None
    assert {row["arm"]: row["mean"] for row in whole["table"]} == {"scratch": 0.3, "paper": 0.4, "crops": 0.5}
    assert {row["arm"]: row["mean"] for row in whole["differences"]} == pytest.approx({"paper": 0.1, "crops": 0.3})
    assert [arm["name"] for arm in whole["arms"]] == ["scratch", "paper", "crops"]
    assert list(whole["pretrainings"]) == ["paper", "crops"]
    assert len(whole["checks"]) == 3
    assert (whole["parts"], whole["seconds"]) == (2, 120.0)
    assert parts.merged([]) is None
    assert parts.merged([FIRST]) == {**FIRST, "parts": 1}


def test_what_is_whole_elsewhere_is_pretrained_for_those_that_are_held_against_it_alone(
    kept: Path, tmp_path: Path
) -> None:
    """Of the rungs here `l1` is missing, which is held against `crops`; against `paper` nothing that is missing is held."""
    assert ladder.wanted(tmp_path / "runs", seeds=3) == {rung.name for rung in RUNGS} - {"paper"} | {"simclr", "simmim"}
    study = tmp_path / "runs" / "study-rungs" / "study.json"
    study.parent.mkdir(parents=True)
    study.write_text(json.dumps(SECOND))
    assert ladder.wanted(tmp_path / "runs", seeds=3) >= {
        "paper",
        "crops",
    }  # crops is of the study here, and held against paper
    assert ladder.wanted(tmp_path / "runs", seeds=4) >= {rung.name for rung in RUNGS}
