"""The courses of learning rate and picture size: pure functions of the position, so that a resume needs no state."""

import math

from pretint.training.options import LoopOptions

ONE_CYCLE_RISE = 0.25
"""Share of the steps in which one-cycle rises (Smith and Topin 2018 use 0.3 to 0.5; fast.ai's default is 0.25)."""

FULL_SIZE_SHARE = 0.25
"""Share of the epochs, the last ones, that see pictures at full size: features and batch norms settle at what they are used at."""


def size_at(first: int, size: int, by: int, epoch: int, epochs: int) -> int:
    """Side in pixels of the training pictures of an epoch: from ``first`` it rises evenly, in steps of ``by``, to ``size``.

    Progressive resizing, as in fast.ai's entry to DAWNBench (2018) and Tan and Le 2021 (arXiv 2104.00298, table 6); there
    augmentation grows with the size, here it does not.

    Args:
        first: side in the first epoch, a multiple of ``by``.
        size: full side, which the last quarter of the epochs sees, at least one.
        by: coarsest stride of the backbone.
        epoch: from 0.
        epochs: of the whole training.
    """
    rising = epochs - math.ceil(FULL_SIZE_SHARE * epochs)
    if epoch >= rising:
        return size
    return first + (size - first) * epoch // rising // by * by


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
