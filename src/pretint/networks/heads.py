"""Heads that turn a backbone's pyramid into one value a class; all give logits."""

import torch
from torch import Tensor, nn

from pretint.errors import DataError


class FlattenClassifier(nn.Module):
    """The paper's classifier on the bottleneck: dense 4096, 4096, classes, with ReLU and dropout 0.5 between.

    Dense layers start as Keras' do (Glorot uniform, bias 0), as in the authors' code.
    """

    def __init__(self, in_features: int, classes: int) -> None:
        """`in_features`: channels x height x width of the coarsest level, 512 for the paper's net at its size."""
        super().__init__()
        self.in_features = in_features
        self.layers = nn.Sequential(
            nn.Linear(in_features, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(4096, classes),
        )
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, pyramid: list[Tensor]) -> Tensor:
        """Pyramid -> logits (B, classes), from its coarsest level alone.

        Raises:
            DataError: the pictures are of another size than the head was built for.
        """
        values = pyramid[-1].flatten(1)
        if values.shape[1] != self.in_features:
            raise DataError(
                f"the pictures give {values.shape[1]} features, but the flatten head was built for {self.in_features}; "
                "use the size it was trained at, or the pooled head"
            )
        logits: Tensor = self.layers(values)
        return logits


class PooledLinear(nn.Module):
    """Means over the picture of the coarsest levels, then one linear layer: works at any size."""

    def __init__(self, channels: tuple[int, ...], classes: int) -> None:
        """`channels` of the levels used, the last ones of the backbone's: `backbone.channels[-1:]`, `[-3:]`, .."""
        super().__init__()
        self.levels = len(channels)
        self.linear = nn.Linear(sum(channels), classes)

    def forward(self, pyramid: list[Tensor]) -> Tensor:
        """Pyramid -> logits (B, classes)."""
        means = [level.mean(dim=(-2, -1)) for level in pyramid[-self.levels :]]
        logits: Tensor = self.linear(torch.cat(means, dim=1))
        return logits
