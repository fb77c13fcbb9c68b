"""A backbone with a head that gives one logit a class for the whole picture."""

from typing import Literal

from torch import Tensor

from pretint.networks.backbone import Backbone
from pretint.networks.heads import FlattenClassifier, PooledLinear
from pretint.tasks.task import TaskNetwork


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

    def __init__(
        self, backbone: Backbone, classes: int, head: Literal["pooled", "paper"], from_stride: int, size: int
    ) -> None:
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
