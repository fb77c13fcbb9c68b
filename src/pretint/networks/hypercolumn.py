"""Hypercolumns (Hariharan et al. 2015; for colorization Larsson et al. 2016): all levels brought to one resolution.

Each level is projected by a 1x1 convolution before it is enlarged, and the levels are summed: the same linear map as
concatenating enlarged levels and projecting the lot, at a fraction of the cost.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from pretint.errors import OptionError
from pretint.networks.backbone import Backbone, Decoder
from pretint.networks.normalization import Normalization
from pretint.networks.normalization import normalization as norm_layer


class HypercolumnDecoder(Decoder):
    """Pyramid -> the sum of its projected levels at the finest one used, normalised, after ReLU."""

    def __init__(
        self, backbone: Backbone, channels: int = 128, stride: int = 4, normalization: Normalization = "batch"
    ) -> None:
        """Uses every level whose stride is at least `stride`.

        Raises:
            OptionError: there is none; a residual network of one stage ends at stride 2.
        """
        super().__init__()
        used = [i for i, s in enumerate(backbone.strides) if s >= stride]
        if not used:
            raise OptionError(
                f"--residual.blocks: the hypercolumn needs a level of stride {stride} or more, and the coarsest here is of stride "
                f"{backbone.strides[-1]}; give two stages or more, or --decoder unet"
            )
        self.first = used[0]
        self.stride = backbone.strides[self.first]
        self._ratios = [backbone.strides[i] // self.stride for i in used]
        self.channels = channels
        self.projections = nn.ModuleList(nn.Conv2d(backbone.channels[i], channels, 1, bias=False) for i in used)
        self.norm = norm_layer(normalization, channels)
        for layer in self.projections:
            nn.init.kaiming_normal_(layer.get_parameter("weight"), nonlinearity="relu")

    def forward(self, pyramid: list[Tensor]) -> Tensor:
        levels = [project(level) for project, level in zip(self.projections, pyramid[self.first :], strict=True)]
        total: Tensor = levels[0]
        height, width = total.shape[-2:]
        for level, ratio in zip(levels[1:], self._ratios[1:], strict=True):
            # By the ratio of the strides: at sides that are no multiple of the coarsest, its map reaches beyond the picture.
            enlarged = F.interpolate(level, scale_factor=float(ratio), mode="bilinear", align_corners=False)
            total = total + enlarged[..., :height, :width]
        return F.relu(self.norm(total), inplace=True)

    def dense_head(self, out_channels: int, stride: int = 1) -> nn.Module:
        """A 1x1 convolution, enlarged bilinearly to finer strides."""
        if stride >= self.stride:
            return super().dense_head(out_channels, stride)
        return nn.Sequential(
            super().dense_head(out_channels, self.stride),
            nn.Upsample(scale_factor=self.stride // stride, mode="bilinear", align_corners=False),
        )
