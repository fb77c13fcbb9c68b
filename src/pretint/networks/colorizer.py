"""A network that colours: backbone, decoder, head of two channels. With the U-Net it is the paper's generator."""

from typing import Literal

import torch
from torch import Tensor, nn

from pretint.errors import OptionError
from pretint.networks.backbone import Backbone, Decoder


class Colorizer(nn.Module):
    """Lightness -> ab; `backbone` and `decoder` are what transfers, `head` is not."""

    def __init__(self, backbone: Backbone, decoder: Decoder, squash: Literal["tanh", "linear"] = "tanh") -> None:
        super().__init__()
        if backbone.planes != "L":
            raise OptionError(
                f"a colorizer sees lightness alone, not {backbone.planes}; set the backbone's planes to L"
            )
        self.backbone = backbone
        self.decoder = decoder
        self.head = decoder.dense_head(2)
        self.squash = squash

    def forward(self, lightness: Tensor) -> Tensor:
        """Normalised L (B, 1, H, W) in [-1, 1] -> ab (B, 2, H, W), within [-1, 1] when squashed by tanh."""
        ab: Tensor = self.head(self.decoder(self.backbone(lightness)))
        ab = ab[..., : lightness.shape[-2], : lightness.shape[-1]]
        return torch.tanh(ab) if self.squash == "tanh" else ab
