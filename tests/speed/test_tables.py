"""Numbers as words, and the tables of a document made by hand."""

from typing import Any

import pytest

from pretint.speed.page import section
from pretint.speed.tables import number, percent, shown, tables

QUIET = {"median": 2.0, "low": 1.5, "high": 2.5, "runs": 3, "quiet": True}
BUSY = {**QUIET, "quiet": False}


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0"), (0.01234, "0.0123"), (0.5, "0.50"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (1234.5, "1,234")],
)
def test_number(value: float, words: str) -> None:
    assert number(value) == words


def test_busy_numbers_are_marked() -> None:
    assert shown(QUIET) == "2.00 (1.50 to 2.50)"
    assert shown(BUSY) == "2.00 (1.50 to 2.50) ?"
    assert shown(QUIET, spread=False) == "2.00"
    assert percent({**BUSY, "median": 0.456}) == "46 % ?"
    assert shown(None) == percent(None) == ""


def document() -> dict[str, Any]:
    rung = {
        "name": "plain",
        "images_per_second": QUIET,
        "against_plain": QUIET,
        "share_of_peak": BUSY,
        "share_of_roofline": None,
    }
    step = {"name": "paper", "title": "cGAN, 256 px", "batch": 8, "gflop_a_picture": 79.4, "rungs": [rung],
            "roofline_images_per_second": {"float32": QUIET, "bf16": None}, "synchronizations": None}  # fmt: skip
    target = {"what": "of peak", "wanted": 0.6, "unit": "%", "more_is_better": True, "never": 0.5}
    return {
        "machine": {"processor": "a | b", "gpu": None, "cores": 2, "threads": 2, "torch": "2", "pretint": "0", "commit": None,
                    "precision": "float32", "why": "asked for", "clock": "wall", "others": 0.2, "stolen": 0.0},
        "peaks": [{"kind": "copy", "unit": "GB/s", "size": 1 << 28, **QUIET}],
        "step": [step], "feed": None, "colorize": None, "memory": [{"what": "idle", "GB": 0.3}], "curves": [], "start": None,
        "targets": [{**target, "found": {**QUIET, "median": 0.4}, "answer": "no"}, {**target, "found": None, "answer": "not measured"}],
        "missing": {"x": "48 megapixels: too little memory"}, "interrupted": True, "seconds": 61.0,
    }  # fmt: skip


def test_tables() -> None:
    notes = [table.note for table in tables(document())]
    assert "Not measured: of peak" in notes
    rows = {table.title: [tuple(row) for row in table.rows] for table in tables(document())}
    assert rows["Targets"] == [("of peak", "≥ 60 %", "40 %", "no, below 50 %")]
    assert rows["cGAN, 256 px, batch 8: from the plain step to pretint's"] == [
        ("plain", "2.00 (1.50 to 2.50)", "2.00", "200 % ?", "")
    ]
    assert rows["What the machine can do"][0][0] == "copy of 256 MiB, read and written"


def test_page() -> None:
    page = section(document())
    assert page.startswith("## a | b\n")
    assert "- others used 20% of the cores' time" in page
    assert "- stopped by Ctrl-C before all was measured\n- not measured: 48 megapixels: too little memory\n" in page
    assert "| of peak | ≥ 60 % | 40 % | no, below 50 % |" in page
