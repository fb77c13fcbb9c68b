"""Several labels a picture: one sigmoid a class, binary cross-entropy, scored by mean average precision.

pretint finetune --task multilabel --data VOC --init runs/photos --out runs/labels
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from pretint.data.feed import Batch
from pretint.data.record import Record
from pretint.data.splits import label_matrix
from pretint.metrics.meters import LabelMeter
from pretint.networks.backbone import Backbone, Decoder
from pretint.objective import Loss
from pretint.tasks.classifier import Classifier
from pretint.tasks.task import Task, TaskNetwork, class_shares

TARGET: Literal["labels"] = "labels"


@dataclass(frozen=True, kw_only=True)
class Options:
    """Several labels a picture."""

    head: Literal["pooled", "paper"] = "pooled"
    """pooled: means of the coarser features, then one linear layer; paper: dense layers 4096, 4096 on the bottleneck."""
    from_stride: int = 8
    """Finest stride of the features that are pooled, in pixels."""


class Multilabel(Task):
    target = TARGET
    best = "map"

    def __init__(self, options: Options, classes: Sequence[str]) -> None:
        super().__init__(classes)
        self.options = options

    def network(self, backbone: Backbone, decoder: Decoder | None, size: int) -> TaskNetwork:
        return Classifier(backbone, len(self.classes), self.options.head, self.options.from_stride, size)

    def loss(self, logits: Tensor, batch: Batch) -> Loss:
        assert batch.labels is not None
        total = F.binary_cross_entropy_with_logits(logits.float(), batch.labels, reduction="sum")
        return Loss(total, batch.labels.numel())

    def prediction(self, logits: Tensor) -> NDArray[Any]:
        # Of float32 all logits above 17 would be exactly 1, and their order lost.
        return logits.cpu().double().sigmoid().numpy()

    def meter(self) -> "MultilabelScores":
        return MultilabelScores(self.classes)

    def frequencies(self, training: Sequence[Record], mask_map: Mapping[int, int]) -> list[float]:
        """Share of the training pictures that show each class."""
        return class_shares(label_matrix(training, self.classes).sum(axis=0), len(training))

    def constant(self, frequencies: Sequence[float], shape: tuple[int, ...]) -> NDArray[Any]:
        """Each class's frequency, for every picture."""
        return np.tile(np.asarray(frequencies), (shape[0], 1))


class MultilabelScores:
    """``map``, ``f1_micro``, ``f1_macro`` and ``ap`` by class."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = classes
        self._meter = LabelMeter()

    def update(self, batch: Batch, prediction: NDArray[Any]) -> None:
        assert batch.labels is not None
        self._meter.update(batch.labels.cpu().numpy(), prediction)

    def compute(self) -> dict[str, Any]:
        scores = self._meter.compute()
        by_class = dict(zip(self._classes, self._meter.average_precision().tolist(), strict=True))
        return {"map": scores["mAP"], "f1_micro": scores["f1_micro"], "f1_macro": scores["f1_macro"], "ap": by_class}


def build(options: Options, classes: Sequence[str]) -> Multilabel:
    """The task over these classes."""
    return Multilabel(options, classes)
