"""The classification column of Table 4: what "accuracy" means where a picture has several labels.

Keras takes the string for categorical accuracy: the likeliest class must be the alphabetically first label. The synthetic
set has 20 classes and pictures of one, two and three labels in the shares 60, 30 and 10 %, so that what a detector can
reach is known beforehand.
"""

import numpy as np
from numpy.typing import NDArray

from pretint.metrics.keras import first_label_accuracy
from pretint.metrics.labels import f1_micro, mean_average_precision
from pretint.reproduction.number import Number, equal, needs_data, rounded

CLASSES = 20
PICTURES = 20_000
SHARES = {1: 0.6, 2: 0.3, 3: 0.1}
"""Share of the pictures by their number of labels."""
COMMON, COMMON_SHARE = 14, 0.4
"""One class is in this share of the pictures, as "person" is; it stands 15th of 20."""


def numbers() -> list[Number]:
    """Keras' accuracy beside mean average precision and F1, of a perfect detector and of two constant predictors."""
    truth = synthetic_labels()
    draws = np.random.default_rng(1)
    predictors = {
        # Every class that is shown scores above every other, in an order of chance.
        "perfect": np.where(truth, 0.9, 0.1) + draws.uniform(-0.05, 0.05, truth.shape),
        "equal": np.full(truth.shape, 0.5),
        "common": np.tile(np.eye(CLASSES)[COMMON], (PICTURES, 1)),
    }
    accuracy = {name: 100 * first_label_accuracy(truth, score) for name, score in predictors.items()}
    return [
        rounded(
            "first_label_perfect",
            "A perfect detector: Keras' accuracy, %",
            "Every label right, in an order of chance: one over the number of labels on average, its ceiling for a network "
            "that does not know the order of the alphabet.",
            78,
            accuracy["perfect"],
            0,
        ),
        equal(
            "map_perfect",
            "A perfect detector: mean average precision, %",
            "Of the same outputs.",
            100.0,
            100 * mean_average_precision(truth, predictors["perfect"]),
        ),
        equal(
            "f1_perfect",
            "A perfect detector: micro F1, %",
            "Of the same outputs at the threshold 0.5.",
            100.0,
            100 * f1_micro(truth, predictors["perfect"]),
        ),
        rounded(
            "first_label_equal",
            "All outputs alike: Keras' accuracy, %",
            "Share of the pictures that show the first class of the alphabet: 1.1 labels over 19 classes.",
            6,
            accuracy["equal"],
            0,
        ),
        rounded(
            "first_label_common",
            "Always the commonest class: Keras' accuracy, %",
            "Share of the pictures in which that class comes first: it is shown by 40 %, often beside an earlier one.",
            27,
            accuracy["common"],
            0,
        ),
        rounded(
            "map_equal",
            "All outputs alike: mean average precision, %",
            "The mean share of the pictures that show a class, 1.5 labels over 20 classes.",
            7.5,
            100 * mean_average_precision(truth, predictors["equal"]),
            1,
        ),
        *_on_voc(),
    ]


def synthetic_labels() -> NDArray[np.bool_]:
    """Labels (20000, 20): the common class in its share of the pictures, the others in equal ones."""
    draws = np.random.default_rng(0)
    counts = np.repeat(list(SHARES), [round(share * PICTURES) for share in SHARES.values()])
    truth = np.zeros((PICTURES, CLASSES), dtype=bool)
    others = [k for k in range(CLASSES) if k != COMMON]
    for row, count in zip(truth, counts, strict=True):
        common = draws.random() < COMMON_SHARE
        row[COMMON] = common
        row[draws.choice(others, count - common, replace=False)] = True
    return truth


def _on_voc() -> list[Number]:
    where = "Of the 12,031 pictures of Pascal VOC 2012 whose image-level labels are public in one list"
    return [
        needs_data(
            f"voc_{name}",
            title,
            f"{where}, {what}.",
            claim,
            "computed",
        )
        for name, title, what, claim in (
            (
                "first_label_equal",
                "VOC, all outputs alike: Keras' accuracy, %",
                "the share that shows an aeroplane, the first class",
                5.65,
            ),
            (
                "first_label_person",
                "VOC, always person: Keras' accuracy, %",
                "the share whose first label is person, the 15th of 20 classes",
                12.7,
            ),
            (
                "first_label_perfect",
                "VOC, a perfect detector: Keras' accuracy, %",
                "the share that a detector without a fault gets, in an order of chance",
                77.7,
            ),
            (
                "binary_accuracy_zeros",
                "VOC, all zeros: binary accuracy, %",
                "the share of labels that are 0: too high for 47.18 to be this score",
                92.3,
            ),
        )
    ]
