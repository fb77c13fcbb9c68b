"""The paper's trainings on data that are given: filled into the document, told apart from the paper's own."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pretint.cli import main
from pretint.commands import paper_runs
from pretint.errors import OptionError
from pretint.run_folder import RunFolder
from tests.conftest import SOURCES, paint

TINY = {"size": 16, "unet": {"width": 0.1}, "batch_size": 4, "loop": {"workers": 0}}


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """VOC's layout with two classes, 8 training and 4 test pictures."""
    folder = tmp_path / "voc"
    for part in ("JPEGImages", "SegmentationClass", "ImageSets/Main", "ImageSets/Segmentation"):
        (folder / part).mkdir(parents=True)
    names = [f"{i:02d}" for i in range(12)]
    for i, name in enumerate(names):
        rgb, mask = paint(500 + i)
        Image.fromarray(rgb).save(folder / "JPEGImages" / f"{name}.jpg")
        Image.fromarray(np.where(mask == 1, 8, np.where(mask == 2, 12, mask)).astype(np.uint8)).save(
            folder / "SegmentationClass" / f"{name}.png"
        )
    for split, of_split in (("train", names[:8]), ("val", names[8:])):
        for kind in ("Main", "Segmentation"):
            (folder / "ImageSets" / kind / f"{split}.txt").write_text("\n".join(of_split) + "\n")
        for remainder, label in ((0, "cat"), (1, "dog")):
            lines = [f"{name} {1 if int(name) % 2 == remainder else -1}" for name in of_split]
            (folder / "ImageSets" / "Main" / f"{label}_{split}.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.long
def test_everything_is_measured(voc: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", SOURCES)
    tiny: dict[str, Any] = {**TINY, "validation": 2}
    scale = paper_runs.Scale({**TINY, "epochs": 1, "cgan": {"critic_width": 0.1}}, tiny, "tiny")
    monkeypatch.setitem(paper_runs.SCALES, "tiny", scale)
    measured = paper_runs.measure(voc, pictures, pictures, tmp_path / "runs", "tiny", seeds=2, quiet=True)
    found = {number["id"]: number["ours"] for number in measured}
    assert found["measured_scale"] == "tiny"
    assert found["measured_pictures"] == 16
    assert 5 < found["psnr_mean"] < 60
    assert found["psnr_min"] <= found["psnr_mean"] <= found["psnr_max"]
    assert 0 <= found["accuracy_scratch"]["mean"] <= 100
    assert len(found["figure_8_left_scratch"]) == len(found["figure_8_left_pretrained"]) == 4
    assert found["measured_map_scratch"]["seeds"] == found["measured_miou_pretrained"]["seeds"] == 2
    assert found["measured_miou_difference"] in ("helped", "hurt", "no evidence")


def told(numbers: list[dict[str, Any]]) -> dict[str, Any]:
    return {number["id"]: number["ours"] for number in numbers}


def test_the_colorizers_scores_stand_beside_those_of_grey_and_of_one_colour() -> None:
    scores = {
        who: {score: {"mean": base, "min": base - 3, "max": base + 4.00049} for score, base in bases.items()}
        for who, bases in {
            "model": {"psnr": 21.23456, "ssim": 0.81},
            "grey": {"psnr": 23.5, "ssim": 0.9},
            "mean_colour": {"psnr": 24.25, "ssim": 0.91},
        }.items()
    }
    assert told(paper_runs._colorizer(scores)) == pytest.approx(
        {
            "psnr_mean": 21.235, "psnr_min": 18.235, "psnr_max": 25.235, "ssim_mean": 0.81, "ssim_min": -2.19, "ssim_max": 4.81,
            "psnr_grey_coco": 23.5, "psnr_mean_colour": 24.25,
        }
    )  # fmt: skip


def test_accuracy_and_losses_are_each_arms_own(tmp_path: Path) -> None:
    """Of four pictures so many are right, seed by seed; losses of two steps in each of two epochs."""
    targets = np.eye(4)
    right = {"scratch": (1, 2), "pretrained": (3, 4), "other": (0, 0)}
    losses = {"scratch": ((4.0, 2.0, 2.0, 1.0), (5.0, 3.0, 2.0, 2.0)), "pretrained": ((1.0, 1.0, 0.5, 0.3),) * 2}
    cells = [{"arm": "scratch", "key": "scratch-lost", "state": "failed"}]
    (tmp_path / "cells").mkdir()
    for arm, seed in product(right, (0, 1)):
        key = f"{arm}-{seed}"
        cells.append({"arm": arm, "key": key, "state": "finished"})
        scores = np.where(np.arange(4)[:, None] < right[arm][seed], targets, np.roll(targets, 1, axis=1))
        np.savez(tmp_path / "cells" / f"{key}.npz", targets=targets, scores=scores)
        run = RunFolder.create(tmp_path / "runs" / key, {"kind": "finetune", "options": {}})
        for step, loss in enumerate(losses.get(arm, [()] * 2)[seed]):
            run.append_metrics(step=step + 1, epoch=step // 2 + 1, kind="train", **{"network.loss": loss})
    assert told(paper_runs._classification({"cells": cells}, tmp_path)) == {
        "accuracy_scratch": {"mean": 37.5, "deviation": 17.68, "seeds": 2},
        "figure_8_left_scratch": [3.5, 1.75],
        "accuracy_pretrained": {"mean": 87.5, "deviation": 17.68, "seeds": 2},
        "figure_8_left_pretrained": [1.0, 0.4],
    }


def test_transfer_is_told_in_percent_with_its_verdict() -> None:
    study = {
        "score": "miou",
        "test": {"pictures": 7},
        "table": [
            {"arm": "scratch", "mean": 0.1234, "deviation": 0.01234, "seeds": 2},
            {"arm": "pretrained", "mean": 0.2, "deviation": None, "seeds": 1},
        ],
        "constant": {"miou": 0.05},
        "checks": [
            {"name": "learning rates", "words": "Fine."},
            {"name": "nothing learned", "words": "Nothing learned."},
        ],
        "differences": [{"words": "pretrained scores above scratch.", "verdict": "helped"}],
    }
    numbers = paper_runs._transfer("segmentation", study)
    assert told(numbers) == {
        "measured_miou_scratch": {"mean": 12.34, "deviation": 1.23, "seeds": 2},
        "measured_miou_pretrained": {"mean": 20.0, "deviation": None, "seeds": 1},
        "measured_miou_constant": 5.0,
        "measured_miou_difference": "helped",
    }
    assert numbers[-1]["what"] == "pretrained scores above scratch. Nothing learned."
    assert "7 test pictures" in numbers[0]["what"]


def test_what_was_measured_takes_its_place() -> None:
    """The claim stays, the status says that it is no reproduction, and what has no place comes last."""
    published = {"id": "psnr_mean", "title": "PSNR", "claim": 20.94, "ours": None, "status": "needs data"}
    other = {"id": "steps", "title": "Steps", "claim": 2586, "ours": 2586, "status": "reproduced"}
    new = {"id": "measured_map_scratch", "title": "mAP", "claim": None, "ours": 30.0, "status": "measured"}
    document = paper_runs.merged([published, other], [new, {"id": "psnr_mean", "ours": 23.0, "status": "measured"}])
    assert document == [published | {"ours": 23.0, "status": "measured"}, other, new]


def test_one_kind_of_data_is_not_enough() -> None:
    from pretint.commands.reproduce import ReproduceOptions

    with pytest.raises(OptionError, match="--voc and --coco"):
        ReproduceOptions(voc=Path("voc"))


def test_data_that_are_not_there_are_told_before_anything_is_computed(
    voc: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All is well until one thing is missing; then its option is named, and no number has been computed."""

    class Computed(Exception):
        pass

    def collect(_: Any) -> None:
        raise Computed

    monkeypatch.setattr("pretint.reproduction.collecting.collect", collect)
    good = {"--voc": voc, "--coco": pictures, "--coco-test": pictures}

    def call(**others: Path) -> str:
        given = good | {f"--{name.replace('_', '-')}": path for name, path in others.items()}
        words = [str(word) for pair in given.items() for word in pair]
        assert main(["reproduce", *words, "--runs", str(tmp_path / "runs")]) == 2
        assert not (tmp_path / "runs").exists()
        return capsys.readouterr().err

    with pytest.raises(Computed):
        call()
    gone = tmp_path / "nope"
    for option in good:
        name = option[2:].replace("-", "_")
        assert call(**{name: gone}).startswith(f"pretint: {option}: {gone}: there is no such folder")
    assert f"--voc: {pictures}: the layout pictures has no labels here, which multilabel needs" in call(voc=pictures)
    for part in ("JPEGImages/03.jpg", "ImageSets/Segmentation/val.txt"):
        (voc / part).rename(tmp_path / "aside")
        if part.startswith("JPEG"):
            assert "train.txt: 1 of its 8 pictures are not in JPEGImages (the first: 03)" in call()
        else:  # the list of Main stands for it
            with pytest.raises(Computed):
                call()
            (voc / "ImageSets" / "Main" / "val.txt").unlink()
            assert f"--voc: {voc}: has no list test or val to score multilabel on" in call()
        (tmp_path / "aside").rename(voc / part)
