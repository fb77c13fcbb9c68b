"""The recipes' own trainings, narrow and small, on made scenes: enough to see what an update touches, in seconds."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from pretint import recipe
from pretint.data.feed import Batch, Feed, once
from pretint.data.layouts import open_source
from pretint.data.record import Record
from pretint.data.scenes import write
from pretint.data.views import ViewOptions
from pretint.errors import Interrupted
from pretint.objective import Objective, Turn
from pretint.pretexts.pretext import Pretext, build_pretext
from pretint.run_folder import RunFolder
from pretint.training.hardware import start_fabric
from pretint.training.loop import Loop
from pretint.training.options import LoopOptions
from pretint.training.signals import StopRequest

SIZE = 32
"""Side of the pictures in pixels."""
BATCH = 4

AfterTurn = Callable[[Objective, Turn], None]


def make_scenes(folder: Path, training: int, test: int) -> None:
    """Write scenes with the splits ``train`` and ``test``."""
    write(folder, training + test, seed=0, size=64, splits={"train": training, "test": test}, workers=1)


def records_of(folder: Path, split: str) -> Sequence[Record]:
    """The scenes of a split."""
    return open_source(folder).split(split)


def values_of(name: str, **changes: Any) -> dict[str, Any]:
    """A recipe of pretraining at a tenth of the width and 32 pixels; nested ``changes`` win."""
    tiny = {"size": SIZE, "batch_size": BATCH, "unet": {"width": 0.1}, "cgan": {"critic_width": 0.1}, "regression": {}}
    return recipe.merge(recipe.merge(recipe.read("pretrain", name), tiny), changes)


def build(values: dict[str, Any]) -> Pretext:
    """The pretext with the weights of seed 0."""
    torch.manual_seed(0)
    return build_pretext(values)


def feed(values: dict[str, Any], records: Sequence[Record]) -> Feed:
    """Batches in the recipe's order, read in this process."""
    view, order = ViewOptions(**values["view"]), values.get("order", "shuffled")
    return Feed(records, size=values["size"], view=view, batch_size=values["batch_size"], seed=0, order=order)


def one_batch(values: dict[str, Any], records: Sequence[Record]) -> Batch:
    """All these pictures in one batch, without chance."""
    (batch,) = once(records, size=values["size"], view=ViewOptions(**values["view"]), batch_size=len(records))
    return batch


def train(
    values: dict[str, Any],
    records: Sequence[Record],
    out: Path,
    *,
    resume: bool = False,
    stop_after: int | None = None,
    after_turn: AfterTurn | None = None,
) -> Pretext:
    """Train, or resume, with the loop of every training; gives back the pretext as it then is.

    Args:
        values: a recipe.
        records: training pictures.
        out: run folder.
        resume: go on from the last checkpoint in ``out``.
        stop_after: stop and save when this many steps are done in this start; None trains to the end.
        after_turn: told after each update.
    Raises:
        KeyboardInterrupt: stopped from outside.
    """
    objective = build(values)
    options = LoopOptions(precision="float32", accelerator="cpu", workers=0)
    fabric, _ = start_fabric(options, "float32")
    run = RunFolder.open(out) if resume else RunFolder.create(out, {"kind": "pretrain", "options": values})
    stop = StopRequest() if stop_after is not None else None
    last, done = objective.turns(0)[-1], 0

    def after_step(turn: Turn) -> None:
        nonlocal done
        if after_turn is not None:
            after_turn(objective, turn)
        done += turn == last
        if stop is not None:
            stop.asked = done >= (stop_after or 0)

    objective.after_step = after_step  # type: ignore[method-assign]
    loop = Loop(objective, feed(values, records), None, run, options, 0, fabric, quiet=True, stop=stop)
    try:
        loop.train(resume)
    except Interrupted:
        if stop is None:  # by a signal: there is nothing here to resume
            raise KeyboardInterrupt from None
    return objective
