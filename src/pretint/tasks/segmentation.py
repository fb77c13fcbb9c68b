"""A class for every pixel: softmax and cross-entropy over pixels that are not void, scored by mean intersection over union.

    pretint finetune --task segmentation --data CELLS --init runs/photos --out runs/cells

The network keeps the pretext's decoder, as the paper does; only the output layer is new.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from pretint.data.feed import Batch
from pretint.data.reading import ids_to_classes, read_mask
from pretint.data.record import VOID, Record
from pretint.metrics import segmentation
from pretint.metrics.meters import SegmentationMeter
from pretint.networks.backbone import Backbone, Decoder
from pretint.objective import Loss
from pretint.tasks.task import Task, TaskNetwork, class_shares

TARGET: Literal["mask"] = "mask"


@dataclass(frozen=True, kw_only=True)
class Options:
    """A class for every pixel."""


class Segmenter(TaskNetwork):
    """Planes (B, P, H, W) -> logits (B, K, H, W)."""

    def __init__(self, backbone: Backbone, decoder: Decoder, classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.decoder: Decoder = decoder
        self.head = decoder.dense_head(classes)

    def forward(self, planes: Tensor) -> Tensor:
        logits: Tensor = self.head(self.decoder(self.backbone(planes)))
        return logits[..., : planes.shape[-2], : planes.shape[-1]]


class Segmentation(Task):
    target = TARGET
    best = "miou"

    def network(self, backbone: Backbone, decoder: Decoder | None, size: int) -> TaskNetwork:
        assert decoder is not None
        return Segmenter(backbone, decoder, len(self.classes))

    def loss(self, logits: Tensor, batch: Batch) -> Loss:
        assert batch.mask is not None
        total = F.cross_entropy(logits.float(), batch.mask, ignore_index=VOID, reduction="sum")
        return Loss(total, (batch.mask != VOID).sum())

    def prediction(self, logits: Tensor) -> NDArray[Any]:
        return logits.argmax(dim=1).cpu().numpy()

    def meter(self) -> "SegmentationScores":
        return SegmentationScores(self.classes)

    def frequencies(self, training: Sequence[Record], mask_map: Mapping[int, int]) -> list[float]:
        """Share of the training pixels of each class, void left out."""
        counts = np.zeros(VOID + 1, dtype=np.int64)
        for record in training:
            assert record.mask is not None
            classes = ids_to_classes(read_mask(record.mask), mask_map, record.mask)
            counts += np.bincount(classes.reshape(-1), minlength=VOID + 1)
        counts = counts[: len(self.classes)]
        return class_shares(counts, max(1, int(counts.sum())))

    def constant(self, frequencies: Sequence[float], shape: tuple[int, ...]) -> NDArray[Any]:
        """The commonest class at every pixel."""
        return np.full(shape, int(np.argmax(frequencies)), dtype=np.int64)


class SegmentationScores:
    """``miou`` (classes in neither target nor prediction are left out), ``pixel_accuracy`` and ``iou`` by class."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = classes
        self._meter = SegmentationMeter(len(classes), VOID)

    def update(self, batch: Batch, prediction: NDArray[Any]) -> None:
        assert batch.mask is not None
        self._meter.update(batch.mask.cpu().numpy(), prediction)

    def compute(self) -> dict[str, Any]:
        scores = self._meter.compute()
        by_class = dict(zip(self._classes, segmentation.iou_per_class(self._meter.matrix).tolist(), strict=True))
        return {"miou": scores["mIoU"], "pixel_accuracy": scores["pixel_accuracy"], "iou": by_class}


def build(options: Options, classes: Sequence[str]) -> Segmentation:
    """The task over these classes, background included."""
    return Segmentation(classes)
