"""The segmentation column of Table 4: 44.66 and 47.07 without a network.

The authors' notebook compiles its segmenter with Keras' ``MeanIoU(21)`` on one-hot targets and softmax outputs. What that
metric gives depends on the number of pictures and the batch size alone; ``metrics/keras.py`` says why. Here the values are
computed from the sizes, then by the metric itself on outputs that are random, untrained and right, beside the true mean
IoU of the same outputs.
"""

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray

from pretint import recipe
from pretint.inference.models import build_task_network
from pretint.metrics.keras import FLOAT32_STOP, one_hot_mean_iou, rounded_down_mean_iou
from pretint.metrics.segmentation import confusion_matrix, mean_iou
from pretint.reproduction.number import Number, Source, Status, equal, needs_no_model, rounded

PICTURES = 297
"""Test pictures of the paper's segmentation."""
CLASSES = 21
PRINTED = {32: 44.66, 16: 47.07}
"""Table 4 in percent, by the batch size whose value it is."""
ROUNDED = {32: 44.66, 16: 47.08}
"""The artefact's values for 297 pictures, to two decimals."""
EXPECTED = {32: 44.6602, 16: 47.0796}
"""The same to four: what Keras 2.12 itself gave, on random label maps and a constant softmax."""
NEIGHBOURS = range(280, 311)

# A sixteenth of the side has a 256th of the pixels; with a 256th of the stop all shares are the same.
_SIDE = 16
_STOP = FLOAT32_STOP // 256


def percent(pictures: int, batch: int) -> float:
    """The metric for pictures of 256x256 and 21 classes, whatever the network, in percent."""
    return 100 * one_hot_mean_iou(pictures, batch)


def fitting(pictures: Iterable[int]) -> list[int]:
    """Those numbers of pictures for which both values of the artefact hold to two decimals."""
    return [n for n in pictures if all(round(percent(n, batch), 2) == value for batch, value in ROUNDED.items())]


def numbers() -> list[Number]:
    """What the metric gives from sizes alone, and on outputs of three kinds."""
    return [*_from_sizes(), *_on_outputs()]


def table_4() -> list[Number]:
    """The two cells of Table 4 that the artefact meets."""
    arms = {32: ("from scratch", "Keras' default"), 16: ("pretrained", "that of the training")}
    return [
        _met(
            f"miou_artefact_batch{batch}",
            f"Mean IoU, {arm}, %",
            f"What Keras' MeanIoU gives for any network on {PICTURES} pictures in batches of {batch} ({why}).",
            PRINTED[batch],
            percent(PICTURES, batch),
            "paper",
        )
        for batch, (arm, why) in arms.items()
    ]


def _met(id: str, title: str, what: str, claim: float, ours: float, source: Source) -> Number:
    """Explained where the printed value is ours rounded or cut off to its two decimals."""
    met = claim in (round(ours, 2), np.floor(100 * ours) / 100)
    status: Status = "explained" if met else "differs"
    return Number(id, title, what, source, claim, round(ours, 4), status)


def _from_sizes() -> list[Number]:
    first = next(batch for batch in range(1, 100) if one_hot_mean_iou(batch, batch) < (CLASSES - 1) / (2 * CLASSES))
    return [
        rounded(
            "miou_artefact_batch8",
            "Batches of 8, %",
            "No cell stops in batches so small: 10/21, for any number of pictures and any network.",
            47.6190,
            percent(PICTURES, 8),
            4,
        ),
        rounded(
            "miou_full_batches_16",
            "Full batches of 16 alone, %",
            "8/17: what a training in batches of 16 shows when its last batch is dropped.",
            47.0588,
            percent(16, 16),
            4,
        ),
        rounded("miou_full_batches_32", "Full batches of 32 alone, %", "4/9, likewise.", 44.4444, percent(32, 32), 4),
        equal(
            "artefact_stops_from_batch",
            "Smallest batch in which a cell stops",
            "Pictures of 256x256 with 20 zeros a pixel, until float32 no longer counts: 2^24.",
            13,
            first,
        ),
        equal(
            "artefact_pictures",
            "Numbers of pictures that fit both values",
            "Of 1 to 400: those that give 44.66 in batches of 32 and 47.08 in batches of 16.",
            [33 * k for k in range(1, 13)],
            fitting(range(1, 401)),
        ),
        equal(
            "artefact_neighbours",
            "Of 280 to 310 pictures",
            "Numbers of pictures near the paper's that fit both values.",
            [PICTURES],
            fitting(NEIGHBOURS),
        ),
        needs_no_model(
            "artefact_table",
            "The metric for 280 to 310 pictures, %",
            "In batches of 32 and of 16, by the number of pictures.",
            {str(n): [round(percent(n, batch), 4) for batch in (32, 16)] for n in NEIGHBOURS},
        ),
    ]


def _on_outputs() -> list[Number]:
    """The metric itself, fed as in the notebook, and the true mean IoU of the same outputs."""
    draws = np.random.default_rng(0)
    truth = draws.integers(0, CLASSES, (PICTURES, _SIDE, _SIDE))
    noise = np.exp(draws.normal(0, 1, (*truth.shape, CLASSES)))
    right = np.where(np.eye(CLASSES, dtype=bool)[truth], 0.99, 0.01 / (CLASSES - 1))
    outputs = {
        "random": ("Random outputs", noise / noise.sum(axis=-1, keepdims=True)),
        "untrained": ("An untrained network", _untrained(draws)),
        "right": ("A network that is right everywhere, at 0.99", right),
    }
    found = []
    for name, (title, output) in outputs.items():
        for batch in (32, 16):
            found.append(
                rounded(
                    f"artefact_{name}_batch{batch}",
                    f"{title}, batches of {batch}: Keras' score, %",
                    f"The metric as the notebook feeds it, on {PICTURES} maps of random labels.",
                    EXPECTED[batch],
                    100 * _score(truth, output, batch),
                    4,
                )
            )
        true = 100 * mean_iou(confusion_matrix(truth, output.argmax(axis=-1), CLASSES, void=None))
        what = "Mean IoU of the likeliest classes of the same outputs, from one matrix of 64-bit counts."
        id, words = f"artefact_{name}_true_miou", f"{title}: true mean IoU, %"
        match name:
            case "random":  # of two independent draws from K classes: 1 / (2K - 1)
                found.append(rounded(id, words, what, 2.4, true, 1))
            case "right":
                found.append(equal(id, words, what, 100.0, true))
            case _:
                found.append(needs_no_model(id, words, what, round(true, 2)))
    return found


def _score(truth: NDArray[np.int64], output: NDArray[np.float64], batch: int) -> float:
    one_hot = np.eye(CLASSES, dtype=np.uint8)[truth]
    parts = ((one_hot[i : i + batch], output[i : i + batch]) for i in range(0, len(truth), batch))
    return rounded_down_mean_iou(parts, CLASSES, _STOP)


def _untrained(draws: np.random.Generator) -> NDArray[np.float64]:
    """Softmax outputs of the paper's segmenter with its starting weights, narrow and small, for random lightness."""
    values = {**recipe.read("finetune", "paper"), "task": "segmentation", "segmentation": {}, "size": _SIDE}
    values["unet"] = {**values["unet"], "width": 1 / 16}
    lightness = torch.from_numpy(draws.uniform(-1, 1, (PICTURES, 1, _SIDE, _SIDE))).float()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        network = build_task_network(values, [str(k) for k in range(CLASSES)])[1].eval()
        output: NDArray[np.float64] = network(lightness).softmax(dim=1).permute(0, 2, 3, 1).double().numpy()
    return output
