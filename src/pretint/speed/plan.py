"""What ``pretint bench`` measures, and for how long. Loads no torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

PARTS = ("start", "peaks", "step", "feed", "colorize", "memory")
"""What is measured where nothing else is asked for, in this order."""
CURVES = "curves"


@dataclass(frozen=True, kw_only=True)
class StepCase:
    """One training step, measured rung by rung.

    Attributes:
        name: short, for keys: ``paper``.
        title: for people.
        recipe: of ``pretint pretrain``; ``changes`` are laid over it.
        batch: pictures a step.
        seconds: about how long its ladder may take on a quiet machine of two cores.
        rungs: the plain rungs to measure; none: all.
        rounds: the least and the largest number of times that each rung is timed.
        gigabytes: memory that its processes need side by side; with less they are ended and begun again in turn.
    """

    name: str
    title: str
    recipe: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    batch: int = 32
    seconds: float
    rungs: tuple[str, ...] = ()
    rounds: tuple[int, int] = (2, 7)
    gigabytes: float = 4.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Sizes and lengths of all parts; seconds are those of a quiet machine of two cores."""

    parts: tuple[str, ...] = PARTS
    clock: Literal["wall", "cpu"] = "wall"
    threads: int | None = None
    compile: bool = False
    least: float = 0.6
    """Seconds that a timing lasts at the least."""
    rounds: int = 5
    """Timings of what is short."""
    largest: int = 4096
    """Side of the largest matmul."""
    longest: float = 3.0
    """Seconds that a matmul may take."""
    copied: int = 1 << 28
    """Bytes of the array that is copied."""
    steps: tuple[StepCase, ...] = ()
    photos: int = 96
    trained: Mapping[str, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)
    """Trainings whose feed is looked at stage by stage: name -> recipe and changes."""
    fed_seconds: float = 20.0
    """Seconds that a training on files is watched for waiting."""
    megapixels: tuple[float, ...] = (1, 12, 48)
    colorizer: Mapping[str, Any] = field(default_factory=dict)
    """Changes to recipe small for the network that colours."""
    folder_pictures: int = 96
    folder_size: int = 256
    card: bool = True
    """Whether a step of 32 pictures of 256 px in four parts is measured for its memory."""
    growth_steps: int = 1000
    points: int = 5
    """Points of each curve, at the most."""


_PLAIN_TO_LAST = ("plain", "allocator thresholds")
_RESIDUAL: dict[str, Any] = {"pretext": "regression"}
_TRAINED: dict[str, tuple[str, Mapping[str, Any]]] = {
    "128 px, random crops": ("small", {}),
    "256 px, squashed": ("paper", {}),
}


def full(batch: int) -> Plan:
    """Six or seven minutes on two cores. ``batch``: pictures of the paper's step."""
    residual = [
        StepCase(name=f"residual{size}", title=f"residual encoder, {size} px", recipe="bins",
                 changes={**_RESIDUAL, "size": size}, seconds=seconds)
        for size, seconds in ((64, 22), (96, 26), (128, 34))
    ]  # fmt: skip
    paper = StepCase(
        name="paper", title="cGAN, 256 px", recipe="paper", batch=batch, seconds=20.0 * batch, rounds=(2, 5),
        gigabytes=9 + 0.5 * batch,
    )  # fmt: skip
    small = StepCase(name="small", title="cGAN, 128 px, half width", recipe="small", seconds=55, gigabytes=8)
    return Plan(steps=(paper, small, *residual), trained=_TRAINED)


def quick() -> Plan:
    """A minute or two: no step at 256 px, no rungs between plain and the last, no 48 megapixels."""
    return Plan(
        least=0.3,
        rounds=3,
        largest=2048,
        longest=0.5,
        steps=(
            StepCase(name="small", title="cGAN, 128 px, half width", recipe="small", seconds=25,
                     rungs=_PLAIN_TO_LAST, rounds=(2, 3)),
            StepCase(name="residual64", title="residual encoder, 64 px", recipe="bins",
                     changes={**_RESIDUAL, "size": 64}, seconds=10, rungs=_PLAIN_TO_LAST, rounds=(2, 3)),
        ),
        photos=32,
        trained={"128 px, random crops": ("small", {})},
        fed_seconds=8.0,
        megapixels=(1, 12),
        folder_pictures=32,
        card=False,
        growth_steps=0,
        points=3,
    )  # fmt: skip


def chosen(plan: Plan, **changes: Any) -> Plan:
    """The plan with other values."""
    return replace(plan, **changes)


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a curve."""

    label: str
    values: Mapping[str, Any]
    """Recipe and changes."""
    batch: int


def curves(most: int) -> dict[str, list[Point]]:
    """Points of the curves of training steps: name -> points, the work rising. At most ``most`` points, the largest first to go."""

    def step(label: str, recipe: str, batch: int, **changes: Any) -> Point:
        return Point(label, {"recipe": recipe, "changes": changes}, batch)

    # At sizes that double the U-Net gets one level more; the residual network stays the same, so its cost is the pixels'.
    found = {
        "resolution (residual, batch 16)": [
            step(f"{size} px", "bins", 16, size=size, **_RESIDUAL) for size in (64, 96, 128, 192, 256)
        ],
        "batch (residual, 64 px)": [
            step(f"{b} pictures", "bins", b, size=64, **_RESIDUAL) for b in (8, 16, 32, 64, 128)
        ],
        "width (cGAN, 128 px, batch 8)": [
            step(f"width {w:g}", "small", 8, size=128, unet={"width": w}, cgan={"critic_width": w})
            for w in (0.25, 0.5, 0.75, 1.0)
        ],
    }
    return {name: points[:most] for name, points in found.items()}


PICTURES = (32, 64, 128, 256, 512)
"""Pictures that the feed is given, for its curve."""
