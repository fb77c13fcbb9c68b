"""Options of runs that take a fraction of a second, as a Python call and as arguments."""

from collections.abc import Mapping
from typing import Any

LOOP = {"workers": 0, "accelerator": "cpu", "precision": "float32", "log_every": 1}
COMMON: dict[str, Any] = {
    "size": 16,
    "epochs": 2,
    "batch_size": 4,
    "validation": 4,
    "backbone": "unet",
    "unet": {"width": 0.1},
    "loop": LOOP,
}
PRETRAIN = COMMON | {"pretext": "regression"}
FINETUNE = COMMON | {"task": "segmentation"}


def arguments(verb: str, values: Mapping[str, Any], prefix: str = "--") -> list[str]:
    """The values as arguments of the command."""
    found = [] if prefix != "--" else [verb]
    for name, value in values.items():
        option = prefix + name.replace("_", "-")
        if isinstance(value, Mapping):
            found += arguments(verb, value, f"{option}.")
        elif value is True:
            found.append(option)
        elif isinstance(value, list | tuple):
            found += [option, *map(str, value)]
        else:
            found += [option, str(value)]
    return found
