"""Views: declared cuts, the same for picture and mask."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage.transform import downscale_local_mean

from pretint.data.randomness import generator
from pretint.data.views import ViewOptions, _box, side_to_decode, view
from pretint.errors import OptionError

RGB = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)


def test_squash_by_area_is_the_mean_of_the_pixels() -> None:
    out, _ = view(RGB, None, 8, ViewOptions(crop="squash", resize="area"), None)
    np.testing.assert_allclose(out, downscale_local_mean(RGB.astype(float), (4, 6, 1)), atol=1)


def test_centre_is_the_largest_central_square() -> None:
    out, _ = view(RGB, None, 32, ViewOptions(crop="centre", resize="nearest"), None)
    np.testing.assert_array_equal(out, RGB[:, 8:40])


def test_picture_and_mask_stay_together() -> None:
    mask = RGB[..., 0].astype(np.int64)
    options = ViewOptions(resize="nearest")
    for picture in range(20):
        out, ids = view(RGB, mask, 16, options, generator(0, "view", 0, picture))
        np.testing.assert_array_equal(out[..., 0], ids)


@given(st.integers(1, 300), st.integers(1, 300), st.floats(0.05, 1), st.floats(1, 3), st.integers(0, 1000))
def test_random_crops_keep_their_promises(height: int, width: int, smallest: float, stretch: float, seed: int) -> None:
    left, top, right, bottom = _box(
        height, width, 100, ViewOptions(smallest=smallest, stretch=stretch), generator(seed, "view")
    )
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    ratio = (right - left) / (bottom - top)
    assert 1 / stretch - 1e-6 <= ratio <= stretch + 1e-6
    touches = np.isclose(right - left, width) or np.isclose(bottom - top, height)
    assert touches or (right - left) * (bottom - top) >= smallest * height * width * (1 - 1e-6)
    # A picture decoded with the promised shorter side is not enlarged.
    side = side_to_decode(100, ViewOptions(smallest=smallest, stretch=stretch))
    assert min(right - left, bottom - top) * side / min(height, width) >= 100 * (1 - 1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (3, 300), (300, 3)])
def test_tiny_pictures_and_slivers(shape: tuple[int, int]) -> None:
    out, _ = view(np.full((*shape, 3), 7, np.uint8), None, 16, ViewOptions(), generator(0, "view"))
    assert out.shape == (16, 16, 3)
    assert (out == 7).all()


def test_evaluation_has_no_chance() -> None:
    options = ViewOptions(crop="random", resize="bicubic").evaluation()
    assert (options.crop, options.flip, options.resize) == ("squash", False, "bicubic")
    assert ViewOptions(crop="centre").evaluation().crop == "centre"


def test_options_out_of_range() -> None:
    with pytest.raises(OptionError, match=r"--view\.smallest"):
        ViewOptions(smallest=0)
    with pytest.raises(OptionError, match=r"--view\.stretch"):
        ViewOptions(stretch=0.5)
    assert ViewOptions(crop="window").evaluation().crop == "centre"


def test_a_window_is_cut_at_whole_pixels() -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (36, 45, 3), dtype=np.uint8)
    mask = rgb[..., 0].astype(np.int64)
    found = set()
    for picture in range(400):
        out, ids = view(rgb, mask, 32, ViewOptions(crop="window"), generator(0, "view", 0, picture))
        np.testing.assert_array_equal(out[..., 0], ids)
        same, _ = view(Image.fromarray(rgb), None, 32, ViewOptions(crop="window"), generator(0, "view", 0, picture))
        np.testing.assert_array_equal(out, same)
        places = [(y, x) for y in range(5) for x in range(14) if np.array_equal(rgb[y : y + 32, x : x + 32], out)]
        assert len(places) == 1
        found.add(places[0])
    assert {y for y, _ in found} == set(range(5))
    assert {x for _, x in found} == set(range(14))


def test_a_window_of_another_size_is_resampled() -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (72, 72, 3), dtype=np.uint8)
    out, _ = view(rgb, None, 32, ViewOptions(crop="window", resize="area"), generator(0, "view", 0, 1))
    options = [np.abs(downscale_local_mean(rgb[y : y + 64, x : x + 64].astype(float), (2, 2, 1)) - out).max()
               for y in range(9) for x in range(9)]  # fmt: skip
    assert min(options) <= 1
    assert side_to_decode(32, ViewOptions(crop="window")) == 36


def test_a_central_square_of_the_right_size_is_not_resampled() -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (16, 21, 3), dtype=np.uint8)
    out, _ = view(rgb, None, 16, ViewOptions(crop="centre"), None)
    np.testing.assert_array_equal(out, rgb[:, 2:18])
