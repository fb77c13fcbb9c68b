"""What a network costs and sees: parameters, multiply-adds, receptive field; counted as in the paper's tables.

A convolution counts outputs x taps (those that fall on padding too), a transposed one inputs x taps, a dense layer
in x out; biases, norms and activations are left out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.func import functional_call


@dataclass(frozen=True, slots=True)
class LayerCost:
    """One convolution or dense layer, in the order of use."""

    name: str
    output: tuple[int, ...]
    """Shape of its output for one picture, without the batch: (channels, height, width)."""
    parameters: int
    """Weights and bias."""
    multiply_adds: int


@dataclass(frozen=True, slots=True)
class Cost:
    """A network's cost for one picture."""

    trainable: int
    """Numbers that the optimizer may change; frozen parameters are left out."""
    total: int
    """All parameters and the moving averages of batch norms."""
    multiply_adds: int
    layers: tuple[LayerCost, ...]


def cost(module: nn.Module, *input_shapes: tuple[int, ...]) -> Cost:
    """Count `module` on inputs of `input_shapes`, each without the batch: (channels, height, width).

    Nothing is computed: the forward runs on the meta device, whatever the module's own; weights and mode stay the same.
    """
    layers: list[LayerCost] = []
    names = {layer: name for name, layer in module.named_modules()}

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        match layer:
            case nn.ConvTranspose2d():
                taps = prod(layer.kernel_size) * layer.out_channels // layer.groups * inputs[0].numel()
            case nn.Conv2d():
                taps = prod(layer.kernel_size) * inputs[0].shape[1] // layer.groups * output.numel()
            case nn.Linear():
                taps = layer.in_features * output.numel()
            case _:
                return
        own = sum(parameter.numel() for parameter in layer.parameters())
        layers.append(LayerCost(names[layer], tuple(output.shape[1:]), own, taps))

    modes = [(layer, layer.training) for layer in module.modules()]
    hooks = [layer.register_forward_hook(count) for layer in module.modules()]
    state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    state = {name: value.detach().to("meta") for name, value in state.items()}
    try:
        module.eval()  # so that no batch norm asks for more than one picture
        with torch.no_grad():
            functional_call(module, state, tuple(torch.empty(1, *shape, device="meta") for shape in input_shapes))
    finally:
        for hook in hooks:
            hook.remove()
        for layer, mode in modes:
            layer.training = mode
    averages = sum(b.numel() for name, b in module.named_buffers() if name.endswith(("running_mean", "running_var")))
    return Cost(
        trainable=sum(p.numel() for p in module.parameters() if p.requires_grad),
        total=sum(p.numel() for p in module.parameters()) + averages,
        multiply_adds=sum(layer.multiply_adds for layer in layers),
        layers=tuple(layers),
    )


def receptive_field(network: Callable[..., Tensor], *input_shapes: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of what the central output of `network` depends on, in pixels of its inputs.

    Measured: the box around the nonzero gradients for random inputs of `input_shapes`, each (channels, height, width).
    The inputs must be larger than the field, the network in float64 and in evaluation: with the statistics of the batch
    every output depends on every pixel.
    """
    inputs = [torch.rand(1, *shape, dtype=torch.float64, requires_grad=True) for shape in input_shapes]
    output = network(*inputs)
    central = output[..., output.shape[-2] // 2, output.shape[-1] // 2].sum()
    gradients = torch.autograd.grad(central, inputs)
    seen = torch.stack([(gradient != 0).any(dim=1).squeeze(0) for gradient in gradients]).any(dim=0)
    rows, columns = seen.any(dim=1).nonzero(), seen.any(dim=0).nonzero()
    return int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1
