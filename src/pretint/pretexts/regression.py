"""Colorization by regression: the generator of the cGAN without a discriminator.

    pretint pretrain --pretext regression --data PHOTOS --out runs/regression

The ablation that the paper lacks: whether the adversarial term adds anything to the features. L2 as a pretext goes back to
Larsson et al. 2016 (arXiv 1603.06668, section 4), who find it weaker than histograms.
"""

from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from pretint.data.feed import Batch
from pretint.networks.backbone import Backbone, Decoder
from pretint.networks.colorizer import Colorizer
from pretint.objective import Loss, OptimizerSettings, Player
from pretint.pretexts.pretext import ColorizationPretext


@dataclass(frozen=True, kw_only=True)
class Options:
    """Colorization by regression, without a discriminator."""

    loss: Literal["l1", "l2", "smooth-l1"] = "l1"
    """Distance between predicted and true ab, in units of 128 Lab units; smooth-l1 is quadratic below 0.1."""
    rate: float = 2e-4
    """Learning rate."""
    beta1: float = 0.5
    """Adam's first decay, in [0, 1); the second is 0.999."""
    weight_decay: float = 0.0
    """Decoupled decay a step of the weights, relative to the rate."""

    def __post_init__(self) -> None:
        from pretint.errors import OptionError

        if self.rate <= 0:
            raise OptionError(f"--regression.rate {self.rate}: must be above 0")
        if not 0 <= self.beta1 < 1:
            raise OptionError(f"--regression.beta1 {self.beta1}: must be at least 0 and below 1")
        if self.weight_decay < 0:
            raise OptionError(f"--regression.weight-decay {self.weight_decay}: must not be negative")


class Regression(ColorizationPretext):
    """One player, ``generator``."""

    def __init__(self, options: Options, backbone: Backbone, decoder: Decoder, epochs: int) -> None:
        super().__init__(Colorizer(backbone, decoder), epochs)
        self.options = options

    @property
    def players(self) -> dict[str, Player]:
        o = self.options
        settings = OptimizerSettings(rate=o.rate, betas=(o.beta1, 0.999), eps=1e-7, weight_decay=o.weight_decay)
        return {"generator": Player(parts=("generator",), optimizer=settings)}

    def loss_of(self, planes: Tensor, batch: Batch) -> Loss:
        """A sum over the pictures of the batch, so that the loop's mean is one over pictures."""
        predicted = planes.float()
        match self.options.loss:
            case "l1":
                error = F.l1_loss(predicted, batch.ab)
            case "l2":
                error = F.mse_loss(predicted, batch.ab)
            case "smooth-l1":
                error = F.smooth_l1_loss(predicted, batch.ab, beta=0.1)
        return Loss(error * len(batch.rgb), len(batch.rgb))


def build(options: Options, backbone: Backbone, decoder: Decoder, epochs: int) -> Regression:
    """The pretext on a backbone and its decoder."""
    return Regression(options, backbone, decoder, epochs)
