"""Arithmetic on the printed numbers."""

from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

import pytest

from pretint.reproduction import published, steps


def test_nothing_differs():
    for numbers in (published.table_3, published.table_4_accuracy, published.figures, published.numbers, steps.numbers):
        found = numbers()
        assert [number.id for number in found if number.status == "differs"] == []


@pytest.mark.parametrize(("percent", "count"), [("47.18", 1713), ("52.83", 1713), ("47.18", 3425)])
def test_shares_in_decimals(percent, count):
    """Every number of right pictures, divided in decimal arithmetic."""
    shares = {k: Decimal(100 * k) / count for k in range(count + 1)}
    cent = Decimal("0.01")
    fitting = [
        k for k, share in shares.items()
        if Decimal(percent) in (share.quantize(cent, ROUND_HALF_UP), share.quantize(cent, ROUND_DOWN))
    ]  # fmt: skip
    assert published._fitting(float(percent), count) == fitting


def test_a_wrong_number_of_pictures_is_seen(monkeypatch):
    monkeypatch.setattr(steps, "PRETRAINING", 82_783 - 32)
    statuses = {number.id: number.status for number in steps.numbers()}
    assert statuses["pretraining_steps"] == "differs"
    assert statuses["segmentation_steps"] == "reproduced"
