"""What updates move: a leak that is switched on or off is seen."""

from pathlib import Path

import pytest

from pretint.reproduction import tiny, updates


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "scenes"
    tiny.make_scenes(folder, 12, 4)
    return folder


@pytest.mark.parametrize("name", ["paper", "paper-code"])
def test_claims_are_met(name, scenes, tmp_path):
    assert updates.moved_tensors(name, scenes, tmp_path / "run") == updates.CLAIMS[name]


def test_a_leak_is_seen(scenes, tmp_path, monkeypatch):
    values = tiny.values_of("paper", epochs=1, cgan={"leak": True})
    monkeypatch.setattr(tiny, "values_of", lambda *_, **__: values)
    assert updates.moved_tensors("paper", scenes, tmp_path / "run")["generator"] == {"convolutions": 0, "norms": 8}


def test_after_a_resume_all_of_the_critic_learns(scenes, tmp_path):
    moved = updates.moved_tensors("paper", scenes, tmp_path / "run", stop_after=1)
    assert moved == updates.CLAIMS["paper"]


@pytest.mark.parametrize(("name", "expected"), [("paper", 0), ("paper-code", 2_816), ("paper-text", 0)])
def test_numbers_that_leak_at_full_width(name, expected):
    assert updates.leaked(name) == expected
