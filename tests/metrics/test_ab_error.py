"""Areas under the curve of ab errors against a sweep over thresholds, and cases worked by hand."""

import numpy as np
import pytest
from skimage.color import rgb2lab

from pretint.metrics.ab_error import (
    ab_error,
    area_under_curve,
    auc,
    bin_sums,
)


@pytest.fixture
def pair():
    """True ab of a picture of few colours and much grey, and a noisy prediction."""
    draws = np.random.default_rng(0)
    rgb = np.full((20, 30, 3), 0.5)
    rgb[:5, :8] = [0.9, 0.1, 0.1]
    rgb[5:7, :3] = [0.1, 0.2, 0.9]
    true = rgb2lab(np.clip(rgb + draws.normal(0, 0.02, rgb.shape), 0, 1))[..., 1:]
    return true * draws.uniform(-0.5, 1.2, true.shape), true


def swept(errors):
    """The curve at 15,001 thresholds, pixel by pixel, and the area of its trapezoids."""
    thresholds = np.linspace(0, 150, 15001)
    order = np.argsort(errors)
    below = np.arange(len(errors) + 1) / len(errors)
    curve = below[np.searchsorted(errors[order], thresholds, side="right")]
    return ((curve[1:] + curve[:-1]) / 2 * np.diff(thresholds)).sum() / 150


def test_raw_area_is_the_sweeps(pair):
    predicted, true = pair
    errors = np.array(
        [np.linalg.norm(p - t) for p, t in zip(predicted.reshape(-1, 2), true.reshape(-1, 2), strict=True)]
    )
    assert ab_error(predicted, true).ravel() == pytest.approx(errors)
    assert auc(predicted, true) == pytest.approx(swept(errors), abs=5e-5)
    wide = np.random.default_rng(1).uniform(0, 400, 500)  # beyond the last threshold too
    assert area_under_curve(wide) == pytest.approx(swept(wide), abs=5e-5)


def test_sums_by_bin_are_the_sweeps(pair):
    predicted, true = pair
    errors = ab_error(predicted, true).ravel()
    rows: dict[tuple[int, int], list[int]] = {}
    for row, (a, b) in enumerate(true.reshape(-1, 2).tolist()):
        rows.setdefault((round(a / 10) + 11, round(b / 10) + 11), []).append(row)
    assert len(rows) > 4
    counts, sums = bin_sums(errors.reshape(true.shape[:-1]), true)
    assert counts.shape == sums.shape == (23, 23)
    assert {place: counts[place] for place in zip(*np.nonzero(counts), strict=True)} == {
        p: len(r) for p, r in rows.items()
    }
    for place, some in rows.items():
        assert sums[place] / counts[place] == pytest.approx(swept(errors[some]), abs=5e-5)


def test_by_hand():
    true = np.array([[0.0, 0.0], [0, 0], [0, 0], [60, 80]])  # three grey pixels, one vivid
    grey = np.zeros_like(true)
    assert auc(true, true) == 1
    assert auc(grey, true) == pytest.approx(1 - (100 / 150) / 4)
    assert area_under_curve(np.array([0.0, 150, 1000])) == pytest.approx(1 / 3)


def test_the_whole_gamut_has_a_bin():
    axis = np.linspace(0, 1, 18)
    cube = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 1, 3)
    counts, _ = bin_sums(np.zeros((18**3, 1)), rgb2lab(cube)[..., 1:])
    assert counts.sum() == 18**3


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(ValueError, match="one shape"):
        auc(np.zeros((3, 2)), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="one shape"):
        auc(np.zeros((2, 3)), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="finite"):
        auc(np.full((2, 2), np.nan), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="Lab units"):
        bin_sums(np.zeros(1), np.full((1, 2), 130.0))
    with pytest.raises(ValueError, match="below 0"):
        area_under_curve(np.array([-1.0]))
