"""Steps of each training: what the feed makes of the paper's numbers of pictures and the phases of their epochs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from pretint import recipe
from pretint.data.feed import Feed
from pretint.data.record import Record
from pretint.data.views import ViewOptions
from pretint.inference.models import build_task_network
from pretint.objective import Objective
from pretint.pretexts.pretext import build_pretext
from pretint.reproduction.number import Number, equal
from pretint.reproduction.published import MULTILABEL, PRETRAINING, SEGMENTATION
from pretint.tasks.fine_tuning import FineTuning, Schedule


def numbers() -> list[Number]:
    """Steps an epoch and in all, and what the step numbers in the names of the authors' checkpoints mean."""
    pretraining = recipe.read("pretrain", "paper")
    with torch.device("meta"):
        pretext = build_pretext(pretraining)
    found = _steps("pretraining", pretraining, PRETRAINING, pretext, 2_586, [51_720])
    for task, sizes, epoch, phases in (
        ("multilabel", MULTILABEL, 374, [1_122, 374]),
        ("segmentation", SEGMENTATION, 127, [127, 635]),
    ):
        values = _fine_tuning_values(task)
        found += _steps(task, values, sizes[0], _fine_tuning(values), epoch, phases)
    return [*found, *_checkpoints()]


def _steps(
    name: str, values: Mapping[str, Any], pictures: int, objective: Objective, epoch: int, phases: list[int]
) -> list[Number]:
    record = Record("", Path())
    feed = Feed([record] * pictures, size=256, view=ViewOptions(), batch_size=values["batch_size"], seed=0)
    each = [phase.epochs * feed.steps_per_epoch for phase in objective.phases]
    found = [
        equal(
            f"{name}_steps_an_epoch",
            f"Steps an epoch, {name}",
            f"{pictures:,} pictures in batches of {values['batch_size']}; those that fill no whole batch are left out.",
            epoch,
            feed.steps_per_epoch,
        ),
        equal(f"{name}_steps", f"Steps, {name}", "Of the whole training.", sum(phases), sum(each)),
    ]
    if len(phases) > 1:
        found.append(
            equal(
                f"{name}_steps_by_phase",
                f"Steps by phase, {name}",
                "With the transferred part frozen, and with all of it learning.",
                phases,
                each,
            )
        )
    return found


def _fine_tuning_values(task: str) -> dict[str, Any]:
    values = recipe.read("finetune", "paper")
    return recipe.merge({task: {}, **values, "task": task}, values.pop("for").get(task, {}))


def _fine_tuning(values: Mapping[str, Any]) -> FineTuning:
    """The objective of a pretrained arm."""
    schedule = Schedule(
        epochs=values["epochs"],
        rate=values["rate"],
        frozen_epochs=values["frozen_epochs"],
        unfrozen_rate=values["unfrozen_rate"],
    )
    with torch.device("meta"):
        return FineTuning(*build_task_network(values, ["a", "b"]), schedule, ("backbone",))


def _checkpoints() -> list[Number]:
    """Steps in the names of two checkpoints: both are whole epochs of one small folder, not of COCO."""
    epochs = {40_622: 19, 21_380: 10}
    return [
        *(
            equal(
                f"checkpoint_{step}",
                f"Checkpoint at step {step:,}",
                "Epochs of 2,138 steps, and steps left over.",
                [count, 0],
                list(divmod(step, 2_138)),
                "authors' code",
            )
            for step, count in epochs.items()
        ),
        equal(
            "checkpoint_pictures",
            "Pictures of those checkpoints",
            "An epoch's steps times the code's batch of 4: a folder of Places2 of about this size, not COCO's 82,783.",
            8_552,
            4 * 40_622 // 19,
            "authors' code",
        ),
    ]
