"""What network some weights are of, told from the run or from the tensors' names and shapes. Loads no torch.

What starts from weights must be built like the network that they come from, so their architecture stands between a recipe's
values and the command line's.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from pretint.errors import OptionError
from pretint.methods import decoder_of
from pretint.run_folder import MANIFEST, RunFolder, read_description
from pretint.shipped import where

RANDOM_FROZEN = "random-frozen"
"""``--init`` of a floor: features that nobody has trained, and a head on them."""
FROM_NOTHING = ("scratch", RANDOM_FROZEN)
"""Values of ``--init`` that name no weights."""

_BOTTLENECKS: dict[tuple[int, ...], str] = {
    (3, 4, 6, 3): "resnet50",
    (3, 4, 23, 3): "resnet101",
    (3, 8, 36, 3): "resnet152",
}
"""Residual networks of bottleneck blocks, by the blocks of their stages; another (a ResNeXt, say) is named by ``--timm.name``."""


def architecture_of(init: str) -> dict[str, Any]:
    """The options that say what network ``init`` holds: ``backbone``, its section, and for weights of pretint ``decoder``
    and ``size`` too; empty where nothing tells.

    Args:
        init: a run, a weights' file of pretint, ``pretint``, a file of a residual network in torchvision's names, or
            ``scratch``.

    Raises:
        WeightsError: the package carries no model.
    """
    if init in FROM_NOTHING:
        return {}
    path = where(init)
    if (path / MANIFEST).is_file():
        options = RunFolder.open(path).manifest["options"]
    elif description := read_description(path):
        options = description["options"]
    else:
        return _foreign(path)
    backbone = options["backbone"]
    decoder = decoder_of(backbone, options["decoder"])  # or two ways to call one network would pass for two networks
    return {"backbone": backbone, "decoder": decoder, "size": options["size"], backbone: options[backbone]}


def check_weights(init: str, option: str) -> None:
    """See that ``init`` is a run, or a file of weights that can be read; whether they fit a network is told when they are loaded.

    Args:
        init: no word of ``FROM_NOTHING``.
        option: that names it, for the message: ``--arms``.

    Raises:
        RunError: it is a folder without a run.
        OptionError: it is a file of something else.
    """
    path = where(init)
    if path.is_dir():
        RunFolder.open(path)
    elif path.suffix != ".safetensors" or not _shapes(path):
        raise OptionError(
            f"{option} {init}: is no .safetensors file that can be read; name one, or the folder of a run"
        )


def check_size(init: str, told: Mapping[str, Any], backbone: str, size: int) -> None:
    """See that weights are of networks for pictures of this size; ``told`` is what :func:`architecture_of` tells of them.

    Raises:
        OptionError: they are not.
    """
    if backbone == told.get("backbone") == "unet" and told.get("size", size) != size:
        raise OptionError(
            f"--size {size}: {init} has a U-Net for {told['size']} px, whose depth is fixed; take --size {told['size']}"
        )


def is_foreign(init: str) -> bool:
    """Whether ``init`` is a file of weights that pretint did not write."""
    path = where(init)
    return path.suffix == ".safetensors" and path.is_file() and read_description(path) is None


def _foreign(path: Path) -> dict[str, Any]:
    """Width, blocks and stem of a residual network of basic blocks, such as torchvision's ResNet-18 and -34; of one of
    bottleneck blocks its name in timm.
    """
    shapes = _shapes(path)
    if "conv1.weight" not in shapes or "layer1.0.conv1.weight" not in shapes:
        return {}
    width, _, kernel, _ = shapes["conv1.weight"]
    blocks: list[int] = []
    while any(name.startswith(f"layer{len(blocks) + 1}.") for name in shapes):
        stage = f"layer{len(blocks) + 1}."
        blocks.append(1 + max(int(name.split(".")[1]) for name in shapes if name.startswith(stage)))
    if "layer1.0.conv3.weight" in shapes:
        return {"backbone": "timm", "timm": {"name": _BOTTLENECKS.get(tuple(blocks), "resnet50")}}
    stem = "torchvision" if kernel == 7 else "small"
    return {"backbone": "residual", "residual": {"width": width, "blocks": blocks, "stem": stem}}


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    try:
        with safe_open(path, "numpy") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError):
        return {}
