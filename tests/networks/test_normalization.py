"""Which statistics each norm layer uses, against plain arithmetic."""

import pytest
import torch
from torch import nn

from pretint.errors import OptionError
from pretint.networks.normalization import freeze_statistics, normalization, normalization_parameters


@pytest.fixture
def values():
    return torch.randn(4, 6, 5, 7, generator=torch.Generator().manual_seed(0)) * 3 + 2


def standardized(values, dims, eps=1e-3):
    mean = values.mean(dims, keepdim=True)
    return (values - mean) / (values.var(dims, keepdim=True, unbiased=False) + eps).sqrt()


def by_averages(layer, values):
    mean, variance = layer.running_mean.view(-1, 1, 1), layer.running_var.view(-1, 1, 1)
    return (values - mean) / (variance + 1e-3).sqrt()


def test_batch_uses_the_batch_in_training_and_moving_averages_in_evaluation(values):
    layer = normalization("batch", 6)
    torch.testing.assert_close(layer(values), standardized(values, (0, 2, 3)))
    torch.testing.assert_close(layer.running_mean, values.mean((0, 2, 3)))
    torch.testing.assert_close(layer.running_var, values.var((0, 2, 3)))
    torch.testing.assert_close(layer.eval()(values), by_averages(layer, values))


def test_moving_averages_begin_as_a_plain_mean_and_go_on_by_the_momentum():
    layer = normalization("batch", 1, momentum=0.25)
    batches = torch.randn(7, 8, 1, 2, 2, generator=torch.Generator().manual_seed(1))
    for batch in batches:
        layer(batch)
    means = batches.mean((1, 2, 3, 4))
    expected = means[:4].mean()
    for mean in means[4:]:
        expected = 0.75 * expected + 0.25 * mean
    torch.testing.assert_close(layer.running_mean[0], expected)


def test_a_loaded_layer_goes_on_where_the_saved_one_stopped(values):
    whole, first, second = (normalization("batch", 6) for _ in range(3))
    for layer in (whole, first):
        layer(values)
        layer(values + 1)
    second.load_state_dict(first.state_dict())
    for layer in (whole, second):
        layer(values * 2)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, second.state_dict()[name])


def test_batch_always_uses_the_batch_in_evaluation_and_changes_no_state(values):
    layer = normalization("batch-always", 6)
    layer(values)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    torch.testing.assert_close(layer.eval()(values), standardized(values, (0, 2, 3)))
    assert all(torch.equal(before[name], value) for name, value in layer.state_dict().items())


@pytest.mark.parametrize("name", ["batch", "batch-always"])
def test_frozen_uses_moving_averages_in_either_mode_and_learns_gamma(name, values):
    net = nn.Sequential(nn.Identity(), normalization(name, 6))
    net(values)
    layer = net[1]
    average = layer.running_mean.clone()
    freeze_statistics(net, True)
    for mode in (True, False):
        net.train(mode)
        torch.testing.assert_close(net(values), by_averages(layer, values))
    assert torch.equal(layer.running_mean, average)
    net.train()(values).square().sum().backward()
    assert layer.weight.grad.abs().min() > 0
    freeze_statistics(net, False)
    torch.testing.assert_close(net(values), standardized(values, (0, 2, 3)))


@pytest.mark.parametrize("mode", [True, False])
def test_instance_and_group_are_blind_to_the_batch(mode, values):
    instance = normalization("instance", 6).train(mode)
    torch.testing.assert_close(instance(values), standardized(values, (2, 3)), atol=1e-5, rtol=1e-5)
    group = normalization("group", 6).train(mode)
    grouped = standardized(values.reshape(4, 2, 3, 5, 7), (2, 3, 4)).reshape_as(values)
    torch.testing.assert_close(group(values), grouped, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(5, 7), (1, 3), (1, 1)])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_gradients_of_instance_norm_are_those_of_plain_arithmetic(memory_format, height, width):
    draws = torch.Generator().manual_seed(1)
    values, towards = (torch.randn(3, 6, height, width, generator=draws) * 2 + 1 for _ in range(2))
    layer = normalization("instance", 6)
    plain = [p.detach().copy_(torch.randn(6, generator=draws)).clone().requires_grad_() for p in layer.parameters()]
    given = values.to(memory_format=memory_format).requires_grad_()
    output = layer(given)
    output.backward(towards.to(memory_format=memory_format))
    assert output.is_contiguous(memory_format=memory_format)
    assert given.grad.is_contiguous(memory_format=memory_format)
    values.requires_grad_()
    gamma, beta = (p.view(-1, 1, 1) for p in plain)
    expected = standardized(values, (2, 3)) * gamma + beta
    expected.backward(towards)
    torch.testing.assert_close(output, expected, atol=1e-4, rtol=1e-4)
    for found, true in zip([given, *layer.parameters()], [values, *plain], strict=True):
        torch.testing.assert_close(found.grad, true.grad, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["instance", "batch-always"])
def test_one_value_of_a_picture_is_refused(name):
    layer = normalization(name, 6).eval()
    with pytest.raises(OptionError, match="one value a channel is left"):
        layer(torch.rand(1, 6, 1, 1))
    assert layer(torch.rand(1, 6, 1, 2)).shape == (1, 6, 1, 2)
    freeze_statistics(layer, True)
    if name == "batch-always":  # by its moving averages
        assert layer(torch.rand(1, 6, 1, 1)).shape == (1, 6, 1, 1)


def test_instance_norm_in_bf16_keeps_its_statistics_in_float32():
    layer = normalization("instance", 4)
    values = torch.randn(2, 4, 32, 32, generator=torch.Generator().manual_seed(0)) + 4
    values = values.bfloat16().to(memory_format=torch.channels_last).requires_grad_()
    found = layer(values)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), standardized(values.float(), (2, 3)), atol=0.02, rtol=0.01)


@pytest.mark.parametrize(("channels", "groups"), [(512, 32), (48, 16), (10, 2), (19, 1), (1, 1)])
def test_groups_divide_the_channels(channels, groups):
    assert normalization("group", channels).num_groups == groups


def test_names_of_gamma_and_beta():
    net = nn.Sequential(nn.Conv2d(1, 4, 1), normalization("batch", 4), nn.Sequential(normalization("group", 4)))
    names = [name for name, _ in normalization_parameters(net)]
    assert names == ["1.weight", "1.bias", "2.0.weight", "2.0.bias"]
    assert [name for name, _ in normalization_parameters(net[1])] == ["weight", "bias"]


@pytest.mark.parametrize("name", ["batch", "batch-always", "instance", "group"])
@pytest.mark.parametrize("mode", [True, False])
def test_channels_last_stays(name, mode, values):
    values = values.to(memory_format=torch.channels_last)
    assert normalization(name, 6).train(mode)(values).is_contiguous(memory_format=torch.channels_last)


def test_a_foreign_batch_norm_is_frozen_too(values):
    """One that knows nothing of `frozen`, as timm's."""
    network = nn.Sequential(nn.BatchNorm2d(6))
    network(values)
    (layer,) = network
    mean, variance = layer.running_mean.clone(), layer.running_var.clone()
    for _ in range(2):  # once more frozen is no more than frozen
        freeze_statistics(network, True)
    network.train()
    expected = (values - mean.view(-1, 1, 1)) / (variance.view(-1, 1, 1) + layer.eps).sqrt()
    torch.testing.assert_close(network(values), expected)
    assert torch.equal(layer.running_mean, mean)
    freeze_statistics(network, False)
    network.train()
    torch.testing.assert_close(network(values), standardized(values, (0, 2, 3), layer.eps))
    assert not torch.equal(layer.running_mean, mean)
