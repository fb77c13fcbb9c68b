"""Hypercolumns against their definition: every level between its centres (SciPy), concatenated, projected."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import map_coordinates

from pretint.errors import OptionError
from pretint.networks.hypercolumn import HypercolumnDecoder
from pretint.networks.residual import Options, ResidualEncoder


def at_places_of(fine, coarse, ratio):
    """A coarse map (B, C, h, w), whose steps are `ratio` of the fine one's, between its centres at the centres of the fine one's."""
    rows, columns = ((np.arange(n) + 0.5) / ratio - 0.5 for n in fine.shape[-2:])
    places = np.stack(np.meshgrid(rows, columns, indexing="ij"))
    planes = coarse.detach().double().flatten(0, 1).numpy()
    found = np.stack([map_coordinates(plane, places, order=1, mode="nearest") for plane in planes])
    return torch.from_numpy(found).float().unflatten(0, coarse.shape[:2])


@pytest.mark.parametrize("size", [(64, 64), (50, 37)])
def test_equals_projecting_the_concatenated_levels(size):
    torch.manual_seed(0)
    backbone = ResidualEncoder(Options(width=4))
    decoder = HypercolumnDecoder(backbone, channels=6)
    assert (decoder.channels, decoder.stride) == (6, 4)
    pyramid = backbone(torch.rand(2, 1, *size))
    column = torch.cat(
        [at_places_of(pyramid[1], level, stride // 4) for stride, level in zip((4, 8, 16), pyramid[1:], strict=True)], 1
    )
    weight = torch.cat([projection.weight for projection in decoder.projections], 1)
    expected = F.relu(F.batch_norm(F.conv2d(column, weight), None, None, training=True, eps=1e-3))
    torch.testing.assert_close(decoder(pyramid), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("asked", "given"), [(2, 2), (3, 4), (16, 16)])
def test_the_finest_level_used(asked, given):
    backbone = ResidualEncoder(Options(width=4))
    decoder = HypercolumnDecoder(backbone, channels=8, stride=asked)
    assert decoder.stride == given
    features = decoder(backbone(torch.rand(2, 1, 32, 32)))
    assert features.shape == (2, 8, 32 // given, 32 // given)
    assert decoder.dense_head(3)(features).shape == (2, 3, 32, 32)


def test_a_stride_beyond_the_coarsest_is_refused():
    with pytest.raises(OptionError, match=r"--residual\.blocks: the hypercolumn needs a level of stride 64 or more"):
        HypercolumnDecoder(ResidualEncoder(Options(width=4)), stride=64)


def test_channels_last_stays():
    torch.manual_seed(0)
    backbone = ResidualEncoder(Options(width=4)).to(memory_format=torch.channels_last)
    decoder = HypercolumnDecoder(backbone, channels=8).to(memory_format=torch.channels_last)
    features = decoder(backbone(torch.rand(2, 1, 64, 64)))
    assert features.is_contiguous(memory_format=torch.channels_last)
    assert decoder.dense_head(3)(features).is_contiguous(memory_format=torch.channels_last)
