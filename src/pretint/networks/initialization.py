"""Starting values of pix2pix, used by the U-Net and the patch discriminator (paper, section 2 of its code)."""

from torch import nn


def initialize(module: nn.Module) -> None:
    """Convolutions within `module`: weights N(0, 0.02), bias 0. Norm layers keep gamma 1, beta 0."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0.0, 0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
