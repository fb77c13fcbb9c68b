"""The discriminators: the paper's counts, maps, paddings and receptive fields."""

import pytest
import torch
import torch.nn.functional as F

from pretint.errors import DataError
from pretint.networks.counting import cost, receptive_field
from pretint.networks.patchgan import PatchDiscriminator


@pytest.mark.parametrize(
    ("name", "trainable", "total", "multiply_adds", "side"),
    [("142", 6_962_369, 6_965_185, 2_736_783_360, 16), ("70", 2_766_529, 2_768_321, 3_146_809_344, 30)],
)
def test_counts(name, trainable, total, multiply_adds, side):
    with torch.device("meta"):
        found = cost(PatchDiscriminator(name), (1, 256, 256), (2, 256, 256))
    assert (found.trainable, found.total, found.multiply_adds) == (trainable, total, multiply_adds)
    assert found.layers[-1].output == (1, side, side)


@pytest.mark.parametrize(("name", "pixels"), [("142", 142), ("70", 70)])
def test_receptive_field(name, pixels):
    net = PatchDiscriminator(name, width=1 / 32).double().eval()
    assert receptive_field(net, (1, 256, 256), (2, 256, 256)) == (pixels, pixels)


def test_forward_is_the_table_transcribed():
    torch.manual_seed(0)
    net = PatchDiscriminator("142", width=1 / 32)
    lightness, ab = torch.rand(2, 1, 64, 64), torch.rand(2, 2, 64, 64)
    parameters = iter(net.parameters())
    values = torch.cat([lightness, ab], 1)
    for i in range(6):
        # Keras' "same": 1 and 1 at stride 2, 1 and 2 at stride 1
        values = F.pad(values, (1, 1, 1, 1) if i < 4 else (1, 2, 1, 2))
        values = F.conv2d(values, next(parameters), next(parameters), stride=2 if i < 4 else 1)
        if 0 < i < 5:
            values = F.batch_norm(values, None, None, next(parameters), next(parameters), True, eps=1e-3)
        if i < 5:
            values = F.leaky_relu(values, 0.2)
    torch.testing.assert_close(net(lightness, ab), values)
    assert values.shape == (2, 1, 4, 4)


@pytest.mark.parametrize(("name", "smallest"), [("142", 16), ("70", 24)])
def test_the_smallest_picture(name, smallest):
    net = PatchDiscriminator(name, width=1 / 32)
    assert net(torch.rand(2, 1, smallest, smallest), torch.rand(2, 2, smallest, smallest)).shape == (2, 1, 1, 1)
    with pytest.raises(DataError, match=f"needs {smallest}"):
        net(torch.rand(2, 1, smallest - 1, 64), torch.rand(2, 2, smallest - 1, 64))


@pytest.mark.parametrize("name", ["142", "70"])
def test_channels_last_stays(name):
    torch.manual_seed(0)
    net = PatchDiscriminator(name, width=1 / 32)
    lightness, ab = torch.rand(2, 1, 64, 64), torch.rand(2, 2, 64, 64)
    expected = net(lightness, ab)
    net.to(memory_format=torch.channels_last)
    formats = []
    for layer in net.layers[:-1]:
        layer.register_forward_hook(
            lambda _, __, output: formats.append(output.is_contiguous(memory_format=torch.channels_last))
        )
    torch.testing.assert_close(net(lightness, ab), expected, atol=1e-5, rtol=1e-4)
    assert all(formats)
