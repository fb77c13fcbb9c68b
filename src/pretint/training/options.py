"""Options of the loop, the same for every training. Loads no torch."""

from dataclasses import dataclass
from typing import Literal

from pretint.errors import OptionError

SMALLEST_SIZE = 16
"""Side in pixels of the smallest pictures that are trained on."""


@dataclass(frozen=True, kw_only=True)
class LoopOptions:
    """How the loop runs, whatever is learned."""

    precision: Literal["auto", "float32", "bf16"] = "auto"
    """Arithmetic of the networks; auto takes the fastest that this hardware really has."""
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """What computes; auto takes a GPU where there is one."""
    devices: int = 1
    """Processes that share each batch, one a device."""
    accumulate: int = 1
    """Micro-batches a step: the same updates in less memory, but that batch norms see smaller parts."""
    clip: float = 0.0
    """Largest norm of a player's gradient; 0 clips nothing."""
    schedule: Literal["constant", "cosine", "one-cycle"] = "constant"
    """Course of the learning rate within a phase: cosine falls to 0, one-cycle rises first and then falls."""
    warmup: float = 0.0
    """Share of a phase's steps in which the rate rises from 0; one-cycle takes 0.25 where this is 0."""
    first_size: float = 0.0
    """Side in pixels of the pictures in the first epoch, or below 1 its share of --size; it rises from epoch to epoch, and the last quarter of them sees --size (progressive resizing: more epochs in the same time). Pixels must be a multiple of the backbone's coarsest stride, a share is rounded to one, of 16 or more; 0 trains at --size throughout. Validation is always at --size."""
    ema: float = 0.0
    """Decay a step of a moving average of the weights, which is then what is scored and saved; 0 keeps none."""
    validate_every: int = 1
    """Epochs between two validations; the last epoch is always validated."""
    workers: int = -1
    """Processes that read pictures; -1 takes one a core, at most 8, and 0 reads in the training process."""
    log_every: int = 20
    """Steps between two entries of metrics.jsonl."""
    save_minutes: float = 10.0
    """Minutes between two checkpoints within an epoch; each epoch ends with one, unless it is not the best and epochs are so short that saving would take more than 5 % of the time."""

    def __post_init__(self) -> None:
        if self.devices < 1:
            raise OptionError(f"--loop.devices {self.devices}: must be at least 1")
        if self.accumulate < 1:
            raise OptionError(f"--loop.accumulate {self.accumulate}: must be at least 1")
        if not 0 <= self.ema < 1:
            raise OptionError(f"--loop.ema {self.ema}: must be at least 0 and below 1")
        if not 0 <= self.warmup < 1:
            raise OptionError(f"--loop.warmup {self.warmup}: must be at least 0 and below 1")
        if self.first_size < 0 or 1 <= self.first_size < SMALLEST_SIZE or (self.first_size > 1 and self.first_size % 1):
            raise OptionError(
                f"--loop.first-size {self.first_size:g}: must be {SMALLEST_SIZE} or more whole pixels, a share below 1, or 0"
            )
        if self.clip < 0:
            raise OptionError(f"--loop.clip {self.clip}: must not be negative")
        if self.workers < -1:
            raise OptionError(f"--loop.workers {self.workers}: must be 0 or more, or -1 for one a core")
        if not self.save_minutes >= 0:
            raise OptionError(f"--loop.save-minutes {self.save_minutes:g}: must not be negative")
        if self.validate_every < 1 or self.log_every < 1:
            raise OptionError("--loop.validate-every and --loop.log-every: must be at least 1")


FREE_ON_RESUME = frozenset({"loop.accelerator", "loop.devices", "loop.workers", "loop.log_every", "loop.save_minutes"})
"""What a resumed run may change: how and on what it is computed. Other hardware, and another number of devices, are noted and said."""
