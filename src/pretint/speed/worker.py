"""A process that measures one thing: one request a line on its standard input, one answer a line on its standard output.

    python -m pretint.speed.worker

The first line is the case: what is measured (``part``), with which ``threads``, ``clock`` and options, and whether large
memory blocks are kept (``thresholds``). A process of its own makes memory attributable, and the allocator's thresholds,
which cannot be lowered again, a thing to compare.
"""

import json
import os
import resource
import sys
from collections.abc import Iterator
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

PARTS = {
    "peaks": ("peaks", "serve"),
    "plain": ("plain_steps", "serve"),
    "product": ("product_steps", "serve"),
    "fed": ("product_steps", "serve_fed"),
    "feed": ("feeding", "serve"),
    "colorize": ("coloring", "serve"),
    "folder": ("coloring", "serve_folder"),
    "nothing": ("worker", "serve_nothing"),
}
"""Module and function that answer, by the name of the part."""


def main() -> None:
    """Work until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not pass for an answer
    case = json.loads(sys.stdin.readline())

    def answer(**fields: Any) -> None:
        if "sample" in fields:
            fields["sample"] = asdict(fields["sample"])
        on_gpu = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
        answers.write(json.dumps({**fields, **memory(), "gpu": on_gpu}) + "\n")
        answers.flush()

    from pretint.data.processes import end_with
    from pretint.errors import PretintError
    from pretint.training.allocator import raise_allocator_thresholds

    end_with(os.getppid())
    if case.get("thresholds", True):
        raise_allocator_thresholds()
    import torch

    from pretint.speed.clock import Clock

    if case.get("threads"):
        torch.set_num_threads(case["threads"])
    device = torch.device(
        "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    )
    module, function = PARTS[case["part"]]
    try:
        getattr(import_module(f"pretint.speed.{module}"), function)(
            case, Clock(case["clock"], device), _requests(), answer
        )
    except (PretintError, MemoryError, torch.OutOfMemoryError) as error:
        answer(error=f"{error}" or "memory ran out")


def _requests() -> Iterator[dict[str, Any]]:
    for line in sys.stdin:
        yield json.loads(line)


def memory() -> dict[str, int]:
    """Bytes in memory now, and at the most so far."""
    status = Path("/proc/self/status")
    if not status.exists():
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return {"most": most, "now": most}
    # Not getrusage's: that begins with the memory of the process that started this one.
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if line.startswith("Vm"))
    return {name: 1024 * int(lines[key].split()[0]) for name, key in (("most", "VmHWM"), ("now", "VmRSS"))}


def serve_nothing(case: dict[str, Any], clock: Any, requests: Iterator[dict[str, Any]], answer: Any) -> None:
    """Answer with what a process needs that has loaded torch and the loop, and nothing else."""
    import pretint.training.loop  # noqa: F401

    answer()
    for _ in requests:
        answer()


if __name__ == "__main__":
    main()
