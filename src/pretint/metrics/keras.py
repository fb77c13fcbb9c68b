"""Two scores as Keras computes them, for numbers that were published in them; neither measures quality.

    first_label_accuracy(target, score)         metrics=["accuracy"] on several labels a picture
    rounded_down_mean_iou(batches, classes)     MeanIoU(classes) on one-hot targets and softmax outputs

The first asks for the alphabetically first label. The second never looks at which class is likeliest: it takes every
single output for a class index, so that its value follows from the number of pictures and the batch size alone;
`one_hot_mean_iou` is that value in closed form. Scores to use are in ``labels.py`` and ``segmentation.py``.
After keras/metrics/iou_metrics.py and tf.math.confusion_matrix of TensorFlow 2.12; the float32 stop is acknowledged in
Keras' issue 20574. Keras 3.15 counts in int64 and has no stop; tf_keras 2.21, which is Keras 2, still has it.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pretint.metrics.labels import checked
from pretint.metrics.segmentation import mean_iou

FLOAT32_STOP = 2**24
"""Where counting in float32 by ones ends: 2**24 + 1 rounds back to 2**24."""


def first_label_accuracy(target: NDArray[Any], score: NDArray[Any]) -> float:
    """Share of pictures whose highest-scored class is the *first* class present, in [0, 1].

    ``target`` is (N, K) of 0/1, ``score`` (N, K). A perfect detector cannot reach 1 where pictures have several labels.
    A picture without labels counts as class 0, as it does there; of equal scores the first class counts.
    """
    truth, scores = checked(target, score)
    return float((truth.argmax(axis=1) == scores.argmax(axis=1)).mean())


def rounded_down_mean_iou(
    batches: Iterable[tuple[NDArray[Any], NDArray[Any]]], classes: int, stop: int = FLOAT32_STOP
) -> float:
    """Keras' MeanIoU fed with arrays instead of class indices, in [0, 1].

    Every element is rounded towards 0 and taken for the class index of a pixel of its own. Each batch has its own matrix
    of counts, whose cells stop at ``stop``; these are added in float32. Classes in neither array are left out of the mean.

    Args:
        batches: pairs of equal shape: one-hot targets (B, H, W, K) and softmax outputs, as they were given to Keras.
        classes: K, the metric's ``num_classes``.
        stop: the count at which a cell of a batch stops growing.
    Raises:
        ValueError: shapes differ, or an element rounds to no class index.
    """
    total = np.zeros((classes, classes), dtype=np.float32)
    for target, output in batches:
        truth, guess = np.asarray(target), np.asarray(output)
        if truth.shape != guess.shape:
            raise ValueError(f"targets and outputs differ in shape: {truth.shape} and {guess.shape}")
        truth, guess = truth.reshape(-1).astype(np.int64), guess.reshape(-1).astype(np.int64)
        if truth.size and (min(truth.min(), guess.min()) < 0 or max(truth.max(), guess.max()) >= classes):
            raise ValueError(f"an element rounds to no class index of 0..{classes - 1}")
        counts = np.bincount(truth * classes + guess, minlength=classes * classes).reshape(classes, classes)
        total += np.minimum(counts, stop).astype(np.float32)
    return mean_iou(total.astype(np.int64)) if total.any() else 0.0


def one_hot_mean_iou(pictures: int, batch: int, side: int = 256, classes: int = 21, stop: int = FLOAT32_STOP) -> float:
    """`rounded_down_mean_iou` of any one-hot targets and any outputs below 1, in [0, 1], from the sizes alone.

    Of a picture's side x side x K elements one in K is a target of 1, all others are 0, and every output rounds to 0. So
    two cells fill: (0, 0) with K - 1 a pixel and (1, 0) with one a pixel. The IoU of "class" 0 is the share of the first,
    that of "class" 1 is 0, no other class occurs: the mean is half of the share, (K - 1) / 2K where no cell stops.

    Args:
        pictures: N, scored in batches of ``batch``; the last may be short.
        batch: pictures a batch.
        side: sides of the pictures in pixels.
        classes: K, at least 2.
        stop: the count at which a cell of a batch stops growing.
    Raises:
        ValueError: a number is too small.
    """
    if min(pictures, batch, side) < 1 or classes < 2:
        raise ValueError("there have to be pictures, a batch and a side of 1 or more, and 2 classes")
    sizes = [batch] * (pictures // batch) + ([pictures % batch] if pictures % batch else [])
    zeros = sum(min(size * side**2 * (classes - 1), stop) for size in sizes)
    ones = sum(min(size * side**2, stop) for size in sizes)
    return zeros / (zeros + ones) / 2
