"""Segmentation: loss over pixels that are not void, scores, what the constant predictor knows."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from pretint.data.layouts import open_source
from pretint.data.reading import read_mask
from pretint.tasks.segmentation import Options, build
from tests.tasks.batches import batch

TASK = build(Options(), ["ground", "sun", "moon"])
MASK = [[[0, 1], [255, 2]]]


def test_loss_by_hand() -> None:
    logits = torch.zeros(1, 3, 2, 2)
    loss = TASK.loss(logits, batch(mask=MASK))
    assert int(loss.count) == 3
    assert float(loss.total) == pytest.approx(3 * math.log(3))
    logits[0, 0, 0, 0] = 2.0  # right: -log(e2 / (e2 + 2))
    logits[0, 0, 0, 1] = 2.0  # wrong: -log(1 / (e2 + 2))
    logits[0, :, 1, 0] = torch.tensor([50.0, -50.0, 0.0])  # void: counts nowhere
    whole = math.log(math.exp(2) + 2)
    assert float(TASK.loss(logits, batch(mask=MASK)).total) == pytest.approx((whole - 2) + whole + math.log(3))


def test_no_gradient_from_void() -> None:
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    TASK.loss(logits, batch(mask=MASK)).total.backward()
    assert logits.grad is not None
    assert not logits.grad[0, :, 1, 0].any()
    assert logits.grad[0, :, 0, 0].any()


def test_only_void_is_no_division_by_zero() -> None:
    loss = TASK.loss(torch.randn(1, 3, 2, 2), batch(mask=[[[255, 255], [255, 255]]]))
    assert int(loss.count) == 0
    assert float(loss.total) == 0


def test_scores_by_hand() -> None:
    scores = TASK.meter()
    logits = torch.tensor([[[[9.0, 0], [0, 0]], [[0, 0], [0, 9]], [[0, 9], [9, 0]]]])  # 0 2 / 2 1 against 0 1 / void 2
    scores.update(batch(mask=MASK), TASK.prediction(logits))
    got = scores.compute()
    assert got["iou"] == {"ground": 1.0, "sun": 0.0, "moon": 0.0}
    assert got["miou"] == pytest.approx(1 / 3)
    assert got["pixel_accuracy"] == pytest.approx(1 / 3)


def test_the_constant_predictor_says_the_commonest(masked: Path) -> None:
    source = open_source(masked, task="mask")
    records = source.split("all")
    pixels = np.concatenate([read_mask(record.mask).ravel() for record in records if record.mask])
    expected = [float((pixels == c).sum() / (pixels != 255).sum()) for c in range(3)]
    got = TASK.frequencies(records, source.mask_map)
    assert got == pytest.approx(expected)
    assert sum(got) == pytest.approx(1)
    constant = TASK.constant([0.2, 0.5, 0.3], (2, 4, 5))
    assert constant.shape == (2, 4, 5)
    assert (constant == 1).all()
