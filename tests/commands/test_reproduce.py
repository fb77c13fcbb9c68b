"""``pretint reproduce``: what is printed and written, with the computation replaced by a few numbers."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import pretint
from pretint.cli import main
from pretint.reproduction import artefact, published


@pytest.fixture(autouse=True)
def document(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Table 4 and the artefact alone."""
    numbers = [*published.table_4_accuracy(), *artefact.table_4(), *artefact._from_sizes()]
    found = [{"topic": "Table 4: transfer", **asdict(number)} for number in numbers]

    def collect(progress: Any) -> list[dict[str, Any]]:
        progress("Table 4: transfer", 0, 1)
        return found

    monkeypatch.setattr("pretint.reproduction.collecting.collect", collect)
    return found


def test_json(document: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "--json"]) == 0
    out, errors = capsys.readouterr()
    printed = json.loads(out)
    assert printed == document
    assert {"id", "claim", "ours", "status", "title", "what", "source", "topic"} == set(printed[0])
    ours = {number["id"]: number["ours"] for number in printed}
    assert (ours["miou_artefact_batch32"], ours["miou_artefact_batch16"]) == (44.6602, 47.0796)
    assert "1/1 Table 4: transfer" in errors


def test_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    assert main(["reproduce"]) == 0
    out = capsys.readouterr().out
    assert "44.6602" in out
    assert "explained" in out
    assert "is no evidence of transfer" in out
    assert "31 values" in out  # the table over pictures is left to the page


def test_page(document: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "page.md"
    assert pretint.reproduce(out=path) == document
    assert capsys.readouterr() == ("", "")
    assert "`miou_artefact_batch32`" in path.read_text()
    assert f"Written by `pretint reproduce --out {path}`" in path.read_text()
    assert main(["reproduce", "--out", str(tmp_path)]) == 2
    assert main(["reproduce", "--out", str(tmp_path / "no" / "page.md")]) == 2
    assert "give a file in a folder that exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scale": "paper"}, "--scale: is for trainings; give --voc and --coco too"),
        ({"seeds": 2}, "--seeds: is for trainings"),
        ({"runs": "elsewhere"}, "--runs: is for trainings"),
        ({"voc": "v", "coco": "c", "runs": "a,b"}, "--runs a,b: commas stand between the arms"),
    ],
)
def test_options_that_would_be_ignored(options: dict[str, Any], words: str) -> None:
    with pytest.raises(pretint.OptionError, match=words):
        pretint.reproduce(**options)
