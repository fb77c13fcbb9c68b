"""Heads: the paper's classifier and segmenter counted, the pooled head by hand."""

import pytest
import torch
from torch import nn

from pretint.errors import DataError
from pretint.networks.counting import cost
from pretint.networks.heads import FlattenClassifier, PooledLinear
from pretint.networks.unet import UNetDecoder, UNetEncoder


def test_counts_of_the_classifier():
    with torch.device("meta"):
        found = cost(nn.Sequential(UNetEncoder(256), FlattenClassifier(512, 20)), (1, 256, 256))
    assert (found.trainable, found.total) == (38_503_124, 38_507_988)
    assert found.multiply_adds == 2_002_862_080
    assert [layer.parameters for layer in found.layers[-3:]] == [2_101_248, 16_781_312, 81_940]


def test_counts_of_the_segmenter():
    with torch.device("meta"):
        encoder = UNetEncoder(256)
        decoder = UNetDecoder(encoder)
        found = cost(nn.Sequential(encoder, decoder, decoder.dense_head(21)), (1, 256, 256))
    assert (found.trainable, found.total) == (54_454_293, 54_464_149)
    assert found.multiply_adds == 6_618_611_712
    assert (found.layers[-1].output, found.layers[-1].parameters) == ((21, 256, 256), 43_029)


def test_flatten_starts_as_keras_does_and_drops_out_in_training_only():
    torch.manual_seed(0)
    head = FlattenClassifier(8, 3)
    for name, value in head.named_parameters():
        if name.endswith("bias"):
            assert (value == 0).all()
        else:
            limit = (6 / sum(value.shape)) ** 0.5
            assert 0.95 * limit < value.abs().max() <= limit
    pyramid = [torch.rand(2, 4, 4, 4), torch.rand(2, 2, 2, 2)]
    assert not torch.equal(head(pyramid), head(pyramid))
    head.eval()
    assert torch.equal(head(pyramid), head(pyramid))
    assert head(pyramid).shape == (2, 3)
    with pytest.raises(DataError, match=r"18 features, .* built for 8"):
        head([torch.rand(2, 2, 3, 3)])


def test_pooled_linear_by_hand():
    torch.manual_seed(0)
    head = PooledLinear((4, 2), 3)
    pyramid = [torch.rand(2, 9, 8, 8), torch.rand(2, 4, 4, 4), torch.rand(2, 2, 2, 2)]
    means = torch.cat([pyramid[1].mean((2, 3)), pyramid[2].mean((2, 3))], 1)
    torch.testing.assert_close(head(pyramid), means @ head.linear.weight.T + head.linear.bias)
