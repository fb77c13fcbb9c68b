"""Parts are exact, disjoint, cover all, and nest; every class gets its share."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pretint.data.randomness import generator
from pretint.data.record import Record
from pretint.data.splits import carve_validation, iterative_stratification, label_matrix, subset
from pretint.errors import DataError, OptionError


@st.composite
def labels_and_sizes(draw: st.DrawFn) -> tuple[np.ndarray, list[int]]:
    count, classes = draw(st.integers(1, 60)), draw(st.integers(0, 5))
    rng = np.random.default_rng(draw(st.integers(0, 100)))
    cuts = sorted(draw(st.lists(st.integers(0, count), max_size=4)))
    return rng.random((count, classes)) < rng.random(classes), np.diff([0, *cuts, count]).tolist()


@given(labels_and_sizes(), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_parts_are_exact_disjoint_and_cover_all(case: tuple[np.ndarray, list[int]], seed: int) -> None:
    labels, sizes = case
    parts = iterative_stratification(labels, sizes, generator(seed, "subset"))
    assert [len(part) for part in parts] == sizes
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))
    again = iterative_stratification(labels, sizes, generator(seed, "subset"))
    assert all(np.array_equal(a, b) for a, b in zip(parts, again, strict=True))


@given(labels_and_sizes(), st.lists(st.floats(0.01, 1), min_size=2, max_size=4), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_subsets_of_one_seed_are_nested(case: tuple[np.ndarray, list[int]], fractions: list[float], seed: int) -> None:
    labels, _ = case
    chosen = [set(subset(labels, fraction, seed).tolist()) for fraction in sorted(fractions)]
    assert [len(c) for c in chosen] == [max(1, round(f * len(labels))) for f in sorted(fractions)]
    assert all(small <= large for small, large in pairwise(chosen))


@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.33])
def test_every_class_gets_its_share(fraction: float) -> None:
    rng = np.random.default_rng(1)
    labels = rng.random((1000, 6)) < [0.5, 0.3, 0.2, 0.1, 0.05, 0.02]
    part = labels[subset(labels, fraction, 3)]
    wanted = labels.sum(axis=0) * fraction
    # A blind draw would miss by sqrt(wanted): up to 13 pictures here.
    assert np.abs(part.sum(axis=0) - wanted).max() <= 3
    assert abs((~part.any(axis=1)).sum() - (~labels.any(axis=1)).sum() * fraction) <= 3


def test_one_class_a_picture_is_split_to_the_picture() -> None:
    labels = np.repeat(np.eye(4, dtype=bool), 25, axis=0)
    parts = iterative_stratification(labels, [20, 80], generator(0, "subset"))
    assert labels[parts[0]].sum(axis=0).tolist() == [5, 5, 5, 5]


def test_seeds_differ_and_counts_may_be_given() -> None:
    labels = np.ones((100, 1), dtype=bool)
    assert not np.array_equal(subset(labels, 0.2, 0), subset(labels, 0.2, 1))
    assert len(subset(labels, 37, 0)) == 37
    for wrong in (0, -1, 101):
        with pytest.raises(OptionError, match="--fraction"):
            subset(labels, wrong, 0)


def _records(labels: list[tuple[str, ...] | None]) -> list[Record]:
    return [Record(f"{i}", Path(f"{i}.jpg"), names) for i, names in enumerate(labels)]


def test_validation_is_carved_out_stratified_and_keeps_the_order() -> None:
    records = _records([("cat",)] * 40 + [("dog",)] * 20 + [()] * 20)
    training, validation = carve_validation(records, 0.25, seed=0)
    assert sorted([*training, *validation], key=lambda r: int(r.id)) == records
    assert [sum(r.labels == names for r in validation) for names in (("cat",), ("dog",), ())] == [10, 5, 5]
    assert list(training) == sorted(training, key=lambda r: int(r.id))
    assert carve_validation(records, 0.25, seed=0) == (training, validation)
    assert carve_validation(records, 0.25, seed=1) != (training, validation)
    assert len(carve_validation(_records([None] * 10), 3, seed=0)[1]) == 3
    with pytest.raises(OptionError, match="--validation"):
        carve_validation(records, 80, seed=0)
    with pytest.raises(OptionError, match=r"--validation 0\.02 leaves none of the 1 picture to train on; take .* or 0"):
        carve_validation(records[:1], 0.02, seed=0)


def test_label_matrix() -> None:
    records = _records([("cat", "bird"), ()])
    assert label_matrix(records, ("bird", "dog", "cat")).tolist() == [[True, False, True], [False] * 3]
    with pytest.raises(DataError, match=r"0\.jpg"):
        label_matrix(_records([None]), ("cat",))


@given(st.integers(2, 60), st.integers(1, 59), st.integers(0, 9))
def test_pictures_without_labels_are_dealt_out_one_by_one(total: int, part: int, seed: int) -> None:
    """By the rule itself: each goes to the part that still wants most; among equals chance decides."""
    sizes = [max(0, total - part), min(part, total)]
    ones, others = iterative_stratification(np.zeros((total, 0), bool), sizes, generator(seed, "validation"))
    draws = generator(seed, "validation")
    left = np.array(sizes, float) / total * total
    expected: tuple[list[int], list[int]] = ([], [])
    for row in draws.permutation(total).tolist():
        best = np.flatnonzero(left == left.max())
        place = int(best[0] if len(best) == 1 else draws.choice(best))
        expected[place].append(row)
        left[place] -= 1
    assert (ones.tolist(), others.tolist()) == (sorted(expected[0]), sorted(expected[1]))


def test_one_is_a_picture_of_validation_and_all_of_a_fraction() -> None:
    records = [Record(id=str(i), path=Path(f"{i}.png")) for i in range(9)]
    training, held_out = carve_validation(records, 1, 0)
    assert (len(training), len(held_out)) == (8, 1)
    assert subset(np.zeros((9, 0), dtype=bool), 1, 0).tolist() == list(range(9))
