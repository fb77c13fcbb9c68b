"""Whether time grows as the work does, for what `pretint bench --curves` does not measure: classes, and cells of a comparison.

    python benchmarks/growth.py classes
    python benchmarks/growth.py cells

``classes``: seconds of a step of fine-tuning (residual backbone, 96 px, batch 16) with 2 to 512 classes, in turn, beside the counted
multiply-adds of network and head.
``cells``: seconds of whole ``pretint compare`` commands with 1 to 8 seeds, two arms, one fraction and one learning rate, on drawn scenes; a
line through them gives what a study costs before its first cell, and what each cell adds.

Counted is the CPU time of one thread, of all processes of the command, so that busy neighbours count little.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pretint.data import scenes
from pretint.data.feed import Batch
from pretint.inference.models import build_task_network
from pretint.methods import KINDS, names
from pretint.networks.counting import cost

SIZE, BATCH, ROUNDS = 96, 16, 5


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kind", choices=["classes", "cells"])
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.kind == "classes":
        classes()
    else:
        cells()


def classes() -> None:
    """A step over classes, for both tasks."""
    counts = (2, 8, 32, 128, 512)
    print("| task | classes | GFLOP a step | s | to linear |\n|---|---:|---:|---:|---:|")
    for task in ("multilabel", "segmentation"):
        steps = [step(task, count) for count in counts]
        times: list[list[float]] = [[] for _ in counts]
        for _ in range(ROUNDS + 1):
            for found, (run, _) in zip(times, steps, strict=True):
                begun = time.process_time()
                run()
                found.append(time.process_time() - begun)
        medians = [statistics.median(found[1:]) for found in times]
        last = medians[-1] / steps[-1][1]
        for count, seconds, (_, work) in zip(counts, medians, steps, strict=True):
            print(f"| {task} | {count} | {work:.1f} | {seconds:.3f} | {seconds / work / last:.2f} |")


def step(task: str, count: int) -> tuple[Any, float]:
    """A function that makes a step, and its work in GFLOP."""
    methods: dict[str, Any] = {method: {} for family in KINDS for method in names(family)}
    values = {**methods, "backbone": "residual", "decoder": "hypercolumn", "task": task, "size": SIZE}
    made, network = build_task_network(values, [str(k) for k in range(count)])
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)
    batch = Batch.of_noise(BATCH, SIZE)
    draws = np.random.default_rng(0)
    if task == "multilabel":
        batch = replace(batch, labels=torch.from_numpy(draws.integers(0, 2, (BATCH, count))).float())
    else:
        batch = replace(batch, mask=torch.from_numpy(draws.integers(0, min(count, 255), (BATCH, SIZE, SIZE))))

    def run() -> None:
        planes = batch.planes(network.backbone.planes)
        loss = made.loss(network(planes), batch)
        (loss.total / loss.count).backward()
        optimizer.step()
        optimizer.zero_grad()

    return run, 3 * 2 * BATCH * cost(network, (1, SIZE, SIZE)).multiply_adds / 1e9


def cells() -> None:
    """A comparison over its cells."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "scenes"
        scenes.write(data, 100, 0, size=64)
        found = []
        for seeds in (1, 2, 4, 8):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(
                [sys.executable, "-m", "pretint", "compare", "--task", "multilabel", "--data", data,
                 "--out", Path(folder) / f"study-{seeds}", "--arms", "random-frozen", "--seeds", str(seeds), "--fractions", "1",
                 "--rates", "0.001", "--epochs", "2", "--least-steps", "0", "--size", "64", "--backbone", "residual", "--jobs", "1"],
                check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            found.append((2 * seeds, spent))
            print(f"{2 * seeds} cells: {spent:.1f} s of CPU time", flush=True)
    each, first = np.polyfit(*np.array(found).T, 1)
    off = max(abs(first + each * count - spent) / spent for count, spent in found)
    print(f"{first:.1f} s before the first cell, {each:.2f} s a cell; the line misses no point by more than {off:.1%}")


if __name__ == "__main__":
    main()
