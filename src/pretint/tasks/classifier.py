"""Labels of whole pictures: a backbone with a head that gives one logit a class, and what both tasks of that kind share."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pretint.data.feed import Batch
from pretint.data.record import Record
from pretint.data.splits import label_matrix
from pretint.metrics.meters import LabelMeter
from pretint.networks.backbone import Backbone, Decoder
from pretint.networks.heads import FlattenClassifier, PooledLinear
from pretint.tasks.task import Task, TaskNetwork, class_shares

Head = Literal["pooled", "paper"]


class Classifier(TaskNetwork):
    """Planes (B, P, H, W) -> logits (B, K).

    Args:
        backbone: gives the features.
        classes: K.
        head: ``pooled`` is means of the levels from ``from_stride`` up, then a linear layer; ``paper`` is the paper's three
            dense layers on the coarsest level.
        from_stride: finest stride that is pooled.
        size: side of the pictures in pixels; the paper's head fits no other.
    """

    def __init__(self, backbone: Backbone, classes: int, head: Head, from_stride: int, size: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.decoder = None
        if head == "paper":
            side = -(-size // backbone.strides[-1])
            self.head = FlattenClassifier(backbone.channels[-1] * side * side, classes)
        else:
            strides = [stride for stride in backbone.strides if stride >= from_stride] or [backbone.strides[-1]]
            self.head = PooledLinear(backbone.channels[-len(strides) :], classes)

    def forward(self, planes: Tensor) -> Tensor:
        logits: Tensor = self.head(self.backbone(planes))
        return logits


class HeadOptions(Protocol):
    """What a task of labels is told of its head."""

    @property
    def head(self) -> Head:
        """``pooled`` or ``paper``."""

    @property
    def from_stride(self) -> int:
        """Finest stride that is pooled."""


class LabelTask(Task):
    """Labels of whole pictures, one or several."""

    target = "labels"

    def __init__(self, options: HeadOptions, classes: Sequence[str]) -> None:
        super().__init__(classes)
        self.options = options

    def network(self, backbone: Backbone, decoder: Decoder | None, size: int) -> TaskNetwork:
        return Classifier(backbone, len(self.classes), self.options.head, self.options.from_stride, size)

    def frequencies(self, training: Sequence[Record], mask_map: Mapping[int, int]) -> list[float]:
        """Share of the training pictures that show each class."""
        return class_shares(label_matrix(training, self.classes).sum(axis=0), len(training))

    def constant(self, frequencies: Sequence[float], shape: tuple[int, ...]) -> NDArray[Any]:
        """Each class's frequency, for every picture: where one counts, the commonest wins everywhere."""
        return np.tile(np.asarray(frequencies), (shape[0], 1))


class LabelScores:
    """Labels and probabilities of all pictures seen."""

    def __init__(self) -> None:
        self._meter = LabelMeter()

    def update(self, batch: Batch, prediction: NDArray[Any]) -> None:
        assert batch.labels is not None
        self._meter.update(batch.labels.cpu().numpy(), prediction)
