"""Norm layers, and which statistics they use: those of the batch, or moving averages.

    name            training          evaluation        frozen (training or not)
    batch           batch             moving averages   moving averages
    batch-always    batch             batch             moving averages
    instance        picture, channel  the same          the same
    group           picture, group    the same          the same

`batch-always` is what the authors' code does: its generator normalises by the batch at test time too, except where a
layer is frozen. Unlike there, moving averages change in training only, so that colouring a picture leaves no trace.
Unlike there and in torch, the first 1 / momentum batches enter these as a plain mean, so that nothing is left of the
start at 0 and 1.
"""

import math
from typing import Any, Literal
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from pretint.errors import OptionError

Normalization = Literal["batch", "batch-always", "instance", "group"]


class BatchNorm(nn.BatchNorm2d):
    """Batch norm whose statistics can be frozen apart from its mode.

    Unlike torch's, its moving averages are the plain mean of the batches seen until these are more than 1 / momentum.

    Attributes:
        always: use the batch's statistics in evaluation too.
        frozen: use, and do not touch, the moving averages whatever the mode; gamma and beta are left to the optimizer.
    """

    def __init__(self, channels: int, *, eps: float, momentum: float, always: bool) -> None:
        super().__init__(channels, eps=eps, momentum=momentum)
        self.always = always
        self.frozen = False
        self._batches = 0  # num_batches_tracked, kept beside it so that no step waits for the device

    def forward(self, input: Tensor) -> Tensor:
        by_batch = (self.training or self.always) and not self.frozen
        if by_batch and not self.training:
            _require_more_than_one(input)
        averages = self.training or not by_batch  # read when frozen or evaluating, updated when training
        mean, variance = (self.running_mean, self.running_var) if averages else (None, None)
        assert self.momentum is not None
        momentum = self.momentum
        if by_batch and averages:
            assert self.num_batches_tracked is not None
            self.num_batches_tracked += 1
            self._batches += 1
            momentum = max(momentum, 1 / self._batches)
        return F.batch_norm(input, mean, variance, self.weight, self.bias, by_batch, momentum, self.eps)

    def _load_from_state_dict(self, *arguments: Any) -> None:
        super()._load_from_state_dict(*arguments)
        assert self.num_batches_tracked is not None
        if self.num_batches_tracked.device.type != "meta":
            self._batches = int(self.num_batches_tracked)


class InstanceNorm(nn.GroupNorm):
    """Instance norm as a group norm of one group a channel: torch's own InstanceNorm2d loses the channels_last format.

    Trained on a CPU it is computed as a batch norm of each picture alone, the same function: with channels last torch's
    group norm is slow there, in bf16 ten times as slow as its batch norm.
    """

    def __init__(self, channels: int, *, eps: float) -> None:
        super().__init__(channels, channels, eps=eps)

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            _require_more_than_one(input)
        if input.device.type != "cpu" or not input.requires_grad or input[0, 0].numel() == 1:
            return super().forward(input)
        pictures = torch.split(input, 1)
        return torch.cat([F.batch_norm(p, None, None, self.weight, self.bias, True, 0.0, self.eps) for p in pictures])


def _require_more_than_one(picture: Tensor) -> None:
    """Of one value a channel nothing is left after its own mean: torch refuses it too, but in words for programmers.

    Raises:
        OptionError: there is one picture, and of it one value.
    """
    if len(picture) == picture[0, 0].numel() == 1:
        raise OptionError(
            "--size: at this size one value a channel is left of a picture where a norm layer is to take the picture's own statistics "
            "(normalization instance or batch-always); give a larger --size, or normalization batch or group"
        )


def normalization(name: Normalization, channels: int, *, eps: float = 1e-3, momentum: float = 0.01) -> nn.Module:
    """A norm layer for (B, channels, H, W); the defaults are the authors' (Keras: momentum 0.99).

    Group norm takes 32 groups, or the greatest power of two below that divides the channels.
    """
    match name:
        case "batch" | "batch-always":
            return BatchNorm(channels, eps=eps, momentum=momentum, always=name == "batch-always")
        case "instance":
            return InstanceNorm(channels, eps=eps)
        case "group":
            return nn.GroupNorm(math.gcd(32, channels), channels, eps=eps)


def sees_one_value(error: Exception) -> bool:
    """Whether a norm layer has refused its input, of which it would have taken each value for the mean: torch's own words."""
    return isinstance(error, ValueError) and str(error).startswith("Expected more than 1 value per channel")


_FROZEN: WeakKeyDictionary[nn.Module, RemovableHandle] = WeakKeyDictionary()
"""What keeps a foreign batch norm in eval mode."""


def freeze_statistics(module: nn.Module, frozen: bool) -> None:
    """Make every batch norm within `module` use its moving averages, or end that; a later .train() changes nothing."""
    for layer in module.modules():
        if isinstance(layer, BatchNorm):
            layer.frozen = frozen
        elif isinstance(layer, nn.modules.batchnorm._BatchNorm):  # of a foreign network, which asks its mode alone
            if (hook := _FROZEN.pop(layer, None)) is not None:
                hook.remove()
            if frozen:
                _FROZEN[layer] = layer.register_forward_pre_hook(_to_eval)


def _to_eval(layer: nn.Module, inputs: Any) -> None:
    layer.eval()


def normalization_parameters(module: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """Names and values of every gamma and beta within `module`."""
    return [
        (f"{prefix}.{name}" if prefix else name, parameter)
        for prefix, layer in module.named_modules()
        if isinstance(layer, BatchNorm | nn.GroupNorm)
        for name, parameter in layer.named_parameters(recurse=False)
    ]
