"""What a training step must do at the least: counted multiply-adds, and the bytes that its optimizer moves.

A convolution's backward pass costs its forward pass twice: once for the weights, once for the input. So a network that
learns costs three passes, without the input's gradient of its first layer, which nobody needs. The cGAN's step costs the
generator 3 passes and the discriminator 8: 3 on the true colours, 3 on the predicted ones, and 2 where it passes
gradients to the generator and does not learn.

The roofline is arithmetic at the rate of a large matmul plus the optimizer's bytes at the rate of a memory copy: Adam
reads weight, gradient and two moments and writes weight and moments, 28 bytes a parameter in float32.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from pretint import recipe
from pretint.methods import KINDS, names
from pretint.networks.counting import Cost, cost
from pretint.pretexts.pretext import Pretext, build_pretext

ADAM_BYTES = 28


@dataclass(frozen=True, slots=True)
class Work:
    """What one step must do."""

    flop: float
    """Floating-point operations for one picture, two a multiply-add."""
    bytes: float
    """Bytes that the optimizers move in one step, whatever the batch."""

    def seconds(self, batch: int, flops: float, copied: float) -> float:
        """The roofline: the least time of a step at ``flops`` operations and ``copied`` bytes a second."""
        return self.flop * batch / flops + self.bytes / copied


def values_of(name: str, **changes: Any) -> dict[str, Any]:
    """The values of a shipped pretraining recipe with changes, complete enough to build its pretext."""
    methods: dict[str, Any] = {method: {} for family in KINDS for method in names(family)}
    return {**methods, "decoder": "auto", **recipe.merge(recipe.read("pretrain", name), changes)}


def work_of(values: Mapping[str, Any]) -> Work:
    """What a step of these values must do."""
    with torch.device("meta"):
        pretext = build_pretext(values)
    generator = cost(pretext.networks["generator"], (1, values["size"], values["size"]))
    passes = 3 * generator.multiply_adds - _first(generator)
    parameters = _parameters(pretext)
    if "discriminator" in pretext.networks:
        sides = (values["size"], values["size"])
        critic = cost(pretext.networks["discriminator"], (1, *sides), (2, *sides))
        passes += 8 * critic.multiply_adds - 2 * _first(critic)
    return Work(flop=2.0 * passes, bytes=float(ADAM_BYTES * parameters))


def _first(network: Cost) -> int:
    return network.layers[0].multiply_adds


def _parameters(pretext: Pretext) -> int:
    return sum(p.numel() for network in pretext.networks.values() for p in network.parameters())
