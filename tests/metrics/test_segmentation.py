"""Segmentation scores against scikit-learn, counting pixel by pixel, and cases worked by hand."""

import math

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix as sklearn_confusion_matrix
from sklearn.metrics import jaccard_score

from pretint.metrics.segmentation import confusion_matrix, iou_per_class, mean_iou, pixel_accuracy


@pytest.fixture
def maps():
    rng = np.random.default_rng(2)
    target = rng.integers(0, 4, (3, 9, 7)).astype(np.uint8)
    prediction = np.where(rng.random(target.shape) < 0.6, target, rng.integers(0, 4, target.shape))
    target[rng.random(target.shape) < 0.1] = 255
    return target, prediction


def test_confusion_matrix_counts_pixels(maps):
    target, prediction = maps
    expected = np.zeros((4, 4), dtype=np.int64)
    for t, p in zip(target.flat, prediction.flat, strict=True):
        if t != 255:
            expected[t, p] += 1
    matrix = confusion_matrix(target, prediction, 4)
    assert matrix.dtype == np.int64
    assert (matrix == expected).all()
    scored = target != 255
    assert (matrix == sklearn_confusion_matrix(target[scored], prediction[scored], labels=range(4))).all()


def test_scores_are_scikit_learns(maps):
    target, prediction = maps
    scored = target != 255
    expected = jaccard_score(target[scored], prediction[scored], average=None)
    matrix = confusion_matrix(target, prediction, 4)
    assert iou_per_class(matrix) == pytest.approx(expected)
    assert mean_iou(matrix) == pytest.approx(expected.mean())
    assert pixel_accuracy(matrix) == pytest.approx((target[scored] == prediction[scored]).mean())


def test_iou_by_hand():
    # Class 0: 1 of 2, class 1: 0 of 1 (predicted only), class 2: absent from both, class 3: 1 of 1.
    matrix = confusion_matrix(np.array([0, 0, 3, 255]), np.array([0, 1, 3, 2]), 4)
    assert iou_per_class(matrix) == pytest.approx([1 / 2, 0, np.nan, 1], nan_ok=True)
    assert mean_iou(matrix) == pytest.approx(1 / 2)
    assert pixel_accuracy(matrix) == pytest.approx(2 / 3)


def test_nothing_but_void_is_no_score():
    matrix = confusion_matrix(np.full((2, 2), 255), np.zeros((2, 2), int), 3)
    assert matrix.sum() == 0
    assert math.isnan(mean_iou(matrix))
    assert math.isnan(pixel_accuracy(matrix))


def test_another_void_and_none():
    assert confusion_matrix(np.array([0, 9]), np.array([0, 0]), 2, void=9).sum() == 1
    with pytest.raises(ValueError, match="outside"):
        confusion_matrix(np.array([0, 255]), np.array([0, 0]), 2, void=None)


def test_counts_beyond_float32_are_exact():
    pixels = np.zeros(2**24 + 3, dtype=np.uint8)  # float32 would stop 3 below
    assert confusion_matrix(pixels, pixels, 2)[0, 0] == 2**24 + 3


@pytest.mark.parametrize(
    ("target", "prediction", "message"),
    [
        (np.array([0, 1]), np.array([0]), "shape"),
        (np.array([0.0]), np.array([0]), "integers"),
        (np.array([2]), np.array([0]), "target holds"),
        (np.array([0]), np.array([-1]), "prediction holds"),
    ],
)
def test_wrong_maps_are_refused(target, prediction, message):
    with pytest.raises(ValueError, match=message):
        confusion_matrix(target, prediction, 2)
