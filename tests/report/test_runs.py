"""What is told of a run folder: facts, curves, pictures."""

import json

import numpy as np
import pytest
from PIL import Image

from pretint.report.page import write_page
from pretint.report.runs import MOST_VALUES, facts, progress_images, training_curves
from pretint.run_folder import RunFolder

MANIFEST = {
    "kind": "pretrain",
    "options": {"pretext": "cgan", "backbone": "unet", "recipe": "small", "size": 128, "batch_size": 32, "epochs": 2,
                "seed": 7, "loop": {"precision": "bf16"}},
    "state": "finished",
    "environment": {"pretint": "0.1.0", "commit": "abc123+", "python": "3.12.1", "torch": "2.9.0", "processor": "EPYC",
                    "cores": 2, "gpu": None},
    "begun": "2026-01-02 03:04:05",
    "data": {"folders": ["/home/someone/photos"], "fingerprint": "00ff", "training": 14700, "held_out": 300},
    "seconds": 2482.0,
}  # fmt: skip


def log(run, steps, epoch=1, **losses):
    for step in steps:
        values = {name: value(step) for name, value in losses.items()}
        run.append_metrics(step=step, epoch=epoch, kind="train", pictures_per_second=36.5, **values)


@pytest.fixture
def run(tmp_path):
    run = RunFolder.create(tmp_path / "small", MANIFEST)
    losses = {"critic.loss": lambda s: 0.5 + s / 100, "generator.loss": lambda s: 9.0, "generator.l1": lambda s: 0.09}
    log(run, range(1, 11), **losses)
    for epoch, error in ((1, 9.8), (2, 9.5)):
        scores = {"ab_error": error, "grey_ab_error": 10.1, "chroma_share": 0.4, "odd": epoch}
        run.append_metrics(step=10 * epoch, epoch=epoch, kind="validation", **scores)
    (run.path / "best.json").write_text(json.dumps({"step": 20, "score": "ab_error", "value": 9.5, "epoch": 2}))
    return run


def test_the_batch_is_the_one_that_was_used(run):
    run.update_manifest(batch_size=12)
    assert dict(facts(run))["Size and batch"] == "128 px, 12 a step"


def test_losses_are_drawn_by_turn(run):
    critic, generator = training_curves(run)[:2]
    assert [critic["title"], generator["title"]] == ["Losses of the critic", "Losses of the generator"]
    assert critic["lines"] == [{"name": "loss", "x": list(range(1, 11)), "y": [0.5 + s / 100 for s in range(1, 11)]}]
    assert [line["name"] for line in generator["lines"]] == ["loss", "l1"]
    assert (critic["y_scale"], generator["y_scale"]) == ("linear", "log")  # 9 and 0.09 on one axis


def test_held_out_scores_share_an_axis_where_they_have_the_same_unit(run):
    error, chroma, odd = training_curves(run)[2:]
    assert error["lines"] == [
        {"name": "predicted", "x": [1, 2], "y": [9.8, 9.5]},
        {"name": "left grey", "x": [1, 2], "y": [10.1, 10.1]},
    ]
    assert "epoch 2" in error["caption"]
    assert not chroma["caption"]
    assert odd["lines"][0]["y"] == [1, 2]


def test_scores_of_a_single_epoch_are_bars(tmp_path):
    run = RunFolder.create(tmp_path / "r", MANIFEST)
    run.append_metrics(step=9, epoch=1, kind="validation", map=0.4, f1_micro=0.5)
    (chart,) = training_curves(run)
    assert (chart["kind"], chart["title"]) == ("bars", "Scores on held-out pictures, epoch 1")
    assert chart["bars"] == [{"name": "mAP", "value": 0.4}, {"name": "F1, micro", "value": 0.5}]


def test_probes_are_a_line_a_depth_from_the_untrained_weights_on(run):
    before = len(training_curves(run))
    account = {"score": "map", "method": "ridge", "training": 1500, "scored": 500}
    run.update_manifest(
        probe={**account, "untrained": {"scores": {"2": 0.1, "16": 0.2}, "ranks": {"2": 3.0, "16": 4.0}}}
    )
    assert len(training_curves(run)) == before  # nothing to draw yet
    for epoch in (1, 2):
        run.append_metrics(
            step=10 * epoch,
            epoch=epoch,
            kind="probe",
            scores={"2": 0.1, "16": 0.2 + epoch / 10},
            ranks={"2": 3, "16": 5 + epoch},
        )
    scores, ranks = training_curves(run)[before:]
    assert [line["name"] for line in scores["lines"]] == ["stride 2", "stride 16"]
    assert scores["lines"][1]["x"] == ranks["lines"][1]["x"] == [0, 1, 2]
    assert np.allclose(scores["lines"][1]["y"], [0.2, 0.3, 0.4])
    assert ranks["lines"][1]["y"] == [4, 6, 7]
    assert scores["y_label"] == "mAP"
    assert "1,500 labelled pictures, scored on 500 others" in scores["caption"]


def test_many_values_are_drawn_as_means_with_a_band(tmp_path):
    run = RunFolder.create(tmp_path / "r", MANIFEST)
    log(run, range(1, MOST_VALUES + 1), **{"network.loss": float})
    (chart,) = training_curves(run)
    assert len(chart["lines"][0]["y"]) == MOST_VALUES
    log(run, range(MOST_VALUES + 1, 1001), **{"network.loss": float})
    (chart,) = training_curves(run)
    (line,) = chart["lines"]
    assert "20 logged values" in chart["caption"]
    assert line["x"] == line["y"] == [10.5 + 20 * i for i in range(50)]
    assert np.allclose(line["low"], [2.9 + 20 * i for i in range(50)])  # 0.1 of the way from 1 to 20
    assert np.allclose(line["high"], [18.1 + 20 * i for i in range(50)])


def test_a_run_that_has_just_begun_has_no_curves_and_no_pictures(tmp_path):
    run = RunFolder.create(tmp_path / "r", {"kind": "pretrain"})
    assert training_curves(run) == []
    assert progress_images(run) == []
    assert facts(run) == [["Run", "r"], ["Method", "pretrain"]]


@pytest.mark.parametrize(
    ("epochs", "chosen"),
    [([3], [3]), ([1, 2], [1, 2]), ([1, 2, 3, 4, 5], [1, 3, 5]), ([2, 9999, 10000], [2, 9999, 10000])],
)
def test_first_middle_and_last_pictures(run, epochs, chosen):
    (run.path / "samples").mkdir()
    for epoch in epochs:
        Image.new("RGB", (8, 6)).save(run.path / "samples" / f"epoch-{epoch:04d}.png")
    images = progress_images(run)
    assert [image["path"] for image in images] == [
        str(run.path.resolve() / f"samples/epoch-{e:04d}.png") for e in chosen
    ]
    assert all(f"epoch {e}" in image["alt"] for image, e in zip(images, chosen, strict=True))


def test_facts_of_a_pretraining(run):
    (run.path / "left_out.tsv").write_text("id\twhat\twhy\na\tbroken\tcut\nb\tgrey\t\nc\tgrey\t\n")
    told = dict(facts(run))
    assert told == {
        "Run": "small",
        "State": "finished",
        "Method": "pretrain, cgan, unet (recipe small)",
        "Data": "photos (fingerprint 00ff)",
        "Pictures trained on": 14700,
        "Pictures held out": 300,
        "Pictures left out": "1 broken, 2 grey",
        "Size and batch": "128 px, 32 a step",
        "Epochs": 2,
        "Time": "41 min",
        "Speed": "36.5 pictures a second",
        "Best on held-out pictures": "ab_error 9.5, epoch 2",
        "Seed": 7,
        "Begun": "2026-01-02 03:04:05",
        "Commit": "abc123+",
        "Machine": "EPYC, 2 cores; bf16",
        "Software": "pretint 0.1.0, torch 2.9.0, python 3.12.1",
    }
    assert "someone" not in str(told)  # folders above the data may tell who works here


def test_facts_of_a_fine_tuning(tmp_path):
    loaded = {"init": "/x/runs/small", "parts": ["backbone", "decoder"], "loaded": 900, "total": 1200, "share": 0.75}
    options = {"task": "multilabel", "backbone": "unet", "fraction": 0.1, "epochs": 3}
    manifest = {"kind": "finetune", "options": options, "loaded": loaded, "seconds": 9000, "data": {"folder": "/x/voc"}}
    run = RunFolder.create(tmp_path / "r", manifest)
    run.append_metrics(step=5, epoch=1, kind="train", **{"network.loss": 1.0})
    told = dict(facts(run))
    assert told["Method"] == "finetune, multilabel, unet"
    assert told["Data"] == "voc"
    assert told["Share of the labels"] == "0.1"
    assert told["Epochs"] == "in 1 of 3"
    assert told["Time"] == "2.5 h"
    assert told["Weights at the start"] == "75.0% of 1,200 parameters from small (backbone and decoder)"
    run.update_manifest(loaded={"init": "scratch", "parts": [], "loaded": 0, "total": 1200, "share": 0.0}, seconds=42)
    assert dict(facts(run))["Weights at the start"] == "from scratch: none of 1,200 parameters loaded"
    assert dict(facts(run))["Time"] == "42 s"


def test_all_of_it_makes_a_page(run, tmp_path):
    (run.path / "samples").mkdir()
    Image.new("RGB", (1024, 384)).save(run.path / "samples" / "epoch-0001.png")
    table = {"caption": "The run", "columns": ["", ""], "rows": facts(run)}
    section = {"heading": "Run", "tables": [table], "charts": training_curves(run), "images": progress_images(run)}
    write_page(tmp_path / "out" / "page.html", {"title": "t", "verdict": "v", "sections": [section]})
    text = (tmp_path / "out" / "page.html").read_text()
    assert text.count("<svg") == 5
    assert 'width="1024" height="384"' in text
