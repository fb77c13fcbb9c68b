"""Colours for a picture of any size: predicted small, joined to the original lightness at full resolution.

The network sees the lightness shrunk to its own size; its ab planes are enlarged bilinearly and every pixel keeps the L
that it had, so the result is as sharp as the original. The full-size work goes strip by strip: what is held at full
size is uint8 only, the original and the result, and the floating-point planes of one strip.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pretint.color import join_bytes, rgb_to_planes
from pretint.errors import WeightsError

AbPredictor = Callable[[Tensor], Tensor]
"""Lightness (1, 1, h, w) in [-1, 1] -> ab (1, 2, h, w) in [-1, 1], on any device; the lightness comes on the CPU."""

LONGEST = 2.0  # sides; a longer picture is squeezed, since a panorama at its own aspect would cost without bound
STRIP_PIXELS = 1 << 16  # few enough that the floating-point planes of a strip stay in the cache: 5 MB in all


@torch.inference_mode()
def predict_ab(rgb: NDArray[np.uint8], ab_predictor: AbPredictor, size: int) -> Tensor:
    """What the network predicts for a picture.

    Args:
        rgb: (H, W, 3), grey or coloured (its colours are not used), any size from 1x1.
        ab_predictor: the network.
        size: short side of what the network sees, in pixels; the long side follows the picture up to 2:1.
    Returns:
        ab (1, 2, h, w), float32 in [-1, 1], on the CPU.
    Raises:
        WeightsError: the network predicts values that are not numbers.
    """
    small = fit(rgb, size)
    lightness = rgb_to_planes(_picture_to_tensor(small))[:, :1]
    ab = ab_predictor(lightness).detach().float().cpu()
    expected = (1, 2, *small.shape[:2])
    if tuple(ab.shape) != expected:
        raise ValueError(f"the predictor returned shape {tuple(ab.shape)}, not {expected}")
    if not torch.isfinite(ab).all():
        raise WeightsError(
            "the network predicts colours that are not numbers: its training diverged or its weights are damaged; "
            "use another checkpoint"
        )
    return ab


def fit(rgb: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The picture as the network sees it: short side = size, aspect kept up to 2:1 and squeezed beyond.

    Resized in sRGB before Lab, and smoothed where it shrinks, as in training.
    """
    height, width = rgb.shape[:2]
    long = round(size * min(max(height, width) / min(height, width), LONGEST))
    new_size = (size, long) if height > width else (long, size)  # (width, height)
    return np.asarray(Image.fromarray(rgb).resize(new_size, Image.Resampling.BILINEAR))


@torch.inference_mode()
def recolour(rgb: NDArray[np.uint8], ab: Tensor, *, strip_pixels: int = STRIP_PIXELS) -> NDArray[np.uint8]:
    """L of `rgb` (H, W, 3) with the colours of `ab` (1, 2, h, w) enlarged over it; (H, W, 3) uint8, clipped to sRGB.

    Works on `strip_pixels` at a time (a whole row at least), which changes memory and not the result: a strip's ab is
    interpolated from the whole small plane at the place of its rows in the picture, so seams cannot arise.
    """
    height, width = rgb.shape[:2]
    small = (min(height, ab.shape[2]), min(width, ab.shape[3]))
    if small != tuple(ab.shape[2:]):  # a picture below the network's size: mean colours, not every n-th
        ab = F.interpolate(ab, size=small, mode="bilinear", antialias=True, align_corners=False)
    ab = ab.contiguous()  # planes that lie in one piece are enlarged row by row
    wide = F.interpolate(ab, size=(small[0], width), mode="bilinear", align_corners=False)[0]  # (2, h, W)
    low, high, share = _between(height, small[0])
    result = np.empty_like(rgb)
    rows = max(1, strip_pixels // width)
    for top in range(0, height, rows):
        part = slice(top, top + rows)
        strip_ab = torch.lerp(wide.index_select(1, low[part]), wide.index_select(1, high[part]), share[part, None])
        pixels = torch.from_numpy(np.array(rgb[part])).view(-1, 3)
        result[part] = join_bytes(pixels, strip_ab.view(2, -1)).numpy().reshape(-1, width, 3)
    return result


def _between(large: int, small: int) -> tuple[Tensor, Tensor, Tensor]:
    """For each of `large` rows the two of `small` it lies between, and the share of the second, in [0, 1).

    Pixel centres are at half-integers and the edge is repeated, as in F.interpolate(align_corners=False).
    """
    place = ((torch.arange(large, dtype=torch.float64) + 0.5) * (small / large) - 0.5).clamp(0, small - 1)
    low = place.floor().long()
    return low, (low + 1).clamp(max=small - 1), (place - low).float()


def _picture_to_tensor(rgb: NDArray[np.uint8]) -> Tensor:
    """(H, W, 3) -> (1, 3, H, W), uint8; a copy, since arrays made from Pillow pictures are read-only."""
    return torch.from_numpy(np.array(rgb)).permute(2, 0, 1)[None]
