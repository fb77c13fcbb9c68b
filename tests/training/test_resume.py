"""A run that was stopped and resumed ends with the bits of one that was not: weights, optimizers, metrics, best checkpoint."""

import contextlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pretint.cli import main
from pretint.data.feed import Batch
from pretint.run_folder import RunFolder, read_description
from pretint.training import loop as loop_module
from pretint.training.loop import Loop
from tests.conftest import Command, environment
from tests.training.driving import Outcome, Training, finetuning, pretraining, tiny

STEPS = 9  # 3 epochs of 3 steps
WORKERS = list(itertools.product((0, 2), repeat=2))
SEEDED = [random.Random(5).randint(1, STEPS) for _ in range(20)]
BOUNDARIES = [3, 6, 9]  # ends of epochs; that of the frozen phase is 3
KINDS = ("pretrain", "finetune")


@pytest.fixture(scope="module")
def trainings(pictures: Path, masked: Path) -> dict[str, Training]:
    return {
        "pretrain": pretraining(pictures),
        "finetune": finetuning(masked, "segmentation", ("backbone", "decoder")),
    }


@pytest.fixture(scope="module")
def whole(trainings: dict[str, Training], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    return {kind: training.run(tmp_path_factory.mktemp("runs") / kind) for kind, training in trainings.items()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("stop", "workers"), list(zip([1, 2, *BOUNDARIES, 4, 5, 7], WORKERS * 2, strict=True)))
def test_resumed_equals_whole(
    trainings: dict[str, Training], whole: dict[str, Outcome], kind: str, stop: int, workers: tuple[int, int], tmp_path: Path
) -> None:  # fmt: skip
    trainings[kind].run(tmp_path / "run", [stop], workers).assert_equal(whole[kind])


@pytest.mark.long
@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize("kind", KINDS)
def test_resumed_equals_whole_everywhere(
    trainings: dict[str, Training], whole: dict[str, Outcome], kind: str, workers: tuple[int, int], tmp_path: Path
) -> None:
    for place, stop in enumerate([*SEEDED, *BOUNDARIES]):
        trainings[kind].run(tmp_path / f"{place}", [stop], workers).assert_equal(whole[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_stops_may_be_many(
    trainings: dict[str, Training], whole: dict[str, Outcome], kind: str, tmp_path: Path
) -> None:
    trainings[kind].run(tmp_path / "run", [1, 2, 3, 5, 6, 9]).assert_equal(whole[kind])


def test_ends_of_short_epochs_without_a_checkpoint(
    trainings: dict[str, Training], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is saved, the best and the last; a resume goes back behind the others and computes the same."""
    training = replace(trainings["pretrain"], held_out=())
    expected = training.run(tmp_path / "whole")
    monkeypatch.setattr(loop_module, "SAVING_APART", 1e9)
    step = Loop._train_step

    def until_killed(loop: Loop, parts: object) -> None:
        if loop._step == 7:
            raise RuntimeError("killed in the last epoch")
        step(loop, parts)  # type: ignore[arg-type]

    monkeypatch.setattr(Loop, "_train_step", until_killed)
    with pytest.raises(RuntimeError, match="killed"):
        training.start(tmp_path / "run")
    assert (RunFolder.open(tmp_path / "run").pointer("last") or {})["step"] == 3  # not 6
    monkeypatch.setattr(Loop, "_train_step", step)
    training.start(tmp_path / "run", resume=True)
    Outcome.of(tmp_path / "run").assert_equal(expected)


@pytest.mark.parametrize(
    "loop",
    [
        {"ema": 0.9},
        {"accumulate": 2},
        {"clip": 0.1},
        {"schedule": "one-cycle"},
        {"schedule": "cosine", "warmup": 0.3, "ema": 0.5, "accumulate": 2, "clip": 0.5},
        {"validate_every": 2},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", KINDS)
def test_options_of_the_loop_resume(trainings: dict[str, Training], kind: str, loop: dict, tmp_path: Path) -> None:
    one = trainings[kind].run(tmp_path / "whole", **loop)
    trainings[kind].run(tmp_path / "stopped", [2, 6, 7], **loop).assert_equal(one)


@pytest.mark.parametrize("stop", [2, 3, 5])
def test_growing_sizes_resume(pictures: Path, stop: int, tmp_path: Path) -> None:
    training = pretraining(pictures, tiny(backbone="residual", size=32), size_at={0: 16, 1: 24, 2: 32}.__getitem__)
    training.run(tmp_path / "stopped", [stop], (0, 2)).assert_equal(training.run(tmp_path / "whole"))


def test_the_authors_step_resumes(pictures: Path, tmp_path: Path) -> None:
    values = tiny(
        unet={"normalization": "batch-always", "dropout_at_inference": True},
        cgan={"critic_steps": "split", "generator_forward": "fresh", "leak": True},
    )
    training = pretraining(pictures, values)
    training.feed["order"] = "same"
    training.held_out = ()
    training.run(tmp_path / "stopped", [4]).assert_equal(training.run(tmp_path / "whole"))


def test_a_checkpoint_in_mid_epoch_changes_nothing(
    trainings: dict[str, Training], whole: dict[str, Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the second step of the second epoch, after the first was saved."""
    step = Loop._train_step

    def killed(loop: Loop, micros: list[Batch]) -> None:
        if loop._step == 4:
            raise KeyboardInterrupt
        step(loop, micros)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_train_step", killed)
        with pytest.raises(KeyboardInterrupt):
            trainings["pretrain"].start(tmp_path / "run", save_minutes=0.0)
    assert RunFolder.open(tmp_path / "run").pointer("last") == {"step": 4}
    trainings["pretrain"].start(tmp_path / "run", resume=True, save_minutes=0.0)
    Outcome.of(tmp_path / "run").assert_equal(whole["pretrain"])


def test_metrics_written_after_the_checkpoint_are_cut(
    trainings: dict[str, Training], whole: dict[str, Outcome], tmp_path: Path
) -> None:
    training = trainings["pretrain"]
    training.start(tmp_path / "run", stop=4)
    run = RunFolder.open(tmp_path / "run")
    run.append_metrics(step=5, epoch=2, kind="train", loss=1.0)  # as a crash after the checkpoint would leave it
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "ep')
    training.start(tmp_path / "run", resume=True)
    Outcome.of(tmp_path / "run").assert_equal(whole["pretrain"])


def test_scores_that_no_checkpoint_knows_are_written_once(
    trainings: dict[str, Training], whole: dict[str, Outcome], tmp_path: Path
) -> None:
    """Stopped at the end of an epoch, before its scores; resumed, and killed between the scores and their checkpoint."""
    training = trainings["pretrain"]
    steps = next(e["step"] for e in whole["pretrain"].metrics if e["kind"] == "validation")
    training.start(tmp_path / "run", stop=steps)
    run = RunFolder.open(tmp_path / "run")
    assert not any(entry["kind"] == "validation" for entry in run.metrics())
    run.append_metrics(step=steps, epoch=1, kind="validation", ab_error=1.0)
    training.start(tmp_path / "run", resume=True)
    Outcome.of(tmp_path / "run").assert_equal(whole["pretrain"])


def _options(data: Path, out: Path) -> Iterator[object]:
    yield from ("--data", data, "--out", out, "--loop.accelerator", "cpu", "--loop.precision", "float32")
    yield from ("--size", 16, "--epochs", 20, "--batch-size", 4, "--loop.log-every", 1)
    yield from ("--loop.validate-every", 20)


@pytest.mark.parametrize(
    ("number", "verb", "workers"), [(signal.SIGTERM, "pretrain", 2), (signal.SIGINT, "finetune", 1)]
)
def test_signals(
    number: signal.Signals, verb: str, workers: int, start_command: Command, pictures: Path, masked: Path, tmp_path: Path
) -> None:  # fmt: skip
    more = ("--backbone", "unet", "--unet.width", 0.1, "--loop.workers", workers) + (
        ("--pretext", "cgan", "--cgan.critic-width", 0.1, "--validation", 4)
        if verb == "pretrain"
        else ("--task", "segmentation", "--validation", 4)
    )
    data = pictures if verb == "pretrain" else masked
    stopped = tmp_path / "stopped"
    process = start_command(verb, *_options(data, stopped), *more)
    _wait_for_steps(stopped, 5, process)
    os.killpg(process.pid, number)  # as a terminal and a cluster do: to the processes that read pictures too
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 75, errors
    assert "--resume goes on" in errors
    assert "Traceback" not in errors
    assert RunFolder.open(stopped).manifest["state"] == "interrupted"
    step = (RunFolder.open(stopped).pointer("last") or {})["step"]
    assert 5 <= step < 60
    spent = RunFolder.open(stopped).manifest["cpu_seconds"]

    assert main([verb, *map(str, (*_options(data, stopped), *more, "--resume"))]) == 0
    assert main([verb, *map(str, (*_options(data, tmp_path / "whole"), *more))]) == 0
    Outcome.of(stopped).assert_equal(Outcome.of(tmp_path / "whole"))
    assert RunFolder.open(stopped).manifest["state"] == "finished"
    assert RunFolder.open(stopped).manifest["cpu_seconds"] > spent > 0


def test_a_script_that_does_not_catch_the_interruption_ends(pictures: Path, tmp_path: Path) -> None:
    """Its traceback keeps everything alive until the interpreter ends, the processes that read pictures too."""
    options = {"data": str(pictures), "out": str(tmp_path / "run"), "size": 16, "epochs": 2000, "batch_size": 4}
    options |= {"validation": 4, "backbone": "unet", "unet": {"width": 0.1}, "pretext": "regression"}
    options |= {"loop": {"workers": 2, "accelerator": "cpu", "log_every": 1}}
    script = f"import pretint; pretint.pretrain(**{options!r})"
    process = subprocess.Popen(
        [sys.executable, "-c", script], stderr=subprocess.PIPE, text=True, env=environment(), start_new_session=True
    )
    try:
        _wait_for_steps(tmp_path / "run", 5, process)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert "--resume goes on" in errors


def _wait_for_steps(out: Path, steps: int, process: object) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        metrics = out / "metrics.jsonl"
        if metrics.exists() and len(metrics.read_text().splitlines()) > steps:
            return
        assert process.poll() is None, process.communicate()[1]  # type: ignore[attr-defined]
        time.sleep(0.02)
    raise AssertionError(f"no {steps} steps in 60 s: {json.dumps([str(p) for p in out.rglob('*')])}")


def test_a_phase_that_ends_at_the_stop_is_scored_as_it_was_trained(masked: Path, tmp_path: Path) -> None:
    """Frozen, ``batch-always`` uses moving averages; thawed, the statistics of each batch. Weights say which they were scored with."""
    values = tiny(unet={"normalization": "batch-always", "dropout": 0.0})
    training = finetuning(masked, "segmentation", ("backbone", "decoder"), values=values)
    whole = training.run(tmp_path / "whole")
    training.start(tmp_path / "stopped", stop=3)  # the end of the frozen epoch, not scored yet
    last = RunFolder.open(tmp_path / "stopped").checkpoint("last")
    assert (read_description(last / "weights.safetensors") or {})["frozen"] == ["network.backbone", "network.decoder"]
    training.start(tmp_path / "stopped", resume=True)
    Outcome.of(tmp_path / "stopped").assert_equal(whole)
    last = RunFolder.open(tmp_path / "stopped").checkpoint("last")
    assert "frozen" not in (read_description(last / "weights.safetensors") or {})
