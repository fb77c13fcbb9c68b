"""The report of a study: what its page says is what its study.json holds, at every moment of the study."""

import json

import numpy as np
import pytest
from PIL import Image

from pretint.errors import RunError
from pretint.pages.page import write_page
from pretint.pages.study import study_document
from tests.pages.studies import ARMS, CLASSES, SEEDS, by_class, score_of, study, write_study
from tests.pages.test_page import Reader


def page_of(folder):
    document = study_document(folder)
    assert json.loads(json.dumps(document, allow_nan=False))["title"] == document["title"]
    write_page(folder / "report.html", document)
    reader = Reader((folder / "report.html").read_text(encoding="utf-8"))
    assert not reader.faults
    return reader, document


def section(document, heading):
    (found,) = [one for one in document["sections"] if one["heading"] == heading]
    return found


def rows(table):
    """The rows of a table as mappings from column to cell."""
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


@pytest.fixture
def folder(tmp_path):
    return write_study(tmp_path / "study", study())


def test_the_verdict_stands_first_then_the_comparisons_then_the_labels(folder):
    reader, document = page_of(folder)
    assert [e["text"] for e in reader.all("p") if e.get("class") == "verdict"] == ["cgan helped, by 5.0 points."]
    assert reader.texts("h2")[:2] == ["Did pretraining help?", "How many labels it saved"]
    items = reader.texts("li")
    first = items.index("helped 10 % of the labels: cgan is told of in words.")
    assert items[first + 1].startswith("hurt 10 % of the labels: l1")
    assert items[first + 4] == "40 % cgan needs 40 % of the labels."
    assert "Holm" in section(document, "Did pretraining help?")["text"][0]
    assert "number of comparisons, 4 (Holm)" in section(document, "Did pretraining help?")["text"][0]
    assert "that of a difference is paired, and over test pictures too." in document["notes"][0]


def test_scores_are_said_to_be_in_points(folder):
    _, document = page_of(folder)
    assert "in points: 100 times" in " ".join(document["summary"])
    assert "1,449 test pictures" in " ".join(document["summary"])


def test_the_table_of_cells_holds_means_deviations_intervals_and_seeds(folder):
    _, document = page_of(folder)
    table = section(document, "Scores")["tables"][0]
    first, *others = rows(table)
    assert (first["arm"], first["mean"]) == ("constant predictor", "7.0")
    assert len(others) == 6
    for row in others:
        fraction = {"10 %": 0.1, "100 %": 1.0}[row["labels"]]
        mean = 100 * np.mean([score_of(row["arm"], fraction, seed) for seed in SEEDS])
        assert row["mean"] == f"{mean:.1f} ± 1.0"
        assert row["95 % interval"] == f"[{mean - 2.48:.1f}, {mean + 2.48:.1f}]"
        assert row["seeds"] == "3"
    assert "depth" not in table["columns"]  # fine-tuning has none
    assert "fine-tuning" in table["caption"]


def test_the_table_of_differences_holds_what_the_study_found(folder):
    _, document = page_of(folder)
    found = rows(section(document, "Did pretraining help?")["tables"][0])
    tenth = {row["arm"]: row for row in found if row["labels"] == "10 %"}
    assert list(tenth) == ["constant predictor", "scratch", "cgan", "l1"]
    assert tenth["scratch"]["verdict"] == "reference"
    scratch = np.mean([score_of("scratch", 0.1, seed) for seed in SEEDS])
    assert tenth["constant predictor"]["difference"] == f"−{100 * (scratch - 0.07):.2f}"
    assert tenth["cgan"] == {
        "arm": "cgan", "labels": "10 %", "n": "3", "difference": "+5.00 ± 0.20", "95 % interval": "[4.50, 5.50]",
        "p": 0.0012, "p, Holm": 0.049, "verdict": "helped",
    }  # fmt: skip
    assert (tenth["l1"]["difference"], tenth["l1"]["95 % interval"]) == ("−1.00 ± 0.20", "[−1.50, −0.50]")
    chart = section(document, "Did pretraining help?")["charts"][0]
    assert [(bar["value"], bar["low"], bar["high"]) for bar in chart["bars"]] == [(5, 4.5, 5.5), (-1, -1.5, -0.5)] * 2


def test_learning_curves_show_every_seed(folder):
    _, document = page_of(folder)
    (chart,) = section(document, "Scores")["charts"]
    assert (chart["x_scale"], chart["interval"]) == ("log", "bars")
    assert [line["name"] for line in chart["lines"]] == list(ARMS)
    for line in chart["lines"]:
        assert line["x"] == [10, 100]
        expected = [(100 * f, 100 * score_of(line["name"], f, seed)) for f in (0.1, 1.0) for seed in SEEDS]
        assert np.allclose(line["dots"], expected)
    assert "constant predictor, 7.0" in chart["caption"]  # 7 lies far below scores of 30 to 46


def test_a_constant_predictor_near_the_scores_is_drawn(tmp_path):
    _, document = page_of(write_study(tmp_path / "s", study(constant={"map": 0.28})))
    assert section(document, "Scores")["charts"][0]["reference"] == pytest.approx(28)


def test_one_fraction_is_drawn_as_bars(tmp_path):
    whole = study()
    one = {key: [e for e in whole[key] if e["fraction"] == 1.0] for key in ("cells", "table", "differences")}
    _, document = page_of(write_study(tmp_path / "s", study(fractions=[1.0], labels_saved=[], **one)))
    (chart,) = section(document, "Scores")["charts"]
    assert chart["kind"] == "bars"
    assert [len(bar["dots"]) for bar in chart["bars"]] == [3, 3, 3]
    assert chart["reference"] == pytest.approx(7)


def test_scores_by_class_are_means_over_seeds_with_all_labels(folder):
    _, document = page_of(folder)
    by = section(document, "Scores by class")
    (chart,) = by["charts"]
    assert chart["groups"] == list(CLASSES)
    assert [one["name"] for one in chart["series"]] == [*ARMS, "constant predictor"]
    for one in chart["series"][:3]:
        expected = [np.mean([by_class(one["name"], 1.0, seed)[name] for seed in SEEDS]) for name in ("cat", "dog")]
        assert one["values"] == [
            pytest.approx(100 * expected[0], abs=0.05),
            pytest.approx(100 * expected[1], abs=0.05),
            None,
        ]
    assert by["tables"][0]["rows"][0][-1] == pytest.approx(8)


def test_losses_of_all_arms_share_a_chart(folder):
    _, document = page_of(folder)
    loss, score = section(document, "Training")["charts"]
    assert loss["title"] == "Loss of the network"
    assert [line["name"] for line in loss["lines"]] == list(ARMS)
    assert score["title"] == "mAP on held-out pictures"
    assert score["lines"][1]["y"] == pytest.approx([100 * score_of("cgan", 1.0, 0)] * 2)  # seed 0, all labels
    assert "seed 0, 100 % of the labels" in section(document, "Training")["text"][0]


def test_checks_are_marked_the_worst_first(folder):
    _, document = page_of(folder)
    findings = section(document, "Checks")["findings"]
    assert [finding["mark"] for finding in findings] == ["warning", "unknown", "ok"]
    assert findings[0]["text"] == "Leak: 3 test pictures are in the pool."


def test_how_it_was_made(folder):
    reader, document = page_of(folder)
    made = section(document, "How it was made")
    (text,) = made["text"]
    assert "Of l1 they repeat the pretraining too." in text
    assert "cgan is one pretraining" in text
    facts, arms, search = made["tables"]
    told = dict(facts["rows"])
    assert (told["Data"], told["Time"], told["Seeds"]) == ("voc (fingerprint 00ff)", "2 h 00 min", "0, 1, 2")
    assert rows(arms)[1] == {
        "arm": "cgan", "starts from": "cgan", "planes": "L", "loaded": "91.2 %", "parts": "backbone",
        "learning rate": 3e-4, "pretrainings": 1,
    }  # fmt: skip
    assert rows(search)[0] == {"arm": "scratch", "0.0001": "25.0", "0.0003": "37.5", "chosen": "0.0003"}
    assert reader.texts("code") == ["pretint compare --data voc --out runs/study", f"pretint report {folder}"]
    assert reader.texts("dd") == ["0.1.0", "2"]
    assert "someone" not in str({**document, "commands": ""})  # folders above may tell who works here


def test_pictures_are_shown_where_there_are_some(folder):
    assert "Pictures" not in page_of(folder)[0].texts("h2")
    (folder / "examples").mkdir()
    for name in ("hardest", "easiest"):
        Image.new("RGB", (40, 20), "teal").save(folder / "examples" / f"{name}.png")
    reader, _ = page_of(folder)
    assert [e["alt"] for e in reader.all("img")] == ["The hardest pictures", "The easiest pictures"]
    assert all(e["src"].startswith("data:image/png;base64,") for e in reader.all("img"))


def test_a_study_that_runs_says_what_is_missing(tmp_path):
    whole = study()
    cells = whole["cells"]
    for cell in cells:
        if cell["seed"] == 2 or cell["arm"] == "l1":
            cell |= {"state": "waiting", "score": None, "scores": {}}
    cells[4] |= {"state": "failed", "score": None, "scores": {}, "error": "a loss is not a number; lower --rate"}
    table = [
        row | {"seeds": 2, "deviation": None, "low": None, "high": None} for row in whole["table"] if row["arm"] != "l1"
    ]
    folder = write_study(
        tmp_path / "s", study(state="running", cells=cells, table=table, differences=[], labels_saved=[], verdict="")
    )
    reader, document = page_of(folder)
    assert document["verdict"] == "Nothing can be said yet: 7 of 18 cells are finished."
    assert "still running: 7 of 18 cells are finished, 10 are waiting" in document["summary"][0]
    assert document["summary"][1].startswith("1 of 18 cells failed")
    (finding,) = section(document, "Cells that failed")["findings"]
    assert finding == {
        "mark": "failed", "text": "cgan, 10 % of the labels, fine-tuning, seed 1: a loss is not a number; lower --rate"
    }  # fmt: skip
    scores = rows(section(document, "Scores")["tables"][0])
    assert {row["arm"]: row["seeds"] for row in scores[1:]} == {"scratch": "2 of 3", "cgan": "2 of 3", "l1": "0 of 3"}
    assert scores[3]["mean"] is None
    assert "Did pretraining help?" not in reader.texts("h2")
    loss = section(document, "Training")["charts"][0]
    assert [line["name"] for line in loss["lines"]] == ["scratch", "cgan"]


@pytest.mark.parametrize(
    ("state", "words"),
    [("running", "is still running"), ("interrupted", "was interrupted"), ("failed", "broke off with a fault")],
)
def test_a_study_that_is_not_finished_says_why(state, words, tmp_path):
    _, document = page_of(write_study(tmp_path / "s", study(state=state)))
    assert document["summary"][0].startswith(f"The study {words}: 18 of 18 cells are finished, 0 are waiting.")


def test_a_study_that_has_just_begun_has_a_page(tmp_path):
    begun = {"kind": "study", "state": "running", "title": "New", "task": "multilabel", "score": "map", "command": None}
    reader, document = page_of(write_study(tmp_path / "s", {**begun, "cells": [], "verdict": None, "constant": None}))
    assert document["verdict"].startswith("Nothing can be said yet")
    assert reader.texts("h1")[0].startswith("New")


def test_probes_at_several_depths_are_drawn_over_the_depth(tmp_path):
    whole = study()
    places = [(mode, depth) for mode, depth in (("finetune", None), ("linear", 2), ("linear", 8), ("knn", 8))]
    spread = {
        key: [e | {"mode": mode, "depth": depth, "key": f"{e.get('key')}{mode}{depth}"} for mode, depth in places for e in whole[key]]
        for key in ("cells", "table", "differences")
    }  # fmt: skip
    _, document = page_of(write_study(tmp_path / "s", study(modes=["finetune", "linear", "knn"], **spread)))
    charts = section(document, "Scores")["charts"]
    assert [chart["title"] for chart in charts] == [
        "mAP over labels, fine-tuning",
        "mAP by depth, linear probe, 10 % of the labels",
        "mAP by depth, linear probe, 100 % of the labels",
        "mAP over labels, k-NN at stride 8",
    ]
    assert charts[1]["lines"][0]["x"] == [2, 8]
    tables = section(document, "Scores")["tables"]
    assert ["depth" in table["columns"] for table in tables] == [False, True, False]
    told = rows(tables[1])
    assert {row["depth"] for row in told} == {None, "stride 2", "stride 8"}
    assert [table["caption"].rpartition("; ")[2] for table in tables] == [
        "fine-tuning",
        "linear probe",
        "k-NN at stride 8",
    ]
    findings = section(document, "Did pretraining help?")["findings"]
    assert len(findings) == 4  # of 16 comparisons those of the first mode are told in sentences
    text = section(document, "Did pretraining help?")["text"][0]
    assert "of its mode, fine-tuning 4, linear probe 4, k-NN 4 (Holm)" in text
    differences = section(document, "Did pretraining help?")["tables"]
    assert [len(table["rows"]) for table in differences] == [
        4 + 4,
        8 + 8,
        4 + 4,
    ]  # with the rows of what is compared to


def test_bars_of_probes_tell_their_depth(tmp_path):
    content = study(fractions=[1.0], modes=["linear"])
    found = [d for d in content["differences"] if d["fraction"] == 1.0]
    content["differences"] = [d | {"mode": "linear", "depth": depth} for d in found for depth in (8, 16)]
    reader, document = page_of(write_study(tmp_path / "study", content))
    names = {f"{arm}, 100 %, linear, stride {depth}" for arm in ("cgan", "l1") for depth in (8, 16)}
    assert {bar["name"] for bar in section(document, "Did pretraining help?")["charts"][0]["bars"]} == names
    assert names <= set(reader.texts("text"))
    assert "The seeds repeat the choice of the labelled pictures." in section(document, "How it was made")["text"][0]


def test_without_fine_tunings_the_first_mode_that_has_any_is_told(tmp_path):
    whole = study()
    probes = {
        key: [e | {"mode": "linear", "depth": depth} for depth in (2, 4, 8, 16) for e in whole[key]]
        for key in ("table", "differences", "labels_saved")
    }
    _, document = page_of(write_study(tmp_path / "s", study(modes=["finetune", "linear"], cells=[], **probes)))
    assert len(section(document, "Did pretraining help?")["findings"]) == 16
    saved = [finding["text"] for finding in section(document, "How many labels it saved")["findings"]]
    assert saved[1] == "Linear probe at stride 4: cgan needs 40 % of the labels."


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no study.json"),
        ("{", "damaged"),
        ('{"kind": "pretrain"}', "does not describe a study"),
        ("[1]", "does not"),
    ],
)
def test_what_is_no_study_is_refused_by_name(tmp_path, content, words):
    if content is not None:
        (tmp_path / "study.json").write_text(content)
    with pytest.raises(RunError, match=words) as caught:
        study_document(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_constant_predictor_within_the_intervals_is_drawn(tmp_path):
    """Far below all scores, but not below what their intervals reach down to."""
    content = study()
    for row in content["table"]:
        row |= {"low": row["mean"] - 0.3, "high": row["mean"] + 0.3}
    _, document = page_of(write_study(tmp_path / "study", content))
    (chart,) = section(document, "Scores")["charts"]
    assert chart["reference"] == 7.0
    assert "below the chart" not in chart["caption"]


def test_means_over_pretrainings_are_said_to_be(folder, tmp_path):
    """Where seeds share several pretrainings, the intervals are over these."""
    _, document = page_of(folder)
    assert "over pretrainings" not in section(document, "Scores")["charts"][0]["caption"]
    content = study(seeds=[0, 1, 2, 3])  # l1 has three pretrainings
    _, document = page_of(write_study(tmp_path / "study", content))
    for words in (section(document, "Scores")["charts"][0]["caption"], document["notes"][0]):
        assert "over pretrainings where seeds share several" in words


def test_curves_are_of_one_repetition_whatever_its_seed(tmp_path):
    content = study()
    for cell in content["cells"]:
        if cell["arm"] == "cgan":
            cell["seed"] += 100
            cell["key"] += "-late"
    _, document = page_of(write_study(tmp_path / "study", content))
    training = section(document, "Training")
    assert [line["name"] for line in training["charts"][0]["lines"]] == list(ARMS)
    assert training["text"] == [
        "One fine-tuning an arm: seed 0 of scratch and l1; seed 100 of cgan, 100 % of the labels."
    ]


def test_an_arm_is_named_once_in_its_check(tmp_path):
    checks = [{"name": "near copies, cgan", "state": "ok", "words": "cgan: no test picture is one."}]
    _, document = page_of(write_study(tmp_path / "study", study(checks=checks)))
    assert section(document, "Checks")["findings"][0]["text"] == "Near copies: cgan: no test picture is one."
