"""A run's first start fixes its arithmetic and the size of its batches."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from pretint.commands.pretrain import SCHEMA
from pretint.commands.resolve import options_from_call
from pretint.data.feed import Feed
from pretint.data.layouts import open_source
from pretint.errors import OptionError, RunError
from pretint.experiments.starting import Start, begin, feed
from pretint.run_folder import RunFolder
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


def _fed(out: Path, pictures: Path, count: int, *, devices: int, resumed: bool = False, **asked: Any) -> Feed:
    """What the first of some devices would train on."""
    fabric = SimpleNamespace(
        world_size=devices, global_rank=0, is_global_zero=True, device=torch.device("cpu")
    )  # fmt: skip
    run = RunFolder.open(out) if resumed else RunFolder.create(out, {"state": "running"})
    loop = LOOP | {"devices": devices, "accumulate": asked.pop("accumulate", 1)}
    options = options_from_call(SCHEMA, PRETRAIN | {"data": pictures, "out": out, "loop": loop, **asked})
    start = Start(run, fabric, 0, resumed, quiet=True)  # type: ignore[arg-type]
    return feed(start, options, open_source(pictures).split("all")[:count])


def test_a_resume_on_other_devices_keeps_the_batch(pictures: Path, tmp_path: Path) -> None:
    """Of 10 pictures one device takes 10 at once, and four would take 8."""
    asked = {"batch_size": 32}
    assert _fed(tmp_path / "four", pictures, 10, devices=4, **asked).batch_size == 8
    for devices in (1, 2, 8):
        resumed = _fed(tmp_path / "four", pictures, 10, devices=devices, resumed=True, **asked)
        assert (resumed.batch_size, resumed.steps_per_epoch) == (8, 1)
    assert RunFolder.open(tmp_path / "four").manifest["batch_size"] == 8
    assert _fed(tmp_path / "one", pictures, 10, devices=1, **asked).batch_size == 10
    with pytest.raises(RunError, match=r"--loop\.devices 4: .*one was begun with batches of 10 pictures.* 4 parts"):
        _fed(tmp_path / "one", pictures, 10, devices=4, resumed=True, **asked)
    # A run that did not note its batch takes what it took before.
    (tmp_path / "one" / "run.json").write_text("{}")
    assert _fed(tmp_path / "one", pictures, 10, devices=4, resumed=True, **asked).batch_size == 8


@pytest.mark.parametrize(("devices", "accumulate"), [(1, 4), (4, 1), (2, 2)])
def test_fewer_pictures_than_parts(devices: int, accumulate: int, pictures: Path, tmp_path: Path) -> None:
    asked = {"batch_size": 4, "accumulate": accumulate}
    words = rf"--loop\.accumulate {accumulate} on --loop\.devices {devices}: a batch of 4 parts needs .* there are 3;"
    with pytest.raises(OptionError, match=words):
        _fed(tmp_path / "three", pictures, 3, devices=devices, **asked)
    assert _fed(tmp_path / "four", pictures, 4, devices=devices, **asked).batch_size == 4
    assert _fed(tmp_path / "mended", pictures, 3, devices=1, batch_size=4).batch_size == 3
