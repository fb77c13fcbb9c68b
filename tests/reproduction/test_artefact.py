"""The segmentation artefact against a count in plain integers, and its numbers."""

import numpy as np
import pytest

from pretint.reproduction import artefact


def by_hand(pictures, batch):
    """Two cells counted batch by batch, the first up to 2^24."""
    zeros = ones = 0
    while pictures:
        size = min(batch, pictures)
        zeros += min(size * 20 * 65_536, 16_777_216)
        ones += size * 65_536
        pictures -= size
    return 100 * (zeros / (zeros + ones) + 0) / 2


@pytest.mark.parametrize("batch", [8, 16, 32])
def test_percent(batch):
    for pictures in (1, 12, 13, 280, 297, 310):
        assert artefact.percent(pictures, batch) == pytest.approx(by_hand(pictures, batch), abs=1e-9)


def test_the_two_values_of_table_4():
    one, other = artefact.table_4()
    assert (one.id, one.claim, one.ours, one.status) == ("miou_artefact_batch32", 44.66, 44.6602, "explained")
    assert (other.id, other.claim, other.ours, other.status) == ("miou_artefact_batch16", 47.07, 47.0796, "explained")


def test_another_value_would_differ(monkeypatch):
    monkeypatch.setattr(artefact, "PICTURES", 296)
    assert [number.status for number in artefact.table_4()] == ["differs", "explained"]


def test_numbers_that_fit_both():
    assert artefact.fitting(range(280, 311)) == [297]
    assert artefact.fitting(range(1, 401)) == [
        n for n in range(1, 401) if round(by_hand(n, 32), 2) == 44.66 and round(by_hand(n, 16), 2) == 47.08
    ]


def test_all_numbers_hold():
    numbers = {number.id: number for number in artefact.numbers()}
    assert {number.status for number in numbers.values()} == {"reproduced", "explained"}
    # The same score, whatever the network is worth.
    scores = {numbers[f"artefact_{name}_batch32"].ours for name in ("random", "untrained", "right")}
    assert len(scores) == 1
    assert numbers["artefact_right_true_miou"].ours == 100 > 10 > numbers["artefact_untrained_true_miou"].ours
    table = numbers["artefact_table"].ours
    assert table["297"] == [44.6602, 47.0796]
    assert list(table) == [str(n) for n in range(280, 311)]
    assert np.allclose([table[n][0] for n in table], [by_hand(int(n), 32) for n in table], atol=1e-4)
