"""Probes of features against scikit-learn, brute force and cases by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from pretint.metrics.labels import mean_average_precision, top1
from pretint.metrics.probing import PENALTIES, effective_rank, knn, linear_probe


def features(count: int, channels: int, seed: int = 0) -> np.ndarray:
    """Correlated features of very different sizes."""
    draws = np.random.default_rng(seed)
    return draws.normal(size=(count, channels)) @ draws.normal(size=(channels, channels)) * 10.0 ** draws.integers(
        -3, 3, channels
    ) + draws.normal(size=channels)


def labels(x: np.ndarray, classes: int, seed: int = 1) -> np.ndarray:
    draws = np.random.default_rng(seed)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    return (z @ draws.normal(size=(x.shape[1], classes)) + draws.normal(size=(len(x), classes)) > 0.5).astype(int)


@pytest.mark.parametrize(("count", "channels"), [(60, 9), (20, 35), (24, 24)])
def test_linear_probe_is_scikit_learns_ridge(count: int, channels: int) -> None:
    x = features(count + 13, channels)
    y = labels(x, 3)
    probe = linear_probe(x[:count], y[:count], x[count:])
    scaler = StandardScaler().fit(x[:count])
    seen, other = scaler.transform(x[:count]), scaler.transform(x[count:])
    searched = RidgeCV(alphas=np.array(PENALTIES) * count).fit(seen, y[:count])
    assert probe.penalty * count == pytest.approx(searched.alpha_)
    expected = Ridge(alpha=probe.penalty * count).fit(seen, y[:count]).predict(other)
    np.testing.assert_allclose(probe.scores, expected, atol=1e-8)


def test_the_penalty_is_that_of_least_error_when_each_picture_is_left_out() -> None:
    x = features(15, 6, seed=3)
    y = labels(x, 2, seed=4)
    z = StandardScaler().fit_transform(x)
    errors = []
    for penalty in PENALTIES:
        without = [
            Ridge(alpha=penalty * 15).fit(np.delete(z, i, 0), np.delete(y, i, 0)).predict(z[i : i + 1])[0]
            for i in range(15)
        ]
        errors.append(((np.array(without) - y) ** 2).sum())
    assert linear_probe(x, y, x).penalty == PENALTIES[int(np.argmin(errors))]


def test_constant_features_count_nowhere() -> None:
    x = features(40, 5).astype(np.float32)
    y = labels(x, 2)
    plain = linear_probe(x[:30], y[:30], x[30:]).scores
    dead = np.column_stack([x, np.zeros(40), np.full(40, 0.1)]).astype(np.float32)
    dead[:, -1] *= 1 + np.where(np.arange(40) % 2, 6e-8, 0)  # constant but for float32's rounding
    dead[30:, 5] = 7  # moves only where nothing was learned of it
    np.testing.assert_allclose(linear_probe(dead[:30], y[:30], dead[30:]).scores, plain, atol=1e-6)
    nothing = linear_probe(np.ones((30, 3)), y[:30], np.ones((10, 3))).scores
    np.testing.assert_allclose(nothing, np.tile(y[:30].mean(axis=0), (10, 1)))


def test_features_that_hold_the_label_are_found_and_noise_is_not() -> None:
    draws = np.random.default_rng(5)
    one = np.eye(4, dtype=int)[draws.integers(0, 4, 400)]
    noise = draws.normal(size=(400, 20))
    told = noise.copy()
    told[:, :4] += 3 * one
    for score in (
        lambda f: linear_probe(f[:300], one[:300], f[300:]).scores,
        lambda f: knn(f[:300], one[:300], f[300:]),
    ):
        assert top1(one[300:], score(told)) > 0.75
        assert top1(one[300:], score(noise)) < 0.4
    assert mean_average_precision(one[300:], linear_probe(told[:300], one[:300], told[300:]).scores) > 0.9


@pytest.mark.parametrize("k", [1, 20, 500])
def test_knn_is_scikit_learns(k: int) -> None:
    draws = np.random.default_rng(k)
    x, other = draws.normal(size=(120, 7)), draws.normal(size=(33, 7))
    y = draws.integers(0, 2, (120, 3))
    oracle = KNeighborsClassifier(
        min(k, 120), metric="cosine", algorithm="brute", weights=lambda distance: np.exp((1 - distance) / 0.07)
    )
    expected = np.column_stack([p[:, 1] for p in oracle.fit(x, y).predict_proba(other)])
    np.testing.assert_allclose(knn(x, y, other, k), expected, atol=1e-9)


def test_knn_by_hand() -> None:
    x = np.array([[2.0, 0.0], [0.0, 0.5], [-1.0, 0.0]])
    y = np.array([[1, 0], [1, 1], [0, 1]])
    # similarities 1, 0, -1: the third is left out; the weights of the others are 1 and 1/e
    share = 1 / (1 + np.exp(-1))
    np.testing.assert_allclose(knn(x, y, np.array([[5.0, 0.0]]), 2, 1.0), [[1, 1 - share]])
    np.testing.assert_allclose(knn(x, y, np.zeros((1, 2)), 3), [[2 / 3, 2 / 3]])  # like none: all weigh the same


def test_knn_over_many_rows_is_knn_of_each() -> None:
    draws = np.random.default_rng(8)
    x, y, other = draws.normal(size=(30, 3)), draws.integers(0, 2, (30, 2)), draws.normal(size=(2500, 3))
    whole = knn(x, y, other, 5)
    parts = np.vstack([knn(x, y, part, 5) for part in np.array_split(other, 7)])
    np.testing.assert_allclose(whole, parts)


@given(st.integers(1, 12), st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3))
def test_rank_of_directions_that_weigh_the_same(rank: int, seed: int, scale: float) -> None:
    draws = np.random.default_rng(seed)
    turned = [np.linalg.qr(draws.normal(size=(n, n)))[0] for n in (20, 12)]
    matrix = scale * turned[0][:, :rank] @ turned[1][:rank]
    assert effective_rank(matrix) == pytest.approx(rank, rel=1e-6)


def test_rank_by_hand() -> None:
    # singular values 3 and 1: shares 3/4 and 1/4, entropy 0.562335, exp 1.754765
    assert effective_rank(np.array([[3.0, 0.0], [0.0, -1.0], [0.0, 0.0]])) == pytest.approx(1.7547653506)
    assert effective_rank(np.zeros((4, 3))) == 0
    assert effective_rank(np.outer([1.0, 2, 3], [4.0, 5])) == pytest.approx(1)


@pytest.mark.parametrize(
    ("x", "y", "other"),
    [
        (np.ones((4, 2)), np.ones((3, 1)), np.ones((1, 2))),
        (np.ones((4, 2)), np.ones((4, 1)), np.ones((1, 3))),
        (np.full((4, 2), np.nan), np.ones((4, 1)), np.ones((1, 2))),
        (np.ones((4, 2)), np.full((4, 1), 2), np.ones((1, 2))),
        (np.ones(4), np.ones((4, 1)), np.ones((1, 2))),
    ],
)
def test_tables_that_do_not_fit(x: np.ndarray, y: np.ndarray, other: np.ndarray) -> None:
    for probe in (linear_probe, knn):
        with pytest.raises(ValueError, match=r"fit together|finite|0 or 1|a table"):
            probe(x, y, other)  # type: ignore[operator]
