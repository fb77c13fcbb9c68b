"""The peers of the study compute what their papers say."""

import math

import pytest
import torch

from benchmarks.peers import grey as luma
from benchmarks.peers import jitter, nt_xent, view


def test_nt_xent_is_equation_1() -> None:
    torch.manual_seed(0)
    z, pairs, temperature = torch.randn(6, 5), 3, 0.5

    def similarity(i: int, j: int) -> float:
        return float(z[i] @ z[j] / (z[i].norm() * z[j].norm()))

    losses = []
    for i in range(2 * pairs):
        partner = (i + pairs) % (2 * pairs)
        below = sum(math.exp(similarity(i, k) / temperature) for k in range(2 * pairs) if k != i)
        losses.append(-math.log(math.exp(similarity(i, partner) / temperature) / below))
    assert nt_xent(z, temperature).item() == pytest.approx(sum(losses) / len(losses), rel=1e-5)


def test_views_are_pictures_of_the_size_that_is_asked_for() -> None:
    torch.manual_seed(0)
    rgb = torch.rand(64, 3, 20, 20)
    views = view(rgb, 15)
    assert views.shape == (64, 3, 15, 15)
    assert views.min() >= 0
    assert views.max() <= 1
    assert len({tuple(one.flatten().tolist()) for one in views}) == 64


def test_jitter_leaves_grey_pictures_grey() -> None:
    torch.manual_seed(0)
    pixels = torch.rand(8, 1, 4, 4).expand(-1, 3, -1, -1)

    def uniform(low: float, high: float) -> torch.Tensor:
        return torch.empty(8, 1, 1, 1).uniform_(low, high)

    out = jitter(pixels, uniform)
    assert torch.allclose(out, luma(out).expand_as(out), atol=1e-5)
