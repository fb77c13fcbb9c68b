"""pretint.color against scikit-image, and its gradients against finite differences."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import lab2rgb, rgb2lab

from pretint import color


def cube(steps: int) -> torch.Tensor:
    """The sRGB cube as one picture (3, steps, steps^2) of floats, the dark end finer."""
    axis = torch.cat((torch.linspace(0, 0.05, steps // 2), torch.linspace(0.05, 1, steps - steps // 2))).double()
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij")).reshape(3, steps, -1)


def reference_lab(rgb: torch.Tensor) -> np.ndarray:
    return rgb2lab(rgb.double().numpy(), channel_axis=-3)


def reference_rgb(lab: torch.Tensor) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of colours outside the gamut
        return lab2rgb(lab.double().numpy(), channel_axis=-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rgb_to_lab_agrees_with_scikit_image(dtype):
    rgb = cube(32)
    np.testing.assert_allclose(color.rgb_to_lab(rgb.to(dtype)).numpy(), reference_lab(rgb), atol=1e-3, rtol=0)


def test_bytes_agree_with_scikit_image():
    values = torch.tensor([0, 1, 9, 10, 11, 12, 90, 128, 200, 254, 255], dtype=torch.uint8)
    rgb = torch.stack(torch.meshgrid(values, values, values, indexing="ij")).reshape(1, 3, 11, -1)
    planes = color.rgb_to_planes(rgb)
    assert planes.dtype == torch.float32
    expected = reference_lab(rgb.double() / 255) / np.array([50, 128, 128]).reshape(3, 1, 1)
    expected[:, 0] -= 1
    np.testing.assert_allclose(planes.numpy(), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(color.rgb_to_planes(rgb.float() / 255), planes, atol=1e-6, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_lab_to_rgb_agrees_with_scikit_image_outside_the_gamut_too(dtype):
    generator = torch.Generator().manual_seed(1)
    lab = torch.rand(3, 64, 64, generator=generator, dtype=torch.float64)
    lab = lab * torch.tensor([100.0, 256, 256]).view(3, 1, 1) - torch.tensor([0.0, 128, 128]).view(3, 1, 1)
    lab[0, :8] *= 0.05
    rgb = color.lab_to_rgb(lab.to(dtype))
    assert rgb.min() == 0
    assert rgb.max() == 1
    np.testing.assert_allclose(rgb.numpy(), reference_rgb(lab), atol=1e-5, rtol=0)


channel = st.floats(0, 1)


@given(st.tuples(channel, channel, channel))
def test_there_and_back(colour):
    rgb = torch.tensor(colour, dtype=torch.float64).view(3, 1, 1)
    lab = color.rgb_to_lab(rgb)
    torch.testing.assert_close(color.lab_to_rgb(lab), rgb, atol=1e-6, rtol=0)
    torch.testing.assert_close(color.denormalize_lab(color.normalize_lab(lab)), lab, atol=1e-12, rtol=0)
    single = color.rgb_to_planes(rgb.float().unsqueeze(0))
    torch.testing.assert_close(color.join(single[:, :1], single[:, 1:])[0], rgb.float(), atol=3e-5, rtol=0)


def test_the_ranges_of_the_paper():
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * 3).T.view(3, 8, 1)
    lab = color.rgb_to_lab(corners)
    low, high = lab.amin((1, 2)), lab.amax((1, 2))
    torch.testing.assert_close(low[1:], torch.tensor([-86.18, -107.86]).double(), atol=0.01, rtol=0)
    torch.testing.assert_close(high, torch.tensor([100, 98.23, 94.48]).double(), atol=0.01, rtol=0)
    targets = color.normalize_lab(color.rgb_to_lab(cube(32)))[1:]
    assert targets.min() > -0.843
    assert targets.max() < 0.768


def test_gradients_by_finite_differences_black_included():
    rgb = torch.tensor([[0, 0, 0], [1, 1, 1], [0.5, 0, 0.2], [0.02, 0.03, 0.01], [0, 0, 1]], dtype=torch.float64)
    rgb = rgb.T.reshape(3, 5, 1).requires_grad_()
    assert torch.autograd.gradcheck(color.rgb_to_lab, rgb)
    lab = torch.tensor([[0.5, 0.01, 0], [50, 20, -30], [95, -5, 4], [5, 3, 2]], dtype=torch.float64)
    lab = lab.T.reshape(3, 4, 1).requires_grad_()
    assert torch.autograd.gradcheck(color.lab_to_rgb, lab)


def test_gradients_are_finite_everywhere():
    rgb = torch.tensor([0.0, 1e-12, 0.04045, 1.0]).view(1, 1, 4).repeat(3, 1, 1).requires_grad_()
    (slope,) = torch.autograd.grad(color.rgb_to_lab(rgb).sum(), rgb)
    assert slope.isfinite().all()
    assert slope.abs().max() < 1000
    axis = torch.linspace(-1, 1, 9)
    planes = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij")).reshape(1, 3, 9, 81).requires_grad_()
    (slope,) = torch.autograd.grad(color.join(planes[:, :1], planes[:, 1:]).sum(), planes)
    assert slope.isfinite().all()


def test_half_precision_is_computed_in_float32_and_any_leading_dimensions_do():
    rgb = cube(8)
    expected = color.rgb_to_lab(rgb.float())
    assert color.rgb_to_lab(rgb.bfloat16()).dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(color.rgb_to_lab(rgb.float()), expected)
    several = rgb.float().expand(2, 4, *rgb.shape)
    torch.testing.assert_close(color.rgb_to_lab(several), expected.expand_as(several))
    torch.testing.assert_close(color.lab_to_rgb(color.rgb_to_lab(several))[1, 2], rgb.float(), atol=3e-5, rtol=0)


def test_standardized_rgb():
    rgb = torch.full((2, 3, 1, 1), 0.5)
    expected = [(0.5 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (0.5 - 0.406) / 0.225]
    torch.testing.assert_close(color.standardize_rgb(rgb)[1].flatten(), torch.tensor(expected))


PUBLISHED = {
    -90: (50, 90), -80: (20, 90), -70: (0, 90), -60: (-20, 90), -50: (-30, 100), -40: (-40, 100), -30: (-50, 100),
    -20: (-50, 100), -10: (-60, 100), 0: (-70, 100), 10: (-80, 90), 20: (-80, 90), 30: (-90, 90), 40: (-100, 90),
    50: (-100, 80), 60: (-110, 80), 70: (-110, 80), 80: (-110, 70), 90: (-110, 70), 100: (-90, 0),
}  # fmt: skip
"""The 313 bins that Zhang, Isola and Efros published (pts_in_hull): a, and the first and last b."""


def ab_of(rgb: np.ndarray) -> np.ndarray:
    """Bytes (N, 3) -> ab (N, 2) in Lab units."""
    return rgb2lab(rgb[:, None] / 255)[:, 0, 1:]


def distinct(points: np.ndarray) -> set[tuple[int, int]]:
    """The distinct ones of whole points (N, 2), each below 500."""
    return {
        (int(key) // 1000 - 500, int(key) % 1000 - 500) for key in np.unique((points + 500).astype(int) @ [1000, 1])
    }


def corners(ab: np.ndarray) -> set[tuple[int, int]]:
    """Corners of the squares of 10 Lab units that hold ab (N, 2)."""
    return {(10 * (a + i), 10 * (b + j)) for a, b in distinct(np.floor(ab / 10)) for i in (0, 1) for j in (0, 1)}


def plane() -> np.ndarray:
    return np.stack(np.meshgrid(*[np.arange(256)] * 2), axis=-1).reshape(-1, 2)


def test_bins_are_the_corners_of_squares_that_hold_a_colour():
    """The faces of the 8-bit cube give all of them, its inside (here a grid of it) no other."""
    listed = [(int(a), int(b)) for a, b in color.gamut_bins().tolist()]
    bins = set(listed)
    assert listed == sorted(bins)
    faces = ab_of(np.concatenate([np.insert(plane(), i, end, axis=1) for i in range(3) for end in (0, 255)]))
    assert bins == corners(faces)
    assert corners(ab_of(np.stack(np.meshgrid(*[np.arange(0, 256, 5)] * 3), axis=-1).reshape(-1, 3))) <= bins
    nearest = {(10 * a, 10 * b) for a, b in distinct(np.rint(faces / 10))}
    assert len(nearest) == 261
    assert nearest < bins
    published = {(a, b) for a, (low, high) in PUBLISHED.items() for b in range(low, high + 1, 10)}
    assert (len(published), len(bins)) == (313, 309)
    assert published - bins == {(40, 90), (100, -90), (100, -10), (100, 0)}
    assert bins < published


@pytest.mark.long
def test_bins_of_the_whole_cube():
    cube = set().union(*(corners(ab_of(np.insert(plane(), 0, red, axis=1))) for red in range(256)))
    assert cube == {(int(a), int(b)) for a, b in color.gamut_bins().tolist()}


def test_bins_are_made_where_another_device_is_the_default():
    expected = color.gamut_bins()
    color.gamut_bins.cache_clear()
    with torch.device("meta"):
        assert torch.equal(color.gamut_bins(), expected)


def test_bytes_in_other_colours_agree_with_scikit_image():
    """Within one level, whatever the colour: within the gamut, and far outside where it is clipped."""
    generator = np.random.default_rng(0)
    rgb = generator.integers(0, 256, (20_000, 3), dtype=np.uint8)
    for reach in (0.1, 1.0):
        ab = generator.uniform(-reach, reach, (2, len(rgb))).astype(np.float32)
        lab = np.concatenate((rgb2lab(rgb / 255)[:, :1], ab.T * 128), axis=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-image counts colours with a negative Z
            expected = np.round(lab2rgb(lab) * 255)
        joined = color.join_bytes(torch.from_numpy(rgb), torch.from_numpy(ab)).numpy()
        assert joined.shape == rgb.shape
        assert np.abs(joined.astype(int) - expected).max() <= 1
        assert (joined == expected).mean() > 0.98


def test_grey_bytes_without_colour_come_back():
    grey = torch.arange(256, dtype=torch.uint8).repeat(3, 1).T.contiguous()
    assert torch.equal(color.join_bytes(grey, torch.zeros(2, 256)), grey)
