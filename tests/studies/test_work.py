"""All that a worker does is computed where --loop.accelerator says, not the training alone."""

from pathlib import Path
from typing import Any

import pytest
import torch

from pretint import recipe
from pretint.commands.finetune import SCHEMA
from pretint.commands.resolve import options_from_call
from pretint.studies.folder import StudyFolder
from pretint.studies.work import work
from tests.experiments.tiny_runs import FINETUNE


@pytest.fixture
def _gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that says it has a GPU, on which whatever is put fails."""
    to = torch.nn.Module.to

    def guarded(module: torch.nn.Module, *place: Any, **more: Any) -> torch.nn.Module:
        device, *_ = torch._C._nn._parse_to(*place, **more)
        assert device is None or device.type == "cpu", f"put on {device}"
        return to(module, *place, **more)

    monkeypatch.setattr(torch.nn.Module, "to", guarded)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a card")


@pytest.mark.usefixtures("_gpu")
@pytest.mark.parametrize("kind", ["time", "features", "finetune"])
def test_the_cpu_that_was_asked_for_does_all(kind: str, parted: Path, tmp_path: Path) -> None:
    asked = FINETUNE | {"task": "multilabel", "epochs": 1, "data": parted, "out": tmp_path / "runs" / "a"}
    job = {
        "key": "a", "kind": kind, "arm": "a", "values": recipe.as_values(options_from_call(SCHEMA, asked)),
        "study": str(tmp_path), "classes": ["warm", "bright"], "test": "test", "without": [],
        "fractions": [1.0], "modes": ["knn"], "keep_masks": False, "keep_weights": False,
    }  # fmt: skip
    StudyFolder.create(tmp_path)
    done = work(job)
    expected = {"time": "seconds_a_step", "features": "cells", "finetune": "scores"}
    assert done[expected[kind]]
