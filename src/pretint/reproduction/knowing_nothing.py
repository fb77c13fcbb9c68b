"""What a grey picture scores, and what a small colorizer adds to it: the row that Table 3 lacks.

On made scenes, since COCO is not at hand; the scores of Table 3 depend on the pictures and cannot be held against these.
The colorizer is the paper's network at an eighth of the width, trained on L1 alone for some seconds.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from pretint.color import AB_SCALE, rgb_to_planes
from pretint.data.reading import read_rgb
from pretint.inference.full_resolution import predict_ab, recolour
from pretint.metrics.image import psnr, ssim
from pretint.metrics.meters import RunningMeter
from pretint.reproduction import tiny
from pretint.reproduction.number import Number, above, needs_no_model

EPOCHS = 25


def numbers(scenes: Path, scratch: Path) -> list[Number]:
    """PSNR and SSIM of grey pictures and of the colorizer, on scenes that it never saw.

    Args:
        scenes: folder of `tiny.make_scenes`.
        scratch: an empty folder for the run.
    """
    values = tiny.values_of("paper", pretext="regression", epochs=EPOCHS, batch_size=16, unet={"width": 1 / 8})
    values = {**values, "regression": {"rate": 2e-3}}
    pretext = tiny.train(values, tiny.records_of(scenes, "train"), scratch).eval()
    meters = {name: RunningMeter() for name in ("psnr_grey", "psnr_toy", "ssim_grey", "ssim_toy", "l1_grey", "l1_toy")}
    with torch.no_grad():
        for record in tiny.records_of(scenes, "test"):
            original = read_rgb(record.where)
            true = _ab(original)
            planes = {
                "grey": torch.zeros(1, 2, 1, 1),
                "toy": predict_ab(original, pretext.networks["generator"], tiny.SIZE),
            }
            for name, ab in planes.items():
                coloured = recolour(original, ab)
                meters[f"psnr_{name}"].update(psnr(original, coloured))
                meters[f"ssim_{name}"].update(ssim(original, coloured))
                meters[f"l1_{name}"].update(AB_SCALE * float((_ab(coloured) - true).abs().mean()))
    scores = {name: meter.compute() for name, meter in meters.items()}
    count = meters["psnr_grey"].count
    return [
        needs_no_model(
            "psnr_grey",
            "PSNR of grey pictures, dB",
            f"Mean, smallest and largest over {count} made scenes left grey; the paper's network has 20.94, 8.82 and 42.61 on "
            "COCO.",
            _rounded(scores["psnr_grey"], 1),
        ),
        needs_no_model(
            "ssim_grey",
            "SSIM of grey pictures",
            "Likewise; the paper's network has 0.85, 0.31 and 0.99 on COCO. High because the lightness is the true one.",
            _rounded(scores["ssim_grey"], 2),
        ),
        above(
            "psnr_gain",
            "What a small colorizer adds to the PSNR, dB",
            "Mean over the same scenes, which it never saw, less that of the grey pictures.",
            0,
            scores["psnr_toy"]["mean"] - scores["psnr_grey"]["mean"],
        ),
        above(
            "ssim_gain",
            "What a small colorizer adds to the SSIM",
            "Likewise. Most of SSIM is lightness, which is the true one in both.",
            0,
            scores["ssim_toy"]["mean"] - scores["ssim_grey"]["mean"],
        ),
        above(
            "l1_gain",
            "What a small colorizer takes off the error of colour, Lab units",
            "Mean absolute error of a and b of the grey pictures, less that of the coloured ones.",
            0,
            scores["l1_grey"]["mean"] - scores["l1_toy"]["mean"],
        ),
    ]


def _ab(rgb: Any) -> torch.Tensor:
    return rgb_to_planes(torch.from_numpy(np.array(rgb)).permute(2, 0, 1)[None])[0, 1:]


def _rounded(scores: dict[str, float], digits: int) -> dict[str, float]:
    return {name: round(value, digits) for name, value in scores.items()}
