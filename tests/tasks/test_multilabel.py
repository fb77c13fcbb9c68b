"""Multilabel: binary cross-entropy by hand, mean average precision, what the constant predictor knows."""

import math
from pathlib import Path

import pytest
import torch

from pretint.data.layouts import open_source
from pretint.tasks.multilabel import Options, build
from tests.tasks.batches import batch

TASK = build(Options(), ["warm", "bright"])


def test_loss_by_hand() -> None:
    logits = torch.tensor([[0.0, 2.0], [-1.0, 0.0]])
    loss = TASK.loss(logits, batch(labels=[[1.0, 0.0], [1.0, 0.0]]))
    expected = math.log(2) + math.log(1 + math.exp(2)) + math.log(1 + math.exp(1)) + math.log(2)
    assert float(loss.total) == pytest.approx(expected)
    assert loss.count == 4


def test_scores_by_hand() -> None:
    scores = TASK.meter()
    labels = batch(labels=[[1, 0], [0, 0], [1, 0], [0, 1]])
    scores.update(labels, TASK.prediction(torch.tensor([[3.0, 0], [2, -1], [1, -2], [-5, 9]])))
    got = scores.compute()
    # warm: hits at ranks 1 and 3: (1/1 + 2/3) / 2; bright: at rank 1
    assert got["ap"] == pytest.approx({"warm": 5 / 6, "bright": 1.0})
    assert got["map"] == pytest.approx((5 / 6 + 1) / 2)


def test_sure_pictures_keep_their_order() -> None:
    """Of float32 the sigmoid is 1 from 17 on; the last, which shows nothing, is the least sure."""
    scores = TASK.meter()
    scores.update(batch(labels=[[1, 0], [1, 0], [0, 1]]), TASK.prediction(torch.tensor([[25.0, 0], [30, 0], [20, 1]])))
    assert scores.compute()["ap"]["warm"] == 1


def test_the_constant_predictor_says_frequencies(labelled: Path) -> None:
    source = open_source(labelled, task="labels")
    assert TASK.frequencies(source.split("all"), {}) == [0.5, 0.5]
    constant = TASK.constant([0.25, 0.75], (3, 2))
    assert constant.tolist() == [[0.25, 0.75]] * 3
    # Its binary cross-entropy is the entropy of the frequencies, the least that any constant reaches.
    scores = TASK.meter()
    scores.update(batch(labels=[[1.0, 0.0], [0.0, 1.0]]), TASK.constant([0.5, 0.5], (2, 2)))
    assert scores.compute()["map"] == pytest.approx(0.5)
