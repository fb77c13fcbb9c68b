"""Meters: however a set is cut into batches and processes, its score is the score of the whole."""

import math

import numpy as np
import pytest

from pretint.metrics import ab_error, labels, segmentation
from pretint.metrics.meters import BalancedAreaMeter, LabelMeter, RunningMeter, SegmentationMeter


def in_two_processes(make, batches):
    """One meter that saw the even batches merged with one that saw the odd ones."""
    first, second = make(), make()
    for number, batch in enumerate(batches):
        (second if number % 2 else first).update(*batch)
    first.merge(second)
    return first


def test_labels():
    rng = np.random.default_rng(3)
    target, probability = rng.random((23, 4)) < 0.4, rng.random((23, 4))
    target[:, 3] = False
    batches = [(target[i : i + 5], probability[i : i + 5]) for i in range(0, 23, 5)]
    meter = in_two_processes(LabelMeter, batches)
    scores = meter.compute()
    assert scores["mAP"] == pytest.approx(labels.mean_average_precision(target, probability))
    assert scores["f1_micro"] == pytest.approx(labels.f1_micro(target, probability))
    assert scores["f1_macro"] == pytest.approx(labels.f1_macro(target, probability))
    assert scores["top1"] == pytest.approx(labels.top1(target, probability))
    assert math.isnan(meter.average_precision()[3])


def test_segmentation():
    rng = np.random.default_rng(4)
    target, prediction = rng.integers(0, 3, (2, 7, 6, 5))
    target[0, 0] = 255
    batches = [(target[i : i + 2], prediction[i : i + 2]) for i in range(0, 7, 2)]
    meter = in_two_processes(lambda: SegmentationMeter(3), batches)
    whole = segmentation.confusion_matrix(target, prediction, 3)
    assert (meter.matrix == whole).all()
    assert meter.compute() == {
        "mIoU": segmentation.mean_iou(whole),
        "pixel_accuracy": segmentation.pixel_accuracy(whole),
    }


def test_balanced_area():
    rng = np.random.default_rng(5)
    true = rng.normal(0, 25, (7, 6, 5, 2)).clip(-110, 110)
    predicted = true + rng.normal(0, 40, true.shape)
    meter = in_two_processes(BalancedAreaMeter, [(predicted[i : i + 2], true[i : i + 2]) for i in range(0, 7, 2)])
    whole = ab_error.auc_balanced(predicted, true, ab_error.bin_probabilities(true))
    assert meter.compute() == pytest.approx(whole)
    assert math.isnan(BalancedAreaMeter().compute())


def test_running():
    meter = in_two_processes(RunningMeter, [(np.array([3.0, 1.0]),), (5.0,), (np.array([]),)])
    assert meter.compute() == {"mean": 3.0, "min": 1.0, "max": 5.0}
    assert meter.count == 3
    assert math.isnan(RunningMeter().compute()["mean"])
