"""Makes an Objective of a task and its network: from scratch and from pretrained weights alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pretint.data.feed import Batch
from pretint.objective import Loss, Objective, OptimizerSettings, Phase, Player, Shared, Turn, finite
from pretint.tasks.task import Task, TaskNetwork


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Epochs and rates; see the options of ``pretint finetune``."""

    epochs: int
    rate: float
    frozen_epochs: int = 0
    unfrozen_rate: float | None = None
    head_factor: float = 1.0
    weight_decay: float = 0.0
    eps: float = 1e-7


class FineTuning(Objective):
    """One player, ``network``.

    Args:
        task: loss and scores.
        network: the task's network.
        schedule: epochs and rates.
        transferred: parts of the network that hold pretrained weights, such as ``("backbone",)``; they are frozen in the
            frozen epochs. Empty from scratch: then one phase trains everything at ``rate``.
    """

    def __init__(self, task: Task, network: TaskNetwork, schedule: Schedule, transferred: Sequence[str] = ()) -> None:
        super().__init__()
        self.task = task
        self.network = network
        self.schedule = schedule
        self.transferred = tuple(transferred)

    @property
    def players(self) -> dict[str, Player]:
        s = self.schedule
        settings = OptimizerSettings(rate=s.rate, eps=s.eps, weight_decay=s.weight_decay)
        return {
            "network": Player(
                parts=("network",), optimizer=settings, quick_parts=("network.head",), quick_factor=s.head_factor
            )
        }

    @property
    def phases(self) -> tuple[Phase, ...]:
        s = self.schedule
        if not (s.frozen_epochs and self.transferred):
            return (Phase(name="training", epochs=s.epochs),)
        frozen = Phase(
            name="frozen", epochs=s.frozen_epochs, frozen=tuple(f"network.{part}" for part in self.transferred)
        )
        if s.frozen_epochs == s.epochs:
            return (frozen,)
        return (frozen, Phase(name="unfrozen", epochs=s.epochs - s.frozen_epochs, rate=s.unfrozen_rate))

    def loss(self, turn: Turn, batch: Batch, shared: Shared) -> Loss:
        return self.task.loss(self.network(batch.planes(self.network.backbone.planes)), batch)

    def meter(self) -> "HeldOutScores":
        return HeldOutScores(self)


class HeldOutScores:
    """The task's scores at the network's size; those by class are left to ``evaluate``."""

    def __init__(self, objective: FineTuning) -> None:
        self._objective = objective
        self._meter = objective.task.meter()
        self.best: tuple[str, Literal["max", "min"]] = (objective.task.best, "max")

    def update(self, batch: Batch) -> None:
        network = self._objective.network
        logits = finite(network(batch.planes(network.backbone.planes)))
        self._meter.update(batch, self._objective.task.prediction(logits))

    def compute(self) -> dict[str, float]:
        return {name: value for name, value in self._meter.compute().items() if isinstance(value, float)}
