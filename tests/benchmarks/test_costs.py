"""What pretrainings cost, as the study counts it."""

import json
from pathlib import Path

import costs
import peers
import pytest
from rungs import GROWING, ONE_CYCLE


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (ONE_CYCLE, 64),
        # From 32 px in steps of 16 over 11 of 15 epochs: 6 at 32, 5 at 48, then 4 at 64.
        ({**GROWING, "epochs": 15}, (6 * 32 + 5 * 48 + 4 * 64) / 15),
    ],
    ids=["one size", "growing"],
)
def test_each_size_counts_as_many_epochs_as_it_is_trained_on(
    options: dict[str, object], expected: float, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(costs, "_seconds", lambda build, options, reading, side, records: side)
    assert costs.seconds(costs.rung_training(options, tmp_path), []) == pytest.approx(expected)


def test_a_peer_gets_as_many_passes_as_the_budget_pays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = peers.TRIED["simclr"][0]
    name = costs.peer_name("simclr", settings)
    path = tmp_path / "costs.json"
    rows = {
        "one-cycle": {"reference": [0.01, 0.012, 0.011], "ratios": [1.0, 1.1, 0.9]},
        name: {"reference": [0.011], "ratios": [1.5, 9, 1.4]},
    }
    path.write_text(json.dumps({"costs": rows}))
    monkeypatch.setattr(costs, "PATH", path)
    assert costs.passes_of_peer("simclr", settings, 15) == 10
    assert costs.passes_of_peer("simclr", settings, 4) == 3  # 2.67
    assert costs.passes_of_peer("simclr", settings, 0) == 1
    assert costs.seconds_a_picture(name) == pytest.approx(1.5 * 0.011)  # the middle of all timings of the reference


def test_what_is_not_a_step_does_not_count(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by a second at each look: every step behind the warming ones takes one, for its batch of pictures."""
    looks = iter(range(1000))
    monkeypatch.setattr(costs.time, "process_time", lambda: next(looks))
    monkeypatch.setattr(costs, "TRIAL", 5)
    options = {**ONE_CYCLE, "size": 16, "batch_size": 4, "loop": {"precision": "float32", "save_minutes": 1e9}}
    training = costs.rung_training(options, pictures)
    records = costs.open_pool([pictures], None, None)
    assert costs.seconds(training, records) == pytest.approx(1 / 4)


def test_costs_of_two_machines_are_not_mixed(pictures: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where all is measured, nothing is asked of the machine."""
    document = json.loads(costs.PATH.read_text())
    document["environment"]["processor"] = "another"
    path = tmp_path / "costs.json"
    monkeypatch.setattr(costs, "PATH", path)
    path.write_text(json.dumps(document))
    costs.measure(pictures)
    del document["costs"]["paper"]
    path.write_text(json.dumps(document))
    with pytest.raises(SystemExit, match="was measured elsewhere"):
        costs.measure(pictures)
    assert json.loads(path.read_text()) == document
