"""The whole generator: the paper's counts, output range and size."""

import math

import pytest
import torch

from pretint.errors import OptionError
from pretint.networks.colorizer import Colorizer
from pretint.networks.counting import cost
from pretint.networks.hypercolumn import HypercolumnDecoder
from pretint.networks.residual import Options as ResidualOptions
from pretint.networks.residual import ResidualEncoder
from pretint.networks.unet import Options, UNetDecoder, UNetEncoder


def test_counts_of_the_generator():
    with torch.device("meta"):
        encoder = UNetEncoder(256)
        generator = Colorizer(encoder, UNetDecoder(encoder))
    found = cost(generator, (1, 256, 256))
    assert (found.trainable, found.total) == (54_415_362, 54_425_218)
    assert found.multiply_adds == 5_981_077_504
    assert (found.layers[-1].output, found.layers[-1].parameters) == ((2, 256, 256), 4_098)
    assert found.layers[-1].multiply_adds == 67_108_864


@pytest.mark.parametrize("decoder", [UNetDecoder, HypercolumnDecoder])
@pytest.mark.parametrize("backbone", ["unet", "small", "torchvision"])
@pytest.mark.parametrize("size", [(32, 32), (45, 33)])
def test_ab_has_the_size_of_the_picture(decoder, backbone, size):
    torch.manual_seed(0)
    if backbone == "unet":
        encoder = UNetEncoder(32, Options(width=1 / 16))
    else:
        encoder = ResidualEncoder(ResidualOptions(width=4, stem=backbone))
    colorizer = Colorizer(encoder, decoder(encoder))
    ab = colorizer(torch.rand(2, 1, *size))
    assert ab.shape == (2, 2, *size)
    assert ab.abs().max() < 1
    assert ab.std() > 0


def test_linear_is_tanh_without_tanh():
    torch.manual_seed(0)
    encoder = UNetEncoder(16, Options(width=1 / 16, dropout=0))
    tanh = Colorizer(encoder, UNetDecoder(encoder))
    linear = Colorizer(encoder, tanh.decoder, "linear")
    linear.head = tanh.head
    picture = torch.rand(2, 1, 16, 16)
    torch.testing.assert_close(linear(picture).tanh(), tanh(picture))


def test_colour_as_input_is_refused():
    encoder = UNetEncoder(16, Options(width=1 / 16, planes="Lab"))
    with pytest.raises(OptionError, match="lightness"):
        Colorizer(encoder, UNetDecoder(encoder))


@pytest.mark.parametrize("stride", [1, 2, 4, 8])
@pytest.mark.parametrize("decoder", [UNetDecoder, HypercolumnDecoder])
@pytest.mark.parametrize("backbone", ["unet", "small"])
def test_a_head_of_any_planes_and_stride(decoder, backbone, stride):
    torch.manual_seed(0)
    encoder = (
        UNetEncoder(32, Options(width=1 / 16)) if backbone == "unet" else ResidualEncoder(ResidualOptions(width=4))
    )
    colorizer = Colorizer(encoder, decoder(encoder), "linear", channels=5, stride=stride)
    for height, width in ((32, 32), (45, 33), (39, 50)):
        planes = colorizer(torch.rand(2, 1, height, width))
        assert planes.shape == (2, 5, math.ceil(height / stride), math.ceil(width / stride))


@pytest.mark.parametrize("decoder", [UNetDecoder, HypercolumnDecoder])
def test_a_coarser_head_is_the_mean_of_a_projected_map(decoder):
    torch.manual_seed(0)
    encoder = ResidualEncoder(ResidualOptions(width=4))
    made = decoder(encoder)
    features = made(encoder(torch.rand(2, 1, 48, 32)))
    head = made.dense_head(3, 8)
    (project,) = (layer for layer in head.modules() if isinstance(layer, torch.nn.Conv2d))
    assert project.weight.shape == (3, made.channels, 1, 1)
    steps = 8 // made.stride
    projected = project(features).unfold(2, steps, steps).unfold(3, steps, steps)
    torch.testing.assert_close(head(features), projected.mean(dim=(4, 5)))


def test_a_stride_between_those_of_a_decoder_is_refused():
    encoder = ResidualEncoder(ResidualOptions(width=4))
    with pytest.raises(OptionError, match="stride 6"):
        HypercolumnDecoder(encoder).dense_head(3, 6)
    with pytest.raises(OptionError, match="stride 3"):
        UNetDecoder(encoder).dense_head(3, 3)
