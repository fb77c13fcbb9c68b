"""What held-out pictures say of a colorizer, against scikit-image's colours."""

from unittest.mock import Mock

import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from pretint.data.feed import Batch
from pretint.pretexts.pretext import ColorError
from tests.conftest import paint


def test_colour_error_is_in_cielab_units() -> None:
    """Of five pictures in batches of three and two: each counts once."""
    rgb = np.stack([paint(seed)[0] for seed in range(5)])  # (5, H, W, 3)
    true = rgb2lab(rgb)[..., 1:]
    draws = np.random.default_rng(0)
    predicted = 0.4 * true + draws.normal(0, 5, true.shape)
    planes = torch.from_numpy(predicted / 128).permute(0, 3, 1, 2)
    parts = iter((planes[:3], planes[3:]))
    meter = ColorError(Mock(predict=lambda lightness: next(parts)))
    for rows in (slice(0, 3), slice(3, 5)):
        count = len(rgb[rows])
        meter.update(
            Batch(
                rgb=torch.from_numpy(rgb[rows]).permute(0, 3, 1, 2),
                ids=tuple(map(str, range(count))),
                numbers=torch.arange(count),
                flips=torch.zeros(count, dtype=torch.bool),
            )
        )
    assert meter.compute() == {
        "ab_error": pytest.approx(np.abs(predicted - true).mean(), rel=1e-3),
        "grey_ab_error": pytest.approx(np.abs(true).mean(), rel=1e-3),
        "chroma_share": pytest.approx(
            np.hypot(predicted[..., 0], predicted[..., 1]).mean() / np.hypot(true[..., 0], true[..., 1]).mean(),
            rel=1e-3,
        ),
    }
