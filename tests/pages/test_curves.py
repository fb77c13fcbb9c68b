"""Curves of runs: losses by turn, scores with a common unit, several runs in one chart."""

import json

import numpy as np
import pytest

from pretint.pages.curves import MOST_VALUES, compared_curves, training_curves
from pretint.run_folder import RunFolder

MANIFEST = {"kind": "pretrain"}


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
    assert chart["value_label"] == "points"
    assert chart["bars"] == [{"name": "mAP", "value": 40.0}, {"name": "F1, micro", "value": 50.0}]


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


def test_entries_of_other_kinds_are_passed_over(run):
    charts, compared = training_curves(run), compared_curves({"a": run})
    run.append_metrics(step=20, epoch=2, kind="other", effective_rank=12.5, map=0.3)
    run.append_metrics(kind="remark", words="no step, no epoch")
    assert training_curves(run) == charts
    assert compared_curves({"a": run}) == compared


def test_probes_are_a_line_a_depth_from_the_untrained_weights_on(run):
    before = len(training_curves(run))
    account = {"score": "map", "method": "ridge", "training": 1500, "scored": 500}
    untrained = {"scores": {"2": 0.1, "16": 0.2}, "ranks": {"2": 3.0, "16": 4.0}}
    run.update_manifest(probe={**account, "untrained": untrained})
    assert len(training_curves(run)) == before  # nothing to draw yet
    for epoch in (1, 2):
        found = {"scores": {"2": 0.1, "16": 0.2 + epoch / 10}, "ranks": {"2": 3, "16": 5 + epoch}}
        run.append_metrics(step=10 * epoch, epoch=epoch, kind="probe", **found)
    scores, ranks = training_curves(run)[before:]
    assert [line["name"] for line in scores["lines"]] == ["stride 2", "stride 16"]
    assert scores["lines"][1]["x"] == ranks["lines"][1]["x"] == [0, 1, 2]
    assert np.allclose(scores["lines"][1]["y"], [20, 30, 40])
    assert ranks["lines"][1]["y"] == [4, 6, 7]
    assert "mAP" in scores["title"]
    assert "1,500 labelled pictures, scored on 500 others" in scores["caption"]


@pytest.fixture
def two(tmp_path):
    """A run that is finished and one that has begun."""
    runs = {}
    for name, steps in (("scratch", 20), ("cGAN", 6)):
        run = runs[name] = RunFolder.create(tmp_path / name, MANIFEST)
        log(run, range(1, steps + 1), **{"network.loss": lambda s: 1 / s})
        for epoch in range(1, steps // 5 + 1):
            run.append_metrics(step=5 * epoch, epoch=epoch, kind="validation", map=epoch / 10, f1_micro=0.5)
    return runs


def test_several_runs_share_a_chart_of_each_quantity(two):
    loss, score, f1 = compared_curves(two)
    assert loss["title"] == "Loss of the network"
    assert [(line["name"], len(line["x"])) for line in loss["lines"]] == [("scratch", 20), ("cGAN", 6)]
    assert loss["lines"][1]["y"] == [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 6]
    assert score["lines"][0] == {"name": "scratch", "x": [1, 2, 3, 4], "y": pytest.approx([10, 20, 30, 40])}
    assert score["lines"][1] == {"name": "cGAN", "x": [1], "y": [10]}
    assert score["y_label"] == "mAP, points"
    assert f1["title"] == "F1, micro on held-out pictures"
    assert [chart["title"] for chart in compared_curves(two, only="map")] == [loss["title"], score["title"]]


def test_probes_of_several_runs_are_a_line_each_at_its_best_depth(two):
    account = {"score": "map", "method": "ridge", "training": 1500, "scored": 500}
    before = len(compared_curves(two))
    for run, best in ((two["scratch"], "2"), (two["cGAN"], "16")):
        run.update_manifest(probe={**account, "untrained": {"scores": {"2": 0.1, "16": 0.2}, "ranks": {}}})
        run.append_metrics(step=5, epoch=1, kind="probe", scores={"2": 0.3, "16": 0.3} | {best: 0.4}, ranks={})
    (chart,) = compared_curves(two)[before:]
    assert [(line["name"], line["x"]) for line in chart["lines"]] == [
        ("scratch, stride 2", [0, 1]), ("cGAN, stride 16", [0, 1]),
    ]  # fmt: skip
    assert [line["y"] for line in chart["lines"]] == [pytest.approx([10, 40]), pytest.approx([20, 40])]
    assert len(compared_curves(two, only="map")) == 2


def test_what_only_one_run_has_is_drawn_for_it_alone(two):
    two["cGAN"].append_metrics(step=6, epoch=2, kind="train", **{"critic.loss": 0.5})
    critic = compared_curves(two)[1]
    assert critic["title"] == "Loss of the critic"
    assert critic["lines"] == [{"name": "cGAN", "x": [6], "y": [0.5]}]


def test_colour_errors_stand_beside_that_of_grey_where_it_is_the_same(run, tmp_path):
    other = RunFolder.create(tmp_path / "other", MANIFEST)
    for epoch in (1, 2):
        other.append_metrics(step=epoch, epoch=epoch, kind="validation", ab_error=9.0, grey_ab_error=10.1)
    (chart,) = [c for c in compared_curves({"a": run, "b": other}) if "error" in c["title"]]
    assert (chart["reference"], chart["reference_name"]) == (10.1, "left grey")
    other.append_metrics(step=3, epoch=3, kind="validation", ab_error=9.0, grey_ab_error=14.0)  # other pictures
    (chart,) = [c for c in compared_curves({"a": run, "b": other}) if "error" in c["title"]]
    assert "reference" not in chart


def test_no_runs_and_runs_without_entries_have_no_curves(tmp_path):
    assert compared_curves({}) == []
    run = RunFolder.create(tmp_path / "r", MANIFEST)
    assert training_curves(run) == compared_curves({"r": run}) == []
