"""Meters: however a set is cut into batches, its score is the score of the whole."""

import math
from collections import Counter

import numpy as np
import pytest

from pretint.metrics import labels, segmentation
from pretint.metrics.meters import BalancedAreaMeter, LabelMeter, RunningMeter, SegmentationMeter


def updated(meter, batches):
    """The meter after it saw all batches."""
    for batch in batches:
        meter.update(*batch)
    return meter


def balanced(predicted, true):
    """Pixel by pixel, each weighing the inverse of how many share its true colour's bin of 10 Lab units."""
    places = [tuple(round(value / 10) for value in ab) for ab in true.reshape(-1, 2).tolist()]
    counts = Counter(places)
    parts = [
        max(0, 1 - math.dist(p, t) / 150) for p, t in zip(predicted.reshape(-1, 2), true.reshape(-1, 2), strict=True)
    ]
    return sum(part / counts[place] for part, place in zip(parts, places, strict=True)) / len(counts)


def test_labels():
    rng = np.random.default_rng(3)
    target, probability = rng.random((23, 4)) < 0.4, rng.random((23, 4))
    target[:, 3] = False
    batches = [(target[i : i + 5], probability[i : i + 5]) for i in range(0, 23, 5)]
    meter = updated(LabelMeter(), batches)
    scores = meter.compute()
    assert scores["mAP"] == pytest.approx(labels.mean_average_precision(target, probability))
    assert scores["f1_micro"] == pytest.approx(labels.f1_micro(target, probability))
    assert scores["f1_macro"] == pytest.approx(labels.f1_macro(target, probability))
    assert meter.top1() == pytest.approx(labels.top1(target, probability))
    assert math.isnan(meter.average_precision()[3])


def test_segmentation():
    rng = np.random.default_rng(4)
    target, prediction = rng.integers(0, 3, (2, 7, 6, 5))
    target[0, 0] = 255
    batches = [(target[i : i + 2], prediction[i : i + 2]) for i in range(0, 7, 2)]
    meter = updated(SegmentationMeter(3), batches)
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
    meter = updated(BalancedAreaMeter(), [(predicted[i : i + 2], true[i : i + 2]) for i in range(0, 7, 2)])
    assert meter.compute() == pytest.approx(balanced(predicted, true))
    assert math.isnan(BalancedAreaMeter().compute())


def test_balanced_area_by_hand():
    true = np.array([[0.0, 0.0], [0, 0], [0, 0], [60, 80]])  # three grey pixels, one vivid
    meter = updated(BalancedAreaMeter(), [(np.zeros_like(true), true)])
    assert meter.compute() == pytest.approx((1 + 1 / 3) / 2)


def test_running():
    meter = updated(RunningMeter(), [(np.array([3.0, 1.0]),), (5.0,), (np.array([]),)])
    assert meter.compute() == {"mean": 3.0, "min": 1.0, "max": 5.0}
    assert meter.count == 3
    assert math.isnan(RunningMeter().compute()["mean"])
