"""What a backbone and a decoder promise; every network that transfers is one of the two.

A backbone turns planes of a picture into a pyramid of features, fine to coarse. A decoder turns that pyramid into one
map, and names the head that fits it.
"""

from typing import ClassVar, Literal

from torch import Tensor, nn

from pretint.errors import OptionError
from pretint.networks.initialization import initialize

Planes = Literal["L", "ab", "Lab", "RGB"]
PLANE_COUNT: dict[str, int] = {"L": 1, "ab": 2, "Lab": 3, "RGB": 3}


class Backbone(nn.Module):
    """Planes of a picture -> pyramid of features.

    Attributes:
        planes: what `forward` takes: "L", "ab" or "Lab" (normalised, see `pretint.color`) or "RGB" (standardised).
        channels: channels of each level, fine to coarse.
        strides: pixels of the input per step of each level; level `i` is ceil(H / strides[i]) high (H with padding).
        prefix: what the names of its tensors begin with, beside those of a published file of its weights.
    """

    prefix: ClassVar[str] = ""
    planes: Planes
    channels: tuple[int, ...]
    strides: tuple[int, ...]

    def forward(self, planes: Tensor) -> list[Tensor]:
        """Planes (B, P, H, W) -> one tensor (B, channels[i], h_i, w_i) a level, fine to coarse."""
        raise NotImplementedError


class Decoder(nn.Module):
    """Pyramid -> one map.

    Attributes:
        channels: channels of the map.
        stride: pixels of the input per step of the map.
    """

    channels: int
    stride: int

    def forward(self, pyramid: list[Tensor]) -> Tensor:
        """A backbone's pyramid -> (B, channels, h, w)."""
        raise NotImplementedError

    def dense_head(self, out_channels: int, stride: int = 1) -> nn.Module:
        """A new head (B, channels, h, w) -> (B, out_channels, ..), to be cropped to the picture's size over `stride`.

        Here for strides that are the map's or coarser: a 1x1 convolution of the mean over `stride / self.stride` steps
        of the map. A decoder adds how its map is enlarged to finer ones.

        Args:
            out_channels: planes or classes.
            stride: pixels of the input per step of what comes out; 1 is the picture's own size.

        Raises:
            OptionError: `stride` is finer than the map's, or no multiple of it.
        """
        if stride % self.stride:
            raise OptionError(f"a head of stride {stride} does not fit a decoder of stride {self.stride}")
        project = nn.Conv2d(self.channels, out_channels, 1)
        initialize(project)
        if stride == self.stride:
            return project
        # Pooled before it is projected: the same map, and fewer steps to project.
        return nn.Sequential(nn.AvgPool2d(stride // self.stride, ceil_mode=True), project)
