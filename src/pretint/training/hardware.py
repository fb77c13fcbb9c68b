"""Chooses device and arithmetic, and says why."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from pretint.errors import Interrupted, OptionError, ResourceError
from pretint.training.options import LoopOptions

if TYPE_CHECKING:
    import subprocess

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
    from lightning_fabric.strategies.ddp import DDPStrategy

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # what it announces is said in one line below
    fabric = Fabric(
        accelerator=options.accelerator,
        devices=options.devices,
        # The others wait while the first process looks through the pictures, validates and probes, however long that takes; where
        # one fails all are ended (see ending_together).
        strategy=DDPStrategy(timeout=timedelta(days=7)) if options.devices > 1 else "auto",
        precision=_FABRIC_NAMES[precision],  # type: ignore[arg-type]
    )
    fabric.launch()
    chosen, reason = choose_precision(options)
    why = reason if chosen == precision else "as the run was begun"
    return fabric, f"device: {fabric.device} x {fabric.world_size}; precision: {precision} ({why})"


@contextmanager
def ending_together(fabric: "Fabric") -> Iterator[None]:
    """Where one of several processes fails in the block, all end: the others would wait for it, and tell of that in tracebacks.

    Raises:
        ResourceError: in the process that started the others, where one of these has ended by itself.
    """
    others = getattr(fabric.strategy.launcher, "procs", [])  # of the process that started them; the others know none
    try:
        yield
    except Interrupted:  # all save, and end by themselves
        raise
    except BaseException as error:
        lost = isinstance(error, RuntimeError) and _any_ended(others)
        for process in others:
            process.kill()
        if lost:
            raise ResourceError(
                "another process of this training has ended, most likely for what stands above; mend that, and --resume goes on"
            ) from error
        raise


def _any_ended(processes: Sequence["subprocess.Popen[bytes]"]) -> bool:
    """Whether one of them has ended, or does within a second: a connection breaks before its process is gone."""
    until = time.monotonic() + 1
    while processes and time.monotonic() < until:
        if any(process.poll() is not None for process in processes):
            return True
        time.sleep(0.05)
    return False


def _cpu_flags() -> set[str]:
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return set()
    lines = [line for line in path.read_text().splitlines() if line.startswith("flags")]
    return set(lines[0].split()) if lines else set()
