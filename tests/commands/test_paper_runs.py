"""The paper's trainings on data that are given: filled into the document, told apart from the paper's own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pretint.commands import paper_runs
from pretint.errors import OptionError
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
