"""What a study says in short."""

from typing import Any

import pytest

from pretint.studies.headline import headline
from pretint.terminal import percent


def row(
    arm: str, fraction: float, mean: float, verdict: str, depth: int | None = None, mode: str = "finetune"
) -> dict[str, Any]:
    words = f"{arm} scores {100 * mean:.1f} points above scratch."
    return {"arm": arm, "reference": "scratch", "mode": mode, "depth": depth, "fraction": fraction, "mean": mean,
            "verdict": verdict, "words": words}  # fmt: skip


SAVED = [
    {
        "arm": "cgan",
        "reference": "scratch",
        "mode": "finetune",
        "depth": None,
        "words": "with 47 % of the labels, it is there.",
    }
]
CGAN = [row("cgan", 1.0, 0.026, "no evidence"), row("cgan", 0.1, 0.06, "helped"), row("cgan", 0.05, 0.0714, "helped")]


def test_one_comparison_is_told_in_its_own_sentence() -> None:
    assert (
        headline([CGAN[1]], [], "finished", "finetune")
        == "With 10 % of the labels: cgan scores 6.0 points above scratch."
    )


def test_an_arm_is_told_from_few_labels_to_all_with_the_labels_it_saved() -> None:
    assert headline(CGAN, SAVED, "finished", "finetune") == (
        "cgan against scratch: helped with 5 % of the labels (+7.1 points), 10 % (+6.0), no evidence with 100 % (+2.6). "
        "With 47 % of the labels, it is there."
    )


def test_several_arms_get_a_sentence_each() -> None:
    told = headline(
        [*CGAN[:2], row("l1", 0.1, -0.02, "hurt"), row("l1", 1.0, 0.0, "identical")], SAVED, "running", "finetune"
    )
    assert told == (
        "So far: cgan against scratch: helped with 10 % of the labels (+6.0 points), no evidence with 100 % (+2.6). "
        "l1 against scratch: hurt with 10 % of the labels (-2.0 points), identical with 100 % (+0.0)."
    )


def test_many_arms_are_counted() -> None:
    rows = [row(f"a{n}", 0.1, 0.01, "helped" if n < 4 else "no evidence") for n in range(5)]
    assert headline(rows, [], "finished", "finetune") == "Of 5 comparisons: helped in 4, no evidence in 1."


def test_of_several_depths_and_modes_the_deepest_of_the_first_mode_speaks() -> None:
    rows = [row("a", 0.1, depth / 100, "helped", depth, "linear") for depth in (4, 16)]
    told = headline([*rows, row("a", 0.1, 0.9, "hurt", 16, "knn")], [], "finished", "linear")
    assert told == "With 10 % of the labels, features of stride 16: a scores 16.0 points above scratch."


def test_each_pair_has_its_own_deepest_features() -> None:
    rows = [row("shallow", 0.1, -0.02, "hurt", depth, "linear") for depth in (4, 32)]
    rows += [row("deep", 0.1, 0.03, "helped", depth, "linear") for depth in (4, 64)]
    told = headline(rows, [], "finished", "linear")
    assert "shallow against scratch, features of stride 32: hurt with 10 % of the labels (-2.0 points)." in told
    assert "deep against scratch, features of stride 64: helped with 10 % of the labels (+3.0 points)." in told


@pytest.mark.parametrize(
    ("state", "words"),
    [("finished", "There was nothing to compare by finetune."), ("running", "Nothing can be said yet.")],
)
def test_nothing_to_tell(state: str, words: str) -> None:
    assert headline([], [], state, "finetune") == words
    assert headline([row("a", 0.1, 0.02, "helped", 16, "linear")], [], state, "finetune") == words


def test_the_labels_that_another_arm_saved_are_not_told() -> None:
    other = {**SAVED[0], "arm": "scratch-resnet", "words": "with 60 % of the labels, scratch-resnet is there."}
    assert "scratch-resnet" not in headline(CGAN, [other, *SAVED], "finished", "finetune")


def test_shares_have_three_digits_at_the_most() -> None:
    assert [percent(share) for share in (1.0, 0.125, 1 / 3, 0.07, 0.01)] == ["100 %", "12.5 %", "33.3 %", "7 %", "1 %"]
