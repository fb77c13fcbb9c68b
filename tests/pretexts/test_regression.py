"""Regression keeps the promises of a pretext, and its three losses are what they are called."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pretint.pretexts.pretext import build_pretext
from tests.pretexts.promises import BACKBONES, PROMISES, Signer, _build, _pad
from tests.training.driving import pretraining, tiny


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_promise(promise, backbone: str, pictures: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    promise(Signer("regression", backbone, pictures), tmp_path)


@pytest.mark.parametrize("loss", ["l1", "l2", "smooth-l1"])
def test_losses(loss: str, pictures: Path) -> None:
    values = tiny(pretext="regression", size=32, regression={"loss": loss})
    pretext, batch = _build(pretraining(pictures, values))
    pretext.eval()
    with torch.no_grad():
        got = pretext.loss(pretext.turns(0)[0], batch, _pad())
        error = (pretext.predict(batch.lightness) - batch.ab).double().abs().numpy()  # type: ignore[operator]
    expected = {
        "l1": error,
        "l2": error**2,
        "smooth-l1": np.where(error < 0.1, error**2 / 0.2, error - 0.05),  # Girshick 2015 with its knee at 0.1
    }[loss]
    assert float(got.total) / got.count == pytest.approx(expected.mean(), rel=1e-5)


def test_weight_decay_spares_vectors(pictures: Path, tmp_path: Path) -> None:
    """With a gradient of 0 a step is the decay alone: matrices shrink by rate x decay, biases and norms stay."""
    values = tiny(pretext="regression", regression={"rate": 0.01, "weight_decay": 0.1}, epochs=1)
    training = pretraining(pictures, values)
    training.records, training.held_out = training.records[:4], ()
    weights = {}

    def blank():  # type: ignore[no-untyped-def]
        pretext = build_pretext(values)
        inner = pretext.loss

        def loss(*arguments):  # type: ignore[no-untyped-def]
            found = inner(*arguments)
            found.total = found.total * 0
            return found

        pretext.loss = loss
        weights.update({k: p.detach().clone() for k, p in pretext.named_parameters()})
        return pretext

    training.objective = blank
    after = training.run(tmp_path / "run").tensors
    for name, before in weights.items():
        expected = before * (1 - 0.01 * 0.1) if before.ndim > 1 else before
        torch.testing.assert_close(after[f"last/{name}"], expected)
