"""Checkpoints as safetensors: never a pickle, checked by checksum when they are read.

``weights.safetensors`` holds what one uses (the moving average where one is kept), ``optimizer.safetensors`` what only a
resume needs: each player's optimizer state, and the raw weights beside a moving average. ``progress.json`` holds the step,
the checksums, and the loop's own counters.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from safetensors.torch import save as serialize
from torch import Tensor, nn

from pretint.errors import RunError, WeightsError
from pretint.run_folder import RunFolder, checksum

WEIGHTS = "weights.safetensors"
OPTIMIZER = "optimizer.safetensors"
DESCRIPTION = ("kind", "options", "classes", "transferred", "mean_colour", "constant")
"""Entries of run.json that the weights' file carries too. It may hold ``frozen`` beside them, see :func:`save`."""


def save(
    run: RunFolder,
    step: int,
    weights: Mapping[str, Tensor],
    resume_state: Mapping[str, Tensor],
    progress: Mapping[str, Any],
    frozen: Sequence[str] = (),
) -> None:
    """Write the checkpoint of a step. The weights' file says what they are, so that it can be used without the run.

    ``frozen`` are parts of the objective that did not learn up to this step: their batch norms use moving averages, which the
    weights alone do not tell.

    Raises:
        ResourceError: it cannot be written.
    """
    manifest = run.manifest
    description = {name: manifest[name] for name in DESCRIPTION if name in manifest}
    if frozen:
        description["frozen"] = list(frozen)
    with run.new_checkpoint(step) as folder:
        save_file(_plain(weights), folder / WEIGHTS, _metadata(description))
        save_file(_plain(resume_state), folder / OPTIMIZER)
        sums = {path.name: checksum(path) for path in folder.iterdir()}
        (folder / "progress.json").write_text(json.dumps({"step": step, **progress, "sha256": sums}, indent=2) + "\n")


def read_progress(folder: Path, *files: str) -> dict[str, Any]:
    """progress.json of a checkpoint, after the named files were checked against it.

    Raises:
        RunError: a file is missing or not what was written.
    """
    try:
        progress: dict[str, Any] = json.loads((folder / "progress.json").read_text())
        sums = progress["sha256"]
    except (OSError, ValueError, KeyError):
        raise RunError(f"{folder}: progress.json is missing or damaged; this checkpoint cannot be used") from None
    for name in files:
        if not (folder / name).is_file() or checksum(folder / name) != sums.get(name):
            raise RunError(
                f"{folder / name}: is missing or damaged (its checksum is wrong); this checkpoint cannot be used"
            )
    return progress


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file, on the CPU.

    Raises:
        WeightsError: not a safetensors file, or damaged.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such file")
    try:
        return load_file(path)
    except (SafetensorError, OSError):
        raise WeightsError(
            f"{path}: is not a safetensors file, or is damaged; pickled weights (.pt, .pth) are never loaded"
        ) from None


def load_weights(module: nn.Module, tensors: Mapping[str, Tensor], source: Path) -> None:
    """Load weights that must fit exactly.

    Raises:
        WeightsError: names or shapes differ; the sentence names the first that does.
    """
    own = module.state_dict()
    for name in sorted(own.keys() | tensors.keys()):
        if name not in own:
            raise WeightsError(
                f"{source}: holds {name}, which this network does not have; it is of another architecture"
            )
        if name not in tensors:
            raise WeightsError(f"{source}: lacks {name}; it is of another architecture")
        if own[name].shape != tensors[name].shape:
            shapes = f"{tuple(tensors[name].shape)}, this network needs {tuple(own[name].shape)}"
            raise WeightsError(f"{source}: {name} has shape {shapes}; it is of another size or architecture")
    module.load_state_dict(dict(tensors))


def as_file(tensors: Mapping[str, Tensor], description: Mapping[str, Any]) -> bytes:
    """The content of a weights' file; ``description`` is what ``run_folder.read_description`` gives back."""
    return serialize(_plain(tensors), _metadata(description))


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    # Contiguous copies: safetensors refuses shared storage and other memory formats.
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _metadata(description: Mapping[str, Any]) -> dict[str, str]:
    return {"pretint": json.dumps(description)}
