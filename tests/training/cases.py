"""Trainings that must come out alike however a batch is shared out: no dropout, no statistics over a batch."""

from pretint.tasks.fine_tuning import Schedule
from tests.training.driving import Training, finetuning, pretraining, tiny

EVEN = tiny(epochs=2, unet={"normalization": "group", "dropout": 0.0}, cgan={"critic_normalization": "group"})
SCHEDULE = Schedule(epochs=2, rate=1e-3, frozen_epochs=1, unfrozen_rate=5e-4)

CASES = {
    "cgan": lambda pictures, masked: pretraining(pictures, EVEN, loop={"clip": 10.0, "ema": 0.5}),
    "authors": lambda pictures, masked: pretraining(
        pictures,
        EVEN | {"cgan": EVEN["cgan"] | {"critic_steps": "split", "generator_forward": "fresh", "leak": True}},
    ),
    "regression": lambda pictures, masked: pretraining(pictures, EVEN | {"pretext": "regression"}),
    "color_bins": lambda pictures, masked: pretraining(
        pictures, EVEN | {"pretext": "color_bins", "color_bins": {"encoding": "soft", "rebalance": True}}
    ),
    "segmentation": lambda pictures, masked: finetuning(
        masked, "segmentation", ("backbone", "decoder"), SCHEDULE, EVEN
    ),
}


def training(name: str, pictures: object, masked: object) -> Training:
    """A case by its name."""
    return CASES[name](pictures, masked)  # type: ignore[arg-type]
