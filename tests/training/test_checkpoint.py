"""Checkpoints where the disk has no room: one sentence, and what was there stays."""

from pathlib import Path

import pytest
import torch

from pretint.errors import ResourceError
from pretint.run_folder import RunFolder
from pretint.training import checkpoint
from tests.conftest import files_up_to


def test_a_full_disk_is_told_and_leaves_the_last_checkpoint(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", {"kind": "pretrain", "state": "running"})
    small, large = {"a": torch.ones(4)}, {"a": torch.ones(50_000)}
    checkpoint.save(run, 1, small, small, {})
    run.point("last", 1)
    for step, weights, state in ((1, large, small), (2, large, small), (2, small, large)):
        with files_up_to(20_000), pytest.raises(ResourceError, match=rf"{step:08d}: cannot be written .*make room"):
            checkpoint.save(run, step, weights, state, {})
    folder = run.checkpoint("last")
    checkpoint.read_progress(folder, checkpoint.WEIGHTS, checkpoint.OPTIMIZER)
    assert torch.equal(checkpoint.load_tensors(folder / checkpoint.WEIGHTS)["a"], torch.ones(4))
    checkpoint.save(run, 2, large, small, {})  # there is room again
    assert torch.equal(checkpoint.load_tensors(run.checkpoint_path(2) / checkpoint.WEIGHTS)["a"], torch.ones(50_000))
