"""Colour: sRGB <-> CIELAB on tensors, the scalings that networks see, bins of ab, and the standardisation of foreign RGB weights.

The one place that knows the numbers. sRGB of IEC 61966-2-1, CIELAB under illuminant D65 with the 2 degree observer,
with the matrix and white point of scikit-image, so that both agree. Scalings of the paper's code: L / 50 - 1, a / 128,
b / 128.

Everything is differentiable with finite gradients everywhere, black and colours outside the gamut included, and is
computed in float32 at least (float64 stays float64): half precision would show as banding.
"""

import math
from functools import cache

import torch
from torch import Tensor

L_SCALE = 50.0  # L in [0, 100] / L_SCALE - 1 lies in [-1, 1]
AB_SCALE = 128.0  # a and b of sRGB lie in [-107.9, 98.3], so within [-0.843, 0.768] after the division

AB_GRID = 10.0  # Lab units between two bins of ab (Zhang, Isola, Efros 2016)

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)

_XYZ_FROM_RGB = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
_WHITE = (0.95047, 1.0, 1.08883)
_TO_WHITE = [[part / white for part in row] for row, white in zip(_XYZ_FROM_RGB, _WHITE, strict=True)]  # of linear RGB
_FROM_WHITE: list[list[float]] = torch.tensor(_TO_WHITE, dtype=torch.float64, device="cpu").inverse().tolist()


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """sRGB (..., 3, H, W) floats in [0, 1] -> Lab (..., 3, H, W): L in [0, 100], a and b in Lab units."""
    return torch.stack(_lab(_linear(_at_least_float32(rgb))), dim=-3)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """Lab (..., 3, H, W) -> sRGB (..., 3, H, W), colours outside the gamut clipped to [0, 1] (as scikit-image does)."""
    lightness, a, b = _at_least_float32(lab).unbind(-3)
    y = (lightness + 16.0) / 116.0
    white = [_cubed(t) for t in (y + a / 500.0, y, (y - b / 200.0).clamp_min(0.0))]
    return torch.stack([_gamma(t).clamp(0.0, 1.0) for t in _mix(_FROM_WHITE, white)], dim=-3)


def normalize_lab(lab: Tensor) -> Tensor:
    """Lab units (..., 3, H, W) -> what networks see: L / 50 - 1, a / 128, b / 128."""
    lightness, ab = lab.narrow(-3, 0, 1), lab.narrow(-3, 1, 2)
    return torch.cat((lightness / L_SCALE - 1.0, ab / AB_SCALE), dim=-3)


def denormalize_lab(planes: Tensor) -> Tensor:
    """Inverse of `normalize_lab`."""
    lightness, ab = planes.narrow(-3, 0, 1), planes.narrow(-3, 1, 2)
    return torch.cat(((lightness + 1.0) * L_SCALE, ab * AB_SCALE), dim=-3)


def rgb_to_planes(rgb: Tensor) -> Tensor:
    """sRGB (B, 3, H, W), uint8 or floats in [0, 1] -> normalised L, a, b (B, 3, H, W), float32 for uint8."""
    if rgb.dtype != torch.uint8:
        return normalize_lab(rgb_to_lab(rgb))
    # Bytes have 256 values: those are linearised once and looked up, which is cheaper than a power a pixel.
    table = _linear(torch.arange(256, dtype=torch.float32, device=rgb.device) / 255.0)
    lightness, a, b = _lab(table.index_select(0, rgb.int().flatten()).view(rgb.shape))
    return torch.stack((lightness / L_SCALE - 1.0, a / AB_SCALE, b / AB_SCALE), dim=-3)


def join(lightness: Tensor, ab: Tensor) -> Tensor:
    """Normalised L (B, 1, H, W) and ab (B, 2, H, W), both in [-1, 1] -> sRGB (B, 3, H, W) in [0, 1]."""
    return lab_to_rgb(denormalize_lab(torch.cat((_at_least_float32(lightness), _at_least_float32(ab)), dim=-3)))


def join_bytes(rgb: Tensor, ab: Tensor) -> Tensor:
    """The lightness of bytes in other colours, within one level of `rgb_to_planes` and `join`, in a quarter of the time.

    Of the bytes only the luminance is needed, which goes through unchanged; the way back to bytes is looked up. Not
    differentiable.

    Args:
        rgb: uint8 sRGB (N, 3).
        ab: (2, N) float32 in [-1, 1].
    Returns:
        uint8 sRGB (N, 3), colours outside the gamut clipped.
    """
    a, b = ab
    red, green, blue = _luminances().to(rgb.device)
    y = red.index_select(0, rgb[:, 0].int())
    y += green.index_select(0, rgb[:, 1].int())
    y += blue.index_select(0, rgb[:, 2].int())
    f = _rooted(y)
    x = _cubed(torch.add(f, a, alpha=AB_SCALE / 500.0))
    z = _cubed(torch.sub(f, b, alpha=AB_SCALE / 200.0).clamp_min_(0.0))
    table = _bytes_of_linear().to(rgb.device)
    joined = torch.empty_like(rgb)
    for k, (i, j, m) in enumerate(_FROM_WHITE):
        plane = torch.mul(x, i * _LEVELS).add_(y, alpha=j * _LEVELS).add_(z, alpha=m * _LEVELS)
        joined[:, k] = table.index_select(0, plane.clamp_(0.0, _LEVELS).int())
    return joined


def standardize_rgb(rgb: Tensor) -> Tensor:
    """sRGB (..., 3, H, W) floats in [0, 1] -> by ImageNet's mean and deviation, as foreign weights were trained."""
    planes = zip(rgb.unbind(-3), IMAGENET_MEAN, IMAGENET_DEVIATION, strict=True)
    return torch.stack([(plane - mean) / deviation for plane, mean, deviation in planes], dim=-3)


@cache
def gamut_bins() -> Tensor:
    """Bins of ab that are enough for all of sRGB: a and b in Lab units, (309, 2) float32 on the CPU, sorted by a, then b.

    They are points of a grid of 10 Lab units: the corners of those of its squares that hold a colour of 8-bit sRGB at
    some lightness. So every colour lies among four bins, and the nearest point of the whole grid is a bin too (of 261
    bins it is; the rest is met by weights over several bins alone).

    Zhang, Isola and Efros (2016) count 313 and do not say how. Their published list is this one and (40, 90), (100, -90),
    (100, -10), (100, 0), which lie beyond the squares that sRGB reaches.
    """
    # The faces of the RGB cube are enough: along a line of equal a and b any colour leaves the cube through one.
    levels = torch.arange(256, dtype=torch.float64, device="cpu") / 255
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64, device="cpu")
    red, green, blue = (torch.cartesian_prod(*(ends if i == k else levels for i in range(3))).T for k in range(3))
    a, b = rgb_to_lab(torch.cat((red, green, blue), dim=1).unsqueeze(2))[1:, :, 0].div(AB_GRID).floor().long() + 12
    corners = torch.zeros(25, 25, dtype=torch.bool, device="cpu")  # of grid points from -120 to 120
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        corners[a + down, b + right] = True
    return (corners.nonzero() - 12) * AB_GRID


_LEVELS = 65535.0  # of linear light in the table back to bytes: near black, 20 of them to a byte


@cache
def _luminances() -> Tensor:
    """What a byte of red, green and blue adds to Y, (3, 256) float32."""
    linear = _linear(torch.arange(256, dtype=torch.float64, device="cpu") / 255.0)
    return torch.outer(torch.tensor(_TO_WHITE[1], dtype=torch.float64, device="cpu"), linear).float()


@cache
def _bytes_of_linear() -> Tensor:
    """sRGB bytes of linear light i / _LEVELS to (i + 1) / _LEVELS, by its middle, (65536,) uint8."""
    middles = (torch.arange(int(_LEVELS) + 1, dtype=torch.float64, device="cpu") + 0.5) / _LEVELS
    return _gamma(middles).clamp(0.0, 1.0).mul(255.0).round().to(torch.uint8)


def _at_least_float32(values: Tensor) -> Tensor:
    return values if values.dtype == torch.float64 else values.float()


def _lab(linear: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Linear RGB (..., 3, H, W) -> L, a, b, each (..., H, W), in Lab units."""
    x, y, z = (_rooted(t) for t in _mix(_TO_WHITE, list(linear.unbind(-3))))
    return 116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)


def _mix(matrix: list[list[float]], planes: list[Tensor]) -> list[Tensor]:
    """Three planes through a 3x3 matrix, as sums: a matmul would be cut to bf16 or TF32 under autocast."""
    p, q, r = planes
    return [torch.add(p * i, q, alpha=j).add(r, alpha=k) for i, j, k in matrix]


# Each of the four curves is a line up to a knee and a power beyond. As power(max(t, knee)) + line(min(t, knee)), with a
# line that is 0 at the knee, it needs no where(), which costs more than the power, and its slope is finite everywhere:
# the power is never taken near 0, where a root's slope is infinite.
_KNEE = 6.0 / 29.0  # of f, as CIE defines it; scikit-image's rounded 0.2068966 and 7.787 leave a step of 3e-7 there
_SLOPE = 3.0 * _KNEE * _KNEE


def _power(base: Tensor, exponent: float) -> Tensor:
    """`base ** exponent` for positive bases; cheaper than pow, forward and backward, and exact to some 1e-7."""
    return torch.exp2(torch.log2(base) * exponent)


def _linear(rgb: Tensor) -> Tensor:
    """sRGB -> linear light."""
    knee, shared = 0.04045, math.pow((0.04045 + 0.055) / 1.055, 2.4)
    return _power((rgb.clamp_min(knee) + 0.055) / 1.055, 2.4) + (rgb.clamp_max(knee) / 12.92 - shared)


def _gamma(linear: Tensor) -> Tensor:
    """Linear light -> sRGB."""
    knee, shared = 0.0031308, 1.055 * math.pow(0.0031308, 1.0 / 2.4)
    return _power(linear.clamp_min(knee), 1.0 / 2.4) * 1.055 + (linear.clamp_max(knee) * 12.92 - shared)


def _rooted(white: Tensor) -> Tensor:
    """Part of the white point -> CIELAB's f."""
    return _power(white.clamp_min(_KNEE**3), 1.0 / 3.0) + (white.clamp_max(_KNEE**3) - _KNEE**3) / _SLOPE


def _cubed(f: Tensor) -> Tensor:
    """Inverse of `_rooted`."""
    above = f.clamp_min(_KNEE)
    return above * above * above + (f.clamp_max(_KNEE) - _KNEE) * _SLOPE
