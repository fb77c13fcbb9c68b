"""Linear probes on held-out training pictures, by which pretrainings are chosen: the test pictures are left for the end.

    python benchmarks/held_out_probes.py RUN [RUN ...] --data DATA/voc --sizes 64 96

A run may be the file of a peer (peers.py), too.

Each probe learns from a tenth of the labels, of subsets that no study has, and is scored on the fifth of the training pictures that a
fine-tuning of that seed would hold out. Printed is the mAP in points for each depth, and for strides 8 and 16 together, by subset.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import peers
from first_results import CLASSES
from numpy.typing import NDArray

from pretint.commands.finetune import SCHEMA
from pretint.commands.resolve import options_from_call
from pretint.data.layouts import open_source
from pretint.data.splits import label_matrix
from pretint.experiments.fine_tuning import labelled_pictures
from pretint.inference.embedding import Features, embed_records
from pretint.inference.models import load_parts
from pretint.metrics.labels import mean_average_precision
from pretint.metrics.probing import linear_probe
from pretint.networks.backbone import Backbone

SEEDS = (100, 101, 102)
HEAD = (8, 16)
"""Strides that the pooled head joins."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 96])
    given = parser.parse_args()
    for run in given.runs:
        backbone: Backbone = peers.load(run) if run.suffix == ".safetensors" else load_parts(run)[0]
        for size in given.sizes:
            by_seed = [probes(backbone, given.data, size, seed) for seed in SEEDS]
            for depth in by_seed[0]:
                scores = [100 * one[depth] for one in by_seed]
                print(
                    f"{run.name}, {size} px, stride {depth}: {np.mean(scores):.1f} ({', '.join(f'{one:.1f}' for one in scores)})"
                )


def probes(
    backbone: Backbone, data: Path, size: int, seed: int, fraction: float = 0.1, test: str = ""
) -> dict[str, float]:
    """mAP by stride, and of the head's strides together: on what a fine-tuning of that seed holds out, or on a list ``test``."""
    asked = {
        "task": "multilabel", "data": data, "out": "unused", "classes": list(CLASSES), "size": size, "fraction": fraction, "seed": seed,
    }  # fmt: skip
    options = options_from_call(SCHEMA, asked)
    source = open_source(options.data, options.layout, options.classes, task="labels")
    training, scored = labelled_pictures(options, source, source.training_split(options.split).records)
    if test:
        scored = source.test_split(test).records
    known, others = (
        embed_records(backbone, r, view=options.view, size=size).features for r in (training.records, scored)
    )
    depths = {str(stride): (stride,) for stride in known}
    if set(HEAD) <= known.keys():
        depths[" and ".join(map(str, HEAD))] = HEAD
    target, truth = (label_matrix(r, list(source.classes)) for r in (training.records, scored))
    return {
        name: mean_average_precision(
            truth, linear_probe(joined(known, strides), target, joined(others, strides)).scores
        )
        for name, strides in depths.items()
    }


def joined(features: Features, strides: Sequence[int]) -> NDArray[np.float32]:
    """Features (N, C) of several strides side by side."""
    return np.hstack([features[stride] for stride in strides])


if __name__ == "__main__":
    main()
