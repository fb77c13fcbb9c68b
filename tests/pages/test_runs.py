"""The pages of one run and of several, also of runs that have just begun."""

import json

import pytest

from pretint.errors import RunError
from pretint.pages.page import write_page
from pretint.pages.runs import runs_document
from pretint.run_folder import RunFolder
from tests.pages.test_page import Reader
from tests.pages.test_progress import sample

OPTIONS = {
    "task": "multilabel",
    "backbone": "unet",
    "epochs": 4,
    "seed": 0,
    "unet": {"width": 0.5},
    "classes": ["a", "b"],
}


def finetuning(path, best=0.4, state="finished", data="00ff", **options):
    manifest = {"kind": "finetune", "state": state, "options": OPTIONS | options, "data": {"fingerprint": data, "folder": "/x/voc"},
                "environment": {"pretint": "0.1.0", "gpu": None}}  # fmt: skip
    run = RunFolder.create(path, manifest)
    for step in range(1, 9):
        run.append_metrics(step=step, epoch=1 + step // 5, kind="train", **{"network.loss": 1 / step})
    if best is not None:
        for epoch in (1, 2):
            run.append_metrics(step=4 * epoch, epoch=epoch, kind="validation", map=best - (2 - epoch) / 10)
        (path / "best.json").write_text(json.dumps({"step": 8, "score": "map", "value": best, "epoch": 2}))
    return path


def page_of(folders, tmp_path, commands=()):
    document = runs_document(folders, commands)
    write_page(tmp_path / "page.html", json.loads(json.dumps(document, allow_nan=False)))
    reader = Reader((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert not reader.faults
    return reader, document


def test_one_run(tmp_path):
    reader, document = page_of([finetuning(tmp_path / "scratch")], tmp_path, ["pretint finetune", "pretint report x"])
    assert document["title"] == "Fine-tuning scratch"
    assert document["verdict"] == "At best it has 40.0 points of mAP on held-out pictures, after epoch 2 of 4."
    assert any("in points" in text for text in document["summary"])
    assert reader.texts("h2") == ["Curves", "The run", "Limits", "How to make it again", "Made with"]
    assert reader.texts("code") == ["pretint finetune", "pretint report x"]
    assert ["Best on held-out pictures", "mAP 40.0 points, epoch 2"] in document["sections"][1]["tables"][0]["rows"]


def test_a_colorizer_is_told_beside_leaving_pictures_grey(tmp_path):
    run = RunFolder.create(tmp_path / "photos", {"kind": "pretrain", "state": "running", "options": {"epochs": 9}})
    reader, document = page_of([run.path], tmp_path)
    assert document["verdict"] == "The run has no scores."
    run.append_metrics(step=1, epoch=1, kind="train", **{"generator.loss": 0.5})
    assert runs_document([run.path])["verdict"] == "Nothing can be said yet: the run is in epoch 1 of 9."
    run.append_metrics(step=2, epoch=1, kind="validation", ab_error=9.582, grey_ab_error=10.5)
    (run.path / "best.json").write_text(json.dumps({"step": 2, "score": "ab_error", "value": 9.582, "epoch": 1}))
    sample(run, 1)
    reader, document = page_of([run.path], tmp_path)
    assert "off by 9.58 CIELAB units; leaving them grey, by 10.50 (best, after epoch 1 of 9)" in document["verdict"]
    (run.path / "best.json").write_text(json.dumps({"step": 2, "score": "cross_entropy", "value": 2.7114, "epoch": 1}))
    by_another = runs_document([run.path])["verdict"]
    assert (
        "off by 9.58 CIELAB units; leaving them grey, by 10.50 (best by cross entropy 2.711, after epoch 1"
        in by_another
    )
    assert document["summary"] == [
        "Not finished: photos is running. What is shown may change."
    ]  # and nothing of points
    assert len(reader.all("img")) == 1


def test_a_run_without_held_out_pictures_is_finished_all_the_same(tmp_path):
    run = RunFolder.create(tmp_path / "photos", {"kind": "pretrain", "state": "finished", "options": {"epochs": 3}})
    run.append_metrics(step=9, epoch=3, kind="train", **{"generator.loss": 0.5})
    _, document = page_of([run.path], tmp_path)
    assert document["verdict"] == "The run has finished its 3 epochs, without a score on held-out pictures."
    assert ["Epochs", 3] in document["sections"][-1]["tables"][0]["rows"]
    assert document["summary"] == []
    run.update_manifest(state="failed")
    assert runs_document([run.path])["verdict"] == "Nothing can be said yet: the run failed in epoch 3 of 3."
    run.update_manifest(state="interrupted")
    assert runs_document([run.path])["verdict"] == "Nothing can be said yet: the run was interrupted in epoch 3 of 3."


def test_several_runs_stand_beside_each_other(tmp_path):
    folders = [
        finetuning(tmp_path / "scratch"),
        finetuning(tmp_path / "cgan", 0.45, state="running", seed=3, unet={"width": 0.25}),
        finetuning(tmp_path / "new", None, state="running"),
    ]
    reader, document = page_of(folders, tmp_path)
    assert (
        document["verdict"] == "Best on held-out pictures, in points of mAP: cgan 45.0, scratch 40.0; new has none yet."
    )
    assert document["summary"][0].startswith("Not finished: cgan is running and new is running.")
    loss, score = document["sections"][0]["charts"]
    assert [line["name"] for line in loss["lines"]] == ["scratch", "cgan", "new"]
    assert [line["name"] for line in score["lines"]] == ["scratch", "cgan"]
    facts, differing = document["sections"][-1]["tables"]
    assert facts["columns"] == ["", "scratch", "cgan", "new"]
    assert ["Seed", 0, 3, 0] in facts["rows"]
    assert ["Best on held-out pictures", "mAP 40.0 points, epoch 2", "mAP 45.0 points, epoch 2", None] in facts["rows"]
    assert differing["rows"] == [["--seed", 0, 3, 0], ["--unet.width", 0.5, 0.25, 0.5]]
    assert "one run" in reader.texts("li")[-2]


def test_other_data_are_said(tmp_path):
    folders = [finetuning(tmp_path / "a"), finetuning(tmp_path / "b", data="1234")]
    assert "different data" in runs_document(folders)["notes"][0]
    assert "different data" not in str(runs_document(folders[:1])["notes"])


def test_runs_of_the_same_name_are_told_apart(tmp_path):
    folders = [finetuning(tmp_path / below / "scratch") for below in ("one", "two")]
    document = runs_document(folders)
    assert [line["name"] for line in document["sections"][0]["charts"][0]["lines"]] == ["one/scratch", "two/scratch"]


def test_runs_without_a_common_score_have_no_order(tmp_path):
    run = RunFolder.create(tmp_path / "p", {"kind": "pretrain"})
    (run.path / "best.json").write_text(json.dumps({"step": 2, "score": "ab_error", "value": 9.5, "epoch": 1}))
    assert runs_document([run.path, finetuning(tmp_path / "f")])["verdict"] == "2 runs beside each other."


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(RunError, match="is not the folder of a run"):
        runs_document([tmp_path])
