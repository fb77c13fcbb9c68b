"""One label a picture: softmax and cross-entropy, scored by the share of pictures whose best class is right.

pretint finetune --task classification --data FOLDER_OF_CLASS_FOLDERS --init runs/photos --out runs/classes
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from pretint.data.feed import Batch
from pretint.data.record import Record
from pretint.data.splits import label_matrix
from pretint.errors import DataError
from pretint.objective import Loss
from pretint.tasks.classifier import LabelScores, LabelTask

TARGET: Literal["labels"] = "labels"


@dataclass(frozen=True, kw_only=True)
class Options:
    """One label a picture."""

    head: Literal["pooled", "paper"] = "pooled"
    """pooled: means of the coarser features, then one linear layer; paper: dense layers 4096, 4096 on the bottleneck."""
    from_stride: int = 8
    """Finest stride of the features that are pooled, in pixels."""


class Classification(LabelTask):
    best = "top1"

    def loss(self, logits: Tensor, batch: Batch) -> Loss:
        assert batch.labels is not None
        total = F.cross_entropy(logits.float(), batch.labels.argmax(dim=1), reduction="sum")
        return Loss(total, len(batch.labels))

    def prediction(self, logits: Tensor) -> NDArray[Any]:
        return logits.float().softmax(dim=1).cpu().numpy()

    def meter(self) -> "ClassificationScores":
        return ClassificationScores()

    def check(self, records: Sequence[Record], what: str, mend: str) -> None:
        """As every task; a DataError too where there are fewer than two classes, or a picture has not exactly one label of them."""
        if len(self.classes) < 2:
            raise DataError(
                f"{what} has the class {', '.join(self.classes)} alone, and classification tells two or more apart; give data or "
                "--classes of more, or use --task multilabel"
            )
        super().check(records, what, mend)
        for record, count in zip(records, label_matrix(records, self.classes).sum(axis=1), strict=True):
            if count != 1:
                raise DataError(
                    f"{record.path}: has {count} of the classes {', '.join(self.classes)}; classification needs exactly one a "
                    "picture, so mend the labels or use --task multilabel"
                )


class ClassificationScores(LabelScores):
    """``top1``."""

    def compute(self) -> dict[str, Any]:
        return {"top1": self._meter.top1()}


def build(options: Options, classes: Sequence[str]) -> Classification:
    """The task over these classes."""
    return Classification(options, classes)
