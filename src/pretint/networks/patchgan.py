"""The discriminator: is this patch's colour real, given its lightness?

Two receptive fields. `142` is what the authors' code builds (four halvings, a 16x16 map at 256 px); `70` is what their
text and pix2pix say (three halvings, 30x30). 4x4 kernels, bias everywhere, norm on every hidden layer but the first.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from pretint.errors import DataError
from pretint.networks.initialization import initialize
from pretint.networks.normalization import Normalization
from pretint.networks.normalization import normalization as norm_layer
from pretint.networks.strided import StridedConv

_PLANS = {"142": (64, 128, 256, 512), "70": (64, 128, 256)}  # channels of the halving layers
_SMALLEST = {"142": 16, "70": 24}


class PatchDiscriminator(nn.Module):
    """Lightness and colour -> one logit a patch."""

    def __init__(
        self,
        receptive_field: Literal["142", "70"] = "142",
        width: float = 1.0,
        normalization: Normalization = "batch",
    ) -> None:
        super().__init__()
        self.smallest = _SMALLEST[receptive_field]
        plan = [max(1, round(c * width)) for c in _PLANS[receptive_field]]
        hidden = max(1, round(512 * width))
        layers: list[nn.Module] = []
        before = 3
        for i, channels in enumerate(plan):
            layers.append(StridedConv(before, channels))
            layers += [norm_layer(normalization, channels)] if i else []
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            before = channels
        # The authors pad layers of stride 1 so that they keep the size: 1 pixel top and left, 2 bottom and right.
        same = receptive_field == "142"
        layers += [_same(before, hidden) if same else nn.Conv2d(before, hidden, 4, padding=1)]
        layers += [norm_layer(normalization, hidden), nn.LeakyReLU(0.2, inplace=True)]
        layers += [_same(hidden, 1) if same else nn.Conv2d(hidden, 1, 4, padding=1)]
        self.layers = nn.Sequential(*layers)
        initialize(self)

    def forward(self, lightness: Tensor, ab: Tensor) -> Tensor:
        """L (B, 1, H, W) and ab (B, 2, H, W), normalised -> logits (B, 1, h, w), positive for real."""
        if min(lightness.shape[-2:]) < self.smallest:
            height, width = lightness.shape[-2:]
            raise DataError(
                f"a picture of {width}x{height} is too small for the discriminator; it needs {self.smallest} pixels"
            )
        logits: Tensor = self.layers(torch.cat((lightness, ab), dim=1))
        return logits


def _same(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(before, after, 4))
