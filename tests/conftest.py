"""What all tests share: one thread, small folders of pictures, the command line as a process."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import pretint
from tests.experiments.tiny_runs import FINETUNE, PRETRAIN

signal.signal(signal.SIGINT, signal.default_int_handler)
"""What a shell starts in the background inherits an ignored Ctrl-C, and then no test of a stop could stop anything."""

pytest.register_assert_rewrite("tests.pretexts.promises", "tests.training.driving")

SOURCES = str(Path(pretint.__file__).parents[1])


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Tiny networks are faster so, and sums do not depend on the machine."""
    torch.set_num_threads(1)


def paint(seed: int, height: int = 40, width: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """A picture uint8 (H, W, 3) of a vivid disc on a vivid slope, and its mask: 0 ground, 1 or 2 the disc, 255 its rim."""
    draws = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    low, high, disc = draws.integers(0, 256, (3, 3))
    slope = ((x + y) / (height + width - 2))[..., None]
    centre = draws.integers(10, 30, 2)
    distance = np.hypot(y - centre[0], x - centre[1])
    inside = distance < 9
    rgb = np.where(inside[..., None], disc, low + slope * (high - low)) + draws.normal(0, 4, (height, width, 3))
    mask = np.where(inside, 1 + seed % 2, 0)
    mask[(distance >= 9) & (distance < 11)] = 255
    return rgb.clip(0, 255).astype(np.uint8), mask.astype(np.uint8)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 colourful pictures, two of them in a folder below."""
    folder = tmp_path_factory.mktemp("data") / "pictures"
    (folder / "below").mkdir(parents=True)
    for i in range(16):
        name = f"below/{i:02d}.jpg" if i > 13 else f"{i:02d}.png"
        Image.fromarray(paint(i)[0]).save(folder / name)
    return folder


@pytest.fixture(scope="session")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 pictures with masks of two kinds of discs; the layout ``masks``."""
    folder = tmp_path_factory.mktemp("data") / "masked"
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for i in range(16):
        rgb, mask = paint(100 + i)
        Image.fromarray(rgb).save(folder / "images" / f"{i:02d}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{i:02d}.png")
    (folder / "classes.txt").write_text("ground\nsun\nmoon\n")
    return folder


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 pictures with none, one or two of two labels; the layout ``table``."""
    folder = tmp_path_factory.mktemp("data") / "labelled"
    folder.mkdir()
    rows = ["file,warm,bright"]
    for i in range(16):
        Image.fromarray(paint(200 + i)[0]).save(folder / f"{i:02d}.png")
        rows.append(f"{i:02d}.png,{i % 2},{i // 2 % 2}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="session")
def sorted_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 pictures in two folders named like their class; the layout ``imagefolder``."""
    folder = tmp_path_factory.mktemp("data") / "sorted"
    for i in range(16):
        below = folder / ("even", "odd")[i % 2]
        below.mkdir(parents=True, exist_ok=True)
        Image.fromarray(paint(300 + i)[0]).save(below / f"{i:02d}.png")
    return folder


@pytest.fixture(scope="session")
def coloring_run(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny pretraining on ``pictures`` whose colours are no greys; for tests that only read it."""
    out = tmp_path_factory.mktemp("tiny") / "coloring"
    pretint.pretrain(data=pictures, out=out, **PRETRAIN | {"epochs": 6, "regression": {"rate": 5e-3}})
    return out


@pytest.fixture(scope="session")
def multilabel_run(labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny fine-tuning on ``labelled``; for tests that only read it."""
    out = tmp_path_factory.mktemp("tiny") / "multilabel"
    pretint.finetune(data=labelled, out=out, **FINETUNE | {"task": "multilabel", "rate": 5e-3, "epochs": 6})
    return out


@pytest.fixture(scope="session")
def segmentation_run(masked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny fine-tuning on ``masked`` that finds discs; for tests that only read it."""
    out = tmp_path_factory.mktemp("tiny") / "segmentation"
    pretint.finetune(data=masked, out=out, **FINETUNE | {"rate": 1e-2, "epochs": 12})
    return out


Command = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start_command() -> Command:
    """Starts ``python -m pretint`` with some arguments in a process group of its own."""

    def start(*arguments: object) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "pretint", *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            env=environment(),
        )  # fmt: skip

    return start


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """A disk without room, as far as this process is told: no file grows beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def environment(**more: str) -> dict[str, str]:
    """The environment of a child process that is to find the pretint under test."""
    return os.environ | {"PYTHONPATH": SOURCES, "OMP_NUM_THREADS": "1", "COLUMNS": "200"} | more
