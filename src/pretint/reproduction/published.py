"""Tables 3 and 4, Figures 7 and 8, and what arithmetic alone says of the printed numbers."""

import math

from pretint.reproduction.networks import step_multiply_adds
from pretint.reproduction.number import Number, equal, needs_data, not_reproducible, rounded

ACCURACY = {"scratch": 47.18, "pretrained": 52.83}
"""Table 4, multilabel classification, in percent."""
MIOU = {"scratch": 44.66, "pretrained": 47.07}
"""Table 4, segmentation, in percent."""
MULTILABEL = (11_987, 3_425, 1_713)
"""Pictures for training, validation and test."""
SEGMENTATION = (2_039, 577, 297)
PRETRAINING = 82_783
"""Pictures of COCO 2014 train."""
EPOCHS = 20
LOSS = {"scratch": [0.2122, 0.1962, 0.1881, 0.1808], "pretrained": [0.1954, 0.1596, 0.1370, 0.0993]}
"""Figure 8, left: training loss of the classification after each epoch, as typed into the cell that plots it."""


def table_3() -> list[Number]:
    """The colorizer on 4,000 pictures of COCO's test set."""
    where = "over 4,000 pictures of COCO's test set; which ones, and the trained weights, were never published."
    words = {"mean": "mean", "min": "smallest", "max": "largest"}
    rows = {
        "psnr": ("PSNR, dB", "Peak signal-to-noise ratio in RGB", {"mean": 20.94, "min": 8.82, "max": 42.61}),
        "ssim": ("SSIM", "Structural similarity in RGB", {"mean": 0.85, "min": 0.31, "max": 0.99}),
    }
    return [
        *(
            needs_data(f"{score}_{statistic}", f"{title}, {statistic}", f"{what}, {words[statistic]} {where}", value)
            for score, (title, what, values) in rows.items()
            for statistic, value in values.items()
        ),
        needs_data(
            "psnr_grey_coco",
            "PSNR of the grey pictures, dB",
            "The same pictures left grey: the row that the paper does not print, and without which no score says anything.",
            None,
        ),
        rounded(
            "psnr_as_error",
            "20.94 dB as an error",
            "Root mean square error of RGB in 0 to 255 that belongs to this PSNR.",
            22.9,
            255 * math.sqrt(10 ** (-20.94 / 10)),
            1,
        ),
    ]


def table_4_accuracy() -> list[Number]:
    """The classification column."""
    return [
        needs_data(
            f"accuracy_{arm}",
            f"Accuracy, {words}, %",
            "Share of the test pictures whose likeliest class is their alphabetically first label.",
            ACCURACY[arm],
        )
        for arm, words in (("scratch", "from scratch"), ("pretrained", "pretrained"))
    ]


def figures() -> list[Number]:
    """Figures 7 and 8, and the side information of the authors' checkpoints."""
    scratch, pretrained = LOSS["scratch"], LOSS["pretrained"]
    return [
        needs_data(
            "figure_7",
            "Figure 7",
            "Pictures coloured after 1, 5, 15 and 20 epochs between grey and original; a run of pretint pretrain draws the "
            "same grid in its folder samples/ after each epoch.",
            None,
        ),
        needs_data(
            "figure_8_left_scratch",
            "Figure 8 left, from scratch",
            "Training loss of the classification after each of four epochs.",
            scratch,
            "authors' code",
        ),
        needs_data(
            "figure_8_left_pretrained",
            "Figure 8 left, pretrained",
            "Training loss of the classification after each of four epochs, the first three with the encoder frozen.",
            pretrained,
            "authors' code",
        ),
        rounded(
            "figure_8_left_ratio",
            "Figure 8 left, last epoch",
            "The pretrained arm's loss over that of the other: a loss on training pictures, so no evidence of a better "
            "score.",
            0.549,
            pretrained[-1] / scratch[-1],
            3,
            "authors' code",
        ),
        not_reproducible(
            "figure_8_right",
            "Figure 8 right",
            "Training loss of the segmentation; its values stand in neither text nor code.",
            None,
        ),
        needs_data(
            "validation_loss_classification",
            "Validation loss, classification from scratch",
            "After epoch 4, from the name of a checkpoint.",
            0.17,
            "authors' code",
        ),
        needs_data(
            "validation_loss_segmentation",
            "Validation loss, segmentation pretrained",
            "After epochs 1 (frozen) and 10, from the names of checkpoints.",
            [2.17, 1.09],
            "authors' code",
        ),
    ]


def numbers() -> list[Number]:
    """What arithmetic alone says: shares that cannot be, sums of splits, differences and their error, the time."""
    return [*_shares(), *_splits(), *_differences(), *_time()]


def _shares() -> list[Number]:
    test, validation = MULTILABEL[2], MULTILABEL[1]
    scratch, pretrained = (_nearest(ACCURACY[arm], test) for arm in ACCURACY)
    return [
        equal(
            "accuracy_4718_as_share",
            f"47.18 % of {test:,} pictures",
            "Numbers of right pictures that give this share, rounded or cut off: there is none, so it is a slip or from "
            "another set.",
            [],
            _fitting(ACCURACY["scratch"], test),
        ),
        equal(
            "accuracy_5283_as_share",
            f"52.83 % of {test:,} pictures",
            "Numbers of right pictures that give this share, rounded or cut off.",
            [905],
            _fitting(ACCURACY["pretrained"], test),
        ),
        equal(
            "accuracy_4718_of_validation",
            f"47.18 % of {validation:,} pictures",
            "Numbers of right pictures that give this share of the validation set.",
            [1616],
            _fitting(ACCURACY["scratch"], validation),
        ),
        equal(
            "accuracies_as_sum",
            "Both accuracies together",
            "Right pictures nearest to 47.18 % and to 52.83 % of the test set, added: exactly the test set.",
            test,
            scratch + pretrained,
        ),
    ]


def _fitting(percent: float, count: int) -> list[int]:
    return [k for k in range(count + 1) if percent in (round(100 * k / count, 2), math.floor(1e4 * k / count) / 100)]


def _nearest(percent: float, count: int) -> int:
    return round(percent / 100 * count)


def _splits() -> list[Number]:
    found = []
    for name, sizes, total, shares in (
        ("multilabel", MULTILABEL, 17_125, [0.700, 0.200, 0.100]),
        ("segmentation", SEGMENTATION, 2_913, [0.700, 0.198, 0.102]),
    ):
        found += [
            equal(
                f"{name}_pictures",
                f"Pictures, {name}",
                "Sum of the training, validation and test pictures.",
                total,
                sum(sizes),
                "paper",
            ),
            equal(
                f"{name}_split",
                f"Split, {name}",
                "Shares of the training, validation and test pictures.",
                shares,
                [round(size / sum(sizes), 3) for size in sizes],
            ),
        ]
    return found


def _differences() -> list[Number]:
    p, q = (ACCURACY[arm] / 100 for arm in ACCURACY)
    test = MULTILABEL[2]
    error = 100 * math.sqrt((p * (1 - p) + q * (1 - q)) / test)
    difference = _difference(ACCURACY)
    return [
        rounded("accuracy_difference", "Difference in accuracy, points", _SINGLE, 5.65, difference, 2, "paper"),
        rounded(
            "accuracy_relative",
            "Difference in accuracy, relative, %",
            "Of the arm from scratch.",
            12.0,
            100 * difference / ACCURACY["scratch"],
            1,
        ),
        rounded("miou_difference", "Difference in mean IoU, points", _SINGLE, 2.41, _difference(MIOU), 2, "paper"),
        rounded(
            "miou_relative",
            "Difference in mean IoU, relative, %",
            "Of the arm from scratch.",
            5.4,
            100 * _difference(MIOU) / MIOU["scratch"],
            1,
        ),
        rounded(
            "accuracy_error",
            "Sampling error of one accuracy, points",
            f"Standard error of a share of {test:,} pictures.",
            1.2,
            100 * math.sqrt(p * (1 - p) / test),
            1,
        ),
        rounded(
            "accuracy_difference_error",
            "Sampling error of the difference, points",
            "Standard error of the difference of two such shares; what another seed would change is not in it.",
            1.7,
            error,
            1,
        ),
        rounded(
            "accuracy_difference_sigma",
            "Difference in standard errors",
            "The difference in accuracy over its sampling error, for this single pair of runs.",
            3.3,
            difference / error,
            1,
        ),
    ]


_SINGLE = "The pretrained arm less the one from scratch, one run each."


def _difference(arms: dict[str, float]) -> float:
    return arms["pretrained"] - arms["scratch"]


def _time() -> list[Number]:
    speed = PRETRAINING * EPOCHS / (24 * 3600)
    operations = 2 * step_multiply_adds()
    return [
        not_reproducible(
            "hours",
            "Time of the pretraining",
            "About 24 hours on a GTX 1660 SUPER, on the authors' machine.",
            24,
        ),
        rounded(
            "pictures_per_second",
            "Speed that this asks for, pictures a second",
            "All epochs over 24 hours.",
            19,
            speed,
            0,
        ),
        rounded(
            "teraflops",
            "Arithmetic that this asks for, TFLOP/s",
            "Two operations for each multiply-add of a step: possible on that card, whose peak is about 5.",
            1.8,
            speed * operations / 1e12,
            1,
        ),
    ]
