"""Keras' two scores against loops written from its source, against float32 itself, and against Keras where it is installed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pretint.metrics.keras import FLOAT32_STOP, first_label_accuracy, one_hot_mean_iou, rounded_down_mean_iou


def test_the_first_label_by_hand():
    target = np.array([[0, 1, 1], [1, 0, 0], [0, 0, 1], [0, 0, 0]])
    score = np.array([[0.1, 0.2, 0.9], [0.5, 0.5, 0.5], [0.3, 0.2, 0.1], [0.1, 0.8, 0.0]])
    # The second alone: in the first, class 1 comes before class 2; the last has no label and counts as class 0.
    assert first_label_accuracy(target, score) == 0.25


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=3, max_size=3), min_size=1, max_size=9))
def test_the_first_label_picture_by_picture(rows):
    target = np.array([[present for present, _ in row] for row in rows])
    score = np.array([[value / 3 for _, value in row] for row in rows])
    right = 0
    for present, values in zip(target.tolist(), score.tolist(), strict=True):
        first = present.index(True) if True in present else 0
        right += values.index(max(values)) == first
    assert first_label_accuracy(target, score) == pytest.approx(right / len(rows))


def counted_one_by_one(batches, classes, stop):
    """The metric's source as loops: cast, count, add batches, mean over classes that occur."""
    total = [[0] * classes for _ in range(classes)]
    for target, output in batches:
        counts = [[0] * classes for _ in range(classes)]
        for t, o in zip(target.ravel().tolist(), output.ravel().tolist(), strict=True):
            counts[int(t)][int(o)] += counts[int(t)][int(o)] < stop
        total = [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(total, counts, strict=True)]
    scores = []
    for k in range(classes):
        union = sum(total[k]) + sum(row[k] for row in total) - total[k][k]
        if union:
            scores.append(total[k][k] / union)
    return sum(scores) / len(scores)


def one_hot_batches(pictures, batch, side, classes, seed=0):
    """Random label maps and random softmax outputs."""
    draws = np.random.default_rng(seed)
    target = np.eye(classes)[draws.integers(0, classes, (pictures, side, side))]
    output = np.exp(draws.normal(0, 2, target.shape))
    output /= output.sum(axis=-1, keepdims=True)
    return [(target[i : i + batch], output[i : i + batch]) for i in range(0, pictures, batch)]


@pytest.mark.parametrize("stop", [30, 200, 10**6])
def test_the_metric_counts_one_by_one(stop):
    batches = one_hot_batches(7, 3, 4, 5)
    assert rounded_down_mean_iou(batches, 5, stop) == pytest.approx(counted_one_by_one(batches, 5, stop))
    # Values that round to several classes: nothing is special about 0 and 1.
    draws = np.random.default_rng(1)
    spread = [(draws.integers(0, 5, (2, 4, 4)), draws.uniform(0, 5, (2, 4, 4))) for _ in range(3)]
    assert rounded_down_mean_iou(spread, 5, stop) == pytest.approx(counted_one_by_one(spread, 5, stop))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 3), st.integers(2, 6), st.integers(1, 150))
def test_the_closed_form_is_the_metric(pictures, batch, side, classes, stop):
    batches = one_hot_batches(pictures, batch, side, classes)
    # The float32 sum over batches is exact for counts so small.
    expected = counted_one_by_one(batches, classes, stop)
    assert one_hot_mean_iou(pictures, batch, side, classes, stop) == pytest.approx(expected)
    assert rounded_down_mean_iou(batches, classes, stop) == pytest.approx(expected)


def test_float32_stops_where_the_constant_says():
    """Additions of one in real float32, one after the other, as a scatter-add does them."""
    cell = np.full(1, FLOAT32_STOP - 10, dtype=np.float32)
    np.add.at(cell, np.zeros(1000, dtype=np.intp), np.float32(1))
    assert cell[0] == FLOAT32_STOP
    below = np.full(1, FLOAT32_STOP - 10, dtype=np.float32)
    np.add.at(below, np.zeros(9, dtype=np.intp), np.float32(1))
    assert below[0] == FLOAT32_STOP - 1


def test_a_batch_that_overflows_in_float32():
    """2^24 + 9 elements in one cell and 5 in another, counted by numpy in float32."""
    target = np.zeros(FLOAT32_STOP + 14, dtype=np.int8)
    target[:5] = 1
    cells = np.zeros(2, dtype=np.float32)
    for part in np.array_split(target, 16):
        np.add.at(cells, part.astype(np.intp), np.float32(1))
    assert cells.tolist() == [FLOAT32_STOP, 5]
    share = float(cells[0]) / float(cells.sum(dtype=np.float64))
    assert rounded_down_mean_iou([(target, np.zeros_like(target))], 2) == pytest.approx(share / 2, rel=1e-12)


@pytest.mark.parametrize(
    ("batch", "expected"),
    [(32, 0.44660193), (16, 0.47079647), (8, 10 / 21), (1, 10 / 21)],
)
def test_the_papers_test_set(batch, expected):
    """297 pictures of 256x256 and 21 classes: what Keras 2.12 printed, in float32, and the counts worked by hand."""
    assert one_hot_mean_iou(297, batch) == pytest.approx(expected, abs=2e-8)
    if batch in (32, 16):
        full = {32: 9, 16: 18}[batch]
        zeros = full * 16_777_216 + 9 * 1_310_720
        assert one_hot_mean_iou(297, batch) == pytest.approx(zeros / (zeros + 297 * 65_536) / 2, rel=1e-12)


def test_full_batches_and_the_first_that_overflows():
    assert one_hot_mean_iou(32, 32) == pytest.approx(4 / 9)
    assert one_hot_mean_iou(16, 16) == pytest.approx(8 / 17)
    assert one_hot_mean_iou(12, 12) == pytest.approx(10 / 21)
    assert one_hot_mean_iou(13, 13) < 10 / 21 - 1e-4


def test_nothing_is_0_as_there():
    """Its quotient is divide_no_nan, of the number of classes that occur too; the true score would be nan."""
    assert rounded_down_mean_iou([], 3) == 0.0
    assert rounded_down_mean_iou([(np.zeros((0, 3)), np.zeros((0, 3)))], 3) == 0.0


def test_a_sure_prediction_moves_the_score():
    """An output of exactly 1 is another class index, so that here alone the prediction counts."""
    target = np.eye(3)[np.array([[0, 1], [2, 0]])][None]
    assert rounded_down_mean_iou([(target, target)], 3) == 1.0
    assert rounded_down_mean_iou([(target, target * 0.999)], 3) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("target", "output", "message"),
    [
        (np.zeros((2, 3)), np.zeros((3, 2)), "differ in shape"),
        (np.full(2, 3.0), np.zeros(2), "no class index"),
        (np.zeros(2), np.full(2, -1.0), "no class index"),
    ],
)
def test_wrong_arrays_are_refused(target, output, message):
    with pytest.raises(ValueError, match=message):
        rounded_down_mean_iou([(target, output)], 3)
    with pytest.raises(ValueError, match="pictures"):
        one_hot_mean_iou(0, 32)


@pytest.fixture(scope="module")
def keras():
    return pytest.importorskip("tensorflow").keras


def test_keras_categorical_accuracy(keras):
    draws = np.random.default_rng(2)
    target, score = draws.random((50, 6)) < 0.3, draws.random((50, 6)).astype(np.float32)
    metric = keras.metrics.CategoricalAccuracy()
    metric.update_state(target.astype(np.float32), score)
    assert first_label_accuracy(target, score) == pytest.approx(float(metric.result()), abs=1e-6)


def test_keras_mean_iou(keras):
    metric = keras.metrics.MeanIoU(num_classes=5)
    batches = one_hot_batches(7, 3, 4, 5)
    for target, output in batches:
        metric.update_state(target, output)
    assert rounded_down_mean_iou(batches, 5) == pytest.approx(float(metric.result()), abs=1e-6)


@pytest.mark.long
@pytest.mark.parametrize("batch", [32, 16])
def test_keras_2_mean_iou_of_the_papers_test_set(batch):
    keras = pytest.importorskip("tf_keras")  # Keras 3 counts in int64
    draws = np.random.default_rng(3)
    metric = keras.metrics.MeanIoU(num_classes=21)
    for start in range(0, 297, batch):
        count = min(batch, 297 - start)
        target = np.eye(21, dtype=np.float32)[draws.integers(0, 21, (count, 256, 256))]
        metric.update_state(target, np.full(target.shape, 1 / 21, dtype=np.float32))
    assert one_hot_mean_iou(297, batch) == pytest.approx(float(metric.result()), abs=1e-6)
