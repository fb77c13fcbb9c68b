"""Several labels a picture: one sigmoid a class, binary cross-entropy, scored by mean average precision.

pretint finetune --task multilabel --data VOC --init runs/photos --out runs/labels
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from pretint.data.feed import Batch
from pretint.objective import Loss
from pretint.tasks.classifier import LabelScores, LabelTask

TARGET: Literal["labels"] = "labels"


@dataclass(frozen=True, kw_only=True)
class Options:
    """Several labels a picture."""

    head: Literal["pooled", "paper"] = "pooled"
    """pooled: means of the coarser features, then one linear layer; paper: dense layers 4096, 4096 on the bottleneck."""
    from_stride: int = 8
    """Finest stride of the features that are pooled, in pixels."""


class Multilabel(LabelTask):
    best = "map"

    def loss(self, logits: Tensor, batch: Batch) -> Loss:
        assert batch.labels is not None
        total = F.binary_cross_entropy_with_logits(logits.float(), batch.labels, reduction="sum")
        return Loss(total, batch.labels.numel())

    def prediction(self, logits: Tensor) -> NDArray[Any]:
        # Of float32 all logits above 17 would be exactly 1, and their order lost.
        return logits.cpu().double().sigmoid().numpy()

    def meter(self) -> "MultilabelScores":
        return MultilabelScores(self.classes)


class MultilabelScores(LabelScores):
    """``map``, ``f1_micro``, ``f1_macro`` and ``ap`` by class."""

    def __init__(self, classes: Sequence[str]) -> None:
        super().__init__()
        self._classes = classes

    def compute(self) -> dict[str, Any]:
        scores = self._meter.compute()
        by_class = dict(zip(self._classes, self._meter.average_precision().tolist(), strict=True))
        return {"map": scores["mAP"], "f1_micro": scores["f1_micro"], "f1_macro": scores["f1_macro"], "ap": by_class}


def build(options: Options, classes: Sequence[str]) -> Multilabel:
    """The task over these classes."""
    return Multilabel(options, classes)
