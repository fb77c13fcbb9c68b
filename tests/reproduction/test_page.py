"""The committed page says what is computed now."""

import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

import pretint
from pretint.reproduction import artefact, labels, networks, published, steps
from pretint.reproduction.number import MEANINGS, Number
from pretint.reproduction.page import page, row, shown, verdict

PAGE = Path(__file__).parents[2] / "docs" / "reproduction.md"
MEASURED = {
    "artefact_untrained_true_miou", "scaling_error", "round_trip_error", "spread_dropout_paper_code",
    "spread_batch_paper_code", "psnr_gain", "ssim_gain", "l1_gain",
}  # fmt: skip
"""Numbers that a small training, untrained weights or rounding give: other hardware has others."""


def test_values_in_words() -> None:
    assert shown(54_415_362) == "54,415,362"
    assert shown({"mean": 18.0, "min": [1, 2]}) == "mean: 18.0; min: 1, 2"
    assert (shown(None), shown(True), shown([]), shown("above 0")) == ("", "yes", "none", "above 0")


@pytest.mark.parametrize(
    "numbers",
    [
        published.table_3, published.table_4_accuracy, artefact.table_4, published.figures, artefact.numbers,
        labels.numbers, published.numbers, steps.numbers, networks.numbers,
    ],
    ids=lambda numbers: f"{numbers.__module__}.{numbers.__name__}",
)  # fmt: skip
def test_the_committed_page_has_these_numbers(numbers: Callable[[], list[Number]]) -> None:
    text = PAGE.read_text()
    lines = text.splitlines(keepends=True)
    # What needs data may have been measured on some.
    measured = {
        number.id for number in numbers() for line in lines if f"`{number.id}`" in line and "| measured |" in line
    }
    assert all(number.status == "needs data" for number in numbers() if number.id in measured)
    expected = [number for number in numbers() if number.id not in MEASURED | measured]
    assert [number.id for number in expected if row(asdict(number)) not in lines] == []


def test_the_explanation_is_the_committed_one() -> None:
    numbers = [{"topic": "A topic", **asdict(number)} for number in (*artefact.table_4(), *artefact.numbers())]
    text = page(numbers, "pretint reproduce")
    explanation = text[text.index("## The segmentation column") : text.index("## A topic")]
    assert explanation in PAGE.read_text()
    assert explanation.count("| yes |") == 1
    assert "| 297 | 44.6602 | 47.0796 | yes |" in explanation
    words = verdict(numbers)
    assert len(re.findall(r"\. [A-Z]|\.$", words)) == 3
    assert words in explanation


@pytest.mark.long
def test_the_committed_page_is_the_one_of_now(tmp_path: Path) -> None:
    state = torch.get_rng_state()
    document = pretint.reproduce(out=tmp_path / "page.md")
    assert torch.equal(torch.get_rng_state(), state)
    ids = [number["id"] for number in document]
    assert len(set(ids)) == len(ids)
    assert {"miou_artefact_batch32", "miou_artefact_batch16"} <= set(ids)
    # A difference near 0, whose sign may be another elsewhere.
    assert {n["status"] for n in document if n["id"] != "ssim_gain"} == set(MEANINGS) - {"differs", "measured"}
    assert all(
        (number["ours"] is None) == (number["status"] in ("needs data", "not reproducible")) for number in document
    )
    # The committed page has trainings on pictures besides, at its end and in the place of what needs data.
    committed, now = (path.read_text().splitlines() for path in (PAGE, tmp_path / "page.md"))
    committed = committed[: committed.index("## Measured on the data that were given") - 1]
    assert len(committed) == len(now)
    measured = {f"`{id}`" for id in MEASURED}
    for line, new in zip(committed, now, strict=True):
        if line.startswith(("Written by", *(f"| {status} |" for status in MEANINGS))):  # the counts
            continue
        if line.endswith("| measured |"):
            assert new.endswith("| needs data |")
            assert new.split("|")[1:4] == line.split("|")[1:4]
            continue
        name = re.search(r"`[a-z0-9_]+` \|", line)
        if name is None or name.group().removesuffix(" |") not in measured:
            assert line == new
            continue
        words, value = line.split("|")[:-3], float(line.split("|")[-3])
        assert words == new.split("|")[:-3]
        assert float(new.split("|")[-3]) == pytest.approx(value, rel=0.5, abs=0.02)
