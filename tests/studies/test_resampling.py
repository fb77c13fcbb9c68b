"""Scores under weights are the scores of repeated pictures; their variance is a brute-force bootstrap's."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from pretint.metrics import labels, segmentation
from pretint.studies import resampling
from pretint.studies.statistics import paired_difference, picture_variance

WEIGHTS = np.random.default_rng(0).multinomial(40, np.full(40, 1 / 40), size=6)
RNG = np.random.default_rng(1)
TARGET = RNG.random((40, 4)) < 0.3
PROBABILITY = RNG.integers(0, 12, (3, 40, 4)) / 12  # with ties
MATRICES = RNG.integers(0, 30, (3, 40, 5, 5))
MATRICES[:, 5:, 4, :] = MATRICES[:, 5:, :, 4] = 0  # a class that some draws lack


def repeated(weights: np.ndarray) -> np.ndarray:
    return np.repeat(np.arange(len(weights)), weights)


def test_map_is_scikit_learns_on_repeated_pictures():
    scores = resampling.mean_average_precision(TARGET, PROBABILITY)(WEIGHTS)
    assert scores.shape == (6, 3)
    for r, weights in enumerate(WEIGHTS):
        rows = repeated(weights)
        for seed in range(3):
            expected = average_precision_score(TARGET[rows], PROBABILITY[seed][rows], average="macro")
            assert scores[r, seed] == pytest.approx(expected)


def test_map_leaves_out_classes_without_drawn_positives():
    target = np.array([[1, 0], [1, 0], [0, 1]])
    probability = np.random.default_rng(2).random((1, 3, 2))
    weights = np.array([[2, 1, 0], [1, 1, 1], [0, 0, 3]])
    for row, score in zip(weights, resampling.mean_average_precision(target, probability)(weights), strict=True):
        rows = repeated(row)
        assert score[0] == pytest.approx(labels.mean_average_precision(target[rows], probability[0][rows]))


def test_mean_iou_is_that_of_repeated_pictures():
    scores = resampling.mean_iou(MATRICES)(WEIGHTS)
    for r, weights in enumerate(WEIGHTS):
        for seed in range(3):
            assert scores[r, seed] == segmentation.mean_iou(MATRICES[seed][repeated(weights)].sum(axis=0))


def test_top1_is_the_mean_of_repeated_pictures():
    hits = np.random.default_rng(3).random((3, 40)) < 0.7
    scores = resampling.top1(hits)(WEIGHTS)
    expected = [[hits[seed][repeated(weights)].mean() for seed in range(3)] for weights in WEIGHTS]
    assert scores == pytest.approx(np.array(expected))


@pytest.mark.parametrize("score", ["map", "miou"])
def test_picture_variance_is_a_brute_force_bootstraps(score):
    """Draws, scores by `pretint.metrics` and covariances by loops, with other random numbers."""
    rng = np.random.default_rng(4)
    if score == "map":
        noise = rng.random((2, 2, 30, 2))
        target = np.arange(60).reshape(30, 2) % 3 == 0
        found = (target + 2 * noise[:, :1] + 0.2 * rng.random((2, 2, 30, 2))) / 4  # (arm, seed, N, K)
        arm, reference = (resampling.mean_average_precision(target, p) for p in found)

        def of(p, rows):
            return labels.mean_average_precision(target[rows], p[rows])
    else:
        found = rng.integers(0, 9, (2, 1, 30, 3, 3)) * 3 + rng.integers(0, 9, (2, 2, 30, 3, 3))
        arm, reference = (resampling.mean_iou(m) for m in found)

        def of(m, rows):
            return segmentation.mean_iou(m[rows].sum(axis=0))

    drawn = []
    for _ in range(1200):
        rows = rng.integers(0, 30, 30)
        drawn.append([of(found[0, seed], rows) - of(found[1, seed], rows) for seed in range(2)])
    first, second = np.array(drawn).T
    expected = np.mean((first - first.mean()) * (second - second.mean())) * 30 / 29
    assert expected > 0
    assert picture_variance(arm, reference, 30, replicates=3000) == pytest.approx(expected, rel=0.2)


def test_picture_variance_of_one_seed_is_a_means():
    # The variance of a mean of N hits is s^2 / N, with N - 1 below in s^2.
    hits = np.random.default_rng(5).random((1, 50)) < 0.4
    none = resampling.top1(np.zeros((1, 50)))
    expected = hits.var(ddof=1) / 50
    assert picture_variance(resampling.top1(hits), none, 50, replicates=20_000) == pytest.approx(expected, rel=0.05)


def test_same_seed_same_bits():
    common = np.random.default_rng(8).integers(0, 90, (40, 5, 5))
    arm, reference = resampling.mean_iou(MATRICES + common), resampling.mean_iou(MATRICES[::-1])
    first, again, other = (picture_variance(arm, reference, 40, seed=seed) for seed in (0, 0, 1))
    assert first == again != other


def test_what_pictures_favour_in_one_seed_alone_is_not_counted_twice():
    """Two arms of one kind: single runs differ from picture to picture, yet no picture favours an arm in every seed."""
    rng = np.random.default_rng(6)
    runs = rng.random((2, 5, 500)) < 0.6
    arm, reference = (resampling.top1(hits) for hits in runs)
    of_one_run = 2 * 0.6 * 0.4 / 500
    assert picture_variance(arm, reference, 500) < 0.1 * of_one_run


def test_what_pictures_favour_in_one_pretraining_is_not_counted_twice() -> None:
    """Two arms of one kind, three pretrainings of two fine-tunings each: what a pretraining does with a picture, both its seeds do, and
    the deviation over pretrainings holds that already."""
    rng = np.random.default_rng(7)
    pretrained = rng.normal(0, 1, (2, 3, 500))
    runs = np.concatenate([pretrained, pretrained], axis=1)  # seed k takes pretraining k modulo 3
    arm, reference = (resampling.top1(of_arm) for of_arm in runs)
    of_one = 2 * 1 / 500  # variance of a difference of two means over 500 pictures
    assert picture_variance(arm, reference, 500, pretrainings=3) < 0.1 * of_one
    # Of seeds taken as independent, three of the fifteen pairs share a pretraining.
    assert picture_variance(arm, reference, 500) == pytest.approx(of_one * 3 / 15, rel=0.5)


def test_the_pictures_part_of_pretrainings_is_that_of_their_means() -> None:
    favour = np.random.default_rng(8).normal(0, 1, 300)
    both = np.stack([favour] * 6)
    none = resampling.top1(np.zeros((6, 300)))
    expected = favour.var(ddof=1) / 300
    assert picture_variance(resampling.top1(both), none, 300, pretrainings=3, replicates=20_000) == pytest.approx(
        expected, rel=0.05
    )


def wrong_verdicts(kind: str, seeds: int, pictures: int, studies: int) -> tuple[int, int]:
    """How often p < 0.05 with and without the picture part, where arms do not differ on the whole population."""
    rng = np.random.default_rng([seeds, pictures])
    favour, single = {"one kind": (0.0, 1.0), "mixed": (0.6, 1.0), "pictures": (1.0, 0.2)}[kind]
    nothing = resampling.top1(np.zeros((seeds, pictures)))
    with_pictures = without = 0
    for study in range(studies):
        by_picture = rng.normal(0, favour, pictures) + rng.normal(0, single, (seeds, pictures))
        scores = by_picture.mean(axis=1)
        variance = picture_variance(resampling.top1(by_picture), nothing, pictures, seed=study, replicates=100)
        both = paired_difference(scores, np.zeros(seeds), picture_variance=variance, pictures=pictures)
        alone = paired_difference(scores, np.zeros(seeds))
        assert both.p is not None
        assert alone.p is not None
        with_pictures += both.p < 0.05
        without += alone.p < 0.05
    return with_pictures, without


def test_chance_of_the_pictures_is_no_evidence() -> None:
    with_pictures, without = wrong_verdicts("pictures", 5, 100, 300)
    assert with_pictures <= 27  # 5 % of 300 and three standard errors
    assert without > 150


@pytest.mark.long
@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("kind", ["one kind", "mixed", "pictures"])
def test_new_pictures_and_new_seeds(kind, seeds):
    with_pictures, _ = wrong_verdicts(kind, seeds, 100, 2000)
    assert with_pictures <= 130  # 6.5 %


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: resampling.mean_average_precision(TARGET, PROBABILITY[0]), r"\(n, N, K\)"),
        (lambda: resampling.mean_iou(MATRICES[0]), r"\(n, N, K, K\)"),
        (lambda: resampling.top1(np.zeros(4)), r"\(n, N\)"),
        (lambda: resampling.top1(np.zeros((2, 4)))(WEIGHTS), r"\(R, 4\)"),
    ],
)
def test_wrong_shapes_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
