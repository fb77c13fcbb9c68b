"""How near a coloured picture is to the true one, and how colourful it is.

All functions take sRGB pictures (H, W, 3): floating point in [0, 1] or uint8 in 0..255. They return plain floats.

PSNR and SSIM reward the true lightness that every colorizer is given, so neither is skill by itself: print the score of
the grey picture (a = b = 0) beside the model's.
SSIM: Wang, Bovik, Sheikh, Simoncelli 2004, with the window that TensorFlow and MATLAB use; colourfulness: Hasler and
Suesstrunk 2003, equation 10.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

_WINDOW = 11  # pixels; SSIM's Gaussian window
_SIGMA = 1.5  # pixels
_C1, _C2 = 0.01**2, 0.03**2  # (k x peak)^2 at peak 1


def psnr(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Peak signal-to-noise ratio in dB at peak 1, over all pixels and channels together; inf for equal pictures."""
    first, second = _pair(a, b)
    error = float(np.mean((first - second) ** 2))
    return float(-10 * np.log10(error)) if error > 0 else float("inf")


def ssim(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Structural similarity in [-1, 1]: Gaussian window 11x11, sigma 1.5, per channel, mean over channels and pixels.

    Only windows that lie wholly inside the picture count, so both sides must have 11 pixels or more (ValueError).
    """
    x, y = _pair(a, b)
    if min(x.shape[:2]) < _WINDOW:
        raise ValueError(f"SSIM needs pictures of at least {_WINDOW}x{_WINDOW} pixels, got {x.shape[0]}x{x.shape[1]}")
    offset = np.arange(_WINDOW) - _WINDOW // 2
    weights = np.exp(-0.5 * (offset / _SIGMA) ** 2)
    weights /= weights.sum()
    moments = np.stack([x, y, x * x, y * y, x * y])  # (5, H, W, 3)
    moments = correlate1d(correlate1d(moments, weights, axis=1), weights, axis=2)
    edge = _WINDOW // 2
    mean_x, mean_y, xx, yy, xy = moments[:, edge:-edge, edge:-edge]
    # Moments of the window itself, not of a sample from it: no n / (n - 1).
    both = mean_x * mean_y
    squares = mean_x**2 + mean_y**2
    likeness = (2 * both + _C1) * (2 * (xy - both) + _C2) / ((squares + _C1) * (xx + yy - squares + _C2))
    return float(likeness.mean())


def colourfulness(rgb: NDArray[Any]) -> float:
    """Hasler and Suesstrunk's M, on their scale of RGB in 0..255: 0 for grey, about 30 to 60 for usual photographs."""
    red, green, blue = np.moveaxis(_unit(rgb) * 255, -1, 0)
    red_green = red - green
    yellow_blue = (red + green) / 2 - blue
    spread = np.hypot(red_green.std(), yellow_blue.std())
    distance = np.hypot(red_green.mean(), yellow_blue.mean())
    return float(spread + 0.3 * distance)


def colourfulness_difference(coloured: NDArray[Any], original: NDArray[Any]) -> float:
    """Colourfulness of a coloured picture less that of the original: below 0 where colours came out too pale."""
    return colourfulness(coloured) - colourfulness(original)


def _pair(a: NDArray[Any], b: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if np.shape(a) != np.shape(b):
        raise ValueError(f"the pictures differ in shape: {np.shape(a)} and {np.shape(b)}")
    return _unit(a), _unit(b)


def _unit(rgb: NDArray[Any]) -> NDArray[np.float64]:
    """The picture as float64 in [0, 1]; a wrong range is refused, since every score would be silently wrong."""
    array = np.asarray(rgb)
    if array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
        raise ValueError(f"a picture has shape (H, W, 3), got {array.shape}")
    if array.dtype == np.uint8:
        return array / 255.0
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"a picture is uint8 or floating point, got {array.dtype}")
    unit = array.astype(np.float64)
    if not (unit.min() >= -1e-4 and unit.max() <= 1 + 1e-4):
        raise ValueError(f"floating-point pictures lie in [0, 1], got {unit.min():g} to {unit.max():g}")
    return unit
