"""Memory: the peak of a training step, its growth over steps, and the index of a million pictures.

    python benchmarks/memory.py step --data PHOTOS --accumulate 1 4 8
    python benchmarks/memory.py growth --steps 3000
    python benchmarks/memory.py index --pictures 1000000

``step``: largest resident memory of ``pretint pretrain --recipe paper`` (256 px, batches of 32) over two steps.
``growth``: resident memory of a tiny training and its readers, step by step; a line fitted after the first third says MB per 1,000 steps.
``index``: links to one small picture, whose looks are in a cache. A process lists them, screens them, tells their fingerprint, holds some
out and reads batches with two readers; told are the seconds of each, and the memory of all processes together (proportional set size)
beyond what the same takes for 1,000 links.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

PRETINT = [sys.executable, "-m", "pretint", "pretrain"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    step = kinds.add_parser("step")
    step.add_argument("--data", type=Path, required=True)
    step.add_argument("--accumulate", type=int, nargs="+", default=[1, 4])
    growth = kinds.add_parser("growth")
    growth.add_argument("--steps", type=int, default=3000)
    growth.add_argument("--workers", type=int, default=1)
    index = kinds.add_parser("index")
    index.add_argument("--pictures", type=int, default=1_000_000)
    index.add_argument("--folder", type=Path, default=None, help="where the links are made; one in memory is faster")
    index.add_argument("--child", type=Path, default=None, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.kind == "step":
        peaks(given.data, given.accumulate)
    elif given.kind == "index" and given.child:
        print(json.dumps(index_of(given.child)))
    elif given.kind == "index":
        small, large = (measured_index(count, given.folder) for count in (1000, given.pictures))
        for name, value in large.items():
            print(f"{name:40} {value:8.1f}   with 1,000: {small[name]:8.1f}   difference {value - small[name]:8.1f}")
    else:
        grown = growth_of(given.steps, given.workers)
        print(f"{grown['main']:+.2f} MB per 1,000 steps in the training, {grown['readers']:+.2f} in its readers")


def peaks(data: Path, accumulate: list[int]) -> None:
    """Print the peak of two steps of recipe paper for each number of parts."""
    for parts in accumulate:
        with tempfile.TemporaryDirectory() as folder:
            chosen = Path(folder) / "pictures"
            chosen.mkdir()
            for i, path in enumerate(sorted(data.rglob("*.jpg"))[:96]):
                (chosen / f"{i:02d}.jpg").symlink_to(path.resolve())
            command = [
                *PRETINT, "--recipe", "paper", "--data", str(chosen), "--out", f"{folder}/run", "--epochs", "1",
                "--loop.accumulate", str(parts), "--loop.workers", "0", "--keep-grey", "--loop.log-every", "1", "--validation", "32",
            ]  # fmt: skip
            begun = time.monotonic()
            process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            peak = used.ru_maxrss * 1024 / 1e9
            print(
                f"accumulate {parts}: {peak:.2f} GB (exit {process.returncode}, {used.ru_utime + used.ru_stime:.0f} s of CPU, "
                f"{time.monotonic() - begun:.0f} s)",
                flush=True,
            )


def growth_of(steps: int, workers: int) -> dict[str, float]:
    """MB per 1,000 steps of the training's process (``main``) and of all its readers (``readers``)."""
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder) / "pictures"
        pictures.mkdir()
        draws = np.random.default_rng(0)
        for i in range(404):
            pixels = draws.integers(0, 256, (4, 4, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((40, 32), Image.Resampling.BICUBIC).save(pictures / f"{i:03d}.png")
        run = Path(folder) / "run"
        command = [
            *PRETINT, "--pretext", "regression", "--data", str(pictures), "--out", str(run), "--size", "32", "--backbone", "unet", "--unet.width", "0.1",
            "--batch-size", "4", "--validation", "4", "--epochs", str(steps // 100), "--loop.workers", str(workers),
            "--loop.log-every", "10",
        ]  # fmt: skip
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        rows = list(_watched(process, run / "metrics.jsonl", workers))
        assert process.returncode == 0, "the training failed"
    table = np.array([row for row in rows if row[0] > steps / 3], dtype=np.float64)
    slopes = np.polyfit(table[:, 0] / 1000, table[:, 1:] / 1e6, 1)[0]
    return {"main": float(slopes[0]), "readers": float(slopes[1])}


def measured_index(count: int, where: Path | None) -> dict[str, float]:
    """Seconds and MB of a fresh process that opens so many pictures."""
    from pretint.data.layouts import open_pool
    from pretint.data.looks import HASHED, Looks

    with tempfile.TemporaryDirectory(dir=where) as folder:
        root = Path(folder) / "pictures"
        first = Path(folder) / "one.png"
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(first)
        for i in range(count):
            if i % 10_000 == 0:
                below = root / f"{i // 10_000:04d}"
                below.mkdir(parents=True)
                os.chdir(below)
            os.link(first, f"picture-{i:09d}.png")
        os.chdir("/")
        looks = Looks.none_of(open_pool([root], layout="pictures"))
        looks.state[:] = HASHED
        looks.numbers[:] = [30, 20, 5, 5]
        looks.save(Path(folder) / "looks.safetensors")
        command = [sys.executable, __file__, "index", "--child", folder]
        return dict(json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout))


def index_of(folder: Path) -> dict[str, float]:
    """Seconds and MB of this process and its readers."""
    import torch

    from pretint.data.feed import Feed
    from pretint.data.layouts import open_pool
    from pretint.data.record import fingerprint
    from pretint.data.screening import screen
    from pretint.data.splits import carve_validation
    from pretint.data.views import ViewOptions

    torch.zeros(1)
    told: dict[str, float] = {}
    last = time.process_time()

    def lap(name: str) -> None:
        nonlocal last
        now = time.process_time()
        told[f"{name}, s of CPU"] = now - last
        told[f"{name}, peak MB so far"] = _status("VmHWM") / 1000
        last = now

    pool = open_pool([folder / "pictures"], layout="pictures")
    lap("listing")
    kept = screen(pool, cache=folder / "looks.safetensors").kept
    lap("screening")
    training, held_out = carve_validation(kept, 0.02, 0)
    lap("validation")
    fingerprint(training, held_out)
    lap("fingerprint")
    feed = Feed(training, size=16, view=ViewOptions(), batch_size=8, seed=0, workers=2)
    batches = feed.batches(0, 10**6)
    for _ in range(60):
        next(batches)
    lap("60 batches of 8")
    processes = [os.getpid(), *children(os.getpid())]
    told["all processes together, MB"] = sum(map(_proportional, processes)) / 1e6
    batches.close()
    return told


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(name))


def _proportional(process: int) -> int:
    """Bytes of memory, what is shared counted by its share."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _watched(process: subprocess.Popen[bytes], metrics: Path, workers: int) -> Iterator[tuple[int, int, int]]:
    """(step, bytes of the process, bytes of its readers) until it ends; those of a validation come and go, and do not count."""
    last = 0
    while process.poll() is None:
        time.sleep(0.1)
        if not metrics.exists() or not (lines := metrics.read_text().splitlines()):
            continue
        try:
            step = json.loads(lines[-1])["step"]
            if step > last:
                last = step
                yield step, resident(process.pid), sum(map(resident, children(process.pid)[:workers]))
        except (ValueError, OSError):
            continue  # half a line, or a process that has just ended


def resident(process: int) -> int:
    """Bytes of resident memory."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def children(process: int) -> list[int]:
    """Processes that this one has started."""
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


if __name__ == "__main__":
    main()
