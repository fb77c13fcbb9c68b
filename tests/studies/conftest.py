"""A labelled folder with a list of test pictures, and a tiny study on it."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import pretint
from tests.conftest import SOURCES, paint
from tests.experiments.tiny_runs import LOOP

STUDY: dict[str, Any] = {
    "task": "multilabel", "size": 16, "epochs": 2, "batch_size": 4, "validation": 4, "least_steps": 4,
    "backbone": "unet", "unet": {"width": 0.1}, "loop": LOOP, "rates": [0.01], "seeds": 2, "fractions": [0.5, 1.0], "least_positives": 0,
}  # fmt: skip
"""Options of a study of a few seconds."""


@pytest.fixture(autouse=True)
def _workers_find_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", SOURCES)


@pytest.fixture(scope="session")
def parted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 training and 10 test pictures with two labels; the layout ``table`` with a column ``split``."""
    folder = tmp_path_factory.mktemp("data") / "parted"
    folder.mkdir()
    rows = ["file,warm,bright,split"]
    for i in range(30):
        Image.fromarray(paint(400 + i)[0]).save(folder / f"{i:02d}.png")
        rows.append(f"{i:02d}.png,{i % 2},{i // 2 % 2},{'test' if i >= 20 else 'train'}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="session")
def study(parted: Path, coloring_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study of scratch, scratch once more, and a pretrained run; for tests that only read it."""
    out = tmp_path_factory.mktemp("studies") / "study"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", SOURCES)
        pretint.compare(data=parted, out=out, arms=["again=scratch", f"mine={coloring_run}"], jobs=2, **STUDY)
    return out
