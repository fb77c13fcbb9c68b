"""What each update of the GAN changes: the leak of the authors' code, and a resume that freezes nothing.

Observed in trainings of the recipes at a tenth of the width: which tensors of the discriminator an update moves.
"""

from pathlib import Path
from typing import Any

import torch

from pretint import recipe
from pretint.networks.normalization import normalization_parameters
from pretint.objective import Objective, Turn
from pretint.pretexts.pretext import build_pretext
from pretint.reproduction import tiny
from pretint.reproduction.number import Number, equal
from pretint.training.learners import parameters_of

RECIPES = {"paper": "clean", "paper-code": "the authors' code", "paper-text": "the paper's text"}

# Tensors of convolutions (weights and biases) and of norms (gamma and beta) that an update moves.
_ALL_142, _ALL_70, _NONE = (
    {"convolutions": 12, "norms": 8},
    {"convolutions": 10, "norms": 6},
    {"convolutions": 0, "norms": 0},
)
CLAIMS: dict[str, dict[str, dict[str, int]]] = {
    "paper": {"critic": _ALL_142, "generator": _NONE},
    "paper-code": {
        "critic_real": _ALL_142,
        "critic_predicted": _ALL_142,
        "generator": {"convolutions": 0, "norms": 8},
    },
    "paper-text": {"critic": _ALL_70, "generator": _NONE},
}


def numbers(scenes: Path, scratch: Path) -> list[Number]:
    """Which tensors of the discriminator each update moves, with each recipe, and after a resume.

    Args:
        scenes: folder of `tiny.make_scenes`.
        scratch: an empty folder for the runs.
    """
    found = []
    for name, words in RECIPES.items():
        moved = moved_tensors(name, scenes, scratch / name)
        for turn, claim in CLAIMS[name].items():
            found.append(
                equal(
                    f"update_{name}_{turn}".replace("-", "_"),
                    f"Recipe {name} ({words}), update of the {turn.replace('_', ' on ')}",
                    "Tensors of the discriminator that it moves; a generator that trains its judge leaks."
                    if turn == "generator"
                    else "Tensors of the discriminator that it moves.",
                    claim,
                    moved[turn],
                    "authors' code" if name == "paper-code" else "computed",
                )
            )
    found += [
        equal(
            "leaked_numbers",
            "Numbers that leak in the authors' code",
            "Gamma and beta of the discriminator at full width, trained by the generator to fool it.",
            2_816,
            leaked("paper-code"),
            "authors' code",
        ),
        equal(
            "leaked_numbers_clean",
            "Numbers that leak in recipe paper",
            "The same without the defect.",
            0,
            leaked("paper"),
        ),
        equal(
            "critic_updates_code",
            "Updates of the discriminator a step, authors' code",
            "Real and predicted pictures apart: Adam counts twice.",
            2,
            _critic_turns("paper-code"),
            "authors' code",
        ),
        equal(
            "critic_updates",
            "Updates of the discriminator a step, recipe paper",
            "Both losses in one update.",
            1,
            _critic_turns("paper"),
        ),
        equal(
            "update_after_resume",
            "Update of the critic after a resume",
            "Tensors of the discriminator that it moves; in the authors' code a discriminator that was saved and loaded moves "
            "no convolution any more.",
            _ALL_142,
            moved_tensors("paper", scenes, scratch / "resumed", stop_after=1)["critic"],
        ),
    ]
    return found


def moved_tensors(name: str, scenes: Path, out: Path, stop_after: int | None = None) -> dict[str, dict[str, int]]:
    """Tensors of the discriminator that each update of the last of three steps moved, by the name of the turn.

    With ``stop_after`` the training is stopped after so many steps, and what is told is from the resumed one.
    """
    values = tiny.values_of(name, epochs=1)
    records = tiny.records_of(scenes, "train")[: 3 * tiny.BATCH]
    if stop_after is not None:
        tiny.train(values, records, out, stop_after=stop_after)
    before: dict[str, torch.Tensor] = {}
    moved: dict[str, dict[str, int]] = {}

    def compare(objective: Objective, turn: Turn) -> None:
        norms = {f"discriminator.{n}" for n, _ in normalization_parameters(objective.get_submodule("discriminator"))}
        count = dict(_NONE)
        for key, now in objective.named_parameters():
            if not key.startswith("discriminator."):
                continue
            if key in before and not torch.equal(now, before[key]):
                count["norms" if key in norms else "convolutions"] += 1
            before[key] = now.detach().clone()
        moved[turn.name] = count  # of the last step in the end: the first turn of all has nothing to be compared with

    tiny.train(values, records, out, resume=stop_after is not None, after_turn=compare)
    return moved


def leaked(name: str) -> int:
    """Numbers of the discriminator at full width that the generator's turn trains."""
    pretext = _on_meta(name)
    mine = set(parameters_of(pretext, pretext.players["generator"].parts))
    return sum(p.numel() for p in pretext.get_submodule("discriminator").parameters() if p in mine)


def _critic_turns(name: str) -> int:
    return sum(turn.player == "critic" for turn in _on_meta(name).turns(0))


def _on_meta(name: str) -> Any:
    with torch.device("meta"):
        return build_pretext(recipe.read("pretrain", name))
