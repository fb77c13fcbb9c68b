"""What a result depends on besides its options: versions, hardware, the code's commit. Loads no torch until it is asked for."""

import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from pretint import __version__
from pretint.data.processes import cores


def environment() -> dict[str, Any]:
    """Versions, processor, device and, in a checkout, the commit; no user name and no host name."""
    import torch

    return {
        "pretint": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": cores(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def continued(manifest: Mapping[str, Any], now: Mapping[str, Any], **where: Any) -> tuple[list[dict[str, Any]], str]:
    """What a manifest is to hold as ``environments`` when its work goes on, and what is to be said of it.

    Args:
        manifest: ``environment`` is that of the start, ``environments`` all so far, where there were several.
        now: the environment in which the work goes on.
        **where: how far the work was: ``step=120``, or ``cells=7``.

    Returns:
        All environments in their order, each with ``since`` (when it began) and ``where``; a new one only where it differs from
        the one before. And a sentence, or "" where nothing differs.
    """
    first = {**manifest.get("environment", {}), "since": manifest.get("begun")}
    found: list[dict[str, Any]] = list(manifest.get("environments", [first]))
    changed = changes(found[-1], now)
    if not changed:
        return found, ""
    entry = {**now, "since": time.strftime("%Y-%m-%d %H:%M:%S"), **where}
    return [
        *found,
        entry,
    ], f"resumed in another environment: {changed}; results may differ from those of one environment"


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """How two environments differ, in words: ``commit 1a2b, now 3c4d; threads 2, now 1``; "" where they do not."""
    names = [name for name in now if name in before and name not in _PLACES and before[name] != now[name]]
    return "; ".join(f"{name} {_told(before[name])}, now {_told(now[name])}" for name in names)


def resumptions(environments: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence for each time that work went on in another environment: how far it was, and what had changed."""
    told = []
    for before, now in pairwise(environments):
        where = ", ".join(f"{now[name]} {words}" for name, words in _PLACES.items() if words and name in now)
        if changed := changes(before, now):
            told.append(f"after {where or 'a stop'} ({now['since']}): {changed}")
    return told


_PLACES = {"since": "", "step": "steps", "cells": "finished cells and trials"}


def _told(value: Any) -> str:
    return "none" if value is None else str(value)


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _commit() -> str | None:
    """Commit of the checkout that this file lies in, with ``+`` where it was changed; None for an installed package."""
    folder = Path(__file__).parent
    try:
        top = subprocess.run(
            ["git", "rev-parse", "--show-toplevel", "HEAD"], cwd=folder, capture_output=True, text=True, check=True
        ).stdout.splitlines()  # the path may hold spaces
        if not folder.is_relative_to(Path(top[0]) / "src"):
            return None
        changed = subprocess.run(
            ["git", "status", "--porcelain", "src"], cwd=top[0], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return top[1][:12] + ("+" if changed else "")
