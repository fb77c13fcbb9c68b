"""Networks of timm (Wightman 2019, https://github.com/huggingface/pytorch-image-models), by their names there; extra `timm`.

Those of which timm gives feature maps at strides that double: ResNets, ResNeXts, RegNets, ConvNeXts, EfficientNets,
MobileNets and more. Built with random weights; timm's own safetensors files are given to ``--init``.
"""

import difflib
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from pretint.errors import OptionError
from pretint.networks.backbone import Backbone


@dataclass(frozen=True, kw_only=True)
class Options:
    """A network of timm, with random weights."""

    name: str = "resnet50"
    """As timm calls it: resnet50, convnext_tiny, efficientnet_b0, .."""
    planes: Literal["L", "ab", "Lab", "RGB"] = "L"
    """What the network sees: lightness, colour, both, or standardised RGB (ImageNet's weights)."""


class TimmBackbone(Backbone):
    """Planes of any size, padded by their edges to a multiple of the coarsest stride -> every map that timm gives.

    The network takes three planes whatever it sees, so that every file of its weights fits: lightness is given three times,
    which is what a network for RGB sees of a grey picture; two planes of colour are followed by zeros.
    """

    prefix = "network."

    def __init__(self, options: Options | None = None) -> None:
        """Raises OptionError: timm cannot be imported, has no such network, or gives no maps of it that fit."""
        super().__init__()
        self.options = options = options or Options()
        self.planes = options.planes
        try:
            import timm
        except (ImportError, RuntimeError) as error:  # torchvision, which timm needs, raises either
            raise OptionError(
                f"--backbone timm: timm cannot be imported ({str(error).splitlines()[0]}); "
                "install pretint's extra timm (pip install '.[timm]' in its folder), with the torchvision that fits this torch"
            ) from error
        if options.name not in timm.list_models():
            near = difflib.get_close_matches(options.name, timm.list_models(), n=3) or ["resnet50", "convnext_tiny"]
            raise OptionError(f"--timm.name {options.name}: timm has no such network; it has {', '.join(near)}")
        try:
            self.network = timm.create_model(options.name, pretrained=False, features_only=True)
            self.channels = tuple(self.network.feature_info.channels())
            self.strides = tuple(self.network.feature_info.reduction())
            maps = self._maps_of_a_blank()
        except (AssertionError, AttributeError, RuntimeError, TypeError, ValueError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise OptionError(
                f"--timm.name {options.name}: gives no feature maps of pictures of any size ({reason}); "
                "take a convolutional network, such as resnet50"
            ) from error
        side = 2 * self.strides[-1]
        if maps != [(c, side // s, side // s) for c, s in zip(self.channels, self.strides, strict=True)] or any(
            coarse != 2 * fine for fine, coarse in zip(self.strides, self.strides[1:], strict=False)
        ):
            raise OptionError(
                f"--timm.name {options.name}: has maps at strides {', '.join(map(str, self.strides))}, and they must "
                "double; take a convolutional network, such as resnet50"
            )

    def forward(self, planes: Tensor) -> list[Tensor]:
        height, width = planes.shape[-2:]
        stride = self.strides[-1]
        below, right = -height % stride, -width % stride
        if below or right:
            planes = F.pad(planes, (0, right, 0, below), mode="replicate")
        if planes.shape[1] == 1:
            planes = planes.expand(-1, 3, -1, -1)
        elif planes.shape[1] == 2:
            planes = F.pad(planes, (0, 0, 0, 0, 0, 1))
        maps: list[Tensor] = self.network(planes)
        return maps

    def _maps_of_a_blank(self) -> list[tuple[int, ...]]:
        """Shapes (C, h, w) of the maps of a picture of a size that no network was made for."""
        side = 2 * self.strides[-1]
        self.network.eval()
        with torch.no_grad():
            maps = self.network(torch.zeros(1, 3, side, side))
        self.network.train()
        return [tuple(one.shape[1:]) for one in maps]


def build(options: Options, size: int) -> TimmBackbone:
    """The backbone; it takes pictures of any size."""
    return TimmBackbone(options)
