"""The 4x4 convolutions of stride 2, plain and transposed, with a faster backward on CPUs; functions and state are torch's.

Both join a coarse map (B, C, h, w) and a fine one (B, F, 2h, 2w) by weights (C, F, 4, 4): the plain one reads the fine map,
the transposed one writes it. So the gradient of the weights is the same sum for both,

    dW[c, f, k, l] = sum over b, i, j of coarse[b, c, i, j] * fine[b, f, 2i + k - 1, 2j + l - 1],

where one of the maps is the input and the other the gradient of the output. oneDNN computes it as a convolution; here it is a
matrix product with the patches of the fine map (im2col) where that is faster. Which of the two follows from shapes and
arithmetic alone, so that a resumed training computes the same bits. docs/log.md has the measurements.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

FEW_POSITIONS = 1024
"""Up to so many positions (B h w) the product is faster: oneDNN's call costs some 5 ns a weight, however few they are."""
WIDE, CHANNELS = 96, 64
"""Fine maps at least so wide and deep are faster as a product in float32; in bf16 they are not."""
_CHUNK = 2**20  # bytes of patches at a time, so that they stay in the cache


class StridedConv(nn.Conv2d):
    """(B, F, H, W) -> (B, C, H // 2, W // 2): ``nn.Conv2d(F, C, 4, stride=2, padding=1)``."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 4, stride=2, padding=1)

    def forward(self, input: Tensor) -> Tensor:
        if not _is_trained_on_cpu(input):
            return super().forward(input)
        output: Tensor = _Strided.apply(*_as_autocast(input, self.weight, self.bias), False)  # type: ignore[no-untyped-call]
        return output


class StridedTransposedConv(nn.ConvTranspose2d):
    """(B, C, h, w) -> (B, F, 2h, 2w): ``nn.ConvTranspose2d(C, F, 4, stride=2, padding=1)``."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 4, stride=2, padding=1)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        if output_size is not None or not _is_trained_on_cpu(input):
            return super().forward(input, output_size)
        output: Tensor = _Strided.apply(*_as_autocast(input, self.weight, self.bias), True)  # type: ignore[no-untyped-call]
        return output


def weight_gradient(coarse: Tensor, fine: Tensor, weight: Tensor) -> Tensor:
    """The sum at the head of this file, shaped as the weight (C, F, 4, 4).

    Args:
        coarse: (B, C, h, w).
        fine: (B, F, 2h, 2w); one more row or column is taken as read by none.
        weight: only its shape and memory format count.
    """
    batch, channels, height, width = coarse.shape
    positions = batch * height * width
    if positions > FEW_POSITIONS and not _is_wide(fine):
        return _convolution_backward(coarse, fine, weight, False, [False, True, False])[1]
    rows = coarse.permute(0, 2, 3, 1)  # (B, h, w, C)
    patches = _patches(fine, height, width)
    taps = patches[0, 0, 0].numel()
    if positions <= FEW_POSITIONS:
        product = rows.reshape(positions, channels).T @ patches.reshape(positions, taps)
    else:
        product = coarse.new_zeros(channels, taps)
        step = max(1, _CHUNK // (width * taps * fine.element_size()))
        for picture in range(batch):
            for top in range(0, height, step):
                some = slice(top, top + step)
                product.addmm_(rows[picture, some].reshape(-1, channels).T, patches[picture, some].reshape(-1, taps))
    return product.view(channels, 4, 4, -1).permute(0, 3, 1, 2)


class _Strided(torch.autograd.Function):
    """Forward and the gradient of the input are torch's own."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, weight: Tensor, bias: Tensor, transposed: bool) -> Tensor:
        ctx.save_for_backward(input, weight)
        ctx.transposed = transposed
        return (F.conv_transpose2d if transposed else F.conv2d)(input, weight, bias, stride=2, padding=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        input, weight = ctx.saved_tensors
        to_input, to_weight, to_bias = ctx.needs_input_grad[:3]
        of_input = of_weight = of_bias = None
        if to_input:
            of_input = _convolution_backward(gradient, input, weight, ctx.transposed, [True, False, False])[0]
        if to_weight:
            coarse, fine = (input, gradient) if ctx.transposed else (gradient, input)
            of_weight = weight_gradient(coarse, fine, weight)
        if to_bias:
            of_bias = gradient.sum((0, 2, 3))  # a transposed convolution's own is up to 20 times slower
        return of_input, of_weight, of_bias, None


def _convolution_backward(
    gradient: Tensor, input: Tensor, weight: Tensor, transposed: bool, wanted: list[bool]
) -> tuple[Tensor, Tensor, Tensor]:
    """Torch's gradients of input, weight and bias; those that are not wanted are None."""
    found: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.convolution_backward(
        gradient, input, weight, None, [2, 2], [1, 1], [1, 1], transposed, [0, 0], 1, wanted
    )
    return found


def _patches(fine: Tensor, height: int, width: int) -> Tensor:
    """(B, F, 2h, 2w) -> (B, h, w, 4, 4, F), a view of the padded map: what each coarse position sees."""
    padded = F.pad(fine, (1, 1, 1, 1)).permute(0, 2, 3, 1)
    b, i, j, f = padded.stride()
    return padded.as_strided((len(fine), height, width, 4, 4, fine.shape[1]), (b, 2 * i, 2 * j, i, j, f))


def _is_wide(fine: Tensor) -> bool:
    return fine.dtype.itemsize >= 4 and fine.shape[3] >= WIDE and fine.shape[1] >= CHANNELS


def _is_trained_on_cpu(input: Tensor) -> bool:
    return input.device.type == "cpu" and torch.is_grad_enabled()


def _as_autocast(*tensors: Tensor | None) -> tuple[Tensor | None, ...]:
    """In the arithmetic in which autocast would run a convolution."""
    if not torch.is_autocast_enabled("cpu"):
        return tensors
    dtype = torch.get_autocast_dtype("cpu")
    return tuple(None if tensor is None else tensor.to(dtype) for tensor in tensors)
