"""The rungs of the ladder: from the paper's recipe to recipe `best`, one change each. ladder.py runs them, study_page.py tells of them."""

from dataclasses import dataclass, field
from typing import Any

PASSES = 10
SIZE = 64


@dataclass(frozen=True)
class Rung:
    """One pretraining of the ladder.

    Attributes:
        name: of the arm and its run.
        change: what differs from the rung that it is held against, in words.
        against: that rung; "" for the lowest.
        options: of ``pretint.pretrain``, complete.
    """

    name: str
    change: str
    against: str
    options: dict[str, Any] = field(default_factory=dict)


def _with(base: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Options with some of them changed; sections are merged."""
    merged = dict(base)
    for name, value in changes.items():
        merged[name] = {**merged.get(name, {}), **value} if isinstance(value, dict) else value
    return merged


PAPER = {
    "recipe": "paper", "size": SIZE, "epochs": PASSES, "validation": 0.02, "unet": {"width": 0.5}, "cgan": {"critic_width": 0.5},
}  # fmt: skip
CROPS = _with(PAPER, view={"crop": "random", "smallest": 0.35, "flip": True})
L1 = _with({k: v for k, v in CROPS.items() if k != "cgan"}, pretext="regression")
BINS = {
    "recipe": "paper", "size": SIZE, "epochs": PASSES, "validation": 0.02, "view": CROPS["view"], "pretext": "color_bins",
    "color_bins": {"rate": 0.0002, "beta1": 0.5, "beta2": 0.999, "weight_decay": 0.0},
}  # fmt: skip
BINS_UNET = _with(BINS, unet={"width": 0.5})
RESIDUAL = _with(BINS, backbone="residual", decoder="hypercolumn")
ONE_CYCLE = {"recipe": "bins", "size": SIZE, "epochs": PASSES}
GROWING = {"recipe": "best", "size": SIZE, "epochs": PASSES}

RUNGS = (
    Rung("paper", "the paper's method at 64 px and half its width", "", PAPER),
    Rung("crops", "random crops and mirroring", "paper", CROPS),
    Rung("l1", "no adversary: L1 alone", "crops", L1),
    Rung("bins-unet", "a choice among bins of ab instead of L1", "l1", BINS_UNET),
    Rung("residual", "a residual backbone and a hypercolumn instead of the U-Net", "bins-unet", RESIDUAL),
    Rung("one-cycle", "AdamW with betas 0.9 and 0.99, one cycle of the rate up to 0.002, bilinear resizing", "residual", ONE_CYCLE),
    Rung("soft", "soft bins", "one-cycle", _with(ONE_CYCLE, color_bins={"encoding": "soft"})),
    Rung("growing", "sizes that grow from 32 to 64 px: recipe best but for its size and passes", "one-cycle", GROWING),
    Rung("l1-residual", "L1 in place of the bins, by Adam", "growing", _with(GROWING, pretext="regression")),
    Rung("cgan-residual", "an adversary beside that L1", "l1-residual", _with(GROWING, pretext="cgan")),
    Rung("cgan-bins", "an adversary beside the bins, by Adam without decay", "growing", _with(GROWING, pretext="cgan", cgan={"content": "bins"})),
    Rung("rebalanced", "places weighted by the rarity of their colour", "growing", _with(GROWING, color_bins={"rebalance": True})),
    Rung("deep", "9 blocks in place of 6: 1, 2, 4 and 2", "growing", _with(GROWING, residual={"blocks": (1, 2, 4, 2)})),
    Rung("short", f"{PASSES // 3} passes", "growing", _with(GROWING, epochs=PASSES // 3)),
    Rung("long", f"{3 * PASSES} passes", "growing", _with(GROWING, epochs=3 * PASSES)),
    Rung("tenth", "a tenth of the pictures, ten times the passes", "growing", _with(GROWING, epochs=10 * PASSES)),
    Rung("third", "a third of the pictures, three times the passes", "growing", _with(GROWING, epochs=3 * PASSES)),
)  # fmt: skip
SHARES = {"tenth": 10, "third": 3}
BEST = {"recipe": "best"}
PRETRAININGS = 3
TIMED = "one-cycle"
"""The rung whose cost is the peers' budget."""
