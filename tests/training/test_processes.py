"""Two processes with half of each batch, and one with two micro-batches, give what one gives with whole batches."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pretint.run_folder import RunFolder
from tests.conftest import environment
from tests.training.cases import CASES, training
from tests.training.driving import Outcome


@pytest.fixture(scope="module")
def whole(pictures: Path, masked: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    out = tmp_path_factory.mktemp("whole")
    return {name: training(name, pictures, masked).run(out / name) for name in CASES}


def _assert_alike(shared: Outcome, whole: Outcome) -> None:
    """Within the rounding of a few Adam steps of at most 1e-3."""
    assert shared.furthest(whole) < 2e-6
    assert shared.furthest(whole, "state") < 2e-5
    assert len(shared.metrics) == len(whole.metrics)
    for one, other in zip(shared.metrics, whole.metrics, strict=True):
        assert one.keys() == other.keys()
        assert one["kind"] == "train" or _numbers(one) == pytest.approx(_numbers(other), rel=1e-3, abs=1e-6)


def _numbers(entry: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in entry.items() if name != "kind"}


@pytest.mark.parametrize("name", CASES)
def test_two_micro_batches(name: str, whole: dict[str, Outcome], pictures: Path, masked: Path, tmp_path: Path) -> None:
    shared = training(name, pictures, masked).run(tmp_path / name, accumulate=2)
    _assert_alike(shared, whole[name])
    for one, other in zip(shared.metrics, whole[name].metrics, strict=True):
        assert _numbers(one) == pytest.approx(_numbers(other), rel=1e-3, abs=1e-6)


def test_two_processes(whole: dict[str, Outcome], pictures: Path, masked: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    script = Path(__file__).with_name("two_processes.py")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')",
             *map(str, (pictures, masked, tmp_path))],
            cwd=Path(__file__).parents[2], stderr=subprocess.PIPE, text=True,
            env=environment(MASTER_ADDR="127.0.0.1", MASTER_PORT=port, WORLD_SIZE="2", LOCAL_WORLD_SIZE="2",
                            RANK=rank, LOCAL_RANK=rank, GROUP_RANK="0", TORCHELASTIC_RUN_ID="none"),
        )
        for rank in "01"
    ]  # fmt: skip
    errors = [process.communicate(timeout=100)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], "\n".join(errors)
    for name, outcome in whole.items():
        _assert_alike(Outcome.of(tmp_path / name), outcome)


def test_two_processes_by_the_command(start_command, pictures: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """The command starts its second process by itself."""
    arguments = (
        "pretrain", "--data", pictures, "--out", tmp_path / "run", "--pretext", "regression", "--size", 16, "--epochs", 2,
        "--batch-size", 4, "--backbone", "unet", "--unet.width", 0.1, "--validation", 4, "--loop.devices", 2, "--loop.accelerator", "cpu",
        "--loop.workers", 0, "--loop.log-every", 1,
    )  # fmt: skip
    process = start_command(*arguments)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    run = RunFolder.open(tmp_path / "run")
    assert run.manifest["state"] == "finished"
    assert [entry["step"] for entry in run.metrics() if entry["kind"] == "train"] == [1, 2, 3, 4, 5, 6]
    # The second process would wait for the first, and tell of it in a traceback.
    again = start_command(*arguments)
    _, errors = again.communicate(timeout=120)
    assert again.returncode == 2
    assert errors.splitlines() == [
        f"pretint: --out {tmp_path / 'run'}: holds a run already; choose another folder, or add --resume to go on with it"
    ]


def test_the_second_process_fails_alone(tmp_path: Path) -> None:
    """The first says so, and that it ended; what the second had to say stands above."""
    script = tmp_path / "training.py"
    script.write_text(ALONE)
    process = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment(), timeout=120)
    assert process.returncode == 3, process.stderr
    assert "another process of this training has ended" in process.stdout


ALONE = """
import os, sys
from pretint.errors import PretintError
from pretint.training.hardware import ending_together, start_fabric
from pretint.training.options import LoopOptions

fabric, _ = start_fabric(LoopOptions(accelerator="cpu", devices=2), "float32")
try:
    with ending_together(fabric):
        fabric.barrier()
        if fabric.global_rank == 1:
            print("the disk is full", flush=True)
            os._exit(2)
        fabric.barrier()
except PretintError as error:
    print(error)
    sys.exit(3)
"""
