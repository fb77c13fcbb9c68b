"""Full-resolution colouring: any size, no seams, the original's lightness, memory bounded by the strip."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import lab2rgb, rgb2lab

from pretint.errors import WeightsError
from pretint.inference.full_resolution import fit, predict_ab, recolour


def ramp(lightness):
    """An ab plane that changes along both axes and stays in the gamut of middle greys."""
    h, w = lightness.shape[2:]
    rows = torch.linspace(-0.09, 0.09, h).view(1, 1, h, 1).expand(1, 1, h, w)
    columns = torch.linspace(-0.09, 0.09, w).view(1, 1, 1, w).expand(1, 1, h, w)
    return torch.cat((rows, columns), dim=1)


def grey(lightness):
    return torch.zeros(1, 2, *lightness.shape[2:])


def noise(height, width, low=0, high=256, planes=3):
    values = np.random.default_rng(0).integers(low, high, (height, width, planes), dtype=np.uint8)
    return np.ascontiguousarray(np.broadcast_to(values, (height, width, 3)))


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (1, 1, (32, 32)),
        (300, 3, (64, 32)),
        (3, 300, (32, 64)),
        (40, 60, (32, 48)),
        (500, 250, (64, 32)),
        (9, 10, (32, 36)),
    ],
)
def test_fit_keeps_the_aspect_up_to_two(height, width, expected):
    assert fit(noise(height, width), 32).shape == (*expected, 3)


def test_fit_shrinks_by_areas():
    """A fine chequerboard becomes its mean, where every n-th pixel would be black or white."""
    board = (np.indices((256, 256)).sum(axis=0) % 2 * 255).astype(np.uint8)
    small = fit(np.repeat(board[..., None], 3, axis=2), 32)
    assert np.abs(small.astype(int) - 127).max() <= 2


def test_the_predictor_sees_lightness():
    rgb = np.full((20, 20, 3), 119, dtype=np.uint8)
    seen = []
    predict_ab(rgb, lambda lightness: seen.append(lightness) or grey(lightness), 16)
    assert seen[0].shape == (1, 1, 16, 16)
    assert seen[0].numpy() == pytest.approx(rgb2lab(rgb / 255)[0, 0, 0] / 50 - 1, abs=1e-3)


@settings(max_examples=15, deadline=None)
@given(height=st.integers(1, 70), width=st.integers(1, 70), rows=st.integers(1, 9))
def test_strips_equal_the_whole(height, width, rows):
    rgb = noise(height, width)
    ab = predict_ab(rgb, ramp, 32)
    whole = recolour(rgb, ab, strip_pixels=height * width)
    strips = recolour(rgb, ab, strip_pixels=rows * width)
    assert whole.shape == rgb.shape
    # The last bit of a float may depend on how many are computed at once, hence one level.
    assert np.abs(whole.astype(int) - strips).max() <= 1


def test_every_pixel_is_its_lightness_and_the_enlarged_ab():
    rgb = noise(61, 90, 100, 156, planes=1)
    ab = torch.rand(1, 2, 16, 24, generator=torch.Generator().manual_seed(0)) * 0.2 - 0.1
    enlarged = F.interpolate(ab, size=(61, 90), mode="bilinear", align_corners=False)[0].permute(1, 2, 0).numpy() * 128
    lab = np.concatenate((rgb2lab(rgb / 255)[..., :1], enlarged), axis=2)
    expected = np.round(lab2rgb(lab) * 255)
    assert np.abs(recolour(rgb, ab, strip_pixels=700).astype(int) - expected).max() <= 1


def test_a_grey_original_stays_sharp():
    """Noise of single pixels, far finer than what the network sees, is all there in the result's lightness."""
    rgb = noise(150, 200, 80, 176, planes=1)
    coloured = recolour(rgb, predict_ab(rgb, ramp, 16))
    assert np.abs(coloured.astype(int) - rgb).max() > 15
    assert np.abs(rgb2lab(coloured / 255)[..., 0] - rgb2lab(rgb / 255)[..., 0]).max() < 0.5  # rounding to 8 bits


def test_without_colour_a_grey_picture_comes_back_as_it_was():
    rgb = noise(33, 47, planes=1)
    assert (recolour(rgb, predict_ab(rgb, grey, 16)) == rgb).all()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (300, 3), (2, 5), (1, 64)])
def test_odd_sizes(height, width):
    rgb = noise(height, width, 100, 156)
    coloured = recolour(rgb, predict_ab(rgb, ramp, 32))
    assert coloured.shape == rgb.shape
    assert coloured.dtype == np.uint8


def test_a_picture_below_the_networks_size_takes_mean_colours():
    """One pixel takes the mean of the plane, not the colour at its middle."""
    rgb = np.full((1, 1, 3), 119, dtype=np.uint8)
    ab = torch.zeros(1, 2, 32, 32)
    ab[:, 0, :, :16] = 0.2
    ab[:, 0, 15:17, 15:17] = 0.9
    a = rgb2lab(recolour(rgb, ab) / 255)[0, 0, 1] / 128
    assert a == pytest.approx(0.1, abs=0.03)


def test_predictions_that_are_no_numbers_are_refused():
    with pytest.raises(WeightsError, match="not numbers"):
        predict_ab(noise(8, 8), lambda lightness: grey(lightness) * float("nan"), 8)


def test_predictions_of_another_shape_are_a_fault():
    with pytest.raises(ValueError, match="shape"):
        predict_ab(noise(8, 8), lambda lightness: torch.zeros(1, 2, 4, 4), 8)
