"""What frozen features hold: a linear probe, k nearest neighbours, their effective rank. Arrays in, arrays out.

Everywhere `features` are (N, C), one row a picture and finite; `target` is (N, K), 0/1 or boolean: K labels of which a
picture shows none, one or several. `others` are the (M, C) features of the pictures that are scored. The scores that
come out are (M, K), higher = more likely; `pretint.metrics.labels` makes mAP or top-1 of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

PENALTIES = tuple(10 ** (exponent / 2) for exponent in range(-10, 7))
"""Ridge penalties that are tried, a training picture: 0.00001 to 1,000 in half decades."""

NEIGHBOURS = 20
TEMPERATURE = 0.07
"""The usual k-NN of self-supervised features: 20 neighbours weighted by exp(similarity / 0.07)."""

_CONSTANT = 1e-6  # deviation over size below which a float32 feature is constant but for rounding
_ROWS = 1024  # pictures whose similarities to all training pictures are held at once


@dataclass(frozen=True)
class LinearProbe:
    """What a linear probe says.

    Attributes:
        scores: float64 (M, K); near 1 where the label is likely, near 0 where not.
        penalty: the ridge penalty that was chosen, a training picture.
    """

    scores: NDArray[np.float64]
    penalty: float


def linear_probe(
    features: NDArray[Any], target: NDArray[Any], others: NDArray[Any], penalties: Sequence[float] = PENALTIES
) -> LinearProbe:
    """Ridge regression of the labels on standardised features, with an intercept that is not penalised.

    In closed form, so that it has neither a learning rate nor a stopping rule, gives the same bits each time, and takes
    seconds for 20,000 pictures of 1,000 features; logistic regression by L-BFGS takes minutes for a grid of penalties.
    One penalty for all labels, the one with the least squared error of leave-one-out, which ridge regression gives
    exactly without leaving any out (residual / (1 - leverage); Allen 1974, Golub, Heath and Wahba 1979). So all labels
    are trained on, and no validation part is needed.

    Features are standardised by the training pictures; those that are constant there count nowhere.

    Args:
        features: (N, C) of the training pictures, N at least 2.
        target: (N, K).
        others: (M, C).
        penalties: above 0; each times N is added to the diagonal of X'X.

    Raises:
        ValueError: shapes that do not fit, or values that are not finite.
    """
    x, y, z = _checked(features, target, others)
    count = len(x)
    if count < 2:
        raise ValueError("a linear probe needs two training pictures or more")
    x, z = standardised(x, z)
    base = y.mean(axis=0)
    y = y - base
    # x = u s v': everything follows from u (N, r), s and v, and they from the smaller of x'x and xx'.
    if count >= x.shape[1]:
        squares, v = linalg.eigh(x.T @ x)
        squares = squares.clip(0)
        projected = x @ v  # u s
        weighted = v.T @ (x.T @ y)  # s u'y
    else:
        squares, u = linalg.eigh(x @ x.T)
        squares = squares.clip(0)
        roots = np.sqrt(squares)
        projected = u * roots
        weighted = roots[:, None] * (u.T @ y)
    leverages = projected**2
    errors = []
    for penalty in penalties:
        shrunk = 1 / (squares + penalty * count)
        left = 1 - 1 / count - leverages @ shrunk
        errors.append(float((((y - projected @ (shrunk[:, None] * weighted)) / left[:, None]) ** 2).sum()))
    penalty = penalties[int(np.argmin(errors))]
    ridge = penalty * count
    if count >= x.shape[1]:
        weights = v @ (weighted / (squares + ridge)[:, None])
    else:
        weights = x.T @ (u @ ((u.T @ y) / (squares + ridge)[:, None]))
    return LinearProbe(z @ weights + base, float(penalty))


def standardised(
    features: NDArray[np.float64], others: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both with the training pictures' mean 0 and deviation 1, (N, C) and (M, C); a constant feature becomes 0 in both."""
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    varies = deviation > _CONSTANT * np.abs(mean)
    scale = np.where(varies, 1 / np.where(varies, deviation, 1), 0)
    return (features - mean) * scale, (others - mean) * scale


def knn(
    features: NDArray[Any],
    target: NDArray[Any],
    others: NDArray[Any],
    neighbours: int = NEIGHBOURS,
    temperature: float = TEMPERATURE,
) -> NDArray[np.float64]:
    """The k nearest training pictures by cosine similarity, each with the weight exp(similarity / temperature).

    Wu, Xiong, Yu and Lin 2018 (Unsupervised feature learning via non-parametric instance discrimination, section 3.4);
    DINO and others take the same k and temperature. Scores are weighted shares of the neighbours, so that they also
    serve several labels a picture; for one label a picture their order is that of the published votes.

    Args:
        features: (N, C) of the training pictures, as they are: neither centred nor scaled.
        target: (N, K).
        others: (M, C).
        neighbours: k; all training pictures where there are fewer.
        temperature: above 0; smaller listens to the nearest alone.

    Returns:
        Scores (M, K) in [0, 1].

    Raises:
        ValueError: shapes that do not fit, or values that are not finite.
    """
    x, y, z = _checked(features, target, others)
    if neighbours < 1 or temperature <= 0:
        raise ValueError("neighbours are 1 or more, and the temperature is above 0")
    x, z = _unit(x), _unit(z)
    k = min(neighbours, len(x))
    scores = np.empty((len(z), y.shape[1]))
    for start in range(0, len(z), _ROWS):
        similarity = z[start : start + _ROWS] @ x.T
        nearest = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
        near = np.take_along_axis(similarity, nearest, axis=1)
        weights = np.exp((near - near.max(axis=1, keepdims=True)) / temperature)  # the largest is 1: no overflow
        weights /= weights.sum(axis=1, keepdims=True)
        scores[start : start + _ROWS] = np.einsum("mk,mkc->mc", weights, y[nearest])
    return scores


def effective_rank(features: NDArray[Any]) -> float:
    """exp of the entropy of the singular values over their sum: from 1 (one direction) to min(N, C) (all alike); 0 for zeros.

    Roy and Vetterli 2007 (The effective rank). On features as they are, not centred, it is RankMe (Garrido et al. 2023):
    a fall while the pretext's loss still falls says that the features collapse. It grows with N, so compare it on the
    same pictures only.

    Raises:
        ValueError: not (N, C), or values that are not finite.
    """
    values = _finite("features", features)
    sizes = linalg.svdvals(values)
    if not sizes.any():
        return 0.0
    shares = sizes / sizes.sum()
    shares = shares[shares > 0]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of length 1; a row of zeros stays, and is like none."""
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return values / np.where(lengths > 0, lengths, 1)


def _finite(what: str, values: NDArray[Any]) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or not array.size:
        raise ValueError(f"{what} are a table (pictures, features), got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{what} hold values that are not finite numbers")
    return array


def _checked(
    features: NDArray[Any], target: NDArray[Any], others: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    x, z, y = _finite("features", features), _finite("others", others), np.asarray(target)
    if x.shape[1] != z.shape[1] or y.ndim != 2 or len(y) != len(x):
        raise ValueError(f"features {x.shape}, targets {y.shape} and others {z.shape} do not fit together")
    if not np.isin(y, (0, 1)).all():
        raise ValueError("targets are 0 or 1")
    return x, y.astype(np.float64), z
