"""What is told of a run folder: its facts, and a page of all its parts."""

import json

import pytest
from PIL import Image

from pretint.pages.curves import training_curves
from pretint.pages.page import write_page
from pretint.pages.progress import progress_images
from pretint.pages.runs import facts
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


@pytest.fixture
def run(tmp_path):
    run = RunFolder.create(tmp_path / "small", MANIFEST)
    for step in range(1, 11):
        run.append_metrics(step=step, epoch=1, kind="train", pictures_per_second=36.5, **{"generator.loss": 9.0})
    run.append_metrics(step=10, epoch=1, kind="other", map=0.3)
    for epoch, error in ((1, 9.8), (2, 9.5)):
        scores = {"ab_error": error, "grey_ab_error": 10.1, "chroma_share": 0.4, "odd": epoch}
        run.append_metrics(step=10 * epoch, epoch=epoch, kind="validation", **scores)
    (run.path / "best.json").write_text(json.dumps({"step": 20, "score": "ab_error", "value": 9.5, "epoch": 2}))
    return run


def test_a_run_that_has_just_begun_has_no_curves_and_no_pictures(tmp_path):
    run = RunFolder.create(tmp_path / "r", {"kind": "pretrain"})
    assert facts(run) == [["Run", "r"], ["Method", "pretrain"]]


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
        "Best on held-out pictures": "colour error 9.5, epoch 2",
        "Seed": 7,
        "Begun": "2026-01-02 03:04:05",
        "Commit": "abc123+",
        "Machine": "EPYC, 2 cores; bf16",
        "Software": "pretint 0.1.0, torch 2.9.0, python 3.12.1",
    }
    run.update_manifest(environment=MANIFEST["environment"] | {"cores": 1})
    assert dict(facts(run))["Machine"] == "EPYC, 1 core; bf16"
    assert "someone" not in str(told)  # folders above the data may tell who works here


def test_the_batch_is_the_one_that_was_used(run):
    run.update_manifest(batch_size=12)
    assert dict(facts(run))["Size and batch"] == "128 px, 12 a step"


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
    assert told["Time"] == "2 h 30 min"
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
    assert text.count("<svg") == 4
    assert text.count('src="data:image/jpeg') == 1


def test_random_weights_that_stay_so_are_called_so(tmp_path):
    loaded = {"init": "random-frozen", "loaded": 0, "total": 1200, "share": 0.0, "parts": []}
    run = RunFolder.create(tmp_path / "run", {"kind": "finetune", "options": {}, "loaded": loaded})
    told = dict(facts(run))["Weights at the start"]
    assert told == "random, and frozen: none of 1,200 parameters loaded"
