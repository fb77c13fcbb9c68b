"""Spreads over dropout and company, and the order of epochs; each cause alone moves its own number."""

from pathlib import Path

import pytest

from pretint.data.record import Record
from pretint.reproduction import chance, tiny


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> tuple[Record, ...]:
    folder: Path = tmp_path_factory.mktemp("data") / "scenes"
    tiny.make_scenes(folder, 80, 20)
    return tiny.records_of(folder, "train")


@pytest.mark.parametrize(
    ("changes", "by_dropout", "by_batch"),
    [
        ({"normalization": "batch", "dropout_at_inference": False}, False, False),
        ({"normalization": "batch", "dropout_at_inference": True}, True, False),
        ({"normalization": "batch-always", "dropout_at_inference": False}, False, True),
        ({"normalization": "batch-always", "dropout_at_inference": True}, True, True),
    ],
)
def test_spreads(changes, by_dropout, by_batch, records, monkeypatch):
    values = tiny.values_of("paper", unet=changes)
    monkeypatch.setattr(tiny, "values_of", lambda name: values)
    dropout, batch = chance.spreads("paper", records)
    assert (dropout > 0.01, batch > 0.01) == (by_dropout, by_batch)
    assert (dropout < 1e-9, batch < 1e-9) == (not by_dropout, not by_batch)


def test_order(records):
    assert chance.same_order("paper-code", records)
    assert not chance.same_order("paper", records)
