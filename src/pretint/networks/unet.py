"""The paper's generator as two parts that transfer: an encoder down to 1x1 and a decoder with skips.

Treneska et al. 2022, after pix2pix (Isola et al. 2017): 4x4 kernels, stride 2, bias everywhere. At 256 pixels the
blocks are e1 .. e7 and the bottleneck b down, d1 .. d7 up; at other sizes there are more or fewer.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pretint.errors import DataError, OptionError
from pretint.networks.backbone import PLANE_COUNT, Backbone, Decoder
from pretint.networks.initialization import initialize
from pretint.networks.normalization import normalization
from pretint.networks.strided import StridedConv, StridedTransposedConv


@dataclass(frozen=True, kw_only=True)
class Options:
    """U-Net of the paper: 4x4 kernels, one block for every halving of the picture, skips."""

    width: float = 1.0
    """Factor on all channels; 1 is the paper's net (64 to 512 channels)."""
    normalization: Literal["batch", "batch-always", "instance", "group"] = "batch"
    """Norm layers; batch-always (the authors') uses the statistics of the batch at inference too."""
    dropout: float = 0.5
    """Dropout after the first three blocks of the decoder, in [0, 1)."""
    dropout_at_inference: bool = False
    """Keep dropout on at inference (the authors'), which makes the output random."""
    planes: Literal["L", "ab", "Lab", "RGB"] = "L"
    """What the encoder sees: lightness (the paper's), colour, both, or standardised RGB."""

    def __post_init__(self) -> None:
        from pretint.errors import OptionError

        if self.width <= 0:
            raise OptionError(f"--unet.width is {self.width}; it must be above 0")
        if not 0 <= self.dropout < 1:
            raise OptionError(f"--unet.dropout is {self.dropout}; it must be at least 0 and below 1")


class Dropout(nn.Module):
    """Dropout that can stay on at inference."""

    def __init__(self, probability: float, at_inference: bool) -> None:
        super().__init__()
        self.probability = probability
        self.at_inference = at_inference

    def forward(self, values: Tensor) -> Tensor:
        return F.dropout(values, self.probability, self.training or self.at_inference)

    def extra_repr(self) -> str:
        return f"{self.probability}, at_inference={self.at_inference}"


def set_dropout_at_inference(module: nn.Module, on: bool) -> None:
    """Keep the U-Net's dropout within `module` on at inference, or end that."""
    for layer in module.modules():
        if isinstance(layer, Dropout):
            layer.at_inference = on


class UNetEncoder(Backbone):
    """Planes -> e1 .. e(n-1), b at strides 2, 4, .. 2^n, where n = floor(log2(size)).

    The depth is fixed by `size`, the side of the training pictures. A picture whose sides are no multiples of 2^n is
    padded by reflection at the bottom and right, so its pyramid covers the padded picture.
    """

    def __init__(self, size: int, options: Options | None = None) -> None:
        super().__init__()
        if size < 16:
            raise OptionError(f"size is {size}; a U-Net needs pictures of at least 16 pixels")
        self.options = options or Options()
        self.planes = self.options.planes
        levels = int(math.log2(size))
        self.channels = tuple(max(1, round(min(64 * 2**i, 512) * self.options.width)) for i in range(levels))
        self.strides = tuple(2 ** (i + 1) for i in range(levels))
        before = PLANE_COUNT[self.planes]
        for i, channels in enumerate(self.channels):
            name = "b" if i == levels - 1 else f"e{i + 1}"
            # Neither the first block nor the bottleneck is normalised; at 1x1 there would be nothing to normalise.
            plain = i in (0, levels - 1)
            self.add_module(name, _Down(before, channels, None if plain else self.options, 0.0 if name == "b" else 0.2))
            before = channels
        initialize(self)

    def forward(self, planes: Tensor) -> list[Tensor]:
        """Planes (B, P, H, W) -> the pyramid.

        Raises:
            DataError: a side is not above half of 2^n, so that reflection cannot fill it up.
        """
        height, width = planes.shape[-2:]
        stride = self.strides[-1]
        below, right = -height % stride, -width % stride
        if below or right:
            if below >= height or right >= width:
                raise DataError(
                    f"a picture of {width}x{height} is too small for this U-Net of {len(self.strides)} levels; "
                    f"its sides must be at least {stride // 2 + 1}: enlarge it, or train at a smaller size"
                )
            planes = F.pad(planes, (0, right, 0, below), mode="reflect")
        pyramid = []
        for block in self.children():
            planes = block(planes)
            pyramid.append(planes)
        return pyramid


class UNetDecoder(Decoder):
    """Pyramid of strides 2, 4, 8, .. (a U-Net's or any other) -> the joined map at its finest level, after ReLU.

    Twice as many channels as the finest level has: 128 at stride 2 in the paper.
    """

    def __init__(self, backbone: Backbone, options: Options | None = None) -> None:
        """`options` default to those of the encoder, where it is a U-Net's."""
        super().__init__()
        if any(stride != 2 ** (i + 1) for i, stride in enumerate(backbone.strides)):
            raise OptionError(f"a U-Net decoder needs a backbone of strides 2, 4, 8, ..; this has {backbone.strides}")
        options = options or (backbone.options if isinstance(backbone, UNetEncoder) else Options())
        before = backbone.channels[-1]
        for i, skip in enumerate(reversed(backbone.channels[:-1])):
            self.add_module(f"d{i + 1}", _Up(before, skip, options, options.dropout if i < 3 else 0.0))
            before = 2 * skip
        self.channels = before
        self.stride = 2
        initialize(self)

    def forward(self, pyramid: list[Tensor]) -> Tensor:
        values = pyramid[-1]
        for block, skip in zip(self.children(), reversed(pyramid[:-1]), strict=True):
            values = block(values, skip)
        return values

    def dense_head(self, out_channels: int, stride: int = 1) -> nn.Module:
        """At stride 1 the paper's output layer: one transposed convolution of stride 2."""
        if stride > 1:
            return super().dense_head(out_channels, stride)
        head = StridedTransposedConv(self.channels, out_channels)
        initialize(head)
        return head


class _Down(nn.Module):
    """Convolution of stride 2, norm, leaky ReLU (slope 0 is a ReLU)."""

    def __init__(self, before: int, after: int, norm: Options | None, slope: float) -> None:
        super().__init__()
        self.conv = StridedConv(before, after)
        self.norm = nn.Identity() if norm is None else normalization(norm.normalization, after)
        self.slope = slope

    def forward(self, values: Tensor) -> Tensor:
        values = self.norm(self.conv(values))
        return F.leaky_relu(values, self.slope, inplace=True) if self.slope else F.relu(values, inplace=True)


class _Up(nn.Module):
    """Transposed convolution of stride 2, norm, dropout, join with the skip, ReLU over both."""

    def __init__(self, before: int, after: int, options: Options, dropout: float) -> None:
        super().__init__()
        self.conv = StridedTransposedConv(before, after)
        self.norm = normalization(options.normalization, after)
        self.dropout = Dropout(dropout, options.dropout_at_inference) if dropout else nn.Identity()

    def forward(self, values: Tensor, skip: Tensor) -> Tensor:
        values = self.dropout(self.norm(self.conv(values)))
        # A backbone that rounds odd sides up gives a skip one smaller than twice the coarser level.
        return joined_relu(values[..., : skip.shape[-2], : skip.shape[-1]], skip)


class _JoinedRelu(torch.autograd.Function):
    """A join and the ReLU after it as one operation, which hands each part a dense gradient.

    As two operations the gradients would be views of one tensor with gaps between their pixels. For those torch's batch norm
    has no fast backward on a CPU: it took a tenth of a step. Only the joined map is kept for the backward.
    """

    @staticmethod
    def forward(ctx: Any, first: Tensor, second: Tensor) -> Tensor:
        joined = torch.cat((first, second), dim=1).relu_()
        ctx.save_for_backward(joined)
        ctx.channels = first.shape[1]
        return joined

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        (joined,) = ctx.saved_tensors
        parts = zip(gradient.tensor_split((ctx.channels,), 1), joined.tensor_split((ctx.channels,), 1), strict=True)
        first, second = (torch.ops.aten.threshold_backward(g, values, 0) for g, values in parts)
        return first, second


def joined_relu(first: Tensor, second: Tensor) -> Tensor:
    """(B, C, h, w) and (B, D, h, w) -> ReLU of both side by side, (B, C + D, h, w)."""
    if torch.is_grad_enabled():
        joined: Tensor = _JoinedRelu.apply(first, second)  # type: ignore[no-untyped-call]
        return joined
    return torch.cat((first, second), dim=1).relu_()


def build(options: Options, size: int) -> UNetEncoder:
    """The backbone for training pictures of a size."""
    return UNetEncoder(size, options)
