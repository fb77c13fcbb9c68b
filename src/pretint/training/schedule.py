"""The course of the learning rate: a pure function of the position in a phase, so that a resume needs no state."""

import math

from pretint.training.options import LoopOptions

ONE_CYCLE_RISE = 0.25
"""Share of the steps in which one-cycle rises (Smith and Topin 2018 use 0.3 to 0.5; fast.ai's default is 0.25)."""


def rate_factor(options: LoopOptions, step: int, steps: int) -> float:
    """Factor in (0, 1] on the learning rate of the phase.

    Args:
        options: ``schedule`` and ``warmup``.
        step: steps done in this phase, from 0.
        steps: steps of the phase.
    """
    rise = options.warmup or (ONE_CYCLE_RISE if options.schedule == "one-cycle" else 0.0)
    rising = math.ceil(rise * steps)
    if step < rising:
        return (step + 1) / (rising + 1)
    if options.schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))
