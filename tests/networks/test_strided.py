"""Strided convolutions against torch's own layers, on every way that the gradient of the weights is computed."""

import pytest
import torch
from torch import nn

from pretint.networks import strided
from pretint.networks.strided import StridedConv, StridedTransposedConv

WAYS = {"convolution": (0, 10**9), "few": (10**9, 10**9), "wide": (0, 1)}  # FEW_POSITIONS, WIDE


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    few, wide = WAYS[request.param]
    monkeypatch.setattr(strided, "FEW_POSITIONS", few)
    monkeypatch.setattr(strided, "WIDE", wide)
    monkeypatch.setattr(strided, "CHANNELS", 1)
    monkeypatch.setattr(strided, "_CHUNK", 2000)  # some rows of a picture
    return request.param


def pair(transposed, channels, out):
    """Ours, and torch's with the same weights."""
    torch.manual_seed(0)
    if transposed:
        return StridedTransposedConv(channels, out), nn.ConvTranspose2d(channels, out, 4, stride=2, padding=1)
    return StridedConv(channels, out), nn.Conv2d(channels, out, 4, stride=2, padding=1)


def gradients(layer, values, towards):
    values = values.clone(memory_format=torch.preserve_format).requires_grad_()
    output = layer(values)
    output.backward(towards(output))
    return output, values.grad, layer.weight.grad, layer.bias.grad


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(("height", "width"), [(2, 2), (6, 10), (7, 9)])
def test_values_and_gradients_are_torchs(way, transposed, height, width, memory_format):
    ours, torchs = pair(transposed, 5, 7)
    torchs.load_state_dict(ours.state_dict())
    ours.to(memory_format=memory_format)
    draws = torch.Generator().manual_seed(1)
    values = torch.randn(3, 5, height, width, generator=draws).to(memory_format=memory_format)

    def towards(output):
        return torch.randn(output.shape, generator=torch.Generator().manual_seed(2)).to(memory_format=memory_format)

    torch.testing.assert_close(
        gradients(ours, values, towards), gradients(torchs, values, towards), atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("transposed", [False, True])
def test_gradients_by_differences(way, transposed):
    layer, _ = pair(transposed, 2, 3)
    layer.double()
    values = torch.randn(2, 2, 4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    parameters = tuple(parameter.detach().requires_grad_() for parameter in (layer.weight, layer.bias))

    def run(values, weight, bias):
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (values,))

    assert torch.autograd.gradcheck(run, (values.requires_grad_(), *parameters))


@pytest.mark.parametrize("transposed", [False, True])
def test_the_rule_as_it_stands_covers_each_way(transposed):
    """Real thresholds: few positions, many, and a wide map of 64 channels in float32."""
    for count, coarse, fine, side in [(2, 8, 8, 4), (5, 8, 8, 16), (1, 8, 64, 48)]:
        ours, torchs = pair(transposed, *((coarse, fine) if transposed else (fine, coarse)))
        torchs.load_state_dict(ours.state_dict())
        size = side if transposed else 2 * side
        values = torch.randn(count, ours.in_channels, size, size, generator=torch.Generator().manual_seed(1))
        found, expected = (gradients(layer, values, torch.sin) for layer in (ours, torchs))
        torch.testing.assert_close(found, expected, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("transposed", [False, True])
def test_autocast_computes_in_bf16_and_learns_in_float32(way, transposed):
    ours, torchs = pair(transposed, 16, 16)
    torchs.load_state_dict(ours.state_dict())
    values = torch.randn(4, 16, 8, 8, generator=torch.Generator().manual_seed(1))
    exact = gradients(torchs, values, torch.sin)
    with torch.autocast("cpu", torch.bfloat16):
        output, *found = gradients(ours, values, torch.sin)
    assert output.dtype == torch.bfloat16
    for gradient, expected in zip(found, exact[1:], strict=True):
        assert gradient.dtype == torch.float32
        assert (gradient - expected).norm() < 0.01 * expected.norm()  # bf16 keeps 8 bits


@pytest.mark.parametrize("transposed", [False, True])
def test_what_nobody_asks_for_is_not_computed(transposed):
    layer, _ = pair(transposed, 3, 4)
    values = torch.randn(2, 3, 8, 8)
    layer(values).sum().backward()
    assert values.grad is None
    assert layer.weight.grad is not None
    layer.zero_grad()
    layer.requires_grad_(False)
    layer(values.requires_grad_()).sum().backward()
    assert values.grad is not None
    assert layer.weight.grad is None


@pytest.mark.parametrize("transposed", [False, True])
def test_without_gradients_it_is_torchs_layer(transposed):
    ours, torchs = pair(transposed, 3, 4)
    torchs.load_state_dict(ours.state_dict())
    values = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        assert torch.equal(ours(values), torchs(values))
    assert list(ours.state_dict()) == list(torchs.state_dict())
