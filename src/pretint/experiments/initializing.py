"""Gives a task's network its starting weights, and an account of what was loaded, left over and new."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from pretint.errors import WeightsError
from pretint.experiments.architecture import RANDOM_FROZEN, is_foreign
from pretint.inference.models import load_parts
from pretint.networks.backbone import Backbone
from pretint.shipped import where
from pretint.tasks.task import TaskNetwork
from pretint.training import checkpoint

SEEN = 1000
"""Batches that a file's moving averages count as made from, where it does not say how many."""


@dataclass(frozen=True)
class Account:
    """What a network's weights came from.

    Attributes:
        init: what was asked for.
        parts: parts of the network that are transferred: ``backbone``, ``decoder``; they are loaded, unless ``init`` is
            ``random-frozen``.
        loaded: numbers loaded.
        total: numbers of the network.
        left_over: tensors of the file that the network has no place for.
    """

    init: str
    parts: tuple[str, ...]
    loaded: int
    total: int
    left_over: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Share of the network's parameters that were loaded, in [0, 1]."""
        return self.loaded / self.total

    def sentence(self) -> str:
        """The account in words."""
        if self.init == RANDOM_FROZEN:
            return f"weights: random; {' and '.join(self.parts)} stay so, the head learns"
        if not self.parts:
            return f"weights: from scratch, {self.total:,} parameters"
        left = f"; left in the file: {', '.join(self.left_over)}" if self.left_over else ""
        return (
            f"weights: {self.share:.1%} of {self.total:,} parameters from {self.init} "
            f"({' and '.join(self.parts)}); the rest is new{left}"
        )

    def as_dict(self) -> dict[str, Any]:
        """For run.json."""
        return {
            "init": self.init,
            "parts": list(self.parts),
            "loaded": self.loaded,
            "total": self.total,
            "share": self.share,
            "left_over": list(self.left_over),
        }


def initialize(network: TaskNetwork, init: str) -> Account:
    """Load what fits from ``init``: a run, a weights' file of pretint, ``pretint``, a file of backbone weights, or nothing for
    ``scratch`` and ``random-frozen``.

    Raises:
        WeightsError: the weights are of another architecture.
        RunError: ``init`` is a folder without a run.
    """
    total = _count(network)
    if init == "scratch":
        return Account(init, (), 0, total)
    if init == RANDOM_FROZEN:
        return Account(init, ("backbone",) if network.decoder is None else ("backbone", "decoder"), 0, total)
    if is_foreign(init):
        path = where(init)
        left_over = _load_foreign(network.backbone, checkpoint.load_tensors(path), path)
        return Account(init, ("backbone",), _count(network.backbone), total, left_over)
    backbone, decoder, trained = load_parts(init)
    checkpoint.load_weights(network.backbone, backbone.state_dict(), trained.source)
    parts, loaded = ["backbone"], _count(network.backbone)
    if network.decoder is not None and decoder is not None:
        checkpoint.load_weights(network.decoder, decoder.state_dict(), trained.source)
        parts, loaded = [*parts, "decoder"], loaded + _count(network.decoder)
    return Account(init, tuple(parts), loaded, total)


def _load_foreign(backbone: Backbone, tensors: Mapping[str, Tensor], path: Path) -> tuple[str, ...]:
    """A backbone's weights under its published names, such as torchvision's; gives back what was left over (a classifier)."""
    own = backbone.state_dict()
    places = {_plain(name.removeprefix(backbone.prefix)): name for name in own}
    left_over = tuple(sorted(name for name in tensors if _plain(name) not in places))
    tensors = {places[_plain(name)]: tensor for name, tensor in tensors.items() if _plain(name) in places}
    if not tensors:
        raise WeightsError(
            f"--init {path}: has no tensor of this backbone (it has {next(iter(own)).removeprefix(backbone.prefix)}); it is of another architecture"
        )
    # Counters that a file leaves out, or that torch filled with 0 when it read an older one: with them the first batch would replace
    # the file's moving averages altogether.
    filled = {name: tensor.new_tensor(SEEN) for name, tensor in own.items() if name.endswith("num_batches_tracked")}
    counted = {name: tensor for name, tensor in tensors.items() if name not in filled or int(tensor)}
    checkpoint.load_weights(backbone, {**filled, **counted}, path)
    return left_over


def _plain(name: str) -> str:
    """A tensor's name without its structure: timm flattens ``stages.0`` to ``stages_0`` in what gives feature maps."""
    return name.replace(".", "_")


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
