"""The demo's report from scores that were made up: its words, its tables, its page."""

import json

import numpy as np
import pytest
from PIL import Image

import pretint
from pretint.pages.demo import demo_document
from pretint.pages.page import write_page
from pretint.run_folder import RunFolder
from tests.pages.test_progress import sample

TASKS = {"multilabel": "map", "segmentation": "miou"}
OPTIONS = {"out": "x", "seed": 3, "unlabelled": 2400, "labelled": 200, "test": 300}
ENVIRONMENT = {
    "pretint": "0.1.0",
    "commit": None,
    "python": "3.12.1",
    "torch": "2.9.0",
    "processor": "EPYC",
    "cores": 2,
}


def manifest(kind, seconds, **more):
    return more | {
        "kind": kind, "state": "finished", "begun": "2026-01-02 03:04:05", "seconds": seconds, "environment": ENVIRONMENT,
        "options": {"pretext": "cgan", "backbone": "unet", "recipe": "demo", "size": 64, "batch_size": 32, "epochs": 12,
                    "seed": 3, "loop": {"precision": "float32"}},
        "data": {"folders": ["scenes"], "fingerprint": "00ff", "training": 2336, "held_out": 64},
    }  # fmt: skip


@pytest.fixture
def out(tmp_path):
    """The folder of a demo: five runs, and eight examples with their coloured versions."""
    folder = tmp_path / "demo"
    sample(RunFolder.create(folder / "pretrain", manifest("pretrain", 120.0)), 12)
    for task in TASKS:
        for arm, share in (("scratch", 0.0), ("pretrained", 0.912)):
            run = RunFolder.create(folder / f"{task}-{arm}", manifest("finetune", 30.0, loaded={"share": share}))
            run.append_metrics(step=1, epoch=1, kind="train", **{"network.loss": 0.5})
    draws = np.random.default_rng(0)
    for below in ("images", "coloured"):
        (folder / below).mkdir()
        for i in range(8):
            Image.fromarray(draws.integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(folder / below / f"{i}.jpg")
    return folder


def scored(task, value, constant=False):
    if task == "multilabel":
        return {"map": value, "f1_micro": 0.4, "f1_macro": 0.3, "ap": {"sun": value, "moon": None if constant else 0.5}}
    return {"miou": value, "pixel_accuracy": 0.8, "iou": {"ground": 0.9, "sun": value}}


def document(out, labels, masks, psnr):
    """From (scratch, pretrained) of each task and the PSNR of the model; grey has 24 dB, the mean colour 25."""
    scores = {
        task: {
            arm: {"scores": scored(task, value), "constant": scored(task, 0.1, constant=True)}
            for arm, value in zip(("scratch", "pretrained"), pair, strict=True)
        }
        for task, pair in (("multilabel", labels), ("segmentation", masks))
    }
    colours = {
        name: {score: {"mean": value, "min": value, "max": value} for score, value in zip(("psnr", "ssim", "colourfulness"), row, strict=True)}
        for name, row in {"model": (psnr, 0.97, 31.5), "grey": (24.0, 0.94, 0.0), "mean_colour": (25.0, 0.93, 12.0)}.items()
    }  # fmt: skip
    colours |= {"original": {"colourfulness": {"mean": 55.0, "min": 1.0, "max": 90.0}}, "pictures": 300}
    examples = sorted((out / "images").iterdir())
    return demo_document(out, TASKS, scores, colours, examples, OPTIONS)


@pytest.mark.parametrize(
    ("labels", "masks", "psnr", "first", "last"),
    [
        ((0.4, 0.5), (0.3, 0.35), 27.5, "Pretraining helped, with this seed: from 40.0 to 50.0 points of mAP in multilabel "
         "and 30.0 to 35.0 points of mean IoU in segmentation.", "The colorizer beats knowing nothing (+2.5 dB)."),
        ((0.4, 0.39), (0.3, 0.35), 25.5, "Pretraining helped in segmentation alone: from 40.0 to 39.0 points of mAP",
         "The colorizer does not clearly beat knowing nothing (+0.5 dB)."),
        ((0.4, 0.5), (0.3, 0.3), 27.5, "Pretraining helped in multilabel alone:", "beats knowing nothing (+2.5 dB)."),
        ((0.4, 0.39), (0.3, 0.2), 24.0, "Pretraining did not help: from 40.0 to 39.0 points of mAP",
         "does not clearly beat knowing nothing (-1.0 dB)."),
    ],
)  # fmt: skip
def test_the_verdict_says_what_happened(out, labels, masks, psnr, first, last):
    made = document(out, labels, masks, psnr)
    assert made["verdict"].startswith(first)
    assert made["verdict"].endswith(last)
    gain = made["results"]["psnr_gain"]
    assert gain == pytest.approx(psnr - 25)  # over the better of the two that know nothing
    assert made["results"]["differences"] == pytest.approx(
        {"multilabel": labels[1] - labels[0], "segmentation": masks[1] - masks[0]}
    )


def test_the_document_is_whole(out):
    made = document(out, (0.4, 0.5), (0.3, 0.35), 27.5)
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    (summary,) = made["summary"]
    assert all(word in summary for word in ("2400 made scenes", "200 labelled", "300 scenes", "4.0 minutes"))
    assert made["seconds"] == 240.0
    assert made["commands"] == [f"pretint demo --out {out} --seed 3 --unlabelled 2400 --labelled 200 --test 300"]
    tables = made["sections"][0]["tables"]
    assert tables[0]["columns"] == ["arm", "loaded", "mAP, points", "F1, micro, points", "F1, macro, points"]
    assert [row[:3] for row in tables[0]["rows"]] == [
        ["constant predictor", "", 10.0],
        ["scratch", "0.0%", 40.0],
        ["pretrained", "91.2%", 50.0],
    ]
    assert tables[3]["rows"] == [["ground", 90.0, 90.0, 90.0], ["sun", 30.0, 35.0, 10.0]]
    charts = {chart["title"]: chart for chart in made["sections"][0]["charts"]}
    bars = charts["mean IoU, segmentation"]
    assert (bars["bars"][1], bars["reference"]) == ({"name": "pretrained", "value": 35.0}, 10.0)
    classes = charts["Average precision by class, multilabel"]
    assert classes["series"][0] == {"name": "scratch", "values": [40.0, 50.0], "apart": False}
    assert classes["series"][2] == {"name": "constant predictor", "values": [10.0, None], "apart": True}
    losses = charts["Loss of the network, segmentation"]["lines"]
    assert losses == [{"name": arm, "x": [1], "y": [0.5]} for arm in ("scratch", "pretrained")]
    (colours,) = made["sections"][1]["tables"]
    assert colours["rows"][0] == ["model", 27.5, 0.97, 31.5]
    assert colours["rows"][3] == ["original", None, None, 55.0]
    assert "commit" not in made["environment"]


def test_the_page_shows_it(out):
    made = document(out, (0.4, 0.5), (0.3, 0.35), 27.5)
    with Image.open(out / "examples.png") as grid:
        assert grid.width >= 8 * 24
        assert grid.height >= 3 * 24
    with Image.open(out / "progress.png") as grid:
        assert grid.height > grid.width  # three rows of two pictures
    write_page(out / "report.html", made)
    page = (out / "report.html").read_text(encoding="utf-8")
    for words in (
        made["verdict"],
        "constant predictor",
        "91.2%",
        "Colours of scenes that it never saw",
        "data:image/png",
    ):
        assert words in page
    assert str(out / "images") not in page
    (out / "report.json").write_text(json.dumps(made))
    assert pretint.report(out) == out / "report.html"
    assert (out / "report.html").read_text(encoding="utf-8") == page
