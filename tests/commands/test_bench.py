"""``pretint bench``: options, output and exit code, with the measuring replaced."""

import json
from pathlib import Path
from typing import Any

import pytest

import pretint
from pretint.cli import main
from pretint.errors import OptionError, ResourceError
from tests.speed.test_tables import document


@pytest.fixture(autouse=True)
def plans(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The plans that were to be measured; each gives the document made by hand."""
    asked: list[Any] = []

    def measure(plan: Any, told: Any) -> dict[str, Any]:
        asked.append(plan)
        told("peaks", "matmul", 90.0)
        return document() | {"interrupted": plan.threads == 7}

    monkeypatch.setattr("pretint.speed.measuring.measure", measure)
    return asked


def test_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["bench"]) == 0
    out, errors = capsys.readouterr()
    assert "40 %" in out
    assert "no, below 50 %" in out
    assert max(map(len, out.splitlines())) <= 80
    assert errors == "peaks: matmul; about 2 min left\n"


def test_json_and_page(tmp_path: Path, capsys: pytest.CaptureFixture[str], plans: list[Any]) -> None:
    page = tmp_path / "machine.md"
    assert main(["bench", "--json", "--quick", "--curves", "--markdown", str(page)]) == 0
    assert json.loads(capsys.readouterr().out)["peaks"] == document()["peaks"]
    assert page.read_text().startswith("## a | b")
    assert plans[0].parts[-1] == "curves"
    assert [step.name for step in plans[0].steps] == ["small", "residual64"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder that nobody can write to")
def test_a_page_that_cannot_be_written_is_told_before_anything_is_measured(plans: list[Any]) -> None:
    with pytest.raises(ResourceError, match=r"/proc/page\.md: cannot be written"):
        pretint.bench(markdown="/proc/page.md")
    assert not plans


def test_options_reach_the_plan(plans: list[Any]) -> None:
    assert pretint.bench(only=["peaks", "step"], batch=32, threads=1, clock="cpu", compile=True)["missing"]
    plan = plans[0]
    assert (plan.parts, plan.threads, plan.clock, plan.compile) == (("peaks", "step"), 1, "cpu", True)
    assert (plan.steps[0].name, plan.steps[0].batch) == ("paper", 32)


@pytest.mark.parametrize(("only", "parts"), [(["step"], ("step", "curves")), (["curves", "step"], ("curves", "step"))])
def test_curves_are_measured_beside_chosen_parts(only: list[str], parts: tuple[str, ...], plans: list[Any]) -> None:
    pretint.bench(only=only, curves=True)
    assert plans[0].parts == parts


def test_only_without_a_part_measures_nothing(capsys: pytest.CaptureFixture[str], plans: list[Any]) -> None:
    assert main(["bench", "--only", "--json"]) == 2
    assert "--only: name at least one part" in capsys.readouterr().err
    assert not plans


def test_a_stop_prints_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--threads", "7"]) == 130
    assert "no, below 50 %" in capsys.readouterr().out
    with pytest.raises(KeyboardInterrupt):
        pretint.bench(threads=7)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"threads": 0}, "--threads 0"),
        ({"clock": "cpu"}, "add --threads 1"),
        ({"batch": 1}, "--batch 1"),
        ({"batch": 32, "quick": True}, "--quick leaves out the step"),
        ({"markdown": "no/such/folder/page.md"}, "a folder that exists"),
    ],
)
def test_faults(options: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        pretint.bench(**options)
