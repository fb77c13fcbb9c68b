"""``pretint bench`` from its plan to its document: the parts in their order, stopped by Ctrl-C at any moment.

The document:

    machine     environment(), with device, precision and why, clock, memory, and the load of others during the run
    start       seconds of the help, and of the first training step
    peaks       matmuls in GFLOP/s, the copy in GB/s
    step        a ladder a training step
    feed        stages, ways with goals, the share of a training that waits
    colorize    latency by size, a folder against the network alone
    memory      GB at the most, by what was measured
    curves      time against work
    targets     what was wanted, what was found, and yes, no, cannot tell or not measured
    missing     what could not be measured, and why

An estimate is a mapping of median, low, high, runs and quiet.
"""

import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from pretint.errors import OptionError
from pretint.experiments.environment import environment
from pretint.inference.models import best_device
from pretint.speed import busy, ladders, parts
from pretint.speed.peaks import COPY
from pretint.speed.plan import Plan
from pretint.speed.samples import as_json
from pretint.speed.session import Session, Told, available_gigabytes
from pretint.speed.targets import targets
from pretint.training.hardware import choose_precision
from pretint.training.options import LoopOptions

MEASURES: Mapping[str, Callable[[Session], None]] = {
    "start": parts.measure_start,
    "peaks": ladders.measure_peaks,
    "step": ladders.measure_steps,
    "feed": parts.measure_feed,
    "colorize": parts.measure_colorize,
    "memory": parts.measure_memory,
    "curves": ladders.measure_curves,
}
"""What measures a part of a plan."""


def measure(plan: Plan, told: Told = lambda part, doing, left: None) -> dict[str, Any]:
    """Measure everything in a plan.

    Ctrl-C or SIGTERM ends it; the document then holds what was measured, and ``interrupted`` is true.

    Raises:
        OptionError: the CPU clock was asked for where a GPU does the work.
    """
    precision, why = choose_precision(LoopOptions())
    device = best_device()
    if plan.clock == "cpu" and device.type != "cpu":
        raise OptionError(f"--clock cpu: says nothing of a {device.type} device; leave it out")
    begun, before = time.monotonic(), busy.read()
    machine = {
        **environment(),
        "device": device.type,
        "threads": plan.threads or torch.get_num_threads(),
        "precision": precision,
        "why": why,
        "clock": plan.clock,
        "free_gigabytes": available_gigabytes(),
    }
    interrupted = False
    with tempfile.TemporaryDirectory(prefix="pretint-bench-") as folder, _sigterm_like_ctrl_c():
        session = Session(plan, Path(folder), told, device.type, precision)
        try:
            for part in plan.parts:
                session.enter(part)
                session.try_to(part, lambda part=part: MEASURES[part](session))  # type: ignore[misc]
        except KeyboardInterrupt:
            interrupted = True
    return document(session, machine, busy.load(before, busy.read()), time.monotonic() - begun, interrupted)


@contextmanager
def _sigterm_like_ctrl_c() -> Iterator[None]:
    """Within the block SIGTERM stops as Ctrl-C does, so that processes and the folder do not stay behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def document(
    session: Session, machine: Mapping[str, Any], load: busy.Load | None, seconds: float, interrupted: bool
) -> dict[str, Any]:
    """What a session has found."""
    found: dict[str, Any] = {
        "machine": {
            **machine,
            "others": load and load.others,
            "stolen": load and load.stolen,
            "own": load and load.own,
        },
        "seconds": seconds,
        "interrupted": interrupted,
        "start": parts.start_document(session),
        "peaks": _peaks(session),
        "step": ladders.steps_document(session),
        "feed": parts.feed_document(session),
        "colorize": parts.colorize_document(session),
        "memory": parts.memory_document(session),
        "curves": ladders.curves_document(session),
        "missing": session.missing,
    }
    return {**found, "targets": targets(found)}


def _peaks(session: Session) -> list[dict[str, Any]]:
    rows = []
    for kind in session.facts.get(("peaks",), ladders.BESIDE):
        found = ladders.peak(session, kind)
        if found is None:
            continue
        giga = {
            name: value / 1e9 if name in ("median", "low", "high") else value
            for name, value in (as_json(found) or {}).items()
        }
        _, size = session.facts["peak", kind]
        rows.append({"kind": kind, "unit": "GB/s" if kind == COPY else "GFLOP/s", "size": size, **giga})
    return rows
