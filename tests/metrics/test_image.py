"""Picture scores against scikit-image and cases worked by hand."""

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from pretint.metrics.image import colourfulness, colourfulness_difference, psnr, ssim


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    first = rng.random((40, 33, 3))
    first[:20] = np.linspace(0, 1, 33)[None, :, None]  # a smooth half, where SSIM's covariance is not all noise
    return first, np.clip(first + rng.normal(0, 0.1, first.shape), 0, 1)


def test_psnr_is_scikit_images(pair):
    assert psnr(*pair) == pytest.approx(peak_signal_noise_ratio(*pair, data_range=1.0), abs=1e-9)


def test_psnr_by_hand():
    black = np.zeros((2, 2, 3))
    assert psnr(black, black + 0.1) == pytest.approx(20.0)
    assert psnr(black, np.ones_like(black)) == pytest.approx(0.0)
    assert psnr(black, black) == float("inf")


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_ssim_is_scikit_images(pair, dtype):
    first, second = (p.astype(dtype) for p in pair)
    expected = structural_similarity(
        *pair, channel_axis=2, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ssim(first, second) == pytest.approx(expected, abs=1e-6)


def test_ssim_by_hand(pair):
    assert ssim(pair[0], pair[0]) == pytest.approx(1.0)
    # Flat pictures have no variance: the second factor is 1, the first (2ab + C1) / (a^2 + b^2 + C1).
    flat = np.full((11, 11, 3), 0.2)
    assert ssim(flat, flat * 2) == pytest.approx((2 * 0.08 + 1e-4) / (0.04 + 0.16 + 1e-4))


def test_uint8_equals_its_float(pair):
    first, second = ((p * 255).round().astype(np.uint8) for p in pair)
    for score in (psnr, ssim):
        assert score(first, second) == pytest.approx(score(first / 255, second / 255))
    assert colourfulness(first) == pytest.approx(colourfulness(first / 255))


def test_colourfulness_by_hand():
    assert colourfulness(np.full((4, 4, 3), 0.3)) == pytest.approx(0.0, abs=1e-9)
    # One flat red: no spread; red-green 255, yellow-blue 127.5.
    red = np.zeros((4, 4, 3))
    red[..., 0] = 1
    assert colourfulness(red) == pytest.approx(0.3 * np.hypot(255, 127.5))
    # Half red, half cyan: opposites -255/+255 and -127.5/+127.5, so spread alone.
    halves = red.copy()
    halves[:2] = [0, 1, 1]
    assert colourfulness(halves) == pytest.approx(np.hypot(255, 127.5))
    grey = np.full((4, 4, 3), 0.5)
    assert colourfulness_difference(grey, halves) == pytest.approx(-np.hypot(255, 127.5))


@pytest.mark.parametrize("wrong", [np.zeros((4, 4)), np.zeros((4, 4, 3), int), np.full((4, 4, 3), 255.0)])
def test_pictures_of_a_wrong_kind_are_refused(wrong):
    with pytest.raises(ValueError, match="picture"):
        psnr(wrong, wrong)


def test_not_a_number_is_refused():
    wrong = np.zeros((4, 4, 3))
    wrong[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="lie in"):
        psnr(wrong, wrong)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="differ in shape"):
        psnr(np.zeros((4, 4, 3)), np.zeros((4, 5, 3)))
    with pytest.raises(ValueError, match="at least 11x11"):
        ssim(np.zeros((10, 20, 3)), np.zeros((10, 20, 3)))
