"""Label scores against scikit-learn and cases worked by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score

from pretint.metrics.labels import (
    average_precision,
    f1_macro,
    f1_micro,
    f1_per_class,
    mean_average_precision,
    top1,
)


@pytest.fixture
def labelled():
    rng = np.random.default_rng(1)
    return rng.random((60, 5)) < 0.3, rng.random((60, 5))


def test_average_precision_is_scikit_learns(labelled):
    expected = average_precision_score(*labelled, average=None)
    assert average_precision(*labelled) == pytest.approx(expected)
    assert mean_average_precision(*labelled) == pytest.approx(expected.mean())


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=1, max_size=30))
def test_average_precision_with_ties_is_scikit_learns(rows):
    target = np.array([[t] for t, _ in rows])
    score = np.array([[s / 4] for _, s in rows])
    mine = average_precision(target, score)[0]
    if target.any():
        assert mine == pytest.approx(average_precision_score(target[:, 0], score[:, 0]))
    else:
        assert math.isnan(mine)


def test_average_precision_by_hand():
    # Ranked: hit, miss, hit -> 1/2 * 1 + 1/2 * 2/3.
    assert average_precision([[1], [0], [1]], [[0.9], [0.8], [0.7]])[0] == pytest.approx(0.5 + 1 / 3)
    # All tied: one step at the share of positives.
    assert average_precision([[1], [0], [0], [0]], np.zeros((4, 1)))[0] == pytest.approx(0.25)


def test_a_class_without_positives_is_named():
    target = np.array([[1, 0], [0, 0]])
    score = np.array([[0.9, 0.9], [0.1, 0.1]])
    assert math.isnan(average_precision(target, score)[1])
    assert mean_average_precision(target, score) == 1.0
    assert math.isnan(mean_average_precision(np.zeros((2, 2)), score))


def test_f1_is_scikit_learns(labelled):
    target, probability = labelled
    predicted = probability >= 0.5
    assert f1_micro(*labelled) == pytest.approx(f1_score(target, predicted, average="micro"))
    assert f1_macro(*labelled) == pytest.approx(f1_score(target, predicted, average="macro"))
    assert f1_per_class(*labelled, 0.8) == pytest.approx(f1_score(target, probability >= 0.8, average=None))


def test_f1_of_absent_classes():
    target = np.array([[1, 0, 0], [1, 0, 0]])
    probability = np.array([[0.5, 0.9, 0.1], [0.2, 0.1, 0.1]])
    assert f1_per_class(target, probability) == pytest.approx([2 / 3, 0, np.nan], nan_ok=True)
    assert f1_macro(target, probability) == pytest.approx(1 / 3)
    assert math.isnan(f1_micro(np.zeros((2, 3)), np.zeros((2, 3))))


def test_top1_by_hand():
    target = np.array([[0, 1, 1], [1, 0, 0], [0, 0, 1], [0, 0, 0]])
    score = np.array([[0.1, 0.2, 0.9], [0.5, 0.5, 0.5], [0.3, 0.2, 0.1], [0.1, 0.8, 0.0]])
    assert top1(target, score) == 0.5  # the first two: any label counts, a tie goes to the first class


@pytest.mark.parametrize(
    ("target", "score", "message"),
    [
        (np.zeros((2, 3)), np.zeros((2, 2)), "one shape"),
        (np.zeros(3), np.zeros(3), "one shape"),
        (np.full((2, 2), 2), np.zeros((2, 2)), "0 or 1"),
        (np.zeros((2, 2)), np.full((2, 2), np.nan), "not finite"),
    ],
)
def test_wrong_arrays_are_refused(target, score, message):
    with pytest.raises(ValueError, match=message):
        average_precision(target, score)


def test_f1_refuses_logits():
    with pytest.raises(ValueError, match="logits"):
        f1_micro(np.zeros((1, 2)), np.array([[3.0, -2.0]]))
