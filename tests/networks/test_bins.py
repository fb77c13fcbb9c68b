"""Bins of ab against brute force in numpy."""

import numpy as np
import pytest
import torch

from pretint.color import gamut_bins
from pretint.networks.bins import AbBins


@pytest.mark.parametrize("neighbours", [1, 2, 5, 9])
def test_nearest_is_the_nearest_of_all(neighbours: int) -> None:
    """Colours of sRGB, colours that it has not, and points on the lines between cells, where several are as near."""
    draws = np.random.default_rng(0)
    points = np.concatenate(
        [draws.uniform(-125, 125, (3000, 2)), draws.normal(0, 12, (3000, 2)), draws.integers(-23, 24, (400, 2)) * 5.0]
    )
    bins = AbBins(neighbours)
    found, squares = bins.nearest(torch.from_numpy(points / 128).float())
    centres = gamut_bins().numpy().astype(np.float64)
    distances = ((points[:, None] - centres) ** 2).sum(axis=2)  # (P, K)
    expected = np.sort(distances, axis=1)[:, :neighbours]
    assert found.shape == (len(points), neighbours)
    np.testing.assert_allclose(squares.numpy(), expected, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(np.take_along_axis(distances, found.numpy(), axis=1), expected, rtol=1e-4, atol=1e-2)
    assert all(len(set(row)) == neighbours for row in found.tolist())


def test_annealed_mean_by_its_formula() -> None:
    """exp(log z / T) / sum of the same, of probabilities z; then the mean of the centres."""
    draws = np.random.default_rng(1)
    bins = AbBins()
    probabilities = draws.dirichlet(np.full(len(bins), 0.05), (2, 3, 4))
    probabilities = np.maximum(probabilities, 1e-12)
    centres = bins.centres.numpy().astype(np.float64)
    logits = torch.from_numpy(np.moveaxis(np.log(probabilities) + 3, -1, 1)).float()
    for temperature in (1.0, 0.38, 0.1):
        sharpened = np.exp(np.log(probabilities) / temperature)
        expected = (sharpened / sharpened.sum(axis=-1, keepdims=True)) @ centres / 128
        found = bins.annealed_mean(logits, temperature)
        assert found.shape == (2, 2, 3, 4)
        np.testing.assert_allclose(found.numpy(), np.moveaxis(expected, -1, 1), atol=1e-5)
        with torch.autocast("cpu", torch.bfloat16):
            torch.testing.assert_close(bins.annealed_mean(logits, temperature), found)
    mean = np.moveaxis(probabilities / probabilities.sum(axis=-1, keepdims=True) @ centres, -1, 1)
    np.testing.assert_allclose(bins.annealed_mean(logits, 1.0).numpy() * 128, mean, atol=1e-3)
    mode = np.moveaxis(centres[probabilities.argmax(axis=-1)], -1, 1)
    np.testing.assert_allclose(bins.annealed_mean(logits, 0.0).numpy() * 128, mode, atol=1e-4)
    np.testing.assert_allclose(bins.annealed_mean(logits, 1e-3).numpy() * 128, mode, atol=1e-3)  # the limit
    assert bins.annealed_mean(logits * 1e6, 1e-3).isfinite().all()


def test_nothing_to_learn_or_to_save_and_its_own_copy() -> None:
    bins = AbBins(5)
    assert not list(bins.parameters())
    assert not bins.state_dict()
    bins.centres.zero_()
    assert AbBins(5).centres.any()


@pytest.mark.parametrize("uniform", [1.0, 0.5, 0.01])
def test_the_marginal_is_divided_out(uniform: float) -> None:
    """Softmax of what comes out is the distribution over (1 - lambda) m + lambda / K, normalised anew."""
    bins = AbBins()
    draws = np.random.default_rng(0)
    logits = draws.normal(0, 3, (2, len(bins), 3, 5))
    marginal = draws.dirichlet(np.full(len(bins), 0.1))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = shares / ((1 - uniform) * marginal + uniform / len(bins))[:, None, None]
    expected /= expected.sum(axis=1, keepdims=True)
    found = bins.rebalanced(torch.from_numpy(logits), marginal.tolist(), uniform)
    np.testing.assert_allclose(torch.softmax(found, dim=1).numpy(), expected, rtol=1e-4, atol=1e-7)
    even = bins.rebalanced(torch.from_numpy(logits), (), uniform)  # an unknown marginal is uniform, and changes nothing
    np.testing.assert_allclose(torch.softmax(even, dim=1).numpy(), shares, rtol=1e-4, atol=1e-7)
