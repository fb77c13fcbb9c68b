"""Residual networks (He et al. 2016), with the parameter names and shapes of torchvision's ResNet-18.

So ImageNet files load without renaming, and what is trained here opens in torchvision, timm and segmentation-models.
With stem "torchvision", width 64 and blocks (2, 2, 2, 2) it is ResNet-18 without its fc; the default is a small one for
CPUs.
"""

from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from pretint.networks.backbone import Backbone
from pretint.networks.normalization import Normalization, normalization


@dataclass(frozen=True, kw_only=True)
class Options:
    """Residual network of basic blocks, in torchvision's names."""

    width: int = 48
    """Channels of the first stage; each further stage doubles them (ResNet-18: 64)."""
    blocks: tuple[int, ...] = (1, 2, 2, 1)
    """Blocks of each stage (ResNet-18: 2 2 2 2)."""
    stem: Literal["small", "torchvision"] = "small"
    """small: 3x3 of stride 2, stages at strides 2, 4, ..; torchvision: 7x7 of stride 2, pooling, stages at 4, 8, .."""
    normalization: Literal["batch", "batch-always", "instance", "group"] = "batch"
    """Norm layers; batch is torchvision's."""
    planes: Literal["L", "ab", "Lab", "RGB"] = "L"
    """What the network sees: lightness, colour, both, or standardised RGB (ImageNet's weights)."""

    def __post_init__(self) -> None:
        from pretint.errors import OptionError

        if self.width < 1:
            raise OptionError(f"--residual.width is {self.width}; it must be at least 1")
        if not self.blocks or min(self.blocks) < 1:
            raise OptionError(
                f"--residual.blocks is {self.blocks}; it needs one stage or more, each of one block or more"
            )


class ResidualEncoder(Backbone):
    """Planes of any size -> the output of every stage, and before them that of torchvision's stem, unpooled."""

    def __init__(self, options: Options | None = None) -> None:
        super().__init__()
        self.options = options = options or Options()
        self.planes = options.planes
        self.pooled = options.stem == "torchvision"
        kernel = 7 if self.pooled else 3
        self.conv1 = _Stem(3, options.width, kernel, stride=2, padding=kernel // 2, bias=False)
        self.bn1 = _norm(options.normalization, options.width)
        stages = [options.width * 2**i for i in range(len(options.blocks))]
        before = options.width
        for i, (channels, blocks) in enumerate(zip(stages, options.blocks, strict=True)):
            # The first stage keeps the stride of what comes before it.
            strides = [1 if i == 0 else 2] + [1] * (blocks - 1)
            layers = []
            for stride in strides:
                layers.append(_BasicBlock(before, channels, stride, options.normalization))
                before = channels
            self.add_module(f"layer{i + 1}", nn.Sequential(*layers))
        self.channels = (options.width, *stages) if self.pooled else tuple(stages)
        self.strides = tuple(2 ** (i + 1) for i in range(len(self.channels)))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, planes: Tensor) -> list[Tensor]:
        values = F.relu(self.bn1(self.conv1(planes)), inplace=True)
        pyramid = [values] if self.pooled else []
        if self.pooled:
            values = F.max_pool2d(values, 3, stride=2, padding=1)
        for i in range(len(self.options.blocks)):
            values = self.get_submodule(f"layer{i + 1}")(values)
            pyramid.append(values)
        return pyramid


class _Stem(nn.Conv2d):
    """The first convolution: always weights for three planes, so that they fit every file of this kind.

    Lightness counts as if repeated three times, which is what an RGB network sees of a grey picture: the sum of the
    weights over the planes does that at a third of the cost. Two planes (ab) take the first two.
    """

    def forward(self, input: Tensor) -> Tensor:
        weight = self.weight[:, : input.shape[1]]
        if input.shape[1] == 1:
            weight = weight + self.weight[:, 1:2] + self.weight[:, 2:]  # .sum() would lose the channels_last format
        return F.conv2d(input, weight, None, self.stride, self.padding)


def _norm(name: Normalization, channels: int) -> nn.Module:
    return normalization(name, channels, eps=1e-5, momentum=0.1)  # torchvision's, not the paper's


class _Projection(nn.Conv2d):
    """A strided 1x1 convolution, safe with few channels.

    With channels last and fewer than 16 of them, oneDNN's weight gradient writes past its buffer (its issue 6035):
    crashes or wrong gradients. Dropping the pixels between the strides first is the same function without that.
    """

    def forward(self, input: Tensor) -> Tensor:
        if self.in_channels >= 16:
            return super().forward(input)
        rows, columns = self.stride
        return F.conv2d(input[..., ::rows, ::columns], self.weight)


class _BasicBlock(nn.Module):
    """Two 3x3 convolutions around which the input is carried, projected where the shape changes."""

    def __init__(self, before: int, after: int, stride: int, norm: Normalization) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
        self.bn1 = _norm(norm, after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = _norm(norm, after)
        self.downsample = None
        if stride != 1 or before != after:
            self.downsample = nn.Sequential(
                _Projection(before, after, 1, stride=stride, bias=False), _norm(norm, after)
            )

    def forward(self, values: Tensor) -> Tensor:
        carried = values if self.downsample is None else self.downsample(values)
        values = F.relu(self.bn1(self.conv1(values)), inplace=True)
        return F.relu(self.bn2(self.conv2(values)) + carried, inplace=True)


def build(options: Options, size: int) -> ResidualEncoder:
    """The backbone; it takes pictures of any size."""
    return ResidualEncoder(options)
