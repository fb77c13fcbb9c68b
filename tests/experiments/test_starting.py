"""A run's first start fixes its arithmetic."""

from pathlib import Path

import pytest

from pretint.commands.pretrain import SCHEMA
from pretint.commands.resolve import options_from_call
from pretint.errors import RunError
from pretint.experiments.starting import begin
from pretint.training import hardware
from tests.experiments.tiny_runs import LOOP, PRETRAIN


def test_the_arithmetic_of_the_first_start_holds(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Begun on a CPU with bf16, resumed on one without."""
    asked = PRETRAIN | {"data": pictures, "out": tmp_path / "run", "loop": LOOP | {"precision": "auto"}}
    monkeypatch.setattr(hardware, "_cpu_flags", lambda: {"amx_bf16"})
    begun = begin("pretrain", options_from_call(SCHEMA, asked), quiet=False)
    assert begun.run.manifest["options"]["loop"]["precision"] == "bf16"
    assert "precision: bf16 (this CPU has amx_bf16)" in capsys.readouterr().err
    monkeypatch.setattr(hardware, "_cpu_flags", set)
    resumed = begin("pretrain", options_from_call(SCHEMA, asked | {"resume": True}), quiet=False)
    assert [start.fabric.strategy.precision.precision for start in (begun, resumed)] == ["bf16-mixed"] * 2
    assert "precision: bf16 (as the run was begun)" in capsys.readouterr().err
    other = asked | {"resume": True, "loop": LOOP | {"precision": "float32"}}
    with pytest.raises(RunError, match=r"--loop\.precision differs"):
        begin("pretrain", options_from_call(SCHEMA, other), quiet=True)
