"""Keras' accuracy on the synthetic labels against their exact expectation."""

from itertools import combinations

import numpy as np
import pytest

from pretint.reproduction import labels


def test_the_set_is_what_its_words_say():
    truth = labels.synthetic_labels()
    counts = truth.sum(axis=1)
    assert [(counts == n).sum() for n in (1, 2, 3)] == [12_000, 6_000, 2_000]
    assert truth[:, labels.COMMON].mean() == pytest.approx(labels.COMMON_SHARE, abs=0.015)
    others = np.delete(truth.mean(axis=0), labels.COMMON)
    assert others == pytest.approx(np.full(19, 1.1 / 19), abs=0.008)


def test_claims_are_the_expectations():
    """All sets of labels enumerated."""
    found = {number.id: number for number in labels.numbers()}
    others = [k for k in range(20) if k != 14]
    perfect = sum(share / count for count, share in labels.SHARES.items())
    common = 0.0
    for count, share in labels.SHARES.items():
        sets = list(combinations(others, count - 1))
        common += 0.4 * share * sum(all(k > 14 for k in chosen) for chosen in sets) / len(sets)
    for id, expected in (
        ("first_label_perfect", perfect), ("first_label_equal", 1.1 / 19), ("first_label_common", common),
        ("map_equal", 1.5 / 20),
    ):  # fmt: skip
        number = found[id]
        assert number.claim == round(100 * expected, 1 if id == "map_equal" else 0)
        assert number.ours == pytest.approx(100 * expected, abs=1)
    assert "differs" not in {number.status for number in found.values()}
