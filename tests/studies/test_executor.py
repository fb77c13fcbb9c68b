"""Jobs side by side in processes: one that fails or is killed stops no other."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from pretint import recipe
from pretint.commands.finetune import SCHEMA
from pretint.commands.resolve import options_from_call
from pretint.errors import Interrupted
from pretint.studies import executor
from pretint.studies.executor import run_jobs, side_by_side
from tests.conftest import SOURCES
from tests.experiments.tiny_runs import FINETUNE


@pytest.fixture(autouse=True)
def _workers_find_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", SOURCES)


def job(key: str, **changes: Any) -> dict[str, Any]:
    """The time that a step of a tiny network takes."""
    values = recipe.as_values(options_from_call(SCHEMA, {**FINETUNE, "data": "d", "out": "o"}))
    return {"key": key, "kind": "time", "values": {**values, **changes}, "classes": ["a", "b"]}


def children() -> Iterator[int]:
    """Processes that this one has started."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if int(fields[1]) == os.getpid() and b"pretint.studies.worker" in command:
                yield int(entry.name)


def test_one_that_fails_and_one_that_is_killed_stop_no_other(tmp_path: Path) -> None:
    endless = {"size": 1024, "batch_size": 32}  # takes many seconds
    jobs = [job("bad", backbone="none"), job("killed", **endless), job("good"), job("last")]
    outcomes: dict[str, dict[str, Any]] = {}

    def kill() -> None:
        until = time.monotonic() + 60
        while "bad" not in outcomes and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.3)
        for process in children():
            os.kill(process, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    run_jobs(
        jobs, count=1, threads=1, folder=tmp_path, done=lambda one, outcome: outcomes.update({one["key"]: outcome})
    )
    killer.join()
    assert {key: outcome["state"] for key, outcome in outcomes.items()} == {
        "bad": "failed", "killed": "failed", "good": "finished", "last": "finished",
    }  # fmt: skip
    assert "none: unknown" in outcomes["bad"]["error"]
    assert "was killed (signal 9)" in outcomes["killed"]["error"]
    assert 0 < outcomes["good"]["seconds_a_step"] < 60
    assert not list(children())


def test_a_wish_to_stop_ends_the_workers(tmp_path: Path) -> None:
    begun: list[str] = []

    def done(one: Any, outcome: dict[str, Any]) -> None:
        begun.append(one["key"])
        if len(begun) == 1:  # a second one would interrupt at once
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted, match="--resume goes on"):
        run_jobs([job(str(i)) for i in range(40)], count=2, threads=1, folder=tmp_path, done=done)
    assert len(begun) < 40
    assert not list(children())


def test_no_process_to_be_had_fails_the_jobs_and_hangs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr("pretint.studies.executor.subprocess.Popen", refuse)
    outcomes: list[dict[str, Any]] = []
    run_jobs(
        [job("a"), job("b")], count=2, threads=1, folder=tmp_path, done=lambda _, outcome: outcomes.append(outcome)
    )
    assert [outcome["state"] for outcome in outcomes] == ["failed", "failed"]
    assert "Cannot allocate memory" in outcomes[0]["error"]


def test_an_outcome_may_bring_further_jobs(tmp_path: Path) -> None:
    seen: list[str] = []

    def done(asked: Any, outcome: dict[str, Any]) -> list[dict[str, Any]]:
        seen.append(asked["key"])
        assert outcome["state"] == "finished"
        return [job("third"), job("fourth")] if asked["key"] == "second" else []

    run_jobs([job("first"), job("second")], count=1, threads=1, folder=tmp_path, done=done)
    assert seen == ["first", "second", "third", "fourth"]


@pytest.mark.parametrize(
    ("cores", "threads", "kind", "free_gib", "cells"),
    [
        (16, 1, "cpu", 0, 16),
        (16, 4, "cpu", 0, 4),
        (2, 4, "cpu", 0, 1),
        (16, 1, "cuda", 79, 16),
        (16, 1, "cuda", 11, 2),  # the memory is what is short
        (16, 1, "cuda", 3, 1),
        (8, 1, "mps", 0, 1),
    ],
)
def test_cells_side_by_side(
    cores: int, threads: int, kind: str, free_gib: int, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "cores", lambda: cores)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (free_gib << 30, 80 << 30))
    assert side_by_side(threads, kind) == cells
