"""Networks made ready to predict give what they gave before, whichever way a convolution goes."""

import copy

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from pretint.inference.small_maps import arithmetic, prepare
from pretint.networks.colorizer import Colorizer
from pretint.networks.hypercolumn import HypercolumnDecoder
from pretint.networks.residual import Options as ResidualOptions
from pretint.networks.residual import ResidualEncoder
from pretint.networks.unet import Options, UNetDecoder, UNetEncoder


def colorizer(backbone: str, normalization: str) -> Colorizer:
    torch.manual_seed(0)
    if backbone == "unet":
        encoder = UNetEncoder(64, Options(width=0.25, normalization=normalization))  # type: ignore[arg-type]
        network = Colorizer(encoder, UNetDecoder(encoder))
    else:
        residual = ResidualEncoder(ResidualOptions(width=12, normalization=normalization))  # type: ignore[arg-type]
        network = Colorizer(residual, HypercolumnDecoder(residual, 16), "linear", channels=309, stride=4)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            assert layer.running_mean is not None
            assert layer.running_var is not None
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 2)
    for values in network.parameters():
        values.data += 0.02 * torch.randn_like(values)
    return network.eval()


@pytest.mark.parametrize("normalization", ["batch", "batch-always", "instance", "group"])
@pytest.mark.parametrize("backbone", ["unet", "residual"])
def test_the_same_function(backbone: str, normalization: str) -> None:
    plain = colorizer(backbone, normalization)
    ready, short = copy.deepcopy(plain), copy.deepcopy(plain)
    prepare(ready)
    prepare(short, "bf16")
    for sides in ((64, 64), (64, 128), (192, 64)):
        lightness = torch.rand(1, 1, *sides) * 2 - 1
        with torch.inference_mode():
            expected = plain(lightness)
            torch.testing.assert_close(ready(lightness), expected, atol=2e-5, rtol=1e-4)
            with arithmetic("bf16"):
                given = short(lightness).float()
        assert given.shape == expected.shape
        assert float((given - expected).norm() / expected.norm()) < 0.05


def test_the_weights_may_change_their_order_and_no_result() -> None:
    """A layer's weights are laid out anew when it first sees a small map; what came before must not matter."""
    fresh = colorizer("unet", "batch")
    used = copy.deepcopy(fresh)
    prepare(used)
    with torch.inference_mode():
        for sides in ((64, 64), (192, 192), (64, 64)):
            once = copy.deepcopy(fresh)
            prepare(once)
            lightness = torch.rand(1, 1, *sides)
            assert torch.equal(used(lightness), once(lightness))


sides = st.integers(1, 9)


@settings(max_examples=40, deadline=None)
@given(
    height=sides,
    width=sides,
    channels=st.integers(1, 3),
    planes=st.integers(1, 6),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    padding=st.integers(0, 1),
    dilation=st.integers(1, 2),
    bias=st.booleans(),
    batch=st.integers(1, 2),
)
def test_products_are_convolutions(
    height: int, width: int, channels: int, planes: int, kernel: int, stride: int, padding: int, dilation: int, bias: bool, batch: int
) -> None:  # fmt: skip
    options = {"stride": stride, "padding": min(padding, kernel - 1), "dilation": dilation, "bias": bias}
    input = torch.rand(batch, channels, height, width)
    reach = dilation * (kernel - 1) + 1
    layers: list[nn.Module] = [nn.ConvTranspose2d(channels, planes, kernel, **options)]  # type: ignore[arg-type]
    if min(height, width) + 2 * int(options["padding"]) >= reach:
        layers.append(nn.Conv2d(channels, planes, kernel, **options))  # type: ignore[arg-type]
    for layer in layers:
        if isinstance(layer, nn.ConvTranspose2d) and (min(height, width) - 1) * stride + reach <= 2 * int(
            options["padding"]
        ):
            continue  # no output at all
        network = nn.Sequential(layer)
        with torch.inference_mode():
            expected = network(input)
            prepare(network)
            torch.testing.assert_close(network(input), expected, atol=1e-5, rtol=1e-4)


def test_layers_of_another_meaning_are_left_alone() -> None:
    class Doubled(nn.Conv2d):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            return 2 * super().forward(input)

    layers = [
        Doubled(4, 4, 3, padding=1),
        nn.Conv2d(4, 4, 3, padding="same"),
        nn.Conv2d(4, 4, 3, padding=1, groups=2),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
        nn.ConvTranspose2d(4, 4, 4, stride=2, padding=1, output_padding=1),
        nn.ConvTranspose2d(4, 4, 4, stride=2, padding=1, groups=4),
    ]
    input = torch.rand(1, 4, 5, 5)
    for layer in layers:
        with torch.inference_mode():
            expected = layer(input)
            network = nn.Sequential(layer)
            prepare(network)
            torch.testing.assert_close(network(input), expected)


def test_a_transposed_convolution_told_its_size() -> None:
    layer = nn.ConvTranspose2d(3, 2, 3, stride=2, padding=1)
    network = nn.Sequential(layer)
    prepare(network)
    input = torch.rand(1, 3, 4, 4)
    expected = F.conv_transpose2d(input, layer.weight, layer.bias, 2, 1, 1)
    torch.testing.assert_close(network[0](input, [8, 8]), expected)
