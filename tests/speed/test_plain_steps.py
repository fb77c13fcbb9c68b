"""Every rung of a ladder teaches the networks the same: weights after a step agree where no chance is involved.

All but one: a single update of the discriminator in place of two is another path of its optimizer, by intention.
"""

from typing import Any

import pytest
import torch
from torch import nn

from pretint.speed.plain_steps import LADDERS, PlainStep, Rung
from pretint.speed.work import values_of

CGAN: dict[str, Any] = values_of("paper", size=32, unet={"width": 0.05}, cgan={"critic_width": 0.05})
RESIDUAL: dict[str, Any] = values_of("bins", pretext="regression", size=32, residual={"width": 4, "blocks": (1, 1)})


def stepped(values: dict[str, Any], rung: Rung) -> torch.Tensor:
    """All weights after one step of a rung, without dropout."""
    step = PlainStep(values, 3, torch.device("cpu"))
    for layer in (layer for network in step.networks for layer in network.modules()):
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    step.climb(rung)
    step()
    return torch.cat([p.detach().flatten() for network in step.networks for p in network.parameters()])


def start(values: dict[str, Any]) -> torch.Tensor:
    step = PlainStep(values, 3, torch.device("cpu"))
    return torch.cat([p.detach().flatten() for network in step.networks for p in network.parameters()])


@pytest.mark.parametrize(("values", "name"), [(CGAN, "cgan"), (RESIDUAL, "regression")], ids=["cgan", "regression"])
def test_rungs_agree(values: dict[str, Any], name: str) -> None:
    begun = start(values)
    reference: dict[bool, torch.Tensor] = {}
    for rung in LADDERS[name]:
        weights = stepped(values, rung)
        plain = reference.setdefault(rung.joint, weights)
        assert ((weights - begun).abs() > 1e-5).float().mean() > 0.5
        # Adam's first steps have the size of the rate whatever the gradient: where that is all but 0, rounding turns them.
        assert ((weights - plain).abs() > 1e-5).float().mean() < 0.02, rung.name
