"""Facts of colour that the method rests on: ranges of CIELAB over sRGB, and that the scalings lose nothing."""

import torch

from pretint.color import AB_SCALE, denormalize_lab, lab_to_rgb, normalize_lab, rgb_to_lab
from pretint.reproduction.number import Number, at_most, equal


def numbers(steps: int = 256) -> list[Number]:
    """Ranges and errors over the cube of sRGB.

    Args:
        steps: values of each channel, from 0 to 1; 256 are all colours of 8-bit pictures.
    """
    low, high, error, scaling = _walk(steps)
    ranges = [[round(a, 2), round(b, 2)] for a, b in zip(low, high, strict=True)]
    claims = {"L": [0.0, 100.0], "a": [-86.18, 98.23], "b": [-107.86, 94.48]}
    return [
        *(
            equal(
                f"lab_range_{name.lower()}",
                f"Range of {name}",
                "Smallest and largest value over all colours of 8-bit sRGB.",
                claim,
                found,
            )
            for (name, claim), found in zip(claims.items(), ranges, strict=True)
        ),
        equal(
            "target_range",
            "Range of the targets",
            "Of a and b over 128: within what tanh reaches without saturating.",
            [-0.843, 0.767],
            [round(min(low[1:]) / AB_SCALE, 3), round(max(high[1:]) / AB_SCALE, 3)],
        ),
        at_most(
            "round_trip_error",
            "Error of sRGB to Lab and back",
            "Largest difference over all colours of 8-bit sRGB, of a range of 1, in double precision.",
            1e-6,
            error,
        ),
        at_most(
            "scaling_error",
            "Error of the scaling and back",
            "Largest difference of L, a or b after L / 50 - 1, a / 128, b / 128 and their inverses, in Lab units.",
            1e-12,
            scaling,
        ),
    ]


def _walk(steps: int) -> tuple[list[float], list[float], float, float]:
    """Smallest and largest L, a, b, and the largest errors of both round trips, slab by slab of the cube."""
    axis = torch.linspace(0, 1, steps, dtype=torch.float64)
    low = torch.full((3,), torch.inf, dtype=torch.float64)
    high, error, scaling = -low, 0.0, 0.0
    for first in range(0, steps, 8):
        reds = axis[first : first + 8]
        rgb = torch.stack(torch.meshgrid(reds, axis, axis, indexing="ij")).view(3, len(reds), -1)
        lab = rgb_to_lab(rgb)
        low, high = torch.minimum(low, lab.amin((1, 2))), torch.maximum(high, lab.amax((1, 2)))
        error = max(error, float((lab_to_rgb(lab) - rgb).abs().max()))
        scaling = max(scaling, float((denormalize_lab(normalize_lab(lab)) - lab).abs().max()))
    # 0 may come out as a rounding error of either sign.
    return [value + 0.0 for value in low.tolist()], high.tolist(), error, scaling
