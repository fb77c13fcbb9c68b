"""The contract between what is learned and the loop that trains it.

The loop of ``pretint.training`` knows an :class:`Objective` and nothing else: a pretext is one, and so is a downstream
task with its network. A step is a sequence of turns; in each turn one player's parameters learn. A GAN has two players
and two turns a step, a classifier one of each.
"""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

import torch
from torch import Tensor, nn

from pretint.data.feed import Batch
from pretint.errors import OptionError, WeightsError

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class OptimizerSettings:
    """Settings of one player's optimizer.

    ``rate`` lies above 0, ``betas`` in [0, 1). ``eps``, above 0, is 1e-7 where Keras is followed, 1e-8 is torch's.
    ``weight_decay``, 0 or more, is decoupled (AdamW) and left off biases and normalisations.

    Raises:
        OptionError: a value is out of range. The options of a method are checked earlier, before pictures are opened.
    """

    rate: float
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        # Written so that nan fails too.
        for name, value, allowed, told in (
            ("rate", self.rate, 0 < self.rate < math.inf, "above 0 and finite"),
            ("betas", self.betas, all(0 <= beta < 1 for beta in self.betas), "at least 0 and below 1"),
            ("eps", self.eps, 0 < self.eps < math.inf, "above 0 and finite"),
            ("weight_decay", self.weight_decay, 0 <= self.weight_decay < math.inf, "at least 0 and finite"),
        ):
            if not allowed:
                raise OptionError(f"optimizer: {name} {value} must be {told}; mend the option that it comes from")


@dataclass(frozen=True, kw_only=True)
class Player:
    """Who learns: paths of submodules or parameters under the objective, and their optimizer.

    A parameter may belong to two players (the authors' discriminator does in ``paper-code``); each keeps its own state.
    ``quick_parts`` learn at ``quick_factor`` times the rate: a new head beside transferred features.
    """

    parts: tuple[str, ...]
    optimizer: OptimizerSettings
    quick_parts: tuple[str, ...] = ()
    quick_factor: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of epochs with the same learners.

    ``frozen`` parts do not learn and their batch norms use moving averages; dropout stays on. ``rate`` overrides the
    players' rates. Optimizers start anew with each phase.
    """

    name: str
    epochs: int
    frozen: tuple[str, ...] = ()
    rate: float | None = None


@dataclass(frozen=True)
class Turn:
    """One update of one player within a step."""

    name: str
    player: str


@dataclass
class Loss:
    """What a turn minimises: ``total`` is a sum over ``count`` items.

    The loop divides by the count over all micro-batches and processes, so void pixels and uneven batches stay right.
    ``scalars`` are logged, each a mean over this micro-batch.
    """

    total: Tensor
    count: Tensor | int
    scalars: dict[str, Tensor] = field(default_factory=dict)


class Shared:
    """The scratch pad of one micro-batch in one step, filed by player.

    What is filed under a player is dropped when that player has stepped, since it was made with the old weights.
    ``forward(player, key)`` is a context of the loop's: it lets the player's parameters take gradients and seeds torch.
    """

    def __init__(self, forward: Callable[[str, str], AbstractContextManager[None]]) -> None:
        self._forward = forward
        self._filed: dict[str, dict[str, Any]] = {}

    def once(self, player: str, key: str, compute: Callable[[], T]) -> T:
        """The value filed under (player, key), computed at the first call."""
        filed = self._filed.setdefault(player, {})
        if key not in filed:
            with self._forward(player, key):
                filed[key] = compute()
        value: T = filed[key]
        return value

    def drop(self, player: str) -> None:
        """Forget what was computed with this player's weights."""
        self._filed.pop(player, None)

    def clear(self) -> None:
        """Forget everything."""
        self._filed.clear()


class Meter(Protocol):
    """Scores over a held-out set. ``best`` names the score that chooses the checkpoint and its better direction."""

    best: tuple[str, Literal["max", "min"]]

    def update(self, batch: Batch) -> None:
        """Run the network on a batch and add to the state; called in eval mode, without gradients.

        Raises:
            WeightsError: the network gives values that are not numbers.
        """

    def compute(self) -> dict[str, float]:
        """The scores over all batches seen; the loop leaves out those that are not finite."""


class Objective(nn.Module):
    """What the loop trains. Knows no files, devices, or epochs of others."""

    @property
    def players(self) -> dict[str, Player]:
        """Those who learn, by name."""
        raise NotImplementedError

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The stretches of the training, in order."""
        raise NotImplementedError

    def turns(self, step: int) -> tuple[Turn, ...]:
        """The updates of this step, in order."""
        return tuple(Turn(name, name) for name in self.players)

    def loss(self, turn: Turn, batch: Batch, shared: Shared) -> Loss:
        """The loss of one turn on one micro-batch."""
        raise NotImplementedError

    def after_step(self, turn: Turn) -> None:
        """State that is not optimised (memories, queues, teachers) moves on here, in buffers."""

    def meter(self) -> Meter:
        """A fresh meter for held-out pictures."""
        raise NotImplementedError


def finite(values: Tensor) -> Tensor:
    """What a network gave, as it is.

    Raises:
        WeightsError: some values are not numbers, of which a class or a colour would be made all the same.
    """
    if not torch.isfinite(values).all():
        raise WeightsError(
            "the network gives values that are not numbers: its training diverged or its weights are damaged; "
            "use another checkpoint"
        )
    return values
