"""Residual networks: torchvision's names and shapes (written out here), counts, any size and any planes."""

import pytest
import torch

from pretint.errors import OptionError
from pretint.networks.counting import cost
from pretint.networks.normalization import BatchNorm
from pretint.networks.residual import Options, ResidualEncoder

RESNET18 = Options(width=64, blocks=(2, 2, 2, 2), stem="torchvision")

CONVOLUTIONS = {
    "conv1": (64, 3, 7, 7),
    "layer1.0.conv1": (64, 64, 3, 3),
    "layer1.0.conv2": (64, 64, 3, 3),
    "layer1.1.conv1": (64, 64, 3, 3),
    "layer1.1.conv2": (64, 64, 3, 3),
    "layer2.0.conv1": (128, 64, 3, 3),
    "layer2.0.conv2": (128, 128, 3, 3),
    "layer2.0.downsample.0": (128, 64, 1, 1),
    "layer2.1.conv1": (128, 128, 3, 3),
    "layer2.1.conv2": (128, 128, 3, 3),
    "layer3.0.conv1": (256, 128, 3, 3),
    "layer3.0.conv2": (256, 256, 3, 3),
    "layer3.0.downsample.0": (256, 128, 1, 1),
    "layer3.1.conv1": (256, 256, 3, 3),
    "layer3.1.conv2": (256, 256, 3, 3),
    "layer4.0.conv1": (512, 256, 3, 3),
    "layer4.0.conv2": (512, 512, 3, 3),
    "layer4.0.downsample.0": (512, 256, 1, 1),
    "layer4.1.conv1": (512, 512, 3, 3),
    "layer4.1.conv2": (512, 512, 3, 3),
}
NORMS = {
    "bn1": 64,
    "layer1.0.bn1": 64,
    "layer1.0.bn2": 64,
    "layer1.1.bn1": 64,
    "layer1.1.bn2": 64,
    "layer2.0.bn1": 128,
    "layer2.0.bn2": 128,
    "layer2.0.downsample.1": 128,
    "layer2.1.bn1": 128,
    "layer2.1.bn2": 128,
    "layer3.0.bn1": 256,
    "layer3.0.bn2": 256,
    "layer3.0.downsample.1": 256,
    "layer3.1.bn1": 256,
    "layer3.1.bn2": 256,
    "layer4.0.bn1": 512,
    "layer4.0.bn2": 512,
    "layer4.0.downsample.1": 512,
    "layer4.1.bn1": 512,
    "layer4.1.bn2": 512,
}


def test_names_and_shapes_are_torchvisions():
    expected = {f"{name}.weight": shape for name, shape in CONVOLUTIONS.items()}
    for name, channels in NORMS.items():
        expected |= {f"{name}.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")}
        expected[f"{name}.num_batches_tracked"] = ()
    with torch.device("meta"):
        state = ResidualEncoder(RESNET18).state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == expected


def test_counts_of_resnet18_without_its_fc():
    with torch.device("meta"):
        net = ResidualEncoder(RESNET18)
    found = cost(net, (3, 224, 224))
    assert found.trainable == 11_689_512 - 513_000
    assert found.multiply_adds == 1_814_073_344 - 512_000  # the published 1.81 G
    assert net.channels == (64, 64, 128, 256, 512)
    assert net.strides == (2, 4, 8, 16, 32)
    for layer in net.modules():
        if isinstance(layer, BatchNorm):
            assert (layer.eps, layer.momentum) == (1e-5, 0.1)


def test_the_default_is_small():
    with torch.device("meta"):
        net = ResidualEncoder()
        pyramid = net(torch.empty(2, 1, 64, 64))
    assert net.channels == (48, 96, 192, 384)
    assert net.strides == (2, 4, 8, 16)
    assert [tuple(level.shape) for level in pyramid] == [
        (2, 48, 32, 32),
        (2, 96, 16, 16),
        (2, 192, 8, 8),
        (2, 384, 4, 4),
    ]


@pytest.mark.parametrize("stem", ["small", "torchvision"])
@pytest.mark.parametrize("size", [(32, 32), (33, 50), (7, 19)])
def test_any_size(stem, size):
    net = ResidualEncoder(Options(width=4, stem=stem)).eval()
    for level, channels, stride in zip(net(torch.rand(2, 1, *size)), net.channels, net.strides, strict=True):
        assert level.shape == (2, channels, -(-size[0] // stride), -(-size[1] // stride))


def test_planes_count_as_three():
    torch.manual_seed(0)
    net = ResidualEncoder(Options(width=4)).double().eval()
    lightness, ab = torch.rand(2, 1, 16, 16).double(), torch.rand(2, 2, 16, 16).double()
    torch.testing.assert_close(net(lightness), net(lightness.repeat(1, 3, 1, 1)))
    torch.testing.assert_close(net(ab), net(torch.cat([ab, torch.zeros(2, 1, 16, 16).double()], 1)))


def test_a_block_without_its_branch_is_the_identity():
    torch.manual_seed(0)
    net = ResidualEncoder(Options(width=4, blocks=(1, 2)))
    torch.nn.init.zeros_(net.get_parameter("layer2.1.bn2.weight"))
    seen = {}
    net.get_submodule("layer2.0").register_forward_hook(lambda _, __, output: seen.update(carried=output))
    assert torch.equal(net(torch.rand(2, 1, 16, 16))[-1], seen["carried"])


def test_kaiming_start():
    torch.manual_seed(0)
    net = ResidualEncoder(Options(width=32))
    for name in ("layer1.0.conv1", "layer2.0.conv1", "layer3.0.downsample.0"):
        weight = net.get_parameter(f"{name}.weight")
        fan_out = weight.shape[0] * weight.shape[2] * weight.shape[3]
        assert abs(weight.std() / (2 / fan_out) ** 0.5 - 1) < 0.05, name


@pytest.mark.parametrize("stem", ["small", "torchvision"])
def test_channels_last_stays_and_gradient_reaches_every_parameter(stem):
    torch.manual_seed(0)
    net = ResidualEncoder(Options(width=8, stem=stem))
    picture = torch.rand(3, 1, 64, 64)
    expected = net(picture)
    net.to(memory_format=torch.channels_last)
    pyramid = net(picture)
    assert all(level.is_contiguous(memory_format=torch.channels_last) for level in pyramid)
    torch.testing.assert_close(pyramid, expected, atol=1e-4, rtol=1e-3)
    sum(level.square().mean() for level in pyramid).backward()
    gradients = [parameter.grad.clone() for parameter in net.parameters()]
    net.zero_grad()
    net.to(memory_format=torch.contiguous_format)
    sum(level.square().mean() for level in net(picture)).backward()
    torch.testing.assert_close([parameter.grad for parameter in net.parameters()], gradients, atol=1e-4, rtol=1e-2)


def test_contradictions_are_refused():
    with pytest.raises(OptionError, match="width"):
        Options(width=0)
    with pytest.raises(OptionError, match="blocks"):
        Options(blocks=(2, 0))
