"""The U-Net against the paper's table and against a plain transcription of it."""

import pytest
import torch
import torch.nn.functional as F

from pretint.errors import DataError, OptionError
from pretint.networks.counting import cost
from pretint.networks.residual import Options as ResidualOptions
from pretint.networks.residual import ResidualEncoder
from pretint.networks.unet import Dropout, Options, UNetDecoder, UNetEncoder, joined_relu, set_dropout_at_inference

# block, channels of its convolution, side of the output, weights + biases, multiply-adds
DOWN = [
    ("e1", 64, 128, 1_088, 16_777_216),
    ("e2", 128, 64, 131_200, 536_870_912),
    ("e3", 256, 32, 524_544, 536_870_912),
    ("e4", 512, 16, 2_097_664, 536_870_912),
    ("e5", 512, 8, 4_194_816, 268_435_456),
    ("e6", 512, 4, 4_194_816, 67_108_864),
    ("e7", 512, 2, 4_194_816, 16_777_216),
    ("b", 512, 1, 4_194_816, 4_194_304),
]
UP = [
    ("d1", 512, 2, 4_194_816, 4_194_304),
    ("d2", 512, 4, 8_389_120, 33_554_432),
    ("d3", 512, 8, 8_389_120, 134_217_728),
    ("d4", 512, 16, 8_389_120, 536_870_912),
    ("d5", 256, 32, 4_194_560, 1_073_741_824),
    ("d6", 128, 64, 1_048_704, 1_073_741_824),
    ("d7", 64, 128, 262_208, 1_073_741_824),
]


def small(size=16, **options):
    torch.manual_seed(0)
    encoder = UNetEncoder(size, Options(width=1 / 16, **options))
    return encoder, UNetDecoder(encoder)


def lightness(batch, height, width=None):
    return torch.rand(batch, 1, height, width or height, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_every_block_is_the_papers():
    with torch.device("meta"):
        encoder = UNetEncoder(256)
        net = torch.nn.Sequential(encoder, UNetDecoder(encoder))
    found = cost(net, (1, 256, 256))
    table = [(x.name.split(".")[1], x.output[0], x.output[1], x.parameters, x.multiply_adds) for x in found.layers]
    assert table == DOWN + UP
    alone = cost(encoder, (1, 256, 256))
    assert alone.multiply_adds == 1_983_905_792
    joined = net(torch.empty(2, 1, 256, 256, device="meta"))
    assert joined.shape == (2, 128, 128, 128)
    assert (net[1].channels, net[1].stride) == (128, 2)


@pytest.mark.parametrize(
    ("size", "levels", "coarsest"), [(16, 4, 1), (31, 4, 2), (96, 6, 2), (128, 7, 1), (256, 8, 1), (512, 9, 1)]
)
def test_depth_follows_the_size(size, levels, coarsest):
    with torch.device("meta"):
        encoder = UNetEncoder(size, Options(width=0.25, planes="Lab"))
        pyramid = encoder(torch.empty(2, 3, size, size))
    assert encoder.strides == tuple(2 ** (i + 1) for i in range(levels))
    assert [level.shape[1] for level in pyramid] == list(encoder.channels)
    assert pyramid[-1].shape[-2:] == (coarsest, coarsest)


def test_forward_is_the_table_transcribed():
    encoder, decoder = small(size=32, dropout=0.0)
    weights = {**encoder.state_dict(), **decoder.state_dict()}

    def norm(values, name):
        gamma, beta = weights[f"{name}.norm.weight"], weights[f"{name}.norm.bias"]
        return F.batch_norm(values, None, None, gamma, beta, True, eps=1e-3)

    def down(values, name):
        return F.conv2d(values, weights[f"{name}.conv.weight"], weights[f"{name}.conv.bias"], 2, 1)

    def up(values, name):
        return F.conv_transpose2d(values, weights[f"{name}.conv.weight"], weights[f"{name}.conv.bias"], 2, 1)

    x = lightness(3, 32)
    e1 = F.leaky_relu(down(x, "e1"), 0.2)
    e2 = F.leaky_relu(norm(down(e1, "e2"), "e2"), 0.2)
    e3 = F.leaky_relu(norm(down(e2, "e3"), "e3"), 0.2)
    e4 = F.leaky_relu(norm(down(e3, "e4"), "e4"), 0.2)
    b = F.relu(down(e4, "b"))
    values = b
    for name, skip in (("d1", e4), ("d2", e3), ("d3", e2), ("d4", e1)):
        values = F.relu(torch.cat([norm(up(values, name), name), skip], 1))
    pyramid = encoder(x)
    for level, expected in zip(pyramid, (e1, e2, e3, e4, b), strict=True):
        torch.testing.assert_close(level, expected)
    torch.testing.assert_close(decoder(pyramid), values)


def test_starting_values():
    encoder = UNetEncoder(64, Options(width=0.5))
    for name, value in {**encoder.state_dict(), **UNetDecoder(encoder).state_dict()}.items():
        if name.endswith("conv.weight"):
            assert abs(value.std() - 0.02) < 0.003, name
        elif name.endswith("norm.weight"):
            assert (value == 1).all(), name
        elif name.endswith("bias"):
            assert (value == 0).all(), name


@pytest.mark.parametrize(("height", "width"), [(20, 33), (9, 16), (48, 31)])
def test_other_sizes_are_padded_by_reflection(height, width):
    encoder, decoder = small()
    encoder.eval(), decoder.eval()
    picture = lightness(2, height, width)
    below, right = -height % 16, -width % 16
    rows = [*range(height), *(height - 2 - i for i in range(below))]
    columns = [*range(width), *(width - 2 - i for i in range(right))]
    expected = encoder(picture[..., rows, :][..., columns])
    pyramid = encoder(picture)
    torch.testing.assert_close(pyramid, expected)
    assert decoder(pyramid).shape[-2:] == ((height + below) // 2, (width + right) // 2)


def test_too_small_pictures_and_sizes_are_refused():
    encoder, _ = small()
    with pytest.raises(DataError, match=r"30x8 is too small .* at least 9"):
        encoder(lightness(1, 8, 30))
    with pytest.raises(OptionError, match="at least 16"):
        UNetEncoder(15)
    with pytest.raises(OptionError, match="width"):
        Options(width=0)
    with pytest.raises(OptionError, match="dropout"):
        Options(dropout=1.0)


def test_dropout_is_in_three_blocks_and_can_stay_on():
    encoder, decoder = small(size=64)
    assert [name for name, layer in decoder.named_modules() if isinstance(layer, Dropout)] == [
        "d1.dropout",
        "d2.dropout",
        "d3.dropout",
    ]
    encoder.eval(), decoder.eval()
    pyramid = encoder(lightness(2, 64))
    assert torch.equal(decoder(pyramid), decoder(pyramid))
    set_dropout_at_inference(decoder, True)
    assert not torch.equal(decoder(pyramid), decoder(pyramid))
    set_dropout_at_inference(decoder, False)
    assert torch.equal(decoder(pyramid), decoder(pyramid))


@pytest.mark.parametrize("stem", ["small", "torchvision"])
@pytest.mark.parametrize(("height", "width"), [(64, 64), (37, 50)])
def test_decodes_a_residual_pyramid(stem, height, width):
    encoder = ResidualEncoder(ResidualOptions(width=8, stem=stem))
    decoder = UNetDecoder(encoder, Options(normalization="group"))
    joined = decoder(encoder(lightness(2, height, width)))
    assert joined.shape == (2, 16, -(-height // 2), -(-width // 2))
    assert decoder.dense_head(5)(joined).shape[1] == 5


def test_a_pyramid_of_other_strides_is_refused():
    encoder, _ = small()
    encoder.strides = (4, 8, 16, 32)
    with pytest.raises(OptionError, match="strides"):
        UNetDecoder(encoder)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_join_is_a_join_and_a_relu_and_its_gradients_are_dense(memory_format):
    draws = torch.Generator().manual_seed(0)
    shapes = (2, 3, 4, 6), (2, 5, 4, 6), (2, 8, 4, 6)
    first, second, towards = (torch.randn(s, generator=draws).to(memory_format=memory_format) for s in shapes)
    first[0, 0, 0, 0] = 0
    given = [part.clone().requires_grad_() for part in (first, second)]
    joined_relu(*given).backward(towards)
    plain = [part.clone().requires_grad_() for part in (first, second)]
    expected = torch.cat(plain, dim=1).relu()
    expected.backward(towards)
    for found, true in zip(given, plain, strict=True):
        assert torch.equal(found.grad, true.grad)
        assert found.grad.is_contiguous(memory_format=memory_format)
    with torch.no_grad():
        assert torch.equal(joined_relu(first, second), expected)
    doubles = [part.detach().double().requires_grad_() for part in plain]
    assert torch.autograd.gradcheck(joined_relu, [part[:1, :2] + 0.01 for part in doubles])


@pytest.mark.parametrize("normalization", ["batch", "instance", "group"])
def test_channels_last_stays_and_changes_nothing(normalization):
    encoder, decoder = small(size=32, normalization=normalization, dropout=0.0)
    expected = decoder(encoder(lightness(2, 32)))
    encoder.to(memory_format=torch.channels_last), decoder.to(memory_format=torch.channels_last)
    pyramid = encoder(lightness(2, 32).to(memory_format=torch.channels_last))
    joined = decoder(pyramid)
    assert all(level.is_contiguous(memory_format=torch.channels_last) for level in [*pyramid, joined])
    torch.testing.assert_close(joined, expected, atol=1e-5, rtol=1e-4)


def test_gradient_reaches_every_parameter():
    encoder, decoder = small(size=32)
    decoder(encoder(lightness(4, 32))).square().mean().backward()
    for name, parameter in [*encoder.named_parameters(), *decoder.named_parameters()]:
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
