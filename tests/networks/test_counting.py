"""Counting against torch's own counter, which looks at operators where ours looks at layers."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from pretint.networks.colorizer import Colorizer
from pretint.networks.counting import cost, receptive_field
from pretint.networks.patchgan import PatchDiscriminator
from pretint.networks.residual import ResidualEncoder
from pretint.networks.unet import UNetDecoder, UNetEncoder


def generator():
    encoder = UNetEncoder(256)
    return Colorizer(encoder, UNetDecoder(encoder))


@pytest.mark.parametrize(
    ("build", "shapes"),
    [
        (generator, [(1, 256, 256)]),
        (PatchDiscriminator, [(1, 256, 256), (2, 256, 256)]),
        (ResidualEncoder, [(1, 61, 97)]),
        (ResidualEncoder, [(3, 61, 97)]),
        (lambda: nn.Conv2d(6, 9, (3, 5), groups=3, padding=1), [(6, 9, 9)]),
        (lambda: nn.ConvTranspose2d(6, 9, 3, stride=2, groups=3), [(6, 9, 9)]),
        (lambda: nn.Linear(5, 7), [(4, 5)]),
    ],
)
def test_multiply_adds_are_half_of_torchs_operations(build, shapes):
    with torch.device("meta"):
        net = build().eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            net(*(torch.empty(1, *shape) for shape in shapes))
    assert cost(net, *shapes).multiply_adds == counter.get_total_flops() // 2


def test_the_network_is_left_as_it_was():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2).eval(), nn.Conv2d(2, 1, 1))
    net[0].weight.requires_grad_(False)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    found = cost(net, (1, 8, 8))
    assert found.trainable == 2 + 4 + 3
    assert found.total == 18 + found.trainable + 4
    assert [(layer.name, layer.output) for layer in found.layers] == [("0", (2, 6, 6)), ("2", (1, 6, 6))]
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert (net.training, net[0].training, net[1].training) == (True, True, False)
    assert not net[0]._forward_hooks


def test_receptive_field_of_a_stack_by_hand():
    net = nn.Sequential(nn.Conv2d(1, 2, (3, 5)), nn.Conv2d(2, 2, 3, stride=2), nn.Conv2d(2, 1, 3)).double()
    assert receptive_field(net, (1, 40, 40)) == (3 + 2 + 2 * 2, 5 + 2 + 2 * 2)
