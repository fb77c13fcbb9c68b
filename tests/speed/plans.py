"""A plan for tests of the whole."""

from typing import Any

from pretint.speed.plan import Plan, StepCase


def tiny() -> Plan:
    """Seconds; sizes at which no number means anything. For the way from the options to the page."""
    network: dict[str, Any] = {"size": 32, "unet": {"width": 0.05}, "cgan": {"critic_width": 0.05}}
    return Plan(
        least=0.0, rounds=1, largest=64, longest=0.01, copied=1 << 16,
        steps=(
            StepCase(name="small", title="cGAN", recipe="small", changes=network, batch=2, seconds=0, rounds=(1, 1)),
            StepCase(name="residual64", title="residual", recipe="bins", batch=2, seconds=0, rounds=(1, 1),
                     changes={"pretext": "regression", "size": 32, "residual": {"width": 4, "blocks": (1, 1)}}),
        ),
        photos=4, trained={"32 px": ("small", {"size": 32})}, fed_seconds=0.0, megapixels=(0.01,),
        colorizer=network, folder_pictures=2, folder_size=32, card=False, growth_steps=2, points=2,
    )  # fmt: skip
