"""Yes, no and cannot tell, by hand."""

from typing import Any

import pytest

from pretint.speed.samples import Estimate
from pretint.speed.targets import CARD, Target, answer, targets


@pytest.mark.parametrize(
    ("found", "more", "expected"),
    [
        (Estimate(0.7, 0.65, 0.72, 3, True), True, "yes"),
        (Estimate(0.5, 0.45, 0.55, 3, True), True, "no"),
        (Estimate(0.61, 0.58, 0.63, 3, True), True, "cannot tell"),  # the spread holds the target
        (Estimate(0.7, 0.65, 0.72, 3, False), True, "cannot tell"),  # the machine was busy
        (Estimate(0.6, 0.6, 0.6, 1, True), True, "yes"),
        (Estimate(0.6, 0.6, 0.6, 1, True), False, "yes"),
        (Estimate(0.7, 0.65, 0.72, 3, True), False, "no"),
        (Estimate(0.1, 0.05, 0.2, 3, True), False, "yes"),
        (None, True, "not measured"),
    ],
)
def test_answer(found: Estimate | None, more: bool, expected: str) -> None:
    assert answer(Target("x", 0.6, more=more), found) == expected


def empty(**machine: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {"step": [], "feed": None, "colorize": None, "memory": [], "start": None}
    return {"machine": {"device": "cpu", "precision": "float32", **machine}, **nothing}


def test_a_machine_has_the_targets_that_mean_something_on_it() -> None:
    def named(**machine: Any) -> str:
        return " ".join(row["what"] for row in targets(empty(**machine)))

    assert "of float32 peak" in named()
    assert "of bf16 peak" not in named()
    assert "of bf16 peak" in named(precision="bf16")
    assert "of float32 peak" not in named(device="cuda", precision="bf16")
    assert {row["answer"] for row in targets(empty())} == {"not measured"}


def test_a_card_is_held_against_its_own_memory() -> None:
    memory = [{"what": CARD, "GB": 3.0, "gpu_GB": 9.0}]
    for device, found in (("cuda", (9.0, "no")), ("cpu", (3.0, "yes"))):
        rows = {row["what"]: row for row in targets(empty(device=device) | {"memory": memory})}
        assert (rows[CARD]["found"]["median"], rows[CARD]["answer"]) == found


def test_found_numbers_are_answered() -> None:
    share = {"median": 0.66, "low": 0.64, "high": 0.67, "runs": 3, "quiet": True}
    step = {"name": "paper", "title": "cGAN, 256 px", "batch": 8, "synchronizations": None,
            "rungs": [{"name": "plain", "share_of_peak": None}, {"name": "pretint, float32", "share_of_peak": share}]}  # fmt: skip
    document = empty() | {"step": [step], "memory": [{"what": "colorize, 48 megapixels", "GB": 2.5}]}
    found = {row["what"]: (row["found"] and row["found"]["median"], row["answer"]) for row in targets(document)}
    assert found["cGAN, 256 px, batch 8: of float32 peak"] == (0.66, "yes")
    assert found["colorize, 48 megapixels"] == (2.5, "no")
