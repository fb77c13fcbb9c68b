"""A trained network made ready to predict on a CPU: the same weights, other ways through its convolutions.

    prepare(network, "bf16"); predicted = network(planes)

- Channels last, as the CPU's convolutions like it best.
- A convolution on a small map, or one into a few planes, is a product of matrices. The library's own sorts the weights
  anew at every call and fills few planes up to sixteen: for one picture through the paper's U-Net, whose deepest maps
  have 1 to 64 places and 33 MB of weights a layer, that takes half of the time.
- In bf16 the weights of convolutions are kept as bf16; what is in between follows by autocast, and norms stay float32.

Batch norms are left where they are: folded into convolutions they save 1 to 3 % of the time.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pretint.networks.strided import StridedConv, StridedTransposedConv

Precision = Literal["float32", "bf16"]

PLACES = 64
"""Up to so many places of the smaller map a product of matrices is faster (measured: 64 gain, 256 lose)."""
FEW_PLANES = 4
"""Up to so many output planes a transposed convolution is faster as a product, whatever the size of the map."""

_KNOWN = (nn.Conv2d, nn.ConvTranspose2d, StridedConv, StridedTransposedConv)
"""By their exact types: what else inherits from a convolution may mean something else by its forward."""


def prepare(network: nn.Module, precision: Precision = "float32") -> None:
    """Make a network ready to predict on a CPU, in place; it cannot be trained afterwards."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for parent in list(network.modules()):
        for name, layer in parent.named_children():
            if type(layer) not in _KNOWN:
                continue
            if isinstance(layer, nn.Conv2d) and _plain(layer):
                parent.add_module(name, _Convolution(layer))
            elif isinstance(layer, nn.ConvTranspose2d) and _plain(layer) and not any(layer.output_padding):
                parent.add_module(name, _TransposedConvolution(layer))
    if precision == "bf16":
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                layer.to(torch.bfloat16)


def arithmetic(precision: Precision) -> AbstractContextManager[object]:
    """What a network that was prepared runs under."""
    return torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else nullcontext()


def _plain(layer: nn.Conv2d | nn.ConvTranspose2d) -> bool:
    return layer.groups == 1 and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)


def _matrix(layer: nn.Conv2d | nn.ConvTranspose2d) -> Tensor:
    """The weights as a matrix (first channels, second channels x taps), without a copy but for the first time."""
    if not layer.weight.is_contiguous():
        layer.weight = nn.Parameter(layer.weight.detach().contiguous(), requires_grad=False)
    return layer.weight.flatten(1)


class _Convolution(nn.Conv2d):
    """A convolution; where its output is a small map, patches times weights."""

    def __init__(self, layer: nn.Conv2d) -> None:
        nn.Module.__init__(self)
        self.__dict__.update(layer.__dict__)

    def forward(self, input: Tensor) -> Tensor:
        padding = self.padding
        assert isinstance(padding, tuple)
        height, width = (
            (input.shape[2 + i] + 2 * padding[i] - self.dilation[i] * (self.kernel_size[i] - 1) - 1) // self.stride[i]
            + 1
            for i in (0, 1)
        )
        if self.kernel_size == (1, 1) or height * width > PLACES:
            return super().forward(input)
        patches = F.unfold(input.to(self.weight.dtype), self.kernel_size, self.dilation, padding, self.stride)
        rows = F.linear(patches.transpose(1, 2).flatten(0, 1), _matrix(self), self.bias)  # (B places, C')
        return rows.view(len(input), height, width, -1).permute(0, 3, 1, 2)


class _TransposedConvolution(nn.ConvTranspose2d):
    """A transposed convolution; where its input is a small map, or its output few planes, products laid over each other."""

    def __init__(self, layer: nn.ConvTranspose2d) -> None:
        nn.Module.__init__(self)
        self.__dict__.update(layer.__dict__)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        few = self.out_channels <= FEW_PLANES or input.shape[2] * input.shape[3] <= PLACES
        if output_size is not None or not few:
            return super().forward(input, output_size)
        padding = self.padding
        assert isinstance(padding, tuple)
        height, width = (
            (input.shape[2 + i] - 1) * self.stride[i]
            - 2 * padding[i]
            + self.dilation[i] * (self.kernel_size[i] - 1)
            + 1
            for i in (0, 1)
        )
        rows = input.to(self.weight.dtype).permute(0, 2, 3, 1).flatten(0, 2) @ _matrix(self)  # (B places, C' taps)
        products = rows.view(len(input), -1, rows.shape[1]).transpose(1, 2)
        output = F.fold(products, (height, width), self.kernel_size, self.dilation, padding, self.stride)
        if self.bias is not None:
            output += self.bias[:, None, None]
        return output.contiguous(memory_format=torch.channels_last)
