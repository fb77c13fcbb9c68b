"""Chooses device and arithmetic, and says why."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from pretint.errors import OptionError
from pretint.training.options import LoopOptions

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_FABRIC_NAMES = {"float32": "32-true", "bf16": "bf16-mixed"}


def kind_of_device(options: LoopOptions) -> str:
    """What computes: "cuda", "mps" or "cpu".

    Raises:
        OptionError: what is asked for is not there.
    """
    there = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    kind: str = options.accelerator
    if kind == "auto":
        kind = next((name for name, count in there.items() if count), "cpu")
    if kind == "cpu":
        return kind
    if not there[kind]:
        raise OptionError(f"--loop.accelerator {kind}: this torch finds no such GPU here; take auto or cpu")
    if options.devices > there[kind]:
        raise OptionError(f"--loop.devices {options.devices}: here is only {there[kind]} of kind {kind}; take no more")
    return kind


def choose_precision(options: LoopOptions) -> tuple[str, str]:
    """The arithmetic to use and the reason, such as ``("float32", "this CPU has no AMX")``."""
    kind = kind_of_device(options)
    if options.precision != "auto":
        return options.precision, "asked for"
    if kind == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return "bf16", "this GPU has it"
        return "float32", "this GPU has no bf16"
    if kind == "mps":
        return "float32", "the only arithmetic tested on this kind of GPU"
    instructions = sorted({"amx_bf16", "avx512_bf16"} & _cpu_flags())
    if instructions:
        return "bf16", f"this CPU has {instructions[0]}"
    return "float32", "this CPU has no bf16 instructions, and without them bf16 is slower"


def start_fabric(options: LoopOptions, precision: str) -> tuple["Fabric", str]:
    """Launch the processes and give back Fabric with one line on what was chosen.

    Args:
        options: accelerator and devices.
        precision: float32 or bf16.
    """
    from lightning_fabric import Fabric  # not needed, and not loaded, where nothing is trained

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # what it announces is said in one line below
    fabric = Fabric(
        accelerator=options.accelerator,
        devices=options.devices,
        strategy="ddp" if options.devices > 1 else "auto",
        precision=_FABRIC_NAMES[precision],  # type: ignore[arg-type]
    )
    fabric.launch()
    chosen, reason = choose_precision(options)
    why = reason if chosen == precision else "as the run was begun"
    return fabric, f"device: {fabric.device} x {fabric.world_size}; precision: {precision} ({why})"


def _cpu_flags() -> set[str]:
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return set()
    lines = [line for line in path.read_text().splitlines() if line.startswith("flags")]
    return set(lines[0].split()) if lines else set()
