"""A network that colours: backbone, decoder, head. With the U-Net and a head of two planes it is the paper's generator."""

from typing import Literal

import torch
from torch import Tensor, nn

from pretint.errors import OptionError
from pretint.networks.backbone import Backbone, Decoder


class Colorizer(nn.Module):
    """Lightness -> ab, or what ab is decoded from; `backbone` and `decoder` are what transfers, `head` is not."""

    def __init__(
        self,
        backbone: Backbone,
        decoder: Decoder,
        squash: Literal["tanh", "linear"] = "tanh",
        *,
        channels: int = 2,
        stride: int = 1,
    ) -> None:
        """`channels` of the head's map: the two planes of ab, or a logit a colour; `stride`: its pixels per step."""
        super().__init__()
        if backbone.planes != "L":
            raise OptionError(
                f"a colorizer sees lightness alone, not {backbone.planes}; set the backbone's planes to L"
            )
        self.backbone = backbone
        self.decoder = decoder
        self.head = decoder.dense_head(channels, stride)
        self.squash = squash
        self.stride = stride

    def forward(self, lightness: Tensor) -> Tensor:
        """Normalised L (B, 1, H, W) in [-1, 1] -> (B, channels, ceil(H / stride), ceil(W / stride)).

        Within [-1, 1] when squashed by tanh.
        """
        planes: Tensor = self.head(self.decoder(self.backbone(lightness)))
        height, width = (-(-side // self.stride) for side in lightness.shape[-2:])
        planes = planes[..., :height, :width]
        return torch.tanh(planes) if self.squash == "tanh" else planes
