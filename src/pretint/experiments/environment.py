"""What a result depends on besides its options: versions, hardware, the code's commit."""

import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

from pretint import __version__
from pretint.data.processes import cores


def environment() -> dict[str, Any]:
    """Versions, processor, device and, in a checkout, the commit; no user name and no host name."""
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
        ).stdout.split()
        if not folder.is_relative_to(Path(top[0]) / "src"):
            return None
        changed = subprocess.run(
            ["git", "status", "--porcelain", "src"], cwd=top[0], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return top[1][:12] + ("+" if changed else "")
