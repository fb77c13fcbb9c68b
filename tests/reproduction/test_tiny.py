"""Small trainings end when they are interrupted, and leave no half result."""

import os
import signal
from pathlib import Path

import pytest

from pretint.reproduction import tiny


def test_an_interruption_is_one(tmp_path: Path) -> None:
    tiny.make_scenes(tmp_path / "scenes", 12, 4)
    turns = []

    def interrupt(objective: object, turn: object) -> None:
        turns.append(turn)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        tiny.train(
            tiny.values_of("paper", pretext="regression", epochs=2),
            tiny.records_of(tmp_path / "scenes", "train"),
            tmp_path / "run",
            after_turn=interrupt,
        )
    assert len(turns) == 1
    assert signal.getsignal(signal.SIGINT) is before
